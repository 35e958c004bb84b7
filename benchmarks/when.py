"""What it is worth to remember when a video was seen: ranks without and with a condition on the time.

    python benchmarks/when.py --queries queries.dev.json --indexes indexes

The times are made up: nobody knows when the authors of the questions saw their videos. Each video gets one day, drawn
evenly from two years (2024-11-01 to 2026-10-31) with the seed of the run. The person remembers

- a month: a day within 15 days of the true one, drawn evenly, and asks for 30 days on either side of it;
- a season: `seen:"winter 2025"`, the season of the true day;
- a year: the last 365 days or the 365 before;
- a list: the favorites, which hold the targets of all questions and a tenth of the other videos, drawn at random.

All of these are right. The last column says how often a memory may be wrong, so that the video is lost, before asking
without it would be better: 1 - RR before / RR after.
"""

import os
import platform
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from ingest.settings import Settings
from retrieval.evaluation.queries import Query, read_queries
from retrieval.evaluation.significance import interval
from retrieval.index.encounters import EncounterIndex, Row
from retrieval.index.generation import Generation
from retrieval.search.filters import filter_videos
from retrieval.search.query import parse
from retrieval.search.searcher import Searcher

_settings = Settings()
FIRST, DAYS = date(2024, 11, 1), 730
TODAY = FIRST + timedelta(DAYS)
ERROR_DAYS, AROUND_DAYS = 15, 30
IN_FAVORITES = 0.1
SEASONS = ("winter", "spring", "summer", "autumn")
CASES = ("a month", "a season", "a year", "a list", "a list and a season")


@dataclass(frozen=True)
class Outcome:
    """The rank of a question's target, and the number of videos that meet the condition."""

    rank: int
    videos: int


def made_up_history(generation: Generation, targets: set[str], rng: random.Random) -> list[date]:
    """Give every video of a generation a day on which it was seen, put some into the favorites, return the days."""
    days = [FIRST + timedelta(rng.randrange(DAYS)) for _ in generation.ids]
    rows: list[list[Row]] = []
    for video, day in zip(generation.ids, days, strict=True):
        favorite = rng.random() < IN_FAVORITES or video in targets
        rows.append([("favorites" if favorite else "history", f"{day.isoformat()}T12:00:00", "")])
    generation.metadata.encounters = EncounterIndex.of(rows, len(rows))
    return days


def remembered(case: str, day: date, rng: random.Random) -> str:
    """Return the operators for what a person remembers of a day."""
    if case == "a month":
        about = day + timedelta(rng.randint(-ERROR_DAYS, ERROR_DAYS))
        return f"seen:{about - timedelta(AROUND_DAYS)}..{about + timedelta(AROUND_DAYS)}"
    if case == "a year":
        recent = (TODAY - day).days <= 365
        last = TODAY if recent else TODAY - timedelta(366)
        return f"seen:{last - timedelta(365)}..{last}"
    # January belongs to the winter that began in the year before
    season = f'seen:"{SEASONS[day.month % 12 // 3]} {day.year - (day.month < 3)}"'
    return {"a season": season, "a list": "in:favorites", "a list and a season": f"in:favorites {season}"}[case]


def outcomes(searcher: Searcher, queries: list[Query], seeds: int) -> dict[str, list[list[Outcome]]]:
    """Return the outcomes of each case, one list a question, with one outcome a seed. "nothing" has one each."""
    generation = searcher.generation
    orders = [searcher.rank(query.text).order() for query in queries]
    targets = [generation.positions[next(iter(query.relevant))] for query in queries]
    whole = generation.alive
    found: dict[str, list[list[Outcome]]] = {case: [[] for _ in queries] for case in CASES}
    found["nothing"] = [[_outcome(order, target, whole)] for order, target in zip(orders, targets, strict=True)]
    wanted = {generation.ids[target] for target in targets}
    for seed in range(seeds):
        rng = random.Random(seed)
        days = made_up_history(generation, wanted, rng)
        for case in CASES:
            for number, (order, target) in enumerate(zip(orders, targets, strict=True)):
                conditions = parse(remembered(case, days[target], rng), TODAY).conditions
                mask, _ = filter_videos(generation, searcher.speller, conditions)
                found[case][number].append(_outcome(order, target, mask))
    return found


def _outcome(order: NDArray[np.int64], target: int, mask: NDArray[np.bool_]) -> Outcome:
    assert mask[target], "the person remembers the truth"
    return Outcome(1 + int(np.flatnonzero(order[mask[order]] == target)[0]), int(mask.sum()))


def main(
    queries: Annotated[Path, typer.Option(help='JSON list of {"text", "target"}.')],
    indexes: Annotated[Path, typer.Option(help="Folder of the generations.")] = _settings.indexes,
    seeds: Annotated[int, typer.Option(min=1, help="Number of made-up histories.")] = 20,
) -> None:
    """Print a table of measures without a condition and with each."""
    if not queries.exists():
        print(f"skipped: {queries} does not exist")
        return
    searcher = Searcher.open(indexes)
    asked = [query for query in read_queries(queries) if set(query.relevant) & set(searcher.generation.ids)]
    found = outcomes(searcher, asked, seeds)
    print(
        f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}:"
        f" {len(asked)} questions, {searcher.generation.manifest.videos} videos, {seeds} made-up histories"
    )
    columns = ("remembered", "videos left", "RR", "95 %", "gain in RR, 95 %", "Success@1", "Success@10", "mean rank")
    print(f"| {' | '.join(columns)} | may be wrong |\n|{'---|' * (len(columns) + 1)}")
    before = _mean(found["nothing"], lambda one: 1 / one.rank)
    for case in ("nothing", *CASES):
        reciprocal = _mean(found[case], lambda one: 1 / one.rank)
        low, high = interval(reciprocal)
        gain_low, gain_high = interval(reciprocal - before)
        rows = found[case]
        first = _mean(rows, lambda one: one.rank == 1).mean()
        ten = _mean(rows, lambda one: one.rank <= 10).mean()
        print(
            f"| {case} | {_mean(rows, lambda one: one.videos).mean():,.0f} | {reciprocal.mean():.4f}"
            f" | {low:.3f} to {high:.3f} | {(reciprocal - before).mean():+.4f}, {gain_low:+.3f} to {gain_high:+.3f}"
            f" | {first:.4f} | {ten:.4f}"
            f" | {_mean(rows, lambda one: one.rank).mean():.1f} | {1 - before.mean() / reciprocal.mean():.0%} |"
        )


def _mean(found: list[list[Outcome]], value: Callable[[Outcome], float]) -> NDArray[np.float64]:
    """Return the mean value of each question over the made-up histories, shape (questions,)."""
    return np.array([np.mean([value(one) for one in ones]) for ones in found])


if __name__ == "__main__":
    typer.run(main)
