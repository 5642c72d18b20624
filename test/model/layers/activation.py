from cases import Case, Input, graph, write

KERAS_3 = """celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear
log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus
sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold""".split()
KERAS_2 = "elu exponential gelu hard_sigmoid linear mish relu selu sigmoid softmax softplus softsign swish tanh".split()

WIDE = Input((6,), -4, 4)


def named(name):
    if name == "threshold":
        return None
    return lambda k: k.layers.Activation(name)


CASES = [
    *(Case(f"Activation {n}", named(n), [WIDE]) for n in KERAS_3 if named(n)),
    *(Case(f"Activation {n}", named(n), [WIDE], writers=["keras2"]) for n in KERAS_2),
    Case("Activation relu6 of TensorFlow", lambda k: k.layers.Activation("relu6"), [WIDE], writers=["keras2"]),
    Case("Dense with a layer as activation", lambda k: k.layers.Dense(4, activation=k.layers.LeakyReLU(0.1)), [(5,)],
         writers=("keras3", "keras2")),
    Case("Dense with ReLU options", lambda k: k.layers.Dense(4, activation=k.layers.ReLU(0.5, 0.1, 0.2)), [(5,)]),
    Case("Dense hard_silu", lambda k: k.layers.Dense(4, activation="hard_silu"), [(3, 5)]),
]

write("activation", CASES)
