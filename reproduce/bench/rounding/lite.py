"""TensorFlow Lite's side of the bench of rounding: a network in 8-bit integers, beside itself in floating point.

`FOLDER/network.json` holds layers in the order of execution, as Keras 2 configures them, with the numbers of the tensors
that they take and make; weights and pictures are where it says in `FOLDER/values.bin`. Prints JSON: per set of pictures
the outputs in floating point, and in integers with and without a scale per channel of a weight.
"""

import json
import sys

import numpy as np
import tensorflow as tf
import tf_keras as keras

# The operations of the graph model, whose averagePool is over all positions.
OPERATIONS = {
    "add": lambda x, y: x + y,
    "multiply": lambda x, y: x * y,
    "subtract": lambda x, y: x - y,
    "averagePool": lambda x, **_: keras.layers.GlobalAveragePooling2D(keepdims=True)(x),
    "squeeze": lambda x, **_: keras.layers.Flatten()(x),
}


def main(folder: str) -> None:
    with open(f"{folder}/network.json") as file:
        network = json.load(file)
    values = np.fromfile(f"{folder}/values.bin", np.float32)

    def held(at):
        begin = at["offset"]
        return values[begin : begin + int(np.prod(at["shape"]))].reshape(at["shape"])

    model = built(network, held)
    sets = {name: held(at) for name, at in network["sets"].items()}
    calibration = held(network["calibration"])
    ways = {
        "floating": lambda x: model.predict(x, verbose=0),
        "per channel": interpreted(model, calibration, per_channel=True),
        "per tensor": interpreted(model, calibration, per_channel=False),
    }
    outputs = {
        way: {name: run(x).tolist() for name, x in sets.items()} for way, run in ways.items()
    }
    print(json.dumps(outputs))


def built(network, held) -> keras.Model:
    x = keras.Input(network["shape"])
    tensors = {0: x}
    for layer in network["layers"]:
        taken = [tensors[number] for number in layer["inputs"]]
        tensors[layer["output"]] = called(layer, taken, held)
    return keras.Model(x, tensors[network["layers"][-1]["output"]])


def called(layer, taken, held):
    config = layer["config"]
    if layer["className"] == "Operation":
        given = json.loads(config["arguments"]["name"])["keyword"]
        tensor = lambda value: taken[value["tensor"]] if isinstance(value, dict) else value
        arguments = {name: tensor(value) for name, value in given.items()}
        return OPERATIONS[config["function"]["name"]](**arguments)
    own = getattr(keras.layers, layer["className"]).from_config(config)
    result = own(taken if len(taken) > 1 else taken[0])
    own.set_weights([held(weight) for weight in layer["weights"]])
    return result


def interpreted(model: keras.Model, calibration: np.ndarray, per_channel: bool):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x[None]] for x in calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter._experimental_disable_per_channel = not per_channel
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    (into,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(pictures: np.ndarray) -> np.ndarray:
        made = []
        for x in pictures:
            interpreter.set_tensor(into["index"], x[None])
            interpreter.invoke()
            made.append(interpreter.get_tensor(out["index"])[0])
        return np.array(made)

    return run


main(sys.argv[1])
