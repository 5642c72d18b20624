"""What the peers of the speed bench time: training steps of one network."""

from functools import partial
from typing import NamedTuple

import turns
from turns import Work as Training


class Network(NamedTuple):
    """A row of the driver's table of networks, as it comes on the command line."""

    name: str
    batch: int
    image: int
    classes: int
    threads: int
    device: str


serve = partial(turns.serve, Network, warm_up=6, uncounted=1)

__all__ = ["Network", "Training", "serve"]
