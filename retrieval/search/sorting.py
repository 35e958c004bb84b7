"""Videos in another order than by score: by date, or by when the person met them."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.index.generation import Generation
from retrieval.index.values import Mask
from retrieval.search.answer import Sort
from retrieval.search.conditions import Condition
from retrieval.search.confidence import Verdict
from retrieval.search.filter_values import WHEN
from retrieval.search.filters import encounters_meant
from retrieval.search.query import Question

SORTED = 100  # of the best by score: further down, hardly any video is what was asked for
Order = NDArray[np.int64]


def by_time(generation: Generation, mask: Mask, conditions: Sequence[Condition], sort: Sort) -> Order:
    """Return the videos in the mask by time, those of one day by id, those without a known time last."""
    return _sorted(generation, np.flatnonzero(mask), conditions, sort)


def sorted_first(
    generation: Generation,
    order: Order,
    judged: Callable[[Order], Verdict],
    conditions: Sequence[Condition],
    sort: Sort,
) -> Order:
    """Return videos, given best first, with the good ones of the first SORTED by time; the others follow as they are.

    If none is good, all of the first SORTED are sorted.
    """
    first = order[:SORTED]
    verdict = judged(first)
    good = verdict.confidence >= verdict.cut_off
    if not good.any():
        good[:] = True
    return np.concatenate([_sorted(generation, first[good], conditions, sort), first[~good], order[SORTED:]])


def _sorted(generation: Generation, videos: Order, conditions: Sequence[Condition], sort: Sort) -> Order:
    metadata = generation.metadata
    if sort == "seen":
        times = metadata.encounters.latest(encounters_meant(metadata.encounters, conditions))[videos]
    else:
        times = metadata.posted[videos]
    unknown, numbers = np.isnat(times), times.astype(np.int64)
    return videos[np.lexsort((numbers if sort == "oldest" else -numbers, unknown))]


def default_sort(question: Question) -> Sort:
    """Return the order of videos that only conditions decide on."""
    return "seen" if any(condition.kind in ("in", *WHEN) for condition in question.conditions) else "newest"
