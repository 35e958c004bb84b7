"""Values of questions -> bootstrap intervals, paired tests of significance, and the smallest difference they show."""

from collections.abc import Sequence

import numpy as np

from retrieval.evaluation.measures import Values

RESAMPLES = 10_000  # the smallest two-sided p is then 0.0002, and intervals are stable to two digits
CONFIDENCE = 0.95
SEED = 20_220_801  # fixed, so that the same figures give the same intervals and p values
SIGNIFICANT = 0.05
POWER = 0.8  # how likely a difference should be shown if it is there, as is usual
ENOUGH = 20  # questions: the bootstrap's intervals of fewer are too narrow, and only differences above 0.2 show
_MAX_VALUES = 2_000_000  # resampled values held in memory at a time: 16 MB


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


def smallest_difference(first: Values, second: Values) -> float | None:
    """Return how large the mean difference must be so that questions like these show it with probability POWER.

    It is that of a paired t test: standard error times the sum of two quantiles (Cohen 1988; Sakai 2016). None if
    there are fewer than two questions or all differ by the same, which says nothing about others.
    """
    from scipy.stats import t

    differences = first - second
    if len(differences) < 2 or np.ptp(differences) == 0:
        return None
    degrees = len(differences) - 1
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return float(error * (t.ppf(1 - SIGNIFICANT / 2, degrees) + t.ppf(POWER, degrees)))


def holm(ps: Sequence[float]) -> list[float]:
    """Return p values corrected for multiple tests (Holm 1979), in the order given."""
    corrected, worst = [0.0] * len(ps), 0.0
    for done, row in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        worst = max(worst, min(1.0, (len(ps) - done) * ps[row]))
        corrected[row] = worst
    return corrected
