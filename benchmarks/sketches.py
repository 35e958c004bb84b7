"""Milliseconds to find the sketches that are nearest to a vector, here and in FAISS, in turns, in one run.

    python benchmarks/sketches.py --indexes indexes --field overview

Both look at the sketches of a field in all segments of an index, one after the other, in one thread, with 8 bits a
number of the vector. The vectors are passages of the field. Fields of fewer than 8,192 passages have no sketches.
"""

import json
import os
import platform
import time
from datetime import date
from pathlib import Path
from typing import Annotated

import faiss
import numpy as np
import typer

from ingest.settings import Settings
from retrieval.index.documents import FIELDS
from retrieval.index.field_vectors import read_index
from retrieval.index.generation import open_current
from retrieval.index.sketch import Sketches

_settings = Settings()
BITS = 8


def main(
    indexes: Annotated[Path, typer.Option(help="Folder of the index.")] = _settings.indexes,
    field: Annotated[str, typer.Option(help=f"One of {', '.join(FIELDS)}.")] = FIELDS[-1],
    encoder: Annotated[int, typer.Option(help="Its number in the index.")] = 0,
    count: Annotated[int, typer.Option(help="How many near ones of each segment.")] = 300,
    vectors: Annotated[int, typer.Option(help="How many to search for, after one that is not counted.")] = 40,
) -> None:
    """Print JSON: median milliseconds of both, the ratio, and how many of the nearest are the same."""
    faiss.omp_set_num_threads(1)
    generation = open_current(indexes)
    parts = [segment.dense[encoder].sketches.get(field) for segment in generation.segments]
    here = [sketch for sketch in parts if sketch]
    if not here:
        raise typer.BadParameter(f"{indexes} has no sketches of {field}", param_hint="--field")
    peers = [read_index(sketch.raw.copy()) for sketch in here]
    firsts = (np.cumsum([peer.ntotal for peer in peers]) - [peer.ntotal for peer in peers]).tolist()
    together, counts = Sketches(here, firsts), np.full(len(here), count)
    bits = faiss.RaBitQSearchParameters(qb=BITS)
    index = generation.dense[encoder][field]
    taken: dict[str, list[float]] = {"here": [], "faiss": []}
    shared: list[float] = []
    for row in np.random.default_rng(0).choice(index.rows.passages, vectors + 1, replace=False).tolist():
        vector = index.vector(row)
        at = time.perf_counter()
        ours, _ = together.nearest(vector, counts)
        between = time.perf_counter()
        theirs = [peer.search(vector[None], min(count, peer.ntotal), params=bits)[1][0] for peer in peers]
        taken["here"].append((between - at) * 1000)
        taken["faiss"].append((time.perf_counter() - between) * 1000)
        found = np.concatenate([first + rows for first, rows in zip(firsts, theirs, strict=True)])
        shared.append(len(np.intersect1d(ours, found)) / len(found))
    p50 = {name: float(np.median(ms[1:])) for name, ms in taken.items()}
    about = {"date": date.today().isoformat(), "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    figures = {
        "segments": len(here),
        "sketches": sum(peer.ntotal for peer in peers),
        **{f"{name}_p50_ms": round(ms, 1) for name, ms in p50.items()},
        "here_to_faiss": round(p50["here"] / p50["faiss"], 2),
        "same": round(float(np.mean(shared)), 4),
    }
    print(json.dumps({**about, **figures}, indent=1))


if __name__ == "__main__":
    typer.run(main)
