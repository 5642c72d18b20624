from cases import Case, Input, write

BOTH = ("keras3", "keras2")


def layer(name, *args, **options):
    return lambda k: getattr(k.layers, name)(*args, **options)


def tokens(*shape):
    return [Input(shape, 0, 4, "int32")]


CASES = [
    *(Case(f"CategoryEncoding {mode}", layer("CategoryEncoding", 4, output_mode=mode), tokens(3), writers=BOTH,
           gradients=False) for mode in ("multi_hot", "count")),
    Case("CategoryEncoding one_hot", layer("CategoryEncoding", 4, output_mode="one_hot"), tokens(1), writers=BOTH,
         gradients=False),
    Case("Discretization", layer("Discretization", bin_boundaries=[-0.5, 0.0, 0.4]), [(6,)], writers=BOTH, gradients=False),
    Case("Discretization one_hot", layer("Discretization", bin_boundaries=[-0.5, 0.4], output_mode="one_hot"), [(1,)],
         writers=BOTH, gradients=False),
]

write("categories", CASES)
