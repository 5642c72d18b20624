"""How layers and models are called: again, inside each other, by lists and by dictionaries."""

import importlib

import numpy as np
from cases import graph, write

BOTH = ("keras2", "keras3")


def inner(k, name="inner"):
    x = k.Input((4,), name=f"{name}_x")
    return k.Model(x, k.layers.Dense(4, activation="tanh", name=f"{name}_dense")(x), name=name)


def stack(k, name="stack"):
    return k.Sequential([k.layers.Dense(4, activation="tanh", name=f"{name}_dense"), k.layers.ReLU()], name=name)


def two_ends(k, as_dictionary):
    """Two inputs, two outputs; names in another order than they are given in."""
    q, b = k.Input((4,), name="q"), k.Input((3,), name="b")
    z, a = k.layers.Dense(2, name="of_q")(q), k.layers.Dense(5, name="of_b")(b)
    if as_dictionary:
        return k.Model({"q": q, "b": b}, {"z": z, "a": a}, name="ends")
    return k.Model([q, b], [z, a], name="ends")


def again(k, x):
    model, sequence, dense = inner(k), stack(k), k.layers.Dense(4, activation="tanh", name="dense")
    a = model(x[0])
    b = model(a)
    c = sequence(b)
    d = sequence(c)
    e = dense(dense(d))
    return [b, k.layers.Add(name="sum")([a, b, c, d, e]), c, a, d]


def alternating(k, x):
    f, g = k.layers.Dense(4, activation="tanh", name="f"), k.layers.Dense(4, activation="tanh", name="g")
    return f(g(f(g(x[0]))))


def dictionaries(k, x):
    ends = two_ends(k, True)
    first = ends({"b": x[1], "q": x[0]})
    second = ends({"q": first["z"] if first["z"].shape[-1] == 4 else x[0], "b": x[1]})
    return {"second": second["a"], "first": first["z"]}


def dictionary_for_list(k, x):
    z, a = two_ends(k, False)({"b": x[1], "q": x[0]})
    return [a, z]


def one_of_two(k, x):
    return k.layers.Concatenate(name="both")([two_ends(k, False)([x[0], x[1]])[1], x[0]])


def deep(k, x):
    q = k.Input((4,), name="outer_x")
    outer = k.Model(q, stack(k, "deepest")(inner(k, "middle")(q)), name="outer")
    return [outer(outer(x[0])), outer(x[0])]


def sequences(k, x):
    return k.Sequential([stack(k, "first"), inner(k, "second"), stack(k, "third")], name="all")(x[0])


def input_as_output(k, x):
    return [x[1], k.layers.Dense(2, name="dense")(x[0]), x[0]]


def diamond(k, x):
    dense = k.layers.Dense(4, name="dense")
    left, right = k.layers.ReLU(name="left")(dense(x[0])), k.layers.ReLU(name="right")(dense(x[1]))
    return k.layers.Concatenate(name="both")([right, left, k.layers.Multiply(name="product")([left, right])])


def one_operation_differently(k, x):
    add = importlib.import_module("keras.src.ops.numpy").Add(name="plus")
    return [add(x[0], 1), add(add(2, x[0]), x[0]), add(x[1], 1)]


def nested_values(k, x):
    steps = k.ops.where(x[0] > 0, k.ops.clip(x[0], -0.25, 0.5), x[1])
    return k.ops.concatenate([steps[:, 1:, None], k.ops.stack([x[1], x[0] * np.array([1, 2, 3, 4], "float32")])[0][:, :3, None]], axis=-1)


def scaled(k, x):
    applications = importlib.import_module(f"{k.__name__}.src.applications.inception_resnet_v2")
    return applications.CustomScaleLayer(0.17, name="scaled")([x[0], x[1]])


def model_per_step(k, x):
    frames = k.Sequential([k.Input((4,)), k.layers.Dense(3, activation="tanh", name="frame")], name="frames")
    q = k.Input((3,), name="frame_x")
    graph_of_frame = k.Model(q, k.layers.Concatenate(name="join")([q, k.layers.Dense(2, name="again")(q)]), name="inner")
    return k.layers.TimeDistributed(graph_of_frame, name="second")(k.layers.TimeDistributed(frames, name="first")(x[0]))


def twice_at_once(k, x):
    """A tensor that one call takes twice, and another call as well."""
    y = k.layers.Dense(4, activation="tanh", name="dense")(x[0])
    z = k.layers.Add(name="more")([y, k.layers.Multiply(name="square")([y, y]), y])
    return k.layers.Concatenate(name="both")([z, y, z])


CASES = [
    graph("layers and models called again", again, [[4]], writers=BOTH),
    graph("two layers that call each other in turn", alternating, [[4]], writers=BOTH),
    graph("a model of dictionaries, called twice", dictionaries, [[4], [3]], writers=BOTH),
    graph("a model of lists called with a dictionary", dictionary_for_list, [[4], [3]], writers=BOTH),
    graph("one output of a model of two", one_of_two, [[4], [3]], writers=BOTH, gradients=False),
    graph("models inside models inside models", deep, [[4]], writers=BOTH),
    graph("models in a row", sequences, [[4]], writers=BOTH),
    graph("inputs that are outputs", input_as_output, [[4], [2]], writers=BOTH),
    graph("an operation called in several ways", one_operation_differently, [[4], [4]]),
    graph("operations on slices, arrays and lists", nested_values, [[4], [4]]),
    graph("a model for each step", model_per_step, [[5, 4]], writers=BOTH),
    graph("a layer that Keras has for one application", scaled, [[4], [4]], writers=BOTH),
    graph("a tensor twice in one call", twice_at_once, [[4]], writers=BOTH),
    graph("a layer on two inputs", diamond, [[4], [4]], writers=BOTH),
]

if __name__ == "__main__":
    write("functional", CASES)
