"""The postings of all segments, as compiled_parts.py reads them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.index.arrays import address_of
from retrieval.index.keyword_part import KeywordPart

# The columns of a table of parts: where the arrays of each are in memory, and how long they are. `TERMS` is the length
# of `HASHES`, and one less than that of `STARTS` and `INDPTR`; `POSTINGS` that of `DOCS` and `PACKED`.
HASHES, BYTES, STARTS, INDPTR, DOCS, PACKED, TERMS, LENGTH_OF_BYTES, POSTINGS, FIRST, VIDEOS = range(11)
_KINDS = (np.uint64, np.uint8, np.uint32, np.uint32, np.uint16, np.uint8)  # of the first six


class Parts:
    """The parts of an index, one after the other.

    Attributes:
        alive: which videos are not deleted, shape (videos,).
        all_alive: in which parts no video is deleted, shape (parts,).
        most: the number of videos in the largest part.
        table: shape (parts, columns).
    """

    def __init__(self, parts: Sequence[KeywordPart], alive: NDArray[np.bool_]) -> None:
        self.alive = alive
        sizes = [part.videos for part in parts]
        self.most, firsts = max(sizes), (np.cumsum(sizes) - sizes).tolist()
        self._arrays: list[list[NDArray[Any]]] = []  # which have to stay where they are
        rows = []
        for part, first in zip(parts, firsts, strict=True):
            raw, starts = part.vocabulary.strings.parts
            arrays: list[NDArray[Any]] = [
                part.vocabulary.hashes,
                raw,
                _of_32_bits(starts),
                _of_32_bits(part.indptr),
                part.docs,
                part.packed,
            ]
            addresses = [address_of(array, kind) for array, kind in zip(arrays, _KINDS, strict=True)]
            self._arrays.append(arrays)
            rows.append([*addresses, len(part.vocabulary), len(raw), len(part.docs), first, part.videos])
        self.table = np.array(rows, np.int64)
        self._alive = [alive[first : first + size] for first, size in zip(firsts, sizes, strict=True)]
        self.all_alive = np.array([of_part.all() for of_part in self._alive])

    def __len__(self) -> int:
        return len(self.table)

    def have(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which forms are in a video that is not deleted, shape (forms,), if their postings start and end there
        in each part, shape (parts, forms)."""
        found: NDArray[np.bool_] = np.any((starts < ends)[self.all_alive], axis=0)
        for part in np.flatnonzero(~self.all_alive).tolist():
            docs, alive = self._arrays[part][DOCS], self._alive[part]
            for form in np.flatnonzero(~found & (starts[part] < ends[part])).tolist():
                videos = docs[starts[part, form] : ends[part, form]]
                found[form] = alive[videos[videos < len(alive)]].any()  # files that are mapped may be damaged
        return found


def _of_32_bits(numbers: NDArray[Any]) -> NDArray[np.uint32]:
    """Return ascending numbers, of 16 bits in a small part, as the compiled loops read them. Of damaged ones that are
    not ascending, some may become others: no loop trusts them."""
    if len(numbers) and numbers[-1] >= 1 << 32:
        raise ValueError("a segment with more than 4 GB of terms or postings")
    return np.asarray(numbers, np.uint32)
