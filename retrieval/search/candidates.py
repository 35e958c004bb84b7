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


def candidates(scores: Callable[[int], NDArray[np.floating]], among: Mask, hits: int | None) -> Candidates:
    """Return the videos to score for the first `hits`: all in the mask if it has few, or `hits` is None.

    Args:
        scores: returns about the score of each video, shape (videos,), right for so many of the best.
    """
    allowed = np.flatnonzero(among)
    if hits is None or len(among) <= EXHAUSTIVE:
        return Candidates.all(allowed)
    found = Candidates.all(allowed[:0])
    for step in _steps(hits):
        count = max(CANDIDATES, DEPTH * step)
        best = allowed if len(allowed) <= count else allowed[_highest(scores(count)[allowed], count)]
        found = found.with_others(Candidates(best, np.full(len(best), step)))
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


def _highest(scores: NDArray[np.floating], count: int) -> NDArray[np.bool_]:
    least = np.partition(scores, -count)[-count]
    chosen: NDArray[np.bool_] = scores > least
    # Of equal scores the first, as in Ranking.order: many videos have none of a question's words.
    chosen[np.flatnonzero(scores == least)[: count - np.count_nonzero(chosen)]] = True
    return chosen
