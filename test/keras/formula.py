"""Weights and inputs from names, as in ../model/formula.ts: no file of values passes between Keras and the tests."""

import numpy as np


def unit(name, size):
    """Numbers in [0, 1) of a tensor's name."""
    hash = 2166136261
    for byte in name.encode():
        hash = (hash ^ byte) * 16777619 & 0xFFFFFFFF
    x = np.arange(size, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(hash)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(2246822519)
    x = (x ^ (x >> np.uint32(13))) * np.uint32(3266489917)
    return (x ^ (x >> np.uint32(16))) / 2.0**32


def weight(name, shape, depthwise=False):
    """The value of the weight "layer/name"; `depthwise` where a kernel meets each channel by itself."""
    r = unit(name, int(np.prod(shape))).reshape(shape)
    last = name.split("/")[-1]
    if last in ("gamma", "moving_variance", "variance"):
        return 0.8 + 0.4 * r
    if last == "count":
        return np.zeros(shape)
    if len(shape) < 2:
        return 0.1 * (2 * r - 1)
    fan = np.prod(shape[:2] if depthwise else shape[:-1])
    return (2 * r - 1) * 1.3 * np.sqrt(3 / fan)


def input(shape, span):
    """The input of a model: pixels from 0 to 255, or values from -1 to 1."""
    r = unit("input", int(np.prod(shape))).reshape(shape)
    return (255 * r if span == "0..255" else 2 * r - 1).astype("float32")
