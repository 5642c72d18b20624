from cases import Case, graph, write

BOTH = ("keras3", "keras2")
SHAPES = {1: (7, 2), 2: (5, 6, 2), 3: (4, 5, 3, 1)}


def layer(name, *args, **options):
    return lambda k: getattr(k.layers, name)(*args, **options)


def pooled(kind, rank):
    name = f"{kind}Pooling{rank}D"
    shape = [SHAPES[rank]]
    return [
        Case(name, layer(name, 2), shape),
        Case(f"{name} same", layer(name, 3, strides=2, padding="same"), shape, writers=BOTH if rank == 2 else ("keras3",)),
        Case(f"{name} overlapping", layer(name, 2, strides=1), shape, batch=1),
        Case(f"Global{name}", layer(f"Global{name}"), shape, batch=1),
        Case(f"Global{name} keepdims", layer(f"Global{name}", keepdims=True), shape,
             writers=BOTH if rank == 2 else ("keras3",), batch=1),
        Case(f"Adaptive{name}", layer(f"Adaptive{name}", 2), shape, batch=1),
        Case(f"Adaptive{name} uneven", layer(f"Adaptive{name}", 3), shape, batch=1),
    ]


def masked(k, x):
    steps = k.layers.ZeroPadding1D((1, 2))(x[0])
    return k.layers.GlobalAveragePooling1D()(k.layers.Masking(0.0)(steps))


CASES = [
    *(case for kind in ("Max", "Average") for rank in (1, 2, 3) for case in pooled(kind, rank)),
    Case("MaxPooling2D of an unequal window", layer("MaxPooling2D", (3, 2), strides=(1, 2)), [(5, 6, 2)]),
    Case("GlobalAveragePooling2D channels first", layer("GlobalAveragePooling2D", data_format="channels_first"),
         [(2, 3, 4)], writers=BOTH),
    Case("GlobalMaxPooling1D channels first", layer("GlobalMaxPooling1D", data_format="channels_first", keepdims=True),
         [(2, 5)]),
    graph("GlobalAveragePooling1D after a mask", masked, [(4, 2)], writers=BOTH),
]

write("pooling", CASES)
