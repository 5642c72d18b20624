from cases import Case, write

CASES = [
    Case("Conv2D", lambda k: k.layers.Conv2D(5, (3, 2), strides=2, padding="same", activation="relu"), [(6, 7, 3)], writers=("keras3", "keras2")),
]

write("convolution", CASES)
