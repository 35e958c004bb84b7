"""Answers of an index whose parts are on a cluster of Ray, on this machine, against the same index in one process.

    python -m benchmarks.shards --indexes indexes --copy FOLDER --parts 1 --parts 2 --parts 4 --parts 8

A part has whole segments, so the index is copied into as many segments of equal size as there are parts at most. The
one process that the parts are compared with searches the same copy.

The cluster counts as many CPUs as there are parts, whatever this machine has: they share its cores, so the figures
show what asking in two rounds costs, not what more machines save. Scores of the hits that both find must be the same.
"""

import json
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.two_phase import made_up
from ingest.cluster.connection import connected
from retrieval.cluster.serving import started
from retrieval.index.generation import own_files
from retrieval.index.layout import CURRENT, current_name, generations_folder, segments_folder
from retrieval.index.publish import publish
from retrieval.index.segment import Used, open_segment
from retrieval.index.segment_writer import write_merged
from retrieval.search.searcher import Searcher
from scraper import files

WARM_UP = 5
SAME = 1e-6


def copy_in_segments(indexes: Path, copy: Path, count: int) -> None:
    """Copy an index, without its deleted videos, into so many segments of equal size, in the same order."""
    own = own_files(generations_folder(indexes) / current_name(indexes))
    files.make_private(segments_folder(copy))
    segments = [open_segment(segments_folder(indexes), entry) for entry in own.manifest.segments]
    starts = np.cumsum([0, *(segment.videos for segment in segments)])
    numbers = np.flatnonzero(own.alive)
    entries = []
    for piece in np.array_split(numbers, count):
        inside = np.zeros(starts[-1], np.bool_)
        inside[piece] = True
        used = [
            Used(segment, inside[first:end]) for segment, (first, end) in zip(segments, pairwise(starts), strict=True)
        ]
        entries.append(write_merged([one for one in used if one.alive.any()], copy))
    manifest = own.manifest.model_copy(update={"segments": tuple(entries)})
    publish(copy, manifest, np.empty(0, np.int64), own.hubs[:, numbers], {})


def measured(searcher: Searcher, questions: list[str]) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Return how long answers take and the processor time of this process, in milliseconds, and the scores of the hits
    of each."""
    times, computed, found = [], [], []
    for number, question in enumerate([*questions[:WARM_UP], *questions]):
        began, before = time.perf_counter(), time.process_time()
        answer = searcher.search(question)
        if number >= WARM_UP:
            times.append((time.perf_counter() - began) * 1000)
            computed.append((time.process_time() - before) * 1000)
            found.append({hit.id: hit.score for hit in answer.hits})
            assert answer.parts_answered == answer.parts
    cuts = statistics.quantiles(times, n=20)
    own = {"p50_ms": statistics.median(times), "p95_ms": cuts[-1], "own_cpu_ms": statistics.median(computed)}
    return {name: round(of, 1) for name, of in own.items()}, found


def compared(one: list[dict[str, float]], other: list[dict[str, float]]) -> dict[str, float]:
    """Return the share of the hits that both have, and the largest difference of their scores."""
    pairs = list(zip(one, other, strict=True))
    overlap = sum(len(a.keys() & b.keys()) for a, b in pairs) / sum(len(a) for a, _ in pairs)
    difference = max(abs(a[hit] - b[hit]) for a, b in pairs for hit in a.keys() & b.keys())
    return {"overlap": round(overlap, 4), "difference": difference, "same": difference < SAME}


def main(
    indexes: Annotated[Path, typer.Option(help="Index to search.")] = Path("indexes"),
    copy: Annotated[Path, typer.Option(help="Folder of the copy. It is made if it is not there.")] = Path(
        "indexes-copy"
    ),
    parts: Annotated[list[int] | None, typer.Option(help="Numbers of parts.")] = None,
    questions: Annotated[int, typer.Option(help="Made of words of the index.")] = 60,
) -> None:
    """Print the figures as JSON."""
    counts = parts or [1, 2]
    if not (copy / CURRENT).exists():
        copy_in_segments(indexes, copy, max(counts))
    searcher = Searcher.open(copy)
    asked = list(made_up(searcher, questions, 1))
    times, expected = measured(searcher, asked)
    found: dict[str, Any] = {"videos": len(searcher.generation.positions), "one process": times}
    print(found, flush=True)
    with tempfile.TemporaryDirectory() as folder, connected("local", Path(folder), cpus=max(counts)) as cluster:
        assert cluster
        for count in counts:
            with started(cluster, copy, count, "benchmark") as shards:
                searcher.parts = shards.open(searcher.generation)
                times, hits = measured(searcher, asked)
                found[f"{count} parts"] = times | compared(expected, hits)
                print(f"{count} parts", found[f"{count} parts"], flush=True)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    typer.run(main)
