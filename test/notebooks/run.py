"""Runs notebooks from top to bottom with the kernel that Jupyter finds under the name "autoqnn".

    python run.py [--write] [--out DIRECTORY] NOTEBOOK ...

Prints one line of JSON per notebook: {"notebook", "seconds", "problems"}. A problem is an error of a cell, with its
traceback, or a cell whose outputs are of other kinds than the committed ones: another sequence of output types, or other
media types. `--write` puts the outputs into the notebooks instead of comparing them, without metadata of the execution,
so that a new run changes only what is shown. `--out` keeps what was run.
"""

import argparse
import json
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ANSI = re.compile(r"\x1b\[[0-9;]*m")
SECONDS_A_CELL = 170


def kinds(cell):
    """The kinds of a cell's outputs, in order; neighbouring texts of one stream are one, since their cut is accidental."""
    found = []
    for output in cell.outputs:
        if output.output_type == "stream":
            kind = f"stream {output.name}"
        elif output.output_type == "error":
            kind = f"error {output.ename}"
        else:
            kind = f"{output.output_type}: {', '.join(sorted(output.data))}"
        if not (kind.startswith("stream") and found and found[-1] == kind):
            found.append(kind)
    return found


def named(notebook, index):
    first = notebook.cells[index].source.strip().splitlines()[:1]
    return f"cell {index + 1} ({first[0] if first else 'empty'})"


def tracebacks(notebook):
    return [
        f"{named(notebook, index)}: {output.ename}: {output.evalue}\n" + ANSI.sub("", "\n".join(output.traceback))
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error"
    ]


def differences(committed, run):
    pairs = zip(committed.cells, run.cells)
    return [
        f"{named(run, index)}: expected outputs {kinds(old)}, received {kinds(new)}"
        for index, (old, new) in enumerate(pairs)
        if new.cell_type == "code" and kinds(old) != kinds(new)
    ]


def normalized(notebook):
    """The notebook without what differs from run to run though nothing has changed."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        outputs = []
        for output in cell.outputs:
            if output.output_type in ("display_data", "execute_result"):
                output.metadata = {}
                output.pop("transient", None)
            last = outputs[-1] if outputs else None
            if last and output.output_type == "stream" == last.output_type and output.name == last.name:
                last.text += output.text
            else:
                outputs.append(output)
        cell.outputs = outputs
    notebook.metadata = {
        "kernelspec": {"display_name": "TypeScript (AutoQNN)", "language": "typescript", "name": "autoqnn"},
        "language_info": {"file_extension": ".ts", "mimetype": "text/typescript", "name": "typescript"},
    }
    return notebook


def run(path, write, out):
    committed = nbformat.read(path, as_version=4)
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name="autoqnn",
        timeout=SECONDS_A_CELL,
        startup_timeout=60,
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
    )
    started = time.monotonic()
    problems = []
    try:
        client.execute()
    except Exception as error:
        problems = tracebacks(notebook) or [f"{type(error).__name__}: {error}"]
    seconds = round(time.monotonic() - started, 1)
    if not problems and not write:
        problems = differences(committed, notebook)
    if write and not problems:
        nbformat.write(normalized(notebook), path)
    if out:
        nbformat.write(notebook, out / path.name)
    return {"notebook": path.name, "seconds": seconds, "problems": problems}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("notebooks", nargs="+", type=Path)
    given = parser.parse_args()
    for path in given.notebooks:
        print(json.dumps(run(path, given.write, given.out)), flush=True)


if __name__ == "__main__":
    main()
