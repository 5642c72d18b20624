"""The layer classes of Keras 3 and Keras 2, by the names that files call them; and which of them is an alias."""

import inspect
import json
import pathlib

from cases import keras, tf_keras

found = {
    writer: sorted({kind.__name__ for _, kind in inspect.getmembers(module.layers, inspect.isclass)})
    for writer, module in (("keras3", keras), ("keras2", tf_keras))
}
path = pathlib.Path(__file__).parent / "classes.json"
path.write_text(json.dumps(found, indent=2) + "\n")
print(path.name, {writer: len(names) for writer, names in found.items()})
