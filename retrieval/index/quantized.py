"""Vectors as whole numbers with one scale a row: a quarter or half of the memory, and a known error.

The largest component of a row becomes the largest number of the type, so an error is at most half a step: in 8 bits
1/254 of the largest component, in 16 bits 1/65,534.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS = 1 << 14  # quantized at once


@dataclass(frozen=True)
class Quantized:
    """Row r is numbers[r] * scales[r]; `numbers` has shape (rows, dimension)."""

    numbers: NDArray[Any]
    scales: NDArray[np.float32]

    @classmethod
    def of(cls, vectors: NDArray[Any], bits: int) -> "Quantized":
        """Return vectors, shape (rows, dimension), in integers of 8 or 16 bits."""
        kind = np.dtype(f"i{bits // 8}")
        most = np.iinfo(kind).max
        numbers, scales = np.empty(vectors.shape, kind), np.zeros(len(vectors), np.float32)
        for first in range(0, len(vectors), _ROWS):
            rows = slice(first, first + _ROWS)
            block = vectors[rows].astype(np.float32)
            scales[rows] = np.abs(block).max(axis=1, initial=0.0) / most
            step = np.where(scales[rows] > 0, scales[rows], np.float32(1.0))
            numbers[rows] = np.clip(np.rint(block / step[:, None]), -most, most)
        return cls(numbers, scales)

    def __len__(self) -> int:
        return len(self.scales)

    def rows(self, chosen: slice | NDArray[Any]) -> NDArray[np.float32]:
        """Return some rows, shape (rows, dimension)."""
        found: NDArray[np.float32] = self.numbers[chosen].astype(np.float32)
        found *= self.scales[chosen, None]
        return found
