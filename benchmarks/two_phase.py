"""Do two phases find what scoring every field of every video finds? Questions with words of the index, in all modes.

    python benchmarks/two_phase.py --indexes indexes --questions 500
    python benchmarks/two_phase.py --indexes indexes --candidates 200 --judged data/sample/queries.json
    python benchmarks/two_phase.py --indexes indexes --compared 0 --scored 0   (sketches in all fields that have them)

Each question has some words of a passage that is chosen by chance. Modes, the weights of the page's "I remember" and
others, and filters take turns. Candidates are used however small the corpus is. For each hit among the first ten, the
score of the two phases is compared with that of scoring all videos; a difference is a fault. The last column is the
processor time of ranking in two phases, without encoding, by which COMPARED, POOL and SCORED were chosen.
"""

import itertools
import os
import platform
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ingest.settings import Settings
from retrieval.evaluation.queries import read_queries
from retrieval.index import dense
from retrieval.index.documents import FIELDS, TEXT_FIELDS
from retrieval.index.values import Mask
from retrieval.search import candidates, phases
from retrieval.search.answer import Ranking
from retrieval.search.filters import filter_videos
from retrieval.search.fusion import MODES, Mode
from retrieval.search.searcher import Searcher

_settings = Settings()
K = 10
WEIGHTS: dict[str, dict[str, float]] = {
    "balanced": {},
    **{field: {field: 2.0} for field in ("transcript", "cover", "comments", "creator")},  # "I remember" of the page
    "comments 5": {"comments": 5.0},
    "without the whole": {"overview": 0.0},
    "speech alone": dict.fromkeys(FIELDS, 0.0) | {"transcript": 1.0},
}
FILTERS = ("", "lang:en", "length:>30", "after:2022-06-01", "-the", "2 %")  # 2 %: of the videos, chosen by chance


@dataclass(frozen=True)
class Compared:
    """Of one question: the share of the first K that both have, the largest difference of a score, and the processor
    time of ranking in two phases."""

    overlap: float
    difference: float
    cpu_ms: float


def made_up(searcher: Searcher, count: int, seed: int) -> Iterator[str]:
    """Yield questions: 3 to 9 words that follow each other in a passage."""
    generation, rng = searcher.generation, random.Random(seed)
    fields = [field for field in TEXT_FIELDS if generation.rows[field].passages]
    made = 0
    while made < count:
        field = rng.choice(fields)
        row = rng.randrange(generation.rows[field].passages)
        words = "".join(passage.text for passage in generation.passages(field, range(row, row + 1))).split()
        if words:
            start = rng.randrange(max(1, len(words) - 3))
            yield " ".join(words[start : start + rng.randint(3, 9)]).replace('"', " ").replace(":", " ")
            made += 1


def compare(
    searcher: Searcher, text: str, mode: Mode, weights: Mapping[str, float], mask: Mask
) -> tuple[Compared, Ranking, Ranking]:
    """Return how the first K of two phases differ from those of all videos, and both rankings."""
    question = searcher.understood(text)
    vectors = None if mode == "keyword" else searcher.vectors([question.text])[0]
    every = searcher.rank(question, mode=mode, weights=weights, vectors=vectors, among=mask)
    began = time.process_time()
    few = searcher.rank(question, mode=mode, weights=weights, vectors=vectors, among=mask, hits=K)
    taken = (time.process_time() - began) * 1000
    found, wanted = few.order()[:K], every.order()[:K]
    overlap = len(np.intersect1d(found, wanted)) / max(1, len(wanted))
    scores = few.scores[few.at(found)] - every.scores[every.at(found)]
    return Compared(overlap, float(np.abs(scores).max(initial=0.0)), taken), few, every


def run(searcher: Searcher, questions: int, seed: int = 21) -> dict[str, list[Compared]]:
    """Return what is compared by mode, weights and filter, and of all questions."""
    found: dict[str, list[Compared]] = defaultdict(list)
    generation = searcher.generation
    settings = list(itertools.product(MODES, WEIGHTS, FILTERS))
    random.Random(seed).shuffle(settings)
    narrow = np.random.default_rng(seed).random(len(generation.ids)) < 0.02
    for text, (mode, weights, kind) in zip(made_up(searcher, questions, seed), itertools.cycle(settings), strict=False):
        conditions = "" if kind == "2 %" else kind
        question = searcher.understood(f"{text} {conditions}")
        mask, _ = filter_videos(generation, searcher.speller, question.conditions)
        mask = mask & narrow if kind == "2 %" else mask
        if not question.text or not mask.any():
            continue
        one, _, _ = compare(searcher, question.text, mode, WEIGHTS[weights], mask)
        for name in ("all", f"mode {mode}", f"weights {weights}", f"filter {kind or 'none'}"):
            found[name].append(one)
    return found


def reciprocal_ranks(searcher: Searcher, file: Path) -> tuple[float, float]:
    """Return RR of judged questions in two phases and of all videos."""
    positions, found = searcher.generation.positions, []
    for query in read_queries(file):
        mask, _ = filter_videos(searcher.generation, searcher.speller, searcher.understood(query.text).conditions)
        _, *rankings = compare(searcher, query.text, "hybrid", {}, mask)
        wanted = [positions[video] for video in query.relevant if video in positions]
        ranks = [np.flatnonzero(np.isin(ranking.order(), wanted)) for ranking in rankings]
        found.append([1 / (rank[0] + 1) if len(rank) else 0.0 for rank in ranks])
    few, every = np.mean(found, axis=0)
    return float(few), float(every)


def main(
    indexes: Annotated[Path, typer.Option()] = _settings.indexes,
    questions: Annotated[int, typer.Option()] = 500,
    judged: Annotated[list[Path] | None, typer.Option(help="Files of questions with targets.")] = None,
    least: Annotated[int, typer.Option("--candidates", help="At least so many.")] = candidates.CANDIDATES,
    compared: Annotated[int, typer.Option(help="Passages of a field, of more sketches are used.")] = dense.COMPARED,
    pool: Annotated[
        int, typer.Option(help="Videos that the first phase scores, by words and by meaning.")
    ] = phases.POOL,
    scored: Annotated[int, typer.Option(help="It scores all if there are only so many.")] = phases.SCORED,
) -> None:
    """Print the overlap of the first ten, the largest difference of a score, and RR both ways."""
    searcher = Searcher.open(indexes, complete=True)
    candidates.EXHAUSTIVE, candidates.CANDIDATES = 0, least
    dense.COMPARED, phases.POOL, phases.SCORED = compared, pool, scored
    typer.echo(
        f"{len(searcher.generation.ids)} videos, {searcher.generation.manifest.encoder}, {least} candidates,"
        f" {compared} compared, a pool of {pool}, {scored} scored, {platform.machine()}, {os.cpu_count()} cores"
    )
    typer.echo(f"{'':28}{'questions':>10}{'overlap':>10}{'same ten':>10}{'difference':>12}{'CPU ms':>8}{'p95':>7}")
    for name, of in run(searcher, questions).items():
        overlaps = np.array([one.overlap for one in of])
        worst = max(one.difference for one in of)
        p50, p95 = np.percentile([one.cpu_ms for one in of], [50, 95])
        same = f"{overlaps.mean():>10.4f}{(overlaps == 1).mean():>10.3f}{worst:>12.1e}"
        typer.echo(f"{name:28}{len(of):>10}{same}{p50:>8.1f}{p95:>7.1f}")
    for file in judged or []:
        few, every = reciprocal_ranks(searcher, file)
        typer.echo(f"{file.name}: RR {few:.4f} in two phases, {every:.4f} of all videos")


if __name__ == "__main__":
    typer.run(main)
