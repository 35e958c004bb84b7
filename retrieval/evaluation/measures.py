"""Ranks of relevant videos -> measures, by ir-measures."""

from collections.abc import Sequence
from dataclasses import dataclass

import ir_measures
import numpy as np
from ir_measures import RR, R, Success, nDCG
from numpy.typing import NDArray

from retrieval.evaluation.queries import Query

MEASURES = (RR, Success @ 1, Success @ 5, Success @ 10, nDCG @ 10, R @ 100)
NAMES = tuple(str(measure) for measure in MEASURES)
MEAN_RANK = "mean_rank"
DEEPEST = 100  # the deepest cut-off of any measure; RR needs the first relevant video as well, wherever it is


Values = NDArray[np.float64]


@dataclass(frozen=True)
class QueryOutcome:
    """The ranking of a question as far as any measure needs it, and the rank of its first relevant video, the `target`.

    If no relevant video meets the question's conditions, the rank is that after the whole corpus.
    """

    query: Query
    ids: list[str]
    rank: int
    target: str


def rank_outcome(query: Query, ranking: Sequence[str], videos: int) -> QueryOutcome:
    """Return a question's outcome from its ranking, the ids of videos best first; the corpus has `videos` videos.

    A question of a BEIR folder that is itself a document is left out of its own ranking.
    """
    if query.left_out:
        ranking = [video for video in ranking if video != query.left_out]
    rank, target = next(
        ((rank, video) for rank, video in enumerate(ranking, start=1) if video in query.relevant),
        (videos + 1, next(iter(query.relevant), "")),
    )
    return QueryOutcome(query, list(ranking[: max(DEEPEST, rank)]), rank, target)


def values_by_measure(outcomes: Sequence[QueryOutcome]) -> dict[str, Values]:
    """Return the value of each question by measure, in the order given; MEAN_RANK has the ranks.

    ir-measures gets ranks instead of scores, so that videos with equal scores are ordered as users see them.
    """
    qrels = {outcome.query.id: outcome.query.relevant for outcome in outcomes}
    run = {outcome.query.id: {video: float(-rank) for rank, video in enumerate(outcome.ids)} for outcome in outcomes}
    rows = {outcome.query.id: row for row, outcome in enumerate(outcomes)}
    values = {name: np.zeros(len(outcomes)) for name in NAMES}
    for metric in ir_measures.iter_calc(MEASURES, qrels, run):
        values[str(metric.measure)][rows[metric.query_id]] = metric.value
    return values | {MEAN_RANK: np.array([outcome.rank for outcome in outcomes], dtype=np.float64)}
