"""The unit vectors of a field's passages: the bytes of a FAISS index, whose codes compiled loops read in place.

A number has 16 bits (floating point) or 8 (a whole number; the largest component of a vector becomes the largest of
them). Rounding changes the length of a vector, so each has a scale that makes it 1 again.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Vectors
from retrieval.index.quantized import Quantized

_ROWS = 1 << 14  # whose lengths are computed at once
_SIGN = np.uint8(0x80)  # FAISS stores a number from -128 on as one from 0 on
_TYPES: dict[int, np.dtype[Any]] = {8: np.dtype("u1"), 16: np.dtype("<u2")}  # of a code of so many bits
_reading = threading.Lock()
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class FieldVectors:
    """Row r is the number that codes[r] stand for, times scales[r].

    Attributes:
        raw: the bytes of an IndexScalarQuantizer; `codes`, shape (rows, dimension), is a part of them.
        scales: shape (rows,).
    """

    raw: NDArray[np.uint8]
    codes: NDArray[Any]
    scales: NDArray[np.float32]

    @classmethod
    def of(cls, vectors: Vectors, bits: int) -> Self:
        """Return vectors, shape (rows, dimension), in codes of 8 or 16 bits."""
        if bits == 16:
            codes: NDArray[Any] = vectors.astype("<f2").view(_TYPES[16])
        else:
            codes = Quantized.of(vectors, bits).numbers.view(np.uint8) ^ _SIGN
        scales = np.empty(len(codes), np.float32)
        for first in range(0, len(scales), _ROWS):
            rows = slice(first, first + _ROWS)
            lengths = np.linalg.norm(decoded(codes[rows]), axis=1)
            scales[rows] = np.where(lengths > 0, 1 / np.where(lengths > 0, lengths, 1), 0)
        return cls.with_codes(codes, scales)

    @classmethod
    def joined(cls, parts: Sequence["FieldVectors"], keep: Sequence[Mask]) -> Self:
        """Return the rows that are kept of several, one after the other."""
        pairs = list(zip(parts, keep, strict=True))
        codes = np.concatenate([part.codes[mask] for part, mask in pairs])
        return cls.with_codes(codes, np.concatenate([part.scales[mask] for part, mask in pairs]))

    @classmethod
    def with_codes(cls, codes: NDArray[Any], scales: NDArray[np.float32]) -> Self:
        """Return the vectors that have these codes and scales."""
        import faiss

        bits = 8 * codes.itemsize
        index = _empty_index(codes.shape[1], bits)
        if len(codes):
            index.add_sa_codes(np.ascontiguousarray(codes).view(np.uint8))
        return cls.read(faiss.serialize_index(index), scales, bits)

    @classmethod
    def read(cls, raw: NDArray[np.uint8], scales: NDArray[np.float32], bits: int) -> Self:
        """Read the bytes of an index without copying them.

        Raises:
            ValueError: they are those of no index, or of another type of index.
        """
        index = read_index(raw)
        same = _empty_index(index.d, bits)
        if type(index) is not type(same) or (index.sq.qtype, index.metric_type) != (same.sq.qtype, same.metric_type):
            raise ValueError(f"a FAISS index of another type than one of {bits} bits")
        size = index.ntotal * same.code_size
        if index.codes.size() != size or index.code_size != same.code_size:
            raise ValueError(f"{index.codes.size()} bytes of vectors instead of {size}")
        if len(scales) != index.ntotal:
            raise ValueError(f"{len(scales)} scales of {index.ntotal} vectors: they contradict each other")
        start = int(index.codes.data()) - raw.ctypes.data if size else 0
        if not 0 <= start <= raw.size - size:
            raise ValueError("the vectors are not in the file")
        return cls(raw, raw[start : start + size].view(_TYPES[bits]).reshape(index.ntotal, index.d), scales)

    def __len__(self) -> int:
        return len(self.codes)

    def rows(self, chosen: slice | NDArray[Any]) -> NDArray[np.float32]:
        """Return some rows, shape (rows, dimension)."""
        found = decoded(self.codes[chosen])
        found *= self.scales[chosen, None]
        return found


def read_index(raw: NDArray[np.uint8]) -> Any:
    """Return the FAISS index in the bytes of a file. It shares their memory.

    Raises:
        ValueError: there is none.
    """
    import faiss

    raw.flags.writeable = False
    try:
        with _reading:  # or a damaged length would take any amount of memory
            faiss.set_deserialization_vector_byte_limit(raw.size + 1)
            owner = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(raw), raw.size))
    except RuntimeError as error:
        raise ValueError(f"no FAISS index: {str(error)[-100:]}") from error
    index = faiss.downcast_index(owner)
    index.referenced_objects = [owner, raw]  # without which it would be gone
    return index


def _empty_index(dimension: int, bits: int) -> Any:
    import faiss

    quantizer = faiss.ScalarQuantizer
    kind = quantizer.QT_fp16 if bits == 16 else quantizer.QT_8bit_direct_signed
    return faiss.IndexScalarQuantizer(dimension, kind, faiss.METRIC_INNER_PRODUCT)


def decoded(codes: NDArray[Any]) -> NDArray[np.float32]:
    """Return the numbers that codes stand for."""
    kind = "<f2" if codes.itemsize == 2 else np.int8
    return np.asarray((codes if codes.itemsize == 2 else codes ^ _SIGN).view(kind), np.float32)
