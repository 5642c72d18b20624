"""Makes graphs.json.gz: small TensorFlow functions as the graphs that tfjs's converter writes, and what TensorFlow computes.

Run it by Python with tensorflow-cpu 2.21 and tf_keras: `python test/model/graphs/graphs.py`. A graph is frozen, and where a case
says so rewritten by the passes of Grappler that the converter runs; its constants are moved to a list of weights.
"""

import gzip
import json
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "layers"))

import numpy as np
import tensorflow as tf
import tf_keras
from cases import unit
from google.protobuf.json_format import MessageToDict
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
from tensorflow.python.framework import meta_graph
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.grappler import tf_optimizer

PASSES = ["pruning", "constfold", "arithmetic", "dependency"]


def weight(name, *shape):
    return ((2 * unit(name, shape) - 1) * 0.6).astype("float32")


def cnn():
    k = tf_keras.layers
    x = tf_keras.Input((12, 12, 3))
    y = k.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    y = k.ReLU(6.0, name="relu")(k.BatchNormalization(name="stem_bn")(y))
    z = k.DepthwiseConv2D(3, padding="same", name="depthwise")(y)
    z = k.ReLU(6.0)(k.BatchNormalization(name="depthwise_bn")(z))
    z = k.Conv2D(8, 1, name="project")(z)
    y = k.Add(name="add")([y, z])
    y = k.ZeroPadding2D(((0, 1), (0, 1)))(y)
    y = k.Conv2D(6, 3, strides=2, activation="relu", name="down")(y)
    y = k.MaxPooling2D(2, 1)(y)
    y = k.Dense(5, activation="softmax", name="classes")(k.GlobalAveragePooling2D()(y))
    model = tf_keras.Model(x, y)
    for w in model.weights:
        r = unit(w.name, tuple(w.shape))
        w.assign(0.8 + 0.4 * r if "gamma" in w.name or "variance" in w.name else (2 * r - 1) * 0.5)
    return lambda x: {"classes": model(x, training=False)}


def decoder():
    k = tf_keras.layers
    x = tf_keras.Input((4, 5, 3))
    y = k.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu", name="up")(x)
    y = k.Conv2DTranspose(4, 2, strides=3, name="valid")(y)
    y = k.UpSampling2D(2, interpolation="bilinear")(y)
    y = k.LeakyReLU(0.1)(k.Conv2D(3, 3, dilation_rate=2, name="dilated")(y))
    model = tf_keras.Model(x, y)
    for w in model.weights:
        w.assign((2 * unit(w.name, tuple(w.shape)) - 1) * 0.5)
    return lambda x: {"image": model(x)}


def transformer():
    tokens, width, heads = 6, 8, 2
    w = {n: weight(n, width, width) for n in "qkvo"}
    position, token = weight("position", 1, tokens + 1, width), weight("token", 1, 1, width)

    def norm(x):
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + 1e-5) * weight("scale", width) + weight("offset", width)

    def split(x):
        shape = tf.shape(x)
        return tf.transpose(tf.reshape(x, [shape[0], shape[1], heads, width // heads]), [0, 2, 1, 3])

    def forward(x):
        batch = tf.shape(x)[0]
        x = tf.concat([tf.broadcast_to(token, [batch, 1, width]), x], 1) + position
        y = norm(x)
        q, k, v = (split(tf.einsum("btd,de->bte", y, w[n])) for n in "qkv")
        scores = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) / np.sqrt(width // heads).astype("float32"))
        mixed = tf.reshape(tf.transpose(tf.matmul(scores, v), [0, 2, 1, 3]), [batch, -1, width])
        x = x + tf.tensordot(mixed, w["o"], 1)
        return {"logits": tf.matmul(norm(x)[:, 0], weight("head", width, 3)), "hidden": x}

    return forward


def windows():
    kernel = weight("window", 8, 8)

    def forward(x):
        b, c = tf.shape(x)[0], x.shape[-1]
        cut = tf.reshape(tf.transpose(tf.reshape(x, [b, 2, 2, 2, 2, c]), [0, 1, 3, 2, 4, 5]), [-1, 4, c])
        mixed = tf.nn.gelu(tf.matmul(cut, kernel)) + tf.reduce_mean(cut, axis=1, keepdims=True)
        back = tf.transpose(tf.reshape(mixed, [b, 2, 2, 2, 2, 8]), [0, 1, 3, 2, 4, 5])
        return {"image": tf.roll(tf.reshape(back, [b, 4, 4, 8]), [1, -1], [1, 2])}

    return forward


def odds():
    def forward(x):
        left, right = tf.split(x, 2, axis=-1)
        gated = tf.where(left > 0.1, left * tf.sigmoid(right), tf.minimum(right, 0.2))
        table = tf.gather(weight("table", 7, 3), tf.cast(tf.argmax(x, -1), tf.int32) % 7)
        padded = tf.pad(gated, [[0, 0], [1, 1], [0, 0]], mode="REFLECT")
        kept = padded[:, ::2, tf.newaxis, -2:] ** 2.0
        return {"kept": kept, "table": table, "norm": tf.math.l2_normalize(tf.maximum(gated, tf.zeros_like(gated)) + 0.1, -1)}

    return forward


CASES = [
    ("a convolutional network", cnn(), (12, 12, 3), False),
    ("a convolutional network, rewritten", cnn(), (12, 12, 3), True),
    ("transposed and dilated convolutions", decoder(), (4, 5, 3), True),
    ("a transformer", transformer(), (6, 8), False),
    ("a transformer, rewritten", transformer(), (6, 8), True),
    ("windows cut out of images", windows(), (4, 4, 8), False),
    ("odd operations", odds(), (6, 8), True),
]


def rewritten(graph, outputs, passes):
    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.optimizers[:] = passes
    meta = meta_graph.create_meta_graph_def(graph_def=graph.as_graph_def(), graph=graph)
    collection = meta_graph_pb2.CollectionDef()
    collection.node_list.value.extend(outputs)
    meta.collection_def["train_op"].CopyFrom(collection)
    return tf_optimizer.OptimizeGraph(config, meta)


def imported(definition):
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    return graph


def record(name, function, shape, optimized):
    traced = tf.function(function).get_concrete_function(tf.TensorSpec([None, *shape], tf.float32, name="x"))
    frozen = convert_variables_to_constants_v2(traced)
    keys = sorted(traced.structured_outputs)
    outputs = [t.name for t in frozen.outputs]
    definition = frozen.graph.as_graph_def()
    if optimized:
        ends = [n.split(":")[0] for n in outputs]
        for passes in (PASSES * 2, [*PASSES, "remap"]):
            definition = rewritten(imported(definition), ends, passes)
    weights = []
    for node in definition.node:
        if node.op == "Const":
            value = tf.make_ndarray(node.attr["value"].tensor)
            weights.append({"name": node.name, "shape": list(value.shape), "dtype": str(value.dtype), "values": [float(f"{v:.8g}") for v in value.flatten().tolist()]})
            node.attr["value"].tensor.ClearField("tensor_content")
            for field in ("float_val", "int_val", "int64_val", "bool_val"):
                node.attr["value"].tensor.ClearField(field)
    results = {}
    for batch in (2, 3):
        x = (2 * unit("input", (batch, *shape)) - 1).astype("float32")
        results[batch] = {k: {"shape": list(v.shape), "values": v.numpy().flatten().astype("float64").round(7).tolist()} for k, v in function(tf.constant(x)).items()}
    return {
        "name": name,
        "shape": list(shape),
        "topology": MessageToDict(definition),
        "signature": {"inputs": {"x": {"name": "x:0"}}, "outputs": {k: {"name": n} for k, n in zip(keys, outputs)}},
        "weights": weights,
        "results": results,
    }


entries = [record(*case) for case in CASES]
text = json.dumps(entries, separators=(",", ":"))
path = pathlib.Path(__file__).parent / "graphs.json.gz"
path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
for e in entries:
    print(e["name"], sorted({n["op"] for n in e["topology"]["node"]}))
print(path.stat().st_size, "bytes")
