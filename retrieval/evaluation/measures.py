"""Ranks of relevant videos -> measures (by ir-measures), bootstrap intervals, and tests of significance."""

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

RESAMPLES = 10_000  # the smallest two-sided p is then 0.0002, and intervals are stable to two digits
CONFIDENCE = 0.95
SEED = 20_220_801  # fixed, so that the same figures give the same intervals and p values
_MAX_VALUES = 2_000_000  # resampled values held in memory at a time: 16 MB

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
    """Return a question's outcome from its ranking, the ids of videos best first; the corpus has `videos` videos."""
    rank, target = next(
        ((rank, video) for rank, video in enumerate(ranking, start=1) if video in query.relevant),
        (videos + 1, next(iter(query.relevant))),
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


def interval(values: Values) -> tuple[float, float]:
    """Return the bootstrap interval of the mean (percentiles of the means of resampled questions; Efron 1979).

    For one question it is the value, with no width.
    """
    from scipy.stats import bootstrap

    if len(values) < 2 or np.ptp(values) == 0:
        return float(values.mean()), float(values.mean())
    found = bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, _MAX_VALUES // len(values)),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(found.low), float(found.high)


def paired_p_value(first: Values, second: Values) -> float:
    """Return the two-sided p value of a paired randomisation test (Fisher; Smucker, Allan and Carterette 2007).

    It is the share of random swaps of each question's two values that give at least the observed difference. If there
    are at most RESAMPLES possible swaps, all are tried.
    """
    from scipy.stats import permutation_test

    differences = first - second
    differences = differences[differences != 0]  # swapping equal values changes nothing
    if len(differences) < 2:
        return 1.0  # swapping a single pair always gives as large a difference
    tested = permutation_test(
        (differences,),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=max(1, _MAX_VALUES // len(differences)),
        rng=np.random.default_rng(SEED),
    )
    return float(min(1.0, tested.pvalue))


def holm(ps: Sequence[float]) -> list[float]:
    """Return p values corrected for multiple tests (Holm 1979), in the order given."""
    corrected, worst = [0.0] * len(ps), 0.0
    for done, row in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        worst = max(worst, min(1.0, (len(ps) - done) * ps[row]))
        corrected[row] = worst
    return corrected
