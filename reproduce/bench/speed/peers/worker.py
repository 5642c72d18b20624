"""The peers' side of the speed bench: one process that holds one network and runs training steps when told to.

Commands on stdin: "run N"; end of file ends the process. Answers on stdout, one JSON object a line: first what the
warm-up gave, then the milliseconds of each of N steps.
"""

import argparse
import json
import os
import sys
import time
from typing import Callable, Mapping, NamedTuple

WARM_UP = 6


class Network(NamedTuple):
    """A row of the driver's table of networks, as it comes on the command line."""

    name: str
    batch: int
    image: int
    classes: int
    threads: int


class Training(NamedTuple):
    """`step` runs one training step and returns once it has ended."""

    step: Callable[[], object]
    versions: Mapping[str, str]


def serve(methods: Mapping[str, Callable[[Network], Training]]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", choices=methods, required=True)
    parser.add_argument("--name", required=True)
    for number in ("batch", "image", "classes", "threads"):
        parser.add_argument(f"--{number}", type=int, required=True)
    given = vars(parser.parse_args())
    # Libraries print to stdout; the protocol keeps the real one to itself.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    step, versions = methods[given.pop("method")](Network(**given))
    before = memory("VmRSS")
    warm_up = [milliseconds(step) for _ in range(WARM_UP)]
    answer(answers, {"before": before, "warmUp": warm_up, "versions": versions})
    for line in sys.stdin:
        command, count = line.split()
        if command != "run":
            raise ValueError(f'Expected "run N", received "{line.strip()}".')
        # The others have had the caches since the last run.
        step()
        steps = [milliseconds(step) for _ in range(int(count))]
        answer(answers, {"steps": steps, "peak": memory("VmHWM")})


def answer(stream, value) -> None:
    stream.write(json.dumps(value) + "\n")
    stream.flush()


def milliseconds(step: Callable[[], object]) -> float:
    begun = time.perf_counter()
    step()
    return (time.perf_counter() - begun) * 1000


def memory(field: str) -> int:
    """Bytes of resident memory, now (VmRSS) or at most (VmHWM)."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}.")
