"""Scores -> the places of the highest ones."""

import numpy as np
from numpy.typing import NDArray

from retrieval.index.values import Mask

_ROOM = 8  # for so many times as many places as wanted, before the highest of them are chosen


def highest(scores: NDArray[np.floating], count: int, among: Mask | None = None) -> NDArray[np.int64]:
    """Return the places of the `count` highest scores, ascending: of equal ones the first, as in Ranking.order, because
    many videos have none of a question's words.

    Args:
        among: the places to choose from; by default all. NaN is not among the highest.
    """
    from retrieval.index.compiled_vectors import find_highest

    wanted = min(count, len(scores))
    places = np.empty(_ROOM * wanted, np.int64)
    values, scratch = np.empty((2, len(places)), scores.dtype)
    every = np.empty(0, np.bool_) if among is None else among
    return places[: find_highest(scores, every, wanted, places, values, scratch)] if wanted else places
