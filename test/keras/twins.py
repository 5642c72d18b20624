"""Builds models by Keras 3 or Keras 2, saves them, and tells what they compute and count."""

import json

import formula
import keras
import numpy as np
import tf_keras
from macs import macs

VERSIONS = {2: tf_keras, 3: keras}

#: The functions of Keras 2's TFOpLambda, in Keras 3.
OPERATIONS = {"__operators__.add": keras.ops.add, "math.multiply": keras.ops.multiply}

model = None


def application(version, name, input_shape, classes=1000):
    """An application as this version of Keras builds it. Returns what `facts` does."""
    global model
    kind = VERSIONS[version]
    kind.backend.clear_session()
    model = getattr(kind.applications, name)(weights=None, input_shape=tuple(input_shape), classes=classes)
    return facts(version)


def topology(path, input_shape):
    """A Keras 2 topology built anew from layers of Keras 3, for models that Keras 3 no longer has."""
    global model
    keras.backend.clear_session()
    with open(path) as file:
        config = json.load(file)["modelTopology"]["config"]
    tensors = {}

    def called(value):
        """What a reference [layer, call, output] stands for."""
        return tensors[value[0]] if isinstance(value, list) and isinstance(value[0], str) else value

    for written in config["layers"]:
        name, kind = written["name"], written["class_name"]
        if kind == "InputLayer":
            tensors[name] = keras.Input(input_shape, name=name)
            continue
        [node] = written["inbound_nodes"]
        if kind == "TFOpLambda":
            [first, _, _, *rest] = node if isinstance(node[0], str) else node[0]
            others = [called(value) for value in (rest[0] if rest else {}).values() if value is not None]
            tensors[name] = OPERATIONS[written["config"]["function"]](tensors[first], *others)
            continue
        layer = getattr(keras.layers, kind).from_config(modern(written["config"]))
        inputs = [tensors[reference[0]] for reference in node]
        tensors[name] = layer(inputs if len(inputs) > 1 else inputs[0])
    [[output, _, _]] = config["output_layers"]
    model = keras.Model(tensors[config["input_layers"][0][0]], tensors[output], name=config["name"])
    return facts(3)


def modern(config):
    """Options of Keras 2 without those that Keras 3 has dropped."""
    axis = config.get("axis")
    one = {"axis": axis[0]} if isinstance(axis, list) and len(axis) == 1 else {}
    kept = {key: value for key, value in config.items() if key not in ("dtype", "batch_input_shape")}
    return kept | one


def facts(version):
    """Fills the weights by the formula. Returns the numbers of parameters and of multiply-accumulates."""
    for layer in model.layers:
        names, values = [], []
        for weight in layer.weights:
            name = weight.name.split("/")[-1].split(":")[0]
            depthwise = name == "depthwise_kernel" or "Depthwise" in type(layer).__name__
            names.append(f"{layer.name}/{name}")
            values.append(formula.weight(names[-1], weight.shape, depthwise))
        layer.set_weights(values)
        if hasattr(layer, "finalize_state"):
            # Keras takes a normalization's new moments into account when it loads a file, or when told.
            layer.finalize_state()
    return {"params": model.count_params(), "macs": macs(model)}


def save(path):
    model.save(path)


def layerwise(version, shape, span):
    """Mean and deviation of every layer for the input of the formula, the inputs of the last, and the output."""
    x = formula.input(shape, span)
    layers = model.operations if version == 3 else model.layers
    layers = [layer for layer in layers if type(layer).__name__ != "InputLayer"]
    # In Keras 2 a model's first node is its own making.
    calls = [layer._inbound_nodes[-1] for layer in layers]
    tensors = [*(single(call.outputs) for call in calls), single(calls[-1].input_tensors), model.outputs[0]]
    whole = VERSIONS[version].Model(model.inputs, tensors)
    *made, features, output = (np.asarray(value, "float64") for value in whole([x], training=False))
    return {
        "layers": [
            {"name": layer.name, "shape": value.shape, "mean": value.mean(), "deviation": value.std()}
            for layer, value in zip(layers, made)
        ],
        "features": features.ravel()[:64].tolist(),
        "output": output.ravel().tolist(),
    }


def single(tensors):
    """The one tensor, which may lie in a list."""
    return tensors[0] if isinstance(tensors, (list, tuple)) else tensors
