from cases import Case, Input, write

BOTH = ("keras3", "keras2")


def layer(name, *args, **options):
    return lambda k: getattr(k.layers, name)(*args, **options)


def merged(name, *shapes, **options):
    return Case(f"{name} of {' and '.join(map(str, shapes))}", layer(name, **options), shapes, writers=BOTH)


WIDE = [Input((7,), -3, 3)]

CASES = [
    Case("ReLU", layer("ReLU"), WIDE, writers=BOTH),
    Case("ReLU limited", layer("ReLU", max_value=1.5), WIDE, writers=BOTH),
    Case("ReLU with all options", layer("ReLU", max_value=2, negative_slope=0.2, threshold=0.5), WIDE, writers=BOTH),
    Case("ReLU with a threshold", layer("ReLU", threshold=0.5), WIDE, writers=BOTH),
    Case("LeakyReLU", layer("LeakyReLU", 0.1), WIDE, writers=BOTH),
    Case("ELU", layer("ELU", 0.5), WIDE, writers=BOTH),
    Case("ThresholdedReLU", layer("ThresholdedReLU", 0.7), WIDE, writers=("keras2",)),
    Case("PReLU", layer("PReLU"), [(3, 2)], writers=BOTH),
    Case("PReLU with shared axes", layer("PReLU", shared_axes=[1, 2]), [(3, 2, 2)], writers=BOTH),
    Case("Softmax", layer("Softmax"), [(3, 4)], writers=BOTH),
    Case("Softmax axis 1", layer("Softmax", axis=1), [(3, 4)], writers=BOTH),
    Case("Softmax of two axes", layer("Softmax", axis=[1, 2]), [(3, 4)], writers=BOTH),
    Case("ActivityRegularization", layer("ActivityRegularization", l2=0.1), WIDE, writers=BOTH),
    *(Case(name, layer(name, 0.5), [(2, 3)], writers=BOTH)
      for name in ("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D")),
    Case("SpatialDropout2D", layer("SpatialDropout2D", 0.5), [(2, 2, 2)], writers=BOTH),
    Case("SpatialDropout3D", layer("SpatialDropout3D", 0.5), [(2, 1, 2, 2)], writers=BOTH),
    Case("Masking", layer("Masking", 0.0), [(3, 2)], writers=BOTH),
    Case("Dense", layer("Dense", 3, activation="tanh"), [(2, 4)], writers=BOTH),
    Case("Dense without a bias", layer("Dense", 3, use_bias=False), [(4,)], writers=BOTH),
    *(merged(name, (2, 3), (2, 3)) for name in
      ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")),
    *(merged(name, (2, 3), (1, 3), (2, 1)) for name in ("Add", "Multiply", "Average", "Maximum", "Minimum")),
    *(merged(name, (2, 3), (3,)) for name in ("Add", "Subtract", "Multiply")),
    merged("Concatenate", (2, 3), (4, 3), axis=1),
    merged("Dot", (4,), (4,), axes=1),
    Case("Dot normalized", layer("Dot", axes=1, normalize=True), [(4,), (4,)], writers=BOTH),
    merged("Dot", (3, 4), (2, 4), axes=2),
    merged("Dot", (3, 4), (4, 2), axes=(2, 1)),
]

write("core", CASES)
