"""Places of right videos -> measures through ir-measures, with intervals and tests that say what luck may have done."""

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
DEEPEST = 100  # the deepest cut-off of any measure but RR, which needs the best right video's own place

RESAMPLES = 10_000  # the smallest two-sided p is then 0.0002, and an interval's ends are steady to two digits
CONFIDENCE = 0.95
SEED = 20_220_801  # fixed, so that two runs over the same figures say the same
_AT_ONCE = 2_000_000  # resampled values held in memory at a time: 16 MB

Values = NDArray[np.float64]


@dataclass(frozen=True)
class QueryOutcome:
    """How a question fared: the ids from the first place as far as any measure looks, and its best right video's place.

    Where all right videos are left out (a question's own conditions can), it is the place after the whole corpus.
    """

    query: Query
    ids: list[str]
    place: int
    target: str


def rank_outcome(query: Query, ranking: Sequence[str], videos: int) -> QueryOutcome:
    """A question's outcome from the ids that it ranks, best first, of a corpus of so many `videos`."""
    place, target = next(
        ((place, video) for place, video in enumerate(ranking, start=1) if video in query.relevant),
        (videos + 1, next(iter(query.relevant))),
    )
    return QueryOutcome(query, list(ranking[: max(DEEPEST, place)]), place, target)


def measured(outcomes: Sequence[QueryOutcome]) -> dict[str, Values]:
    """Per measure the value of each question, in the order given; MEAN_RANK holds the places.

    ir-measures is given places, not scores: it then breaks ties exactly as a user sees them.
    """
    qrels = {outcome.query.id: outcome.query.relevant for outcome in outcomes}
    run = {outcome.query.id: {video: float(-place) for place, video in enumerate(outcome.ids)} for outcome in outcomes}
    rows = {outcome.query.id: row for row, outcome in enumerate(outcomes)}
    values = {name: np.zeros(len(outcomes)) for name in NAMES}
    for metric in ir_measures.iter_calc(MEASURES, qrels, run):
        values[str(metric.measure)][rows[metric.query_id]] = metric.value
    return values | {MEAN_RANK: np.array([outcome.place for outcome in outcomes], dtype=np.float64)}


def interval(values: Values) -> tuple[float, float]:
    """The bootstrap interval of the mean (percentiles of the means of resampled questions; Efron 1979).

    One question alone says nothing of the others: its interval is its value.
    """
    from scipy.stats import bootstrap

    if len(values) < 2 or np.ptp(values) == 0:
        return float(values.mean()), float(values.mean())
    found = bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, _AT_ONCE // len(values)),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(found.low), float(found.high)


def paired_p(first: Values, second: Values) -> float:
    """The two-sided p of a paired randomisation test (Fisher; Smucker, Allan and Carterette 2007): how often a
    difference as large comes about when each question's two values change places by the toss of a coin.

    All tosses are tried where there are at most RESAMPLES of them.
    """
    from scipy.stats import permutation_test

    differences = first - second
    differences = differences[differences != 0]  # an equal question gives the same sum whichever way it falls
    if len(differences) < 2:
        return 1.0  # of one coin, either side gives a difference as large
    tested = permutation_test(
        (differences,),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=max(1, _AT_ONCE // len(differences)),
        rng=np.random.default_rng(SEED),
    )
    return float(min(1.0, tested.pvalue))


def holm(ps: Sequence[float]) -> list[float]:
    """p values corrected for being several (Holm 1979), in the order given."""
    corrected, worst = [0.0] * len(ps), 0.0
    for done, row in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        worst = max(worst, min(1.0, (len(ps) - done) * ps[row]))
        corrected[row] = worst
    return corrected
