"""What the peers of the bench of input pipelines time: passes over a folder of photographs."""

from functools import partial
from typing import NamedTuple

import turns
from turns import Work as Pipeline


class Task(NamedTuple):
    """Batches of `batch` images of `size` pixels square, from the files of folder/train/CLASS."""

    folder: str
    batch: int
    size: int
    threads: int


serve = partial(turns.serve, Task, warm_up=1, uncounted=0)

__all__ = ["Pipeline", "Task", "serve"]
