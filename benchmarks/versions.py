"""Milliseconds of one search by an older source tree and by this one, question by question in turns.

    python benchmarks/versions.py --queries queries.json --indexes indexes --before ../older/checkout

Both search the same index, each in a process of its own. A machine is faster in one hour than in another, and a process
that was just idle is slower: in turns, both have the same share of that. A first round is not counted.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ingest.settings import Settings

_settings = Settings()
HERE = Path(__file__).resolve().parent
SAME = 1e-5  # scores that differ by no more are equal
Process = subprocess.Popen[str]


@contextmanager
def searching(tree: Path, indexes: Path, k: int) -> Iterator[Process]:
    """Start a process that searches with a source tree."""
    command = [sys.executable, "-P", str(HERE / "one_version.py"), str(indexes.resolve()), str(k)]
    env = os.environ | {"PYTHONPATH": str(tree)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tree, env=env) as made:
        try:
            yield made
        finally:
            made.kill()


def read(process: Process) -> Any:
    """Return what a process says next."""
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise SystemExit("a process ended; its message is above")
    return json.loads(line)


def ask(process: Process, text: str) -> Any:
    """Ask a question."""
    assert process.stdin
    process.stdin.write(json.dumps(text) + "\n")
    process.stdin.flush()
    return read(process)


def same(one: Any, other: Any) -> bool:
    """Return whether two answers have the same hits with the same scores."""
    pairs = list(zip(one["hits"], other["hits"], strict=False))
    equal = all(a[0] == b[0] and abs(a[1] - b[1]) <= SAME for a, b in pairs)
    return equal and len(one["hits"]) == len(other["hits"])


def main(
    queries: Annotated[Path, typer.Option(help="Questions to ask: a JSON list of {text}.")],
    before: Annotated[Path, typer.Option(help="An older source tree to compare with.")],
    indexes: Annotated[Path, typer.Option(help="Folder of the index.")] = _settings.indexes,
    k: Annotated[int, typer.Option(help="How many videos.")] = 10,
    rounds: Annotated[int, typer.Option(help="Of all questions, after a warm-up.", min=1)] = 3,
) -> None:
    """Print JSON: median and 95th percentile of both, and how many answers differ."""
    texts = [query["text"] for query in json.loads(queries.read_text(encoding="utf-8"))]
    trees = {"before": before.resolve(), "now": HERE.parent}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in trees}
    differ = 0
    with ExitStack() as stack:
        processes = {name: stack.enter_context(searching(tree, indexes, k)) for name, tree in trees.items()}
        for process in processes.values():
            read(process)
        for turn in range(rounds + 1):
            for number, text in enumerate(texts):
                order = list(processes) if number % 2 else list(reversed(processes))
                answers = {name: ask(processes[name], text) for name in order}
                if turn:
                    for name, answer in answers.items():
                        taken[name].append((answer["ms"], answer["cpu_ms"]))
                else:
                    differ += not same(answers["before"], answers["now"])
    figures = {
        name: {
            "p50_ms": round(float(np.percentile([ms for ms, _ in found], 50)), 1),
            "p95_ms": round(float(np.percentile([ms for ms, _ in found], 95)), 1),
            "cpu_ms": round(float(np.median([cpu for _, cpu in found])), 1),
        }
        for name, found in taken.items()
    }
    about = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "questions": len(texts),
        "answers_that_differ": differ,
        "now_to_before": round(figures["now"]["p50_ms"] / figures["before"]["p50_ms"], 2),
    }
    print(json.dumps({**about, **figures}, indent=1))


if __name__ == "__main__":
    typer.run(main)
