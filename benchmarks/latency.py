"""Milliseconds of one search, by step, compared with a plain implementation in the same run.

    python benchmarks/latency.py --indexes indexes --queries queries.json

The peer is a few lines of bm25s and numpy on the same whole-video texts and vectors: no fields, no 4-grams, no
explanations. Both answer each question in turn, after a warm-up.
"""

import json
import platform
import time
from datetime import date
from pathlib import Path
from typing import Annotated

import bm25s
import numpy as np
import typer

from ingest.settings import Settings
from retrieval.evaluation.queries import read_queries
from retrieval.index.analysis import stems, terms
from retrieval.index.documents import OVERVIEW
from retrieval.search.searcher import Searcher

_settings = Settings()
ROUNDS = 5  # of every question


def main(
    queries: Annotated[Path, typer.Option(help='JSON list of {"text", "target"}.')],
    indexes: Annotated[Path, typer.Option(help="Folder of the generations.")] = _settings.indexes,
    k: Annotated[int, typer.Option(help="How many videos.")] = 10,
) -> None:
    """Print JSON: median and 95th percentile of each step, and the ratio to the peer."""
    searcher = Searcher.open(indexes)
    generation = searcher.generation
    whole = generation.passages(OVERVIEW, range(generation.rows[OVERVIEW].passages))
    keyword = bm25s.BM25(method="lucene")
    keyword.index([terms(passage.text, stems) or [""] for passage in whole], show_progress=False)
    matrix = generation.dense[0][OVERVIEW].vectors(range(generation.rows[OVERVIEW].passages))
    questions = [query.text for query in read_queries(queries)]

    def peer(text: str) -> None:
        dense = matrix @ searcher.encoders[0].query(text)
        known = [term for term in terms(text, stems) if term in keyword.vocab_dict]
        sparse = keyword.get_scores(known) if known else np.zeros(len(dense))
        fused = sum((s - s.mean()) / (s.std() or 1.0) for s in (dense, sparse))
        np.argpartition(-fused, min(k, len(fused) - 1))[:k]

    steps: dict[str, list[float]] = {}
    peer_ms: list[float] = []
    for text in questions:  # warm-up
        searcher.search(text, k)
        peer(text)
    for _ in range(ROUNDS):
        for text in questions:
            for step, milliseconds in searcher.search(text, k).timings_ms.items():
                steps.setdefault(step, []).append(milliseconds)
            start = time.perf_counter()
            peer(text)
            peer_ms.append((time.perf_counter() - start) * 1000)

    def summary(values: list[float]) -> dict[str, float]:
        return {"median_ms": round(float(np.median(values)), 2), "p95_ms": round(float(np.percentile(values, 95)), 2)}

    print(
        json.dumps(
            {
                "date": date.today().isoformat(),
                "machine": f"{platform.machine()}, Python {platform.python_version()}",
                "videos": generation.manifest.videos,
                "searches": len(peer_ms),
                "steps": {step: summary(values) for step, values in steps.items()},
                "peer": summary(peer_ms),
                "ratio_to_peer": round(float(np.median(steps["total"]) / np.median(peer_ms)), 2),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    typer.run(main)
