"""What Keras's affine_transform makes of a small batch, for the augmentations that move values."""

import gzip
import json
import pathlib

import numpy as np

from cases import keras, numbers, unit

TRANSFORMS = {
    "a shift by whole positions": [[1, 0, 1, 0, 1, -2, 0, 0], [1, 0, 0, 0, 1, 0, 0, 0]],
    "a shift": [[1, 0, 1.25, 0, 1, -2.5, 0, 0], [1, 0, -7.3, 0, 1, 0.4, 0, 0]],
    "a turn": [[0.8, -0.6, 1.5, 0.6, 0.8, -0.7, 0, 0], [0, -1, 3, 1, 0, 0, 0, 0]],
    "a zoom": [[0.5, 0, 1.1, 0, 0.7, 0.6, 0, 0], [2.1, 0, -2.2, 0, 1.7, -1.4, 0, 0]],
}

x = (2 * unit("input:0", (2, 4, 5, 2)) - 1).astype(np.float32)
entries = [
    {
        "name": f"{name}, {fill}, {interpolation}",
        "transform": transform,
        "fill": fill,
        "interpolation": interpolation,
        "output": numbers(keras.ops.image.affine_transform(
            x, np.array(transform, np.float32), interpolation=interpolation, fill_mode=fill, fill_value=0.5)),
    }
    for name, transform in TRANSFORMS.items()
    for fill in ("constant", "nearest", "reflect")
    for interpolation in ("bilinear", "nearest")
    if not (name == "a zoom" and interpolation == "nearest")
]
path = pathlib.Path(__file__).parent / "warp.json.gz"
path.write_bytes(gzip.compress(json.dumps(entries, separators=(",", ":")).encode(), 9, mtime=0))
print(path.name, len(entries), path.stat().st_size)
