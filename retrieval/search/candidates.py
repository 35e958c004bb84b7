"""The scores of the first phase -> the videos that the second phase scores exactly.

A page far down needs more candidates than the first, and one of them may have a better score than a hit that was shown
already. So candidates are added in steps, and those of a step come after the hits of the steps before it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.index.values import Mask

EXHAUSTIVE = 4_096  # videos: of so few, all are candidates
CANDIDATES = 500  # at least; benchmarks/two_phase.py
DEPTH = 3  # candidates for each hit that is needed
FURTHER = 4  # times as many hits and candidates in the next step


@dataclass(frozen=True)
class Candidates:
    """Videos to score.

    Attributes:
        videos: ascending.
        steps: of each, the number of hits for which it became a candidate, shape (candidates,); 0 for all if every
            video that meets the conditions is one.
    """

    videos: NDArray[np.int64]
    steps: NDArray[np.int64]

    @classmethod
    def all(cls, videos: NDArray[np.int64]) -> "Candidates":
        return cls(videos, np.zeros(len(videos), np.int64))

    def with_others(self, others: "Candidates") -> "Candidates":
        """Return these and others, each with its first step."""
        videos = np.concatenate([self.videos, others.videos])
        steps = np.concatenate([self.steps, others.steps])
        order = np.lexsort([steps, videos])
        first = np.flatnonzero(np.diff(videos[order], prepend=-1))
        return Candidates(videos[order][first], steps[order][first])


def exhaustive(videos: int, hits: int | None) -> bool:
    """Return whether all of so many videos are candidates for the first `hits`."""
    return hits is None or videos <= EXHAUSTIVE


def candidates(
    best: Callable[[int], NDArray[np.int64]], among: Mask, hits: int | None, everything: bool | None = None
) -> Candidates:
    """Return the videos to score for the first `hits`: all in the mask if it has few, or `hits` is None.

    Args:
        best: returns about the best videos in the mask, so many, ascending.
        everything: whether all are candidates, if these are a part of the videos and it is decided for all.
    """
    if hits is None or (exhaustive(len(among), hits) if everything is None else everything):
        return Candidates.all(np.flatnonzero(among))
    found = Candidates.all(np.empty(0, np.int64))
    allowed = np.count_nonzero(among)
    for step in _steps(hits):
        count = max(CANDIDATES, DEPTH * step)
        videos = np.flatnonzero(among) if allowed <= count else best(count)
        found = found.with_others(Candidates(videos, np.full(len(videos), step)))
    return found


def in_steps(steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order in which videos are shown: the hits of a step come before the candidates of later ones.

    Args:
        steps: of videos, best first.
    """
    left, found = np.ones(len(steps), np.bool_), [np.empty(0, np.int64)]
    shown = 0
    for step in np.unique(steps).tolist()[:-1]:
        of_step = np.flatnonzero(left & (steps <= step))[: max(0, step - shown)]
        found.append(of_step)
        left[of_step] = False
        shown += len(of_step)
    return np.concatenate([*found, np.flatnonzero(left)])


def _steps(hits: int) -> Iterator[int]:
    """Yield numbers of hits, the last one at least `hits`."""
    step = CANDIDATES // DEPTH
    yield step
    while step < hits:
        step *= FURTHER
        yield step
