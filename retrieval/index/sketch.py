"""One bit a number: which passages are about the nearest to a question, in a tenth of the memory of their vectors.

RaBitQ (Gao and Long 2024) estimates a cosine from the signs of a vector, seen from the mean of all. A search takes many
more passages than it needs, and compares those exactly. FAISS makes and keeps the sketches. A compiled loop reads them
in place, in half of the time that FAISS takes, because it fetches the next ones from memory early.

Of a vector x with d numbers, FAISS keeps the signs s of x - c (1 or -1), where c is the mean, a = |x - c|² - |x|², and
a number b. With a question's vector q, the estimate of x·q is b (s·(q - c)) / √d - a / 2 + (|q|² - |q - c|²) / 2.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Vectors
from retrieval.index.field_vectors import FieldVectors, read_index
from retrieval.index.highest import highest

SKETCHED_FROM = 8_192  # passages of a field in a segment; the vectors of fewer are all compared
TRAINED_ON = 65_536  # passages, whose mean the signs are relative to
_BLOCK = 1 << 15  # passages at once
_ROOM = 8  # for so many times as many near ones as wanted: there are seldom more before the end
Mask = NDArray[np.bool_]


class Sketch:
    """The sketch of a field's vectors in a segment: the bytes of a FAISS index (IndexRaBitQ)."""

    def __init__(self, raw: NDArray[np.uint8], index: Any) -> None:
        import faiss

        self.raw = raw
        self._rows, self._center = index.ntotal, faiss.vector_to_array(index.center)
        size, bits = index.code_size, -(-index.d // 8)
        start = int(index.codes.data()) - raw.ctypes.data if index.ntotal else 0
        if not 0 <= start <= raw.size - index.ntotal * size:
            raise ValueError("the sketches are not in the file")
        # A row has the signs, 8 in a byte, and then the two numbers. The last word of 8 bytes may reach into these.
        words = (self._rows, -(-bits // 8))
        self._codes: NDArray[np.uint64] = np.ndarray(words, "<u8", raw, start, (size, 8))
        self._factors: NDArray[np.float32] = np.ndarray((self._rows, 2), "<f4", raw, start + bits, (size, 4))

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

    def nearest(
        self, query: Vectors, count: int, among: Mask | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return about the `count` rows that are nearest to a question's vector, shape (dimension,), and about their
        cosines, nearest first.

        Args:
            among: the rows to choose from, shape (rows,); by default all.

        Raises:
            ValueError: `among` has another length.
        """
        from retrieval.index.compiled_vectors import near_sketches

        among = np.ones(self._rows, np.bool_) if among is None else among
        if len(among) != self._rows:
            raise ValueError(f"{self._rows} sketches, and a mask of {len(among)}")
        wanted = max(0, min(count, self._rows))
        rows, near = np.empty(_ROOM * wanted, np.int64), np.empty(_ROOM * wanted, np.float32)
        away = query - self._center
        numbers, step = _whole_numbers(away)
        scale = step / np.sqrt(len(away))
        planes, shift = _planes(numbers, self._codes.shape[1]), scale * int(numbers.sum(dtype=np.int64))
        row, found, least = 0, 0, -np.inf
        while True:
            row, found = near_sketches(
                self._codes, self._factors, planes, 2 * scale, shift, among, least, row, found, rows, near
            )
            best = highest(near[:found], wanted)
            if row == self._rows or not wanted:
                best = best[np.argsort(-near[best], kind="stable")]
                return rows[best], near[best] + np.float32((query @ query - away @ away) / 2)
            found = len(best)
            rows[:found], near[:found] = rows[best], near[best]
            least = float(near[:found].min())


def _whole_numbers(values: NDArray[np.float32]) -> tuple[NDArray[np.int8], float]:
    """Return values as whole numbers, and by what these are multiplied."""
    step = float(np.abs(values).max(initial=0.0)) / np.iinfo(np.int8).max or 1.0
    return np.rint(values / step).astype(np.int8), step


def _planes(numbers: NDArray[np.int8], words: int) -> NDArray[np.uint64]:
    """Return the bits of numbers by their place in a number, shape (words, 8), with 64 numbers in a word."""
    every = np.zeros(64 * words, np.int8)
    every[: len(numbers)] = numbers
    bits = np.unpackbits(every.view(np.uint8)[:, None], axis=1, bitorder="little").reshape(words, 64, 8)
    packed = np.packbits(bits, axis=1, bitorder="little")  # (words, bytes of a word, bits of a number)
    return np.ascontiguousarray(packed.transpose(0, 2, 1)).view("<u8")[:, :, 0]


def _shape(index: Any) -> tuple[Any, ...]:
    quantizer = index.rabitq
    parts = (index, quantizer)
    return (quantizer.nb_bits, *((part.d, part.metric_type, part.code_size) for part in parts))
