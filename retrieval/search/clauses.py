"""A long question -> its clauses, and what they add to the scores: of each video, the clause that is nearest to it.

People ramble: where they were, who sent it, what it was not. One vector of all that is near to nothing. So the clauses
of a long question are encoded as well. The question as typed stays the anchor: what its best clause adds counts
WEIGHT of what the whole question does. The constants were chosen with benchmarks/clauses.py.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import regex
from numpy.typing import NDArray

from retrieval.search.fusion import Moments, Normaliser, Scores, moments
from retrieval.search.parallel import halves

if TYPE_CHECKING:
    from retrieval.embedding.encoder import Vectors
    from retrieval.index.dense import DenseIndex

LONG_WORDS = 30  # from which a question is cut
LEAST_WORDS = 4  # of a clause; a shorter one belongs to the one before
MAX_CLAUSES = 12  # the longest ones
WEIGHT = 0.25
CHARS_OF_WORD = 2  # in scripts without spaces
_END = regex.compile(r"(?<=[.!?…。！？؟।;；])\s*|\s*[,،、，:]\s*|\n+")
_SPACELESS = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")


def clauses(text: str) -> list[str]:
    """Return the clauses of a long question, in any script: what is between commas and ends of sentences.

    There are none if the question is short, or has only one.
    """
    if _words(text) < LONG_WORDS:
        return []
    found: list[str] = []
    for part in filter(None, map(str.strip, _END.split(text))):
        if found and _words(part) < LEAST_WORDS:
            found[-1] += f", {part}"
        else:
            found.append(part)
    found = list(dict.fromkeys(found))
    longest = sorted(found, key=len, reverse=True)[:MAX_CLAUSES]
    return [clause for clause in found if clause in longest] if len(found) > 1 else []


def _words(text: str) -> float:
    signs = len(_SPACELESS.findall(text))
    return signs / CHARS_OF_WORD if signs > len(text) / 2 else len(text.split())


@dataclass(frozen=True)
class OfClauses:
    """What the clauses add to the contributions of some whole videos by one encoder.

    Attributes:
        vectors: unit vectors of the clauses.
        best: the clause that is nearest to each video, shape (videos,).
        averages: the cosine with it from which a video gets something, shape (videos,).
        contributions: shape (videos,).
    """

    vectors: "Vectors"
    best: NDArray[np.int64]
    averages: Scores
    contributions: Scores


class ClauseScores:
    """How near whole videos are to the clauses of a question, by one encoder.

    How the cosines of a clause are spread is that of a sample of the videos, which is all if there are few.

    Args:
        index: of the whole videos.
        vectors: unit vectors of the clauses.

    Attributes:
        spread: how the cosines of the sample with each clause are spread.
        nearness: how the nearest clauses of the sample are.
    """

    def __init__(self, index: "DenseIndex", vectors: "Vectors") -> None:
        self._index, self._vectors = index, vectors
        sample = index.rows.sample
        self._of_sample = [index.best_of_sample(vector) - index.hubs(sample) for vector in vectors]
        self._compare([moments(scores) for scores in self._of_sample])

    def _compare(self, spread: Sequence[Moments]) -> None:
        """Note how the cosines with each clause are spread, and how near the nearest clause usually is."""
        self.spread = spread
        self.nearness = moments(self._deviations(self._of_sample).max(axis=0))
        self._relate(self.nearness.mean)

    def _relate(self, usual: float) -> None:
        self._usual = np.float32(usual)
        self._averages = np.array([of.mean + usual * of.deviation for of in self.spread])

    def with_spread(self, spread: Sequence[Moments]) -> "ClauseScores":
        """Return the scores if the cosines with each clause are spread so in all parts of the videos."""
        found = copy(self)
        found._compare(spread)
        return found

    def _deviations(self, corrected: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return how many standard deviations each of some videos is nearer to each clause than a usual one, shape
        (clauses, videos)."""
        pairs = zip(self.spread, corrected, strict=True)
        return np.array([Normaliser("zscore", of).dense(scores, slice(None)) for of, scores in pairs], np.float32)

    def nearest(self, count: int, among: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
        """Return the videos in a mask that are about the nearest to each clause, `count` in all."""
        each = -(-count // len(self._vectors))
        return [self._index.nearest(vector, each, among, halves) for vector in self._vectors]

    def added(self, videos: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Return what the clauses add for some videos, by default all."""
        return self._best(np.arange(self._index.rows.videos) if videos is None else videos)[1]

    def of(self, videos: NDArray[np.int64], factor: float) -> OfClauses:
        """Return what the clauses add for some videos, by a factor."""
        best, added = self._best(videos)
        averages = self._averages[best] + self._index.hubs(videos).astype(np.float64)
        return OfClauses(self._vectors, best, averages, factor * added.astype(np.float64))

    def _best(self, videos: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return of some videos the nearest clause, and what it adds; 0 for a video that has no vector."""
        best, nearness = self.compared(videos)
        added = np.float32(WEIGHT) * (nearness - self._usual)
        return best, np.where(np.isnan(nearness), np.float32(0.0), added)

    def compared(self, videos: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return of some videos the nearest clause, and by how many standard deviations it is nearer than to a usual
        video; NaN for a video that has no vector."""
        found = [self._index.corrected(self._index.best(vector, videos), videos) for vector in self._vectors]
        deviations = self._deviations(found)
        missing = np.isnan(deviations[0])
        deviations[:, missing] = 0.0
        return deviations.argmax(axis=0), np.where(missing, np.float32(np.nan), deviations.max(axis=0))
