from cases import Case, write

BOTH = ("keras3", "keras2")


def conv(rank, *args, **options):
    return lambda k: getattr(k.layers, f"Conv{rank}D")(*args, **options)


def transpose(rank, *args, **options):
    return lambda k: getattr(k.layers, f"Conv{rank}DTranspose")(*args, **options)


def depthwise(rank, *args, **options):
    return lambda k: getattr(k.layers, f"DepthwiseConv{rank}D")(*args, **options)


def separable(rank, *args, **options):
    return lambda k: getattr(k.layers, f"SeparableConv{rank}D")(*args, **options)


CASES = [
    Case("Conv1D", conv(1, 3, 3, strides=2, padding="same", activation="relu"), [(7, 4)], writers=BOTH),
    Case("Conv1D causal", conv(1, 3, 3, padding="causal"), [(6, 2)], writers=BOTH),
    Case("Conv1D causal dilated", conv(1, 3, 2, padding="causal", dilation_rate=3), [(8, 2)], writers=BOTH),
    Case("Conv1D causal strided", conv(1, 3, 4, padding="causal", strides=2), [(7, 2)]),
    Case("Conv1D groups", conv(1, 4, 3, groups=2, use_bias=False), [(6, 6)]),
    Case("Conv1D groups of one", conv(1, 6, 3, groups=3, padding="same", dilation_rate=2), [(6, 3)]),
    Case("Conv1D dilated", conv(1, 3, 3, dilation_rate=2, padding="same"), [(9, 2)]),
    Case("Conv2D", conv(2, 5, (3, 2), strides=2, padding="same", activation="relu"), [(6, 7, 3)], writers=BOTH),
    Case("Conv2D unequal strides", conv(2, 3, 3, strides=(2, 1), activation="tanh"), [(6, 5, 2)]),
    Case("Conv2D groups", conv(2, 4, 3, groups=2, padding="same", activation="relu"), [(4, 4, 4)], batch=1),
    Case("Conv2D groups strided", conv(2, 6, 3, groups=3, strides=2, padding="same", use_bias=False), [(5, 6, 6)], batch=1),
    Case("Conv2D groups of one", conv(2, 8, 3, groups=4, padding="same"), [(4, 4, 4)], batch=1),
    Case("Conv2D groups of one strided", conv(2, 4, 3, groups=4, strides=(2, 1)), [(5, 4, 4)], batch=1),
    Case("Conv2D groups wide", conv(2, 40, 2, groups=2, use_bias=False), [(3, 3, 40)], batch=1),
    Case("Conv2D more groups than one convolution takes", conv(2, 24, 2, groups=6, use_bias=False), [(3, 2, 48)], batch=1),
    Case("Conv2D dilated", conv(2, 2, 3, dilation_rate=(2, 1), padding="same"), [(5, 6, 2)], writers=BOTH),
    Case("Conv2D dilated valid", conv(2, 2, (2, 3), dilation_rate=(3, 2)), [(6, 7, 2)]),
    Case("Conv2D dilated groups", conv(2, 4, 3, dilation_rate=2, groups=2, padding="same"), [(5, 5, 4)], batch=1),
    Case("Conv3D", conv(3, 2, (2, 3, 2), strides=(1, 2, 1), padding="same"), [(3, 4, 3, 2)], batch=1),
    Case("Conv3D dilated", conv(3, 2, 2, dilation_rate=(1, 2, 2), activation="gelu"), [(3, 4, 4, 2)], batch=1),
    Case("Conv3D groups", conv(3, 4, 2, groups=2), [(3, 3, 3, 4)], batch=1),
    Case("Conv1DTranspose", transpose(1, 3, 3, strides=2, padding="same"), [(4, 2)], writers=BOTH),
    Case("Conv1DTranspose output padding", transpose(1, 3, 4, strides=3, output_padding=1), [(4, 2)], writers=BOTH),
    Case("Conv1DTranspose dilated", transpose(1, 3, 3, dilation_rate=2), [(4, 2)]),
    Case("Conv2DTranspose", transpose(2, 3, (3, 2), strides=(2, 3), activation="relu"), [(3, 3, 2)], writers=BOTH),
    Case("Conv2DTranspose same", transpose(2, 2, 4, strides=2, padding="same"), [(3, 3, 2)], writers=BOTH),
    Case("Conv2DTranspose output padding", transpose(2, 2, 3, strides=2, padding="same", output_padding=(0, 1)),
         [(3, 3, 2)], writers=BOTH),
    Case("Conv2DTranspose output padding valid", transpose(2, 2, 3, strides=2, output_padding=1), [(3, 3, 2)]),
    Case("Conv2DTranspose smaller than its strides", transpose(2, 2, 1, strides=2, padding="same"), [(3, 3, 2)]),
    Case("Conv2DTranspose dilated", transpose(2, 2, 2, dilation_rate=2), [(3, 4, 2)]),
    Case("Conv2DTranspose dilated same", transpose(2, 2, 3, dilation_rate=2, padding="same", use_bias=False), [(3, 4, 2)]),
    Case("Conv3DTranspose", transpose(3, 2, 2, strides=2), [(2, 2, 2, 2)], batch=1),
    Case("Conv3DTranspose same", transpose(3, 2, 3, strides=(2, 1, 2), padding="same"), [(2, 2, 2, 2)], batch=1),
    Case("Conv3DTranspose output padding",
         transpose(3, 1, 3, strides=2, padding="same", output_padding=1), [(2, 2, 2, 2)], batch=1),
    Case("DepthwiseConv1D", depthwise(1, 3, depth_multiplier=2, padding="same", strides=2), [(5, 3)], writers=BOTH),
    Case("DepthwiseConv1D dilated", depthwise(1, 3, dilation_rate=2), [(7, 3)]),
    Case("DepthwiseConv2D", depthwise(2, 3, depth_multiplier=2, padding="same", strides=2), [(5, 6, 3)], writers=BOTH,
         batch=1),
    Case("DepthwiseConv2D dilated", depthwise(2, 3, dilation_rate=(2, 2), padding="same"), [(5, 4, 2)], writers=BOTH),
    Case("DepthwiseConv2D dilated valid", depthwise(2, (2, 3), dilation_rate=(1, 2), use_bias=False), [(3, 6, 2)]),
    Case("SeparableConv1D", separable(1, 3, 3, strides=2, padding="same", depth_multiplier=2), [(7, 2)], writers=BOTH),
    Case("SeparableConv1D causal", separable(1, 3, 3, padding="causal"), [(5, 2)], writers=("keras2",)),
    Case("SeparableConv1D dilated", separable(1, 3, 3, dilation_rate=2), [(7, 2)]),
    Case("SeparableConv2D", separable(2, 4, 3, strides=2, activation="relu"), [(6, 5, 3)], writers=BOTH, batch=1),
    Case("SeparableConv2D dilated", separable(2, 3, 3, dilation_rate=2, padding="same"), [(5, 5, 2)], writers=BOTH, batch=1),
]

write("convolution", CASES)
