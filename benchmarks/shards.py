"""Answers of an index whose parts are on a cluster of Ray, on this machine, against the same index in one process.

    python -m benchmarks.shards --indexes indexes --parts 1 --parts 2 --parts 4

The cluster counts as many CPUs as there are parts, whatever this machine has: they share its cores, so the figures
show what asking in two rounds costs, not what more machines save. Scores of the hits that both find must be the same.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.two_phase import made_up
from ingest.cluster.connection import connected
from retrieval.cluster.serving import started
from retrieval.search.searcher import Searcher

WARM_UP = 5
SAME = 1e-6


def measured(searcher: Searcher, questions: list[str]) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Return how long answers take, in milliseconds, and the scores of the hits of each."""
    times, found = [], []
    for number, question in enumerate([*questions[:WARM_UP], *questions]):
        began = time.perf_counter()
        answer = searcher.search(question)
        if number >= WARM_UP:
            times.append((time.perf_counter() - began) * 1000)
            found.append({hit.id: hit.score for hit in answer.hits})
            assert answer.parts_answered == answer.parts
    cuts = statistics.quantiles(times, n=20)
    return {"p50_ms": round(statistics.median(times), 1), "p95_ms": round(cuts[-1], 1)}, found


def compared(one: list[dict[str, float]], other: list[dict[str, float]]) -> dict[str, float]:
    """Return the share of the hits that both have, and the largest difference of their scores."""
    pairs = list(zip(one, other, strict=True))
    overlap = sum(len(a.keys() & b.keys()) for a, b in pairs) / sum(len(a) for a, _ in pairs)
    difference = max(abs(a[hit] - b[hit]) for a, b in pairs for hit in a.keys() & b.keys())
    return {"overlap": round(overlap, 4), "difference": difference, "same": difference < SAME}


def main(
    indexes: Annotated[Path, typer.Option(help="Index to search.")] = Path("indexes"),
    parts: Annotated[list[int] | None, typer.Option(help="Numbers of parts.")] = None,
    questions: Annotated[int, typer.Option(help="Made of words of the index.")] = 60,
) -> None:
    """Print the figures as JSON."""
    searcher = Searcher.open(indexes)
    asked = list(made_up(searcher, questions, 1))
    times, expected = measured(searcher, asked)
    found: dict[str, Any] = {"one process": times}
    with tempfile.TemporaryDirectory() as folder, connected("local", Path(folder), cpus=max(parts or [2])) as cluster:
        assert cluster
        for count in parts or [1, 2]:
            with started(cluster, indexes, count, "benchmark") as shards:
                searcher.parts = shards.open(searcher.generation)
                times, hits = measured(searcher, asked)
                found[f"{count} parts"] = times | compared(expected, hits)
                print(f"{count} parts", found[f"{count} parts"], flush=True)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    typer.run(main)
