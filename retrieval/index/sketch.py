"""One bit a number: which passages are about the nearest to a question, in a tenth of the memory of their vectors.

RaBitQ (Gao and Long 2024) estimates a cosine from the signs of a vector, seen from the mean of all. A search takes many
more passages than it needs, and compares those exactly. FAISS makes and keeps the sketches. A compiled loop reads them
in place, in half of the time that FAISS takes, because it fetches the next ones from memory early.

Of a vector x with d numbers, FAISS keeps the signs s of x - c (1 or -1), where c is the mean, a = |x - c|² - |x|², and
a number b. With a question's vector q, the estimate of x·q is b (s·(q - c)) / √d - a / 2 + (|q|² - |q - c|²) / 2.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Vectors
from retrieval.index.arrays import address_of
from retrieval.index.field_vectors import FieldVectors, read_index

SKETCHED_FROM = 8_192  # passages of a field in a segment; the vectors of fewer are all compared
TRAINED_ON = 65_536  # passages, whose mean the signs are relative to
_BLOCK = 1 << 15  # passages at once
_ROOM = 8  # for so many times as many near ones as wanted: there are seldom more before the end
Mask = NDArray[np.bool_]
Near = tuple[NDArray[np.int64], NDArray[np.float32]]  # rows, and about how near each is
_Half = TypeVar("_Half")
_Found = TypeVar("_Found")


class Halves(Protocol):
    """What calls a function with each half of something."""

    def __call__(self, work: Callable[[_Half], _Found], two: Sequence[_Half], /) -> Iterable[_Found]: ...


class Sketch:
    """The sketch of a field's vectors in a segment: the bytes of a FAISS index (IndexRaBitQ)."""

    def __init__(self, raw: NDArray[np.uint8], index: Any) -> None:
        import faiss

        self.raw, self.center = raw, faiss.vector_to_array(index.center)
        count, size = index.ntotal, index.code_size
        start = int(index.codes.data()) - raw.ctypes.data if count else 0
        if not 0 <= start <= raw.size - count * size:
            raise ValueError("the sketches are not in the file")
        # A row has the signs, 8 in a byte, and then the two numbers. The last 8 bytes of signs may reach into these.
        self.rows = raw[start : start + count * size].reshape(count, size)

    @classmethod
    def of(cls, vectors: FieldVectors) -> Self:
        """Make the sketch of vectors."""
        import faiss

        count, dimension = vectors.codes.shape
        index = faiss.IndexRaBitQ(dimension, faiss.METRIC_INNER_PRODUCT, 1)
        index.train(vectors.rows(slice(None, None, max(1, count // TRAINED_ON))))
        for first in range(0, count, _BLOCK):
            index.add(vectors.rows(slice(first, first + _BLOCK)))
        return cls.read(faiss.serialize_index(index), vectors)

    @classmethod
    def read(cls, raw: NDArray[np.uint8], vectors: FieldVectors) -> Self:
        """Read the sketch of vectors without copying it.

        Raises:
            ValueError: it is no sketch, or one of others.
        """
        import faiss

        found = read_index(raw)
        count, dimension = vectors.codes.shape
        wanted = faiss.IndexRaBitQ(dimension, faiss.METRIC_INNER_PRODUCT, 1)
        if type(found) is not faiss.IndexRaBitQ or found.ntotal != count or _shape(found) != _shape(wanted):
            raise ValueError("a sketch of other vectors")
        if found.codes.size() != count * wanted.code_size or found.center.size() != dimension:
            raise ValueError("a sketch that is not complete")
        return cls(raw, found)


class Sketches:
    """The sketches of a field in several segments, read in one call (addresses.py).

    Args:
        first_rows: the number of the first row of each among those of all segments.
    """

    def __init__(self, sketches: Sequence[Sketch], first_rows: Sequence[int]) -> None:
        self._sketches = list(sketches)  # which have to stay where they are
        table = [
            [address_of(one.rows, np.uint8), *one.rows.shape, first]
            for one, first in zip(sketches, first_rows, strict=True)
        ]
        self._table = np.array(table, np.int64).reshape(-1, 4)
        self._rows = int((self._table[:, 1] + self._table[:, 3]).max(initial=0))
        self._centers = np.array([one.center for one in sketches], np.float32)

    def __len__(self) -> int:
        return len(self._sketches)

    def nearest(
        self,
        query: Vectors,
        counts: NDArray[np.int64],
        among: Mask | None = None,
        each: Halves = map,
    ) -> Near:
        """Return about the rows that are nearest to a question's vector, shape (dimension,), so many of each segment,
        and about their cosines. Rows are numbers among those of all segments, ascending.

        Args:
            counts: how many of each segment, shape (segments,).
            among: the rows of all segments to choose from; by default all.
            each: calls a function with each half of the segments; that does not hold Python's lock.

        Raises:
            ValueError: `among` is too short.
        """
        from retrieval.index.compiled_vectors import nearest_in_all

        if among is not None and len(among) < self._rows:
            raise ValueError(f"{self._rows} sketches, and a mask of {len(among)}")
        away = query - self._centers
        numbers, steps = _whole_numbers(away)
        scales = steps / np.sqrt(away.shape[1])
        shifts = scales * numbers.sum(axis=1, dtype=np.int64)
        added = ((query @ query - (away * away).sum(axis=1)) / 2).astype(np.float32)
        every, wanted = np.empty(0, np.bool_) if among is None else among, np.minimum(counts, self._table[:, 1])
        planes = _planes(numbers)

        def of_some(parts: slice) -> Near:
            rows, near = np.empty(int(wanted[parts].sum()), np.int64), np.empty(int(wanted[parts].sum()), np.float32)
            if not len(rows):
                return rows, near
            found = nearest_in_all(
                self._table[parts],
                planes[parts],
                2 * scales[parts],
                shifts[parts],
                added[parts],
                wanted[parts],
                every,
                _ROOM,
                rows,
                near,
            )
            return rows[:found], near[:found]

        rows_before = np.cumsum(self._table[:, 1])
        middle = int(np.searchsorted(rows_before, rows_before[-1] // 2)) + 1
        if middle == len(self):
            return of_some(slice(None))
        halves = list(each(of_some, [slice(None, middle), slice(middle, None)]))
        return np.concatenate([rows for rows, _ in halves]), np.concatenate([near for _, near in halves])


def _whole_numbers(values: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Return rows of values as whole numbers, and by what those of each row are multiplied."""
    steps = np.abs(values).max(axis=1, initial=0.0).astype(np.float64) / np.iinfo(np.int8).max
    steps[steps == 0] = 1.0
    return np.rint(values / steps[:, None]).astype(np.int8), steps


def _planes(numbers: NDArray[np.int8]) -> NDArray[np.uint64]:
    """Return the bits of numbers, shape (rows, numbers), by their place in a number, shape (rows, words, 8), with 64
    numbers in a word."""
    rows, words = len(numbers), -(-numbers.shape[1] // 64)
    every = np.zeros((rows, 64 * words), np.int8)
    every[:, : numbers.shape[1]] = numbers
    bits = np.unpackbits(every.view(np.uint8)[:, :, None], axis=2, bitorder="little").reshape(rows, words, 64, 8)
    packed = np.packbits(bits, axis=2, bitorder="little")  # (rows, words, bytes of a word, bits of a number)
    return np.ascontiguousarray(packed.transpose(0, 1, 3, 2)).view("<u8")[:, :, :, 0]


def _shape(index: Any) -> tuple[Any, ...]:
    quantizer = index.rabitq
    parts = (index, quantizer)
    return (quantizer.nb_bits, *((part.d, part.metric_type, part.code_size) for part in parts))
