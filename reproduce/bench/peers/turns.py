"""The peers' side of a bench: one process that does one piece of work again and again when told to.

Commands on stdin: "run N"; end of file ends the process. Answers on stdout, one JSON object a line: first what the
warm-up gave, then the milliseconds of each of N times.
"""

import argparse
import json
import os
import sys
import time
from typing import Callable, Mapping, NamedTuple, Type


class Work(NamedTuple):
    """`run` does the work once and returns when it has ended."""

    run: Callable[[], object]
    versions: Mapping[str, str]


def serve(
    kind: Type[NamedTuple],
    methods: Mapping[str, Callable[[NamedTuple], Work]],
    *,
    warm_up: int,
    uncounted: int,
) -> None:
    """Takes a method and the fields of `kind` from the command line, and does its work on them.

    `uncounted` times go before those of each command: the others have had the caches since the last.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", choices=methods, required=True)
    for name, own in kind.__annotations__.items():
        parser.add_argument(f"--{name}", type=own, required=True)
    given = vars(parser.parse_args())
    # Libraries print to stdout; the protocol keeps the real one to itself.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    run, versions = methods[given.pop("method")](kind(**given))
    before = memory("VmRSS")
    first = [milliseconds(run) for _ in range(warm_up)]
    answer(answers, {"before": before, "warmUp": first, "versions": versions})
    for line in sys.stdin:
        command, count = line.split()
        if command != "run":
            raise ValueError(f'Expected "run N", received "{line.strip()}".')
        for _ in range(uncounted):
            run()
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
