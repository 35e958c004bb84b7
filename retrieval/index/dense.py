"""The unit vectors of passages, one index per encoder and field, ordered by video and compared exactly.

A video's score in a field is that of its best passage, less a share of the hubness of the video (hubness.py).
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Vectors
from retrieval.index import ragged
from retrieval.index.arrays import address_of
from retrieval.index.field_vectors import FieldVectors
from retrieval.index.rows import Best, PassageRows
from retrieval.index.sketch import Halves, Sketch, Sketches

HUB_SHARE = 0.5  # of the hubness to subtract from a cosine; chosen in docs/explanation/scoring.md
# Passages of a field. Of more, sketches find those that are compared: benchmarks/two_phase.py
COMPARED = 400_000
HALVED = 2_000  # passages; comparing fewer takes less time than waking a thread
# Passages that a sketch gives of a segment: so many, and so many times the share that its videos have of all.
LEAST_OF_SEGMENT, SHARE_OF_SEGMENT = 200, 3
Mask = NDArray[np.bool_]


class DenseIndex:
    """The vectors of one encoder for the passages of one field, in the order of `rows`.

    Args:
        parts: the vectors of each segment.
        starts: the first video of each segment, and how many videos there are.
        hubs: HUB_SHARE of it is subtracted from a video's cosine, shape (videos,).
        sketches: of each segment; None for one with few passages.
    """

    def __init__(
        self,
        parts: Sequence[FieldVectors],
        starts: Sequence[int],
        rows: PassageRows,
        hubs: NDArray[np.float32] | None = None,
        sketches: Sequence[Sketch | None] = (),
    ) -> None:
        self._parts = list(parts)
        self._starts = list(starts)
        self._first_rows = rows.starts[self._starts]
        self.rows = rows
        codes = self._parts[0].codes if parts else np.empty((0, 0), np.uint8)
        self._like, self._dimension = np.empty(0, codes.dtype), codes.shape[1]
        self._table = _table(self._parts, self._starts, self._like, self._dimension)
        self._sketched = [number for number, sketch in enumerate(sketches) if sketch]
        self._sketches = Sketches([sketch for sketch in sketches if sketch], self._first_rows[self._sketched].tolist())
        self._hubs = np.zeros(rows.videos, np.float32) if hubs is None else hubs

    @classmethod
    def of(
        cls, vectors: Vectors, rows: PassageRows, hubs: NDArray[np.float32] | None = None, bits: int = 16
    ) -> "DenseIndex":
        """Return the index of unit vectors that are in no generation, shape (passages, dimension)."""
        return cls([FieldVectors.of(vectors, bits)], [0, rows.videos], rows, hubs)

    def best(self, query: Vectors, videos: NDArray[np.int64], each: Halves = map) -> Best:
        """Return the best passage of each of some videos, ascending, for a question's vector, shape (dimension,).

        Args:
            each: calls a function with each half of the videos; comparing a half does not hold Python's lock.
        """
        passages = np.cumsum(self.rows.counts_of(videos))
        if each is map or not len(videos) or passages[-1] < HALVED:
            return self._best(query, videos)
        middle = int(np.searchsorted(passages, passages[-1] // 2)) + 1
        found = list(each(lambda half: self._best(query, half), np.split(videos, [middle])))
        return Best(np.concatenate([half.cosines for half in found]), np.concatenate([half.rows for half in found]))

    def _best(self, query: Vectors, videos: NDArray[np.int64]) -> Best:
        from retrieval.index.compiled_vectors import best_in_all

        if query.shape != (self._dimension,):
            raise ValueError(f"a vector of shape {query.shape} for vectors of {self._dimension} numbers")
        found = Best(np.empty(len(videos), np.float32), np.empty(len(videos), np.int64))
        best_in_all(self._table, self._like, self.rows.starts, query, videos, found.cosines, found.rows)
        if not self.rows.all_alive:
            deleted = ~self.rows.alive[videos]
            found.cosines[deleted], found.rows[deleted] = np.nan, -1
        return found

    @property
    def searchable(self) -> bool:
        """Whether `nearest` is faster than comparing all passages."""
        return self.rows.passages > COMPARED and bool(self._sketches)

    def nearest(self, query: Vectors, count: int, among: Mask, each: Halves = map) -> NDArray[np.int64]:
        """Return the videos of the passages that are about the nearest to a question's vector, ascending.

        Args:
            count: how many passages.
            among: the videos to choose from, shape (videos,).
            each: calls a function with each half of the segments, or of the videos that have no sketches; searching a
                half does not hold Python's lock.
        """
        usable = among & self.rows.present
        parts = [slice(first, end) for first, end in pairwise(self._starts)]
        of_parts = np.array([np.count_nonzero(usable[part]) for part in parts])
        having = max(1, int(of_parts.sum()))
        found, near = np.empty(0, np.int64), np.empty(0, np.float32)
        if self._sketches:
            every = self.rows.all_alive and having == self.rows.having
            share = SHARE_OF_SEGMENT * count * of_parts[self._sketched] // having
            wanted = np.minimum(count, LEAST_OF_SEGMENT + share)
            some = None if every else np.repeat(usable, self.rows.counts)
            rows, near = self._sketches.nearest(query, wanted, some, each)
            found = np.searchsorted(self.rows.starts, rows, side="right") - 1
        others = [part for number, part in enumerate(parts) if number not in self._sketched]
        rest = np.concatenate([np.flatnonzero(usable[part]) + part.start for part in others] or [found[:0]])
        found, near = np.concatenate([found, rest]), np.concatenate([near, self.best(query, rest, each).cosines])
        if len(found) > count:
            found = found[np.argpartition(self.hubs(found) - near, count)[:count]]
        return np.unique(found)

    def all_best(self, query: Vectors, each: Halves = map) -> Best:
        """Return the best passage of every video; for the arguments see `best`."""
        return self.best(query, np.arange(self.rows.videos), each)

    def best_of_sample(self, query: Vectors) -> NDArray[np.float32]:
        """Return the best cosine of each video of `rows.sample`. Their vectors are kept together in memory: in the
        files of a million videos they are far apart."""
        from retrieval.index.compiled_vectors import best_cosines

        codes, scales, starts = self._sampled
        cosines, rows = np.empty(len(starts) - 1, np.float32), np.empty(len(starts) - 1, np.int64)
        best_cosines(codes, scales, starts, query, np.arange(len(cosines)), cosines, rows)
        return cosines

    @cached_property
    def _sampled(self) -> tuple[NDArray[Any], NDArray[np.float32], NDArray[np.int64]]:
        """The codes and scales of the vectors of the sample, and where those of each video start."""
        sample = self.rows.sample
        rows = ragged.places(self.rows.starts, sample)
        codes, scales = [self._parts[0].codes[:0]], [self._parts[0].scales[:0]]
        for part, of_part in self._in_parts(rows):
            codes.append(part.codes[of_part])
            scales.append(part.scales[of_part])
        return np.concatenate(codes), np.concatenate(scales), ragged.starts_of(self.rows.counts_of(sample))

    def corrected(self, best: Best, videos: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Return the best cosines of some videos, or of all, less their hubness."""
        return best.cosines - self.hubs(videos)

    def cosines(self, query: Vectors, rows: range) -> NDArray[np.float32]:
        """Return the cosine of each of some passages that follow each other, shape (rows,)."""
        return np.asarray(self.vectors(rows) @ query)

    def hubs(self, videos: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Return what is subtracted from the cosines of some videos, or of all."""
        return HUB_SHARE * (self._hubs if videos is None else self._hubs[videos])

    def vectors(self, rows: range) -> Vectors:
        """Return the unit vectors of passages that follow each other, shape (rows, dimension)."""
        return self.at(np.arange(rows.start, rows.stop))

    def of_videos(self, videos: NDArray[np.int64]) -> Vectors:
        """Return the unit vectors of all passages of some videos, which are ascending."""
        return self.at(ragged.places(self.rows.starts, videos))

    def every(self, step: int) -> Vectors:
        """Return the unit vectors of every `step`-th passage of the videos that are not deleted."""
        if self.rows.all_alive:
            return self.at(np.arange(0, self.rows.passages, step))
        return self.at(np.flatnonzero(np.repeat(self.rows.alive, self.rows.counts))[::step])

    def vector(self, row: int) -> NDArray[np.float32]:
        """Return the unit vector of a passage, shape (dimension,)."""
        return np.asarray(self.vectors(range(row, row + 1))[0])

    def at(self, rows: NDArray[np.int64]) -> Vectors:
        """Return the unit vectors of passages in ascending rows, shape (rows, dimension)."""
        found = [part.rows(of_part) for part, of_part in self._in_parts(rows)]
        return found[0] if len(found) == 1 else np.concatenate(found or [self._parts[0].rows(slice(0))])

    def _in_parts(self, rows: NDArray[np.int64]) -> Iterator[tuple[FieldVectors, NDArray[np.int64]]]:
        """Yield each part that has some of these rows, which are ascending, with their numbers in it."""
        cuts = np.searchsorted(rows, self._first_rows)
        for number, part in enumerate(self._parts):
            if cuts[number] < cuts[number + 1]:
                yield part, rows[cuts[number] : cuts[number + 1]] - self._first_rows[number]


def _table(
    parts: Sequence[FieldVectors], starts: Sequence[int], like: NDArray[Any], dimension: int
) -> NDArray[np.int64]:
    """Return where the vectors of each part are in memory, as `best_in_all` reads it. All are of one kind."""
    if any(part.codes.shape[1] != dimension for part in parts):
        raise ValueError("vectors of different dimensions")
    rows = [
        [first, end, len(part), address_of(part.codes, like.dtype), address_of(part.scales, np.float32)]
        for part, (first, end) in zip(parts, pairwise(starts), strict=True)
    ]
    return np.array(rows, np.int64).reshape(-1, 5)
