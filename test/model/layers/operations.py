import numpy as np
import tensorflow as tf
from cases import Input, graph, write

X = Input((4, 6))
POSITIVE = Input((4, 6), 0.2, 2)
IMAGE = Input((6, 5, 4))
PAIR = [X, Input((4, 6), 0.3, 1.5)]
ROWS = np.linspace(-1, 1, 24).reshape(4, 6).astype("float32")
KERNEL = np.linspace(-0.3, 0.3, 3 * 3 * 4 * 5).reshape(3, 3, 4, 5).astype("float32")


def keras3(name, build, inputs=(X,), **options):
    return graph(f"{name} of Keras 3", lambda k, x: build(k.ops, *x), list(inputs), **options)


def keras2(name, build, inputs=(X,), **options):
    return graph(f"{name} of TensorFlow", lambda k, x: build(*x), list(inputs), writers=["keras2"], **options)


UNARY = """abs negative exp exp2 expm1 square sin cos tan sinh cosh tanh arctan arcsinh ceil floor trunc sign sinc deg2rad
rad2deg cbrt ravel mean sum prod max min ptp var std zeros_like ones_like isnan isfinite copy""".split()
CONSTANT = "zeros_like ones_like isnan isfinite".split()
POSITIVES = "log log10 log1p log2 sqrt reciprocal arcsin:0.9 arccosh:3 cumsum rsqrt logsumexp erf erfc".split()
ACTIVATIONS = """relu relu6 selu silu sigmoid log_sigmoid hard_sigmoid hard_silu hard_tanh tanh_shrink softplus softsign
sparse_plus sparse_sigmoid elu celu hard_shrink soft_shrink squareplus gelu leaky_relu softmax log_softmax glu sparsemax""".split()
BINARY = """add subtract multiply divide true_divide floor_divide mod fmod maximum minimum arctan2 hypot logaddexp logaddexp2
divide_no_nan""".split()
COMPARISONS = "equal not_equal less less_equal greater greater_equal".split()
REDUCTIONS = "mean sum prod max min var std ptp amax amin".split()


def to_float(ops, x):
    return ops.cast(x, "float32")


def truths(ops, x, y):
    a, b = x > 0, y > 0.9
    results = [ops.logical_and(a, b), ops.logical_or(a, b), ops.logical_xor(a, b), ops.logical_not(a), ops.any(a, axis=1),
               ops.all(b, axis=-1, keepdims=True)]
    return [to_float(ops, r) for r in results]


def indices(ops, x):
    return [x[:, 1], x[:, -2:], x[..., 0], x[:, ::2, 1:5:3], x[:, None, ::-1], x[:, 3:0:-2, ..., None]]


def attention(ops, q, k, v):
    mask = ops.tril(ops.ones((5, 5)))
    return [ops.dot_product_attention(q, k, v), ops.dot_product_attention(q, k, v, is_causal=True, scale=0.7)]


KERAS3 = [
    *(keras3(name, lambda ops, x, name=name: to_float(ops, getattr(ops, name)(x)), gradients=name not in CONSTANT) for name in UNARY),
    *(keras3(name.split(":")[0], lambda ops, x, name=name.split(":")[0]: getattr(ops, name)(x),
             [Input((4, 6), *((1.1, 3) if "cosh" in name else (0.2, 0.9)))]) for name in POSITIVES),
    *(keras3(name, lambda ops, x, name=name: getattr(ops, name)(x), [Input((4, 6), -4, 4)]) for name in ACTIVATIONS),
    *(keras3(name, lambda ops, x, y, name=name: getattr(ops, name)(x, y), PAIR) for name in BINARY),
    *(keras3(name, lambda ops, x, y, name=name: to_float(ops, getattr(ops, name)(x, y)), PAIR, gradients=False) for name in COMPARISONS),
    *(keras3(f"{name} over axes", lambda ops, x, name=name: [
        getattr(ops, name)(x, axis=-1),
        getattr(ops, name)(x, axis=(1, 2)),
        getattr(ops, name)(x, axis=1, keepdims=True),
    ]) for name in REDUCTIONS),
    keras3("power", lambda ops, x, y: [ops.power(x, y), x**2, ops.power(2.0, x)], [POSITIVE, X]),
    keras3("numbers on either side", lambda ops, x: [x + 1, 1 - x, x * 2.5, 3 / (x + 2), -x, x // 0.3, x % 0.4]),
    keras3("constants of two axes", lambda ops, x: [x + ROWS, ops.matmul(x, ROWS.T), x * ROWS[:1], ops.maximum(ROWS, x)]),
    keras3("constants of one axis", lambda ops, x: [x + ROWS[0], ops.convert_to_tensor(ROWS[1]) * x]),
    keras3("broadcast", lambda ops, x, y: [x * y[:, :, :1], x + y[:, :1]], PAIR),
    keras3("truths", truths, PAIR, gradients=False),
    keras3("where", lambda ops, x, y: [ops.where(x > 0, x, y), ops.where(x > 0, 0.0, x), ops.where(y > 1, x, -1.0)], PAIR),
    keras3("clip", lambda ops, x: ops.clip(x, -0.5, 0.25)),
    keras3("round", lambda ops, x: [ops.round(x), ops.round(x, 1)], gradients=False),
    keras3("nan_to_num", lambda ops, x: ops.nan_to_num(x / ops.where(x > 0, x, ops.zeros_like(x)), posinf=2.0, neginf=-3.0), gradients=False),
    keras3("full_like", lambda ops, x: ops.full_like(x, 2.5) * x),
    keras3("stop_gradient", lambda ops, x: x * ops.stop_gradient(x)),
    keras3("cast", lambda ops, x: ops.cast(ops.cast(x * 5, "int32"), "float32")),
    keras3("argmax", lambda ops, x: [to_float(ops, ops.argmax(x, axis=-1)), to_float(ops, ops.argmin(x, axis=1, keepdims=True))], gradients=False),
    keras3("count_nonzero", lambda ops, x: to_float(ops, ops.count_nonzero(ops.relu(x), axis=1)), gradients=False),
    keras3("logsumexp over axes", lambda ops, x: [ops.logsumexp(x, axis=1), ops.logsumexp(x, axis=(1, 2), keepdims=True)]),
    keras3("max with initial", lambda ops, x: [ops.max(x, axis=1, initial=0.5), ops.min(x, axis=1, initial=-0.5)]),
    keras3("cumsum over an axis", lambda ops, x: ops.cumsum(x, axis=1)),
    keras3("norm", lambda ops, x: [ops.norm(x, axis=-1), ops.norm(x, ord=1, axis=1), ops.norm(x, ord=3, axis=1, keepdims=True)], [POSITIVE]),
    keras3("normalize", lambda ops, x: [ops.normalize(x), ops.normalize(x, axis=1), ops.normalize(x, order=1)]),
    keras3("moments", lambda ops, x: [*ops.moments(x, axes=[1]), *ops.moments(x, axes=[1, 2], keepdims=True)]),
    keras3("softmax over axes", lambda ops, x: [ops.softmax(x, axis=1), ops.log_softmax(x, axis=1)]),
    keras3("activations with options", lambda ops, x: [ops.elu(x, 0.5), ops.leaky_relu(x, 0.3), ops.gelu(x, False), ops.celu(x, 2.0),
                                                      ops.threshold(x, 0.1, -2.0), ops.hard_shrink(x, 0.2), ops.squareplus(x, 2)]),
    keras3("reshape", lambda ops, x: [ops.reshape(x, (-1, 3, 8)), ops.reshape(x, (-1, 6))]),
    keras3("transpose", lambda ops, x: [ops.transpose(x, (0, 2, 1)), ops.swapaxes(x, 1, 2), ops.moveaxis(x, 2, 1)]),
    keras3("expand_dims", lambda ops, x: [ops.expand_dims(x, 1), ops.expand_dims(x, (-1, 1)), ops.squeeze(ops.expand_dims(x, 2), 2)]),
    keras3("concatenate", lambda ops, x, y: [ops.concatenate([x, y], axis=1), ops.concatenate([x, y, x], axis=-1), ops.stack([x, y], axis=2)], PAIR),
    keras3("split", lambda ops, x: [*ops.split(x, 2, axis=1), *ops.split(x, [1, 4], axis=-1), ops.unstack(x, axis=1)[2]]),
    keras3("tile", lambda ops, x: [ops.tile(x, (1, 2, 1)), ops.repeat(x, 2, axis=1), ops.broadcast_to(ROWS, (4, 6)) * x]),
    keras3("pad", lambda ops, x: [ops.pad(x, ((0, 0), (1, 2), (0, 1))), ops.pad(x, ((0, 0), (2, 2), (1, 0)), mode="reflect"),
                                  ops.pad(x, ((0, 0), (2, 1), (0, 3)), mode="symmetric"), ops.pad(x, ((0, 0), (1, 0), (0, 0)), constant_values=1.5)]),
    keras3("flip", lambda ops, x: [ops.flip(x, axis=1), ops.roll(x, 2, axis=2), ops.roll(x, (1, -1), axis=(1, 2))]),
    keras3("take", lambda ops, x: [ops.take(x, np.array([2, 0, 0, -1]), axis=1), ops.take(x, np.array([[0, 1], [3, 2]]), axis=2)]),
    keras3("one_hot", lambda ops, x: ops.one_hot(ops.argmax(x, axis=-1), 6) * x),
    keras3("tril", lambda ops, x: [ops.tril(x), ops.triu(x, k=1)]),
    keras3("getitem", indices),
    keras3("matmul", lambda ops, x, y: [x @ ops.transpose(y, (0, 2, 1)), ops.matmul(x, y[0, 0]), ops.matmul(ops.expand_dims(x, 2), ops.expand_dims(y, 3))], PAIR),
    keras3("matmul by broadcast", lambda ops, x, y: ops.matmul(ops.expand_dims(x, 1), y), [X, Input((3, 6, 2))]),
    keras3("einsum", lambda ops, x, y: [ops.einsum("bij,bkj->bik", x, y), ops.einsum("bij,bij->b", x, y), ops.einsum("...ij->...ji", x),
                                        ops.einsum("bij,jk,blk->bil", x, ROWS.T, ops.transpose(ops.reshape(y, (-1, 6, 4)), (0, 1, 2)))], PAIR),
    keras3("tensordot", lambda ops, x: [ops.tensordot(x, ROWS, axes=[[2], [1]]), ops.dot(x, ROWS.T)]),
    keras3("attention", attention, [Input((5, 2, 4)), Input((5, 2, 4)), Input((5, 2, 4))]),
    keras3("layer and rms normalization", lambda ops, x: [ops.layer_normalization(x, gamma=ROWS[0], beta=ROWS[1], epsilon=1e-3), ops.rms_normalization(x, scale=ROWS[2])]),
    keras3("batch_normalization", lambda ops, x: ops.batch_normalization(x, ROWS[0], ROWS[0] + 2, -1, ROWS[1], ROWS[2])),
    keras3("conv", lambda ops, x: [ops.conv(x, KERNEL, strides=2, padding="same"), ops.conv(x, KERNEL, padding="valid")], [IMAGE]),
    keras3("depthwise_conv", lambda ops, x: ops.depthwise_conv(x, KERNEL[..., :2], padding="same"), [IMAGE]),
    keras3("pooling", lambda ops, x: [ops.max_pool(x, 2), ops.average_pool(x, (2, 3), strides=1, padding="same")], [IMAGE]),
    keras3("pooling of a sequence", lambda ops, x: [ops.max_pool(x, 2), ops.average_pool(x, 3, strides=1)]),
    keras3("depth_to_space", lambda ops, x: [ops.depth_to_space(x, 2), ops.space_to_depth(x[:, :, :4], 2)], [IMAGE]),
    keras3("resize", lambda ops, x: [ops.image.resize(x, (9, 7)), ops.image.resize(x, (3, 4)), ops.image.resize(x, (8, 10), interpolation="nearest")], [IMAGE]),
    keras3("crop and pad of images", lambda ops, x: [ops.image.crop_images(x, 1, 2, target_height=3, target_width=2), ops.image.pad_images(x, 1, 0, target_height=8, target_width=9),
                                                     ops.image.rgb_to_grayscale(x[..., :3])], [IMAGE]),
]


def resized(x):
    return [tf.image.resize(x, (8, 10)), tf.image.resize(x, (3, 3)), tf.image.resize(x, (8, 10), method="nearest")]


def by_shape(x):
    shape = tf.shape(x)
    return [tf.reshape(x, (shape[0], shape[1] * shape[2])), tf.reshape(x, [tf.shape(x)[0], -1, 3]), tf.reshape(x, tf.concat([tf.shape(x)[:1], [24]], 0))]


def conv(x):
    return [tf.nn.conv2d(x, KERNEL, 1, "SAME"), tf.nn.conv2d(x, KERNEL, [1, 2, 2, 1], "VALID"), tf.nn.depthwise_conv2d(x, KERNEL[..., :1], [1, 1, 1, 1], "SAME")]


FUNCTIONS = """math.abs math.negative math.exp math.expm1 math.square math.sin math.cos math.tan math.sinh math.cosh math.tanh
math.atan math.asinh math.ceil math.floor math.sign math.erf math.sigmoid math.softplus math.log_sigmoid nn.relu nn.relu6 nn.elu
nn.selu nn.softsign nn.leaky_relu nn.gelu nn.silu nn.softmax nn.log_softmax identity zeros_like ones_like""".split()
TWO = "math.add math.subtract math.multiply math.divide math.floordiv math.floormod math.maximum math.minimum math.squared_difference math.divide_no_nan".split()
REDUCED = "mean sum prod max min variance std logsumexp euclidean_norm".split()


def function(name):
    found = tf
    for part in name.split("."):
        found = getattr(found, part)
    return found


KERAS2 = [
    *(keras2(name, lambda x, name=name: function(name)(x), gradients=not name.endswith("_like")) for name in FUNCTIONS),
    *(keras2(name, lambda x, name=name: function(name)(x), [POSITIVE]) for name in ["math.log", "math.log1p", "math.sqrt", "math.rsqrt", "math.reciprocal"]),
    *(keras2(name, lambda x, y, name=name: function(name)(x, y), PAIR) for name in TWO),
    *(keras2(f"reduce_{name}", lambda x, name=name: [function(f"math.reduce_{name}")(x, axis=1), function(f"math.reduce_{name}")(x, axis=[1, 2], keepdims=True)]) for name in REDUCED),
    keras2("numbers on either side", lambda x: [x + 1, 1 - x, x * 2.5, 3 / (x + 2), -x, x // 0.3, x % 0.4, x**2, 2.0**x]),
    keras2("constants of two axes", lambda x: [x + ROWS, tf.matmul(x, ROWS, transpose_b=True), tf.maximum(x, ROWS)]),
    keras2("comparisons", lambda x, y: [tf.cast(r, tf.float32) for r in (x > y, x >= y, x < y, x <= y, tf.equal(x, y), tf.logical_and(x > 0, y > 0.9), tf.logical_not(x > 0))], PAIR, gradients=False),
    keras2("where", lambda x, y: tf.where(x > 0, x, y), PAIR),
    keras2("clip_by_value", lambda x: tf.clip_by_value(x, -0.5, 0.25)),
    keras2("cast", lambda x: tf.cast(tf.cast(x * 5, tf.int32), tf.float32)),
    keras2("argmax", lambda x: [tf.cast(tf.argmax(x, axis=-1), tf.float32), tf.cast(tf.argmin(x, axis=1), tf.float32)], gradients=False),
    keras2("cumsum", lambda x: [tf.cumsum(x, axis=1), tf.cumsum(x, axis=2, exclusive=True, reverse=True)]),
    keras2("l2_normalize", lambda x: [tf.nn.l2_normalize(x, axis=-1), tf.math.l2_normalize(x, axis=[1, 2])]),
    keras2("norm", lambda x: [tf.norm(x, axis=-1), tf.norm(x, ord=1, axis=1, keepdims=True)]),
    keras2("add_n", lambda x, y: tf.add_n([x, y, x]), PAIR),
    keras2("moments", lambda x: [*tf.nn.moments(x, axes=[1])]),
    keras2("reshape", lambda x: [tf.reshape(x, (-1, 3, 8)), tf.transpose(x, [0, 2, 1]), tf.expand_dims(x, -1), tf.squeeze(tf.expand_dims(x, 1), 1)]),
    keras2("shapes", by_shape),
    keras2("concat", lambda x, y: [tf.concat([x, y], axis=-1), tf.stack([x, y], axis=1)], PAIR),
    keras2("split", lambda x: [*tf.split(x, 2, axis=1), *tf.split(x, [1, -1, 2], axis=2), tf.unstack(x, axis=1)[3]]),
    keras2("tile", lambda x: [tf.tile(x, [1, 2, 1]), tf.repeat(x, 2, axis=1), tf.repeat(x, [1, 0, 2, 1], axis=1)]),
    keras2("pad", lambda x: [tf.pad(x, [[0, 0], [1, 2], [0, 1]]), tf.pad(x, [[0, 0], [2, 2], [1, 0]], mode="REFLECT"), tf.pad(x, [[0, 0], [2, 1], [0, 3]], mode="SYMMETRIC")]),
    keras2("reverse", lambda x: [tf.reverse(x, [1]), tf.roll(x, 2, axis=2)]),
    keras2("gather", lambda x: [tf.gather(x, [2, 0, 0], axis=1), tf.gather(x, [[0, 1], [3, 2]], axis=2)]),
    keras2("slice", lambda x: [tf.slice(x, [0, 1, 2], [-1, 2, 3]), tf.strided_slice(x, [0, 0, 1], [2, 4, 6], [1, 2, 2])]),
    keras2("getitem", lambda x: [x[:, 1], x[:, -2:], x[..., 0], x[:, ::2, 1:5:3], x[:, tf.newaxis, ::-1], x[:, 3:0:-2, ..., tf.newaxis]]),
    keras2("one_hot", lambda x: tf.one_hot(tf.argmax(x, axis=-1), 6) * x),
    keras2("matmul", lambda x, y: [tf.matmul(x, y, transpose_b=True), tf.matmul(x, y, transpose_a=True)], PAIR),
    keras2("tensordot", lambda x: tf.tensordot(x, ROWS, axes=[[2], [1]])),
    keras2("conv2d", conv, [IMAGE]),
    keras2("pooling", lambda x: [tf.nn.max_pool2d(x, 2, 2, "VALID"), tf.nn.avg_pool2d(x, [2, 3], 1, "SAME")], [IMAGE]),
    keras2("depth_to_space", lambda x: [tf.nn.depth_to_space(x, 2), tf.nn.space_to_depth(x[:, :, :4], 2)], [IMAGE]),
    keras2("resize", resized, [IMAGE]),
    keras2("flip of images", lambda x: [tf.image.flip_left_right(x), tf.image.rgb_to_grayscale(x[..., :3])], [IMAGE]),
    keras2("batch_normalization", lambda x: tf.nn.batch_normalization(x, ROWS[0], ROWS[0] + 2, ROWS[1], ROWS[2], 1e-3)),
]

write("operations", [*KERAS3, *KERAS2])
