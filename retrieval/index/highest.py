"""Scores -> the places of the highest ones."""

import numpy as np
from numpy.typing import NDArray

from retrieval.index.values import Mask

_BLOCK = 1 << 16  # scores that are looked at together: they stay in the processor's cache


def highest(scores: NDArray[np.floating], count: int, among: Mask | None = None) -> NDArray[np.int64]:
    """Return the places of the `count` highest scores, ascending: of equal ones the first, as in Ranking.order, because
    many videos have none of a question's words.

    Only what is above the lowest of the best so far is looked at again, so that a million scores take a millisecond.

    Args:
        among: the places to choose from; by default all. NaN is not among the highest.
    """
    found, least = np.empty(0, np.int64), -np.inf
    for start in range(0, len(scores), _BLOCK):
        block = scores[start : start + _BLOCK]
        above = block > least if np.isfinite(least) else ~np.isnan(block)
        here = np.flatnonzero(above if among is None else above & among[start : start + _BLOCK])
        found = np.concatenate([found, here + start])
        if len(found) > count:
            values = scores[found]
            least = float(np.partition(values, -count)[-count])
            chosen = values > least
            chosen[np.flatnonzero(values == least)[: count - np.count_nonzero(chosen)]] = True
            found = found[chosen]
    return found
