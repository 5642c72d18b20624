"""Turns small models of Keras into a fixture: their JSON, and what Keras computes with inputs and weights from a formula.

A family is a script beside this one, a list of cases that ends in `write("<family>", CASES)`. Run it by Python with
tensorflow-cpu 2.21, keras 3 and tf_keras: `python test/model/layers/<family>.py`. The fixture lies in fixtures/.
"""

import gzip
import json
import os
import pathlib
import re
from dataclasses import dataclass
from typing import Any, Callable, Sequence

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import keras
import numpy as np
import tensorflow as tf
import tf_keras

WRITERS = {"keras3": keras, "keras2": tf_keras}


@dataclass(frozen=True)
class Input:
    """Shape without the batch. Floats lie in [low, high), integers are the floor of that."""

    shape: Sequence[int]
    low: float = -1
    high: float = 1
    dtype: str = "float32"


@dataclass(frozen=True)
class Case:
    """A layer, or a function of (keras, inputs) to outputs, around which a functional model is made.

    `layer` receives the module, `keras` or `tf_keras`. `calls`: how the inputs enter the layer where it takes several.
    `training` also records the pass in training, which must not be random.
    """

    name: str
    layer: Callable[[Any], Any]
    inputs: Sequence[Input | Sequence[int]]
    writers: Sequence[str] = ("keras3",)
    build: Callable[[Any, list], Any] | None = None
    training: bool = False
    gradients: bool = True
    batch: int = 2


def graph(name, build, inputs, **options):
    """A case whose model is wired by `build(keras, inputs)`."""
    return Case(name, lambda k: None, inputs, build=build, **options)


def fnv1a32(name):
    value = 2166136261
    for byte in name.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def unit(name, shape):
    """Numbers in [0, 1): those of shared/reference/README.md."""
    x = np.arange(int(np.prod(shape)), dtype=np.uint32) * np.uint32(2654435761) + np.uint32(fnv1a32(name))
    x ^= x >> np.uint32(15)
    x *= np.uint32(2246822519)
    x ^= x >> np.uint32(13)
    x *= np.uint32(3266489917)
    x ^= x >> np.uint32(16)
    return (x.astype(np.float64) / 2**32).reshape(shape)


def weight(name, shape):
    last = name.split("/")[-1]
    r = unit(name, shape)
    if last in ("gamma", "moving_variance", "variance"):
        return 0.8 + 0.4 * r
    if last == "count":
        return 0 * r
    if len(shape) < 2:
        return 0.1 * (2 * r - 1)
    fan = np.prod(shape[:2] if last == "depthwise_kernel" else shape[:-1])
    return (2 * r - 1) * 1.3 * np.sqrt(3 / fan)


def made(case, k):
    k.backend.clear_session()
    given = [i if isinstance(i, Input) else Input(i) for i in case.inputs]
    tensors = [k.Input(i.shape, dtype=i.dtype, name=f"x{n}", batch_size=None) for n, i in enumerate(given)]
    if case.build:
        outputs = case.build(k, tensors)
    else:
        outputs = case.layer(k)(tensors if len(tensors) > 1 else tensors[0])
    values = []
    for n, i in enumerate(given):
        x = i.low + (i.high - i.low) * unit(f"input:{n}", (case.batch, *i.shape))
        values.append((x if "float" in i.dtype else np.floor(x)).astype(i.dtype))
    return k.Model(tensors, outputs, name="model"), given, values


def path_of(variable):
    return re.sub(r":\d+$", "", getattr(variable, "path", variable.name))


def numbers(tensor):
    values = np.asarray(tf.convert_to_tensor(tensor))
    flat = [float(f"{v:.7g}") for v in values.astype(np.float64).ravel()]
    return {"shape": list(values.shape), "values": [int(v) if v == int(v) else v for v in flat]}


def passed(model, values, given, training, gradients):
    """Outputs of one pass, and the gradients of sum(outputs * formula) by float inputs and trainable weights."""
    floats = [n for n, i in enumerate(given) if "float" in i.dtype]
    trainable = [w.value if isinstance(w, keras.Variable) else w for w in model.trainable_weights]

    def run(*xs):
        with tf.GradientTape() as tape:
            for n in floats:
                tape.watch(xs[n])
            outputs = tf.nest.flatten(model(list(xs) if len(xs) > 1 else xs[0], training=training))
            sums = [tf.reduce_sum(y * (2 * unit(f"output:{n}", y.shape) - 1).astype("float32"))
                    for n, y in enumerate(outputs) if y.dtype.is_floating]
            total = tf.add_n(sums) if sums else None
        if not gradients or total is None:
            return outputs, []
        sources = [xs[n] for n in floats] + trainable
        found = tape.gradient(total, sources, unconnected_gradients="zero")
        return outputs, [tf.convert_to_tensor(g) for g in found]

    xs = [tf.constant(v) for v in values]
    before = [tf.identity(w) for w in model.weights]
    try:
        outputs, found = run(*xs)
    except tf.errors.OpError:
        # TensorFlow's processor kernels lack dilations and groups here and there, XLA has them.
        for w, value in zip(model.weights, before):
            w.assign(value)
        outputs, found = tf.function(run, jit_compile=True)(*xs)
    result = {"outputs": [numbers(y) for y in outputs]}
    if found:
        result["inputGradients"] = [numbers(g) for g in found[: len(floats)]]
        result["weightGradients"] = {
            path_of(w): numbers(g) for w, g in zip(model.trainable_weights, found[len(floats):])
        }
    return result


def record(case, writer):
    k = WRITERS[writer]
    model, given, values = made(case, k)
    paths = [path_of(w) for w in model.weights]
    # Seeds of random layers are no weights.
    kept = [n for n, p in enumerate(paths) if not p.endswith("seed_generator_state")]
    assert len(set(paths)) == len(paths), paths

    def fill():
        for n in kept:
            w = model.weights[n]
            w.assign(weight(paths[n], tuple(w.shape)).astype(np.float32))
        for layer in model.layers:
            if hasattr(layer, "finalize_state"):
                layer.finalize_state()
    fill()
    entry = {
        "name": case.name,
        "writer": writer,
        "topology": json.loads(model.to_json()),
        "batch": case.batch,
        "inputs": [
            {"shape": list(i.shape), "low": i.low, "high": i.high, "dtype": i.dtype.replace("uint8", "int32")}
            for i in given
        ],
        "weights": [{"name": paths[n], "shape": list(model.weights[n].shape)} for n in kept],
        "inference": passed(model, values, given, False, case.gradients),
    }
    if case.training:
        entry["training"] = passed(model, values, given, True, case.gradients)
        fixed = {id(w) for w in model.trainable_weights}
        entry["training"]["updates"] = {
            paths[n]: numbers(model.weights[n]) for n in kept if id(model.weights[n]) not in fixed
        }
    return entry


def write(family, cases):
    entries = [record(case, writer) for case in cases for writer in case.writers]
    names = [f"{e['name']} {e['writer']}" for e in entries]
    assert len(set(names)) == len(names), "two cases of one name"
    path = pathlib.Path(__file__).parent / "fixtures" / f"{family}.json.gz"
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(entries, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{path.name}: {len(entries)} cases, {path.stat().st_size} bytes")
