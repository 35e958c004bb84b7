"""One bit a number: which passages are about the nearest to a question, in a tenth of the memory of their vectors.

RaBitQ (Gao and Long 2024) estimates a cosine from the signs of a vector. A search takes many more passages than it
needs, and compares those exactly.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Vectors
from retrieval.index.field_vectors import FieldVectors, read_index

SKETCHED_FROM = 8_192  # passages of a field in a segment; the vectors of fewer are all compared
TRAINED_ON = 65_536  # passages, whose mean the signs are relative to
_QUERY_BITS = 8
_BLOCK = 1 << 15  # passages at once
Mask = NDArray[np.bool_]


class Sketch:
    """The sketch of a field's vectors in a segment: the bytes of a FAISS index (IndexRaBitQ)."""

    def __init__(self, raw: NDArray[np.uint8], index: Any) -> None:
        self.raw = raw
        self._index = index

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
        """
        import faiss

        parameters = faiss.RaBitQSearchParameters(qb=_QUERY_BITS)
        if among is not None:
            parameters.sel = faiss.IDSelectorBitmap(np.packbits(among, bitorder="little"))
        cosines, rows = self._index.search(query[None], min(count, self._index.ntotal), params=parameters)
        found = rows[0] >= 0
        return np.asarray(rows[0][found], np.int64), np.asarray(cosines[0][found], np.float32)


def _shape(index: Any) -> tuple[Any, ...]:
    quantizer = index.rabitq
    parts = (index, quantizer)
    return (quantizer.nb_bits, *((part.d, part.metric_type, part.code_size) for part in parts))
