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


class Parts:
    """The parts of an index, one after the other.

    Attributes:
        alive: which videos are not deleted, shape (videos,).
        all_alive: of which parts none is deleted, shape (parts,).
        firsts: the first video of each part.
        most: the number of videos in the largest part.
        fields: how many there are.
        table: shape (parts, columns).
    """

    def __init__(self, parts: Sequence[KeywordPart], alive: NDArray[np.bool_]) -> None:

        self.alive = alive
        sizes = [part.videos for part in parts]
        self.firsts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        self.most, self.fields = max(sizes), len(parts[0].lengths)
        self.all_alive = np.array(
            [alive[first : first + size].all() for first, size in zip(self.firsts, sizes, strict=True)]
        )
        self._arrays: list[list[NDArray[Any]]] = []  # which have to stay where they are
        rows = []
        for part, first in zip(parts, self.firsts.tolist(), strict=True):
            raw, starts = part.vocabulary.strings.parts
            arrays: list[NDArray[Any]] = [part.vocabulary.hashes, raw, _of_32_bits(starts), _of_32_bits(part.indptr)]
            arrays += [part.docs, part.packed]
            self._arrays.append(arrays)
            counts = [len(part.vocabulary), len(raw), len(part.docs), first, part.videos]
            rows.append([*map(address_of, arrays), *counts])
        self.table = np.array(rows, np.int64)

    def __len__(self) -> int:
        return len(self.table)

    def have(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which forms, of which the postings in each part start and end there, are in a video that is not
        deleted, shape (forms,)."""
        found: NDArray[np.bool_] = np.any(starts < ends, axis=0)
        for form in np.flatnonzero(found).tolist() if not self.all_alive.all() else ():
            spans = zip(self._arrays, self.firsts, starts[:, form], ends[:, form], strict=True)
            found[form] = any(self.alive[first + arrays[DOCS][start:end]].any() for arrays, first, start, end in spans)
        return found


def _of_32_bits(numbers: NDArray[Any]) -> NDArray[np.uint32]:
    if len(numbers) and numbers[-1] >= 1 << 32:
        raise ValueError("a segment with more than 4 GB of terms or postings")
    return np.asarray(numbers, np.uint32)
