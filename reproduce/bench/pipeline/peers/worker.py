"""The peers' side of the bench of input pipelines: one process that makes batches out of a folder when told to.

Commands on stdin: "run N", N passes over the folder; end of file ends the process. Answers on stdout, one JSON object a
line: first what the warm-up gave, then the milliseconds of each pass.
"""

import argparse
import json
import os
import sys
import time
from typing import Callable, Mapping, NamedTuple


class Task(NamedTuple):
    """What every peer does: batches of `batch` images of `size` pixels square, from the files of folder/train/CLASS."""

    folder: str
    batch: int
    size: int
    threads: int


class Pipeline(NamedTuple):
    """`run` makes all batches of one pass, and returns once the last one is there."""

    run: Callable[[], object]
    versions: Mapping[str, str]


def serve(methods: Mapping[str, Callable[[Task], Pipeline]]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", choices=methods, required=True)
    parser.add_argument("--folder", required=True)
    for number in ("batch", "size", "threads"):
        parser.add_argument(f"--{number}", type=int, required=True)
    given = vars(parser.parse_args())
    # Libraries print to stdout; the protocol keeps the real one to itself.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    run, versions = methods[given.pop("method")](Task(**given))
    before = memory("VmRSS")
    answer(answers, {"before": before, "warmUp": [milliseconds(run)], "versions": versions})
    for line in sys.stdin:
        command, count = line.split()
        if command != "run":
            raise ValueError(f'Expected "run N", received "{line.strip()}".')
        steps = [milliseconds(run) for _ in range(int(count))]
        answer(answers, {"steps": steps, "peak": memory("VmHWM")})


def answer(stream, value) -> None:
    stream.write(json.dumps(value) + "\n")
    stream.flush()


def milliseconds(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return (time.perf_counter() - begun) * 1000


def memory(field: str) -> int:
    """Bytes of resident memory, now (VmRSS) or at most (VmHWM)."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}.")
