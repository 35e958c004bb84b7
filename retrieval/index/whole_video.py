"""The parts of whole videos: what each passage adds to the vector of its video's whole text.

An encoder that pools by the mean has them (retrieval/embedding/token_sums.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.token_sums import TokenSums
from retrieval.index import ragged
from retrieval.index.arrays import SUFFIX, save_arrays, smallest, typed
from retrieval.index.documents import FIELDS, TEXT_FIELDS
from retrieval.index.quantized import Quantized
from retrieval.index.verified import VerifiedFiles
from retrieval.index.whole_text import Stretch

_BITS = 8
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SumPart:
    """The parts of every video's vector by one encoder, of the videos of a segment.

    Attributes:
        starts: shape (videos + 1,): video v has the rows starts[v] to starts[v + 1]; none if it is not known.
        fields, passages, tokens: of each row, the number of the field, the number of the passage in the video's field,
            and how many tokens it has.
        sums: the rows of a video add up to its vector.
    """

    starts: NDArray[Any]
    fields: NDArray[np.uint8]
    passages: NDArray[Any]
    tokens: NDArray[Any]
    sums: Quantized

    @property
    def videos(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def build(
        cls, stretches: Sequence[Sequence[Stretch]], sums: Sequence[TokenSums | None], dimension: int
    ) -> "SumPart":
        """Make it from the stretches of each video's text and their sums. Stretches that were not read are left out."""
        parts: list[tuple[int, int, int]] = []
        vectors, starts = [np.zeros((0, dimension), np.float16)], [0]
        for of_video, found in zip(stretches, sums, strict=True):
            if found is not None:
                read: list[int] = np.flatnonzero(found.tokens).tolist()
                numbered = [(FIELDS.index(of_video[n].field), of_video[n].passage, int(found.tokens[n])) for n in read]
                parts += numbered
                vectors.append(found.sums[read])
            starts.append(len(parts))
        fields, passages, tokens = np.array(parts, np.int64).reshape(-1, 3).T
        together = Quantized.of(np.concatenate(vectors), _BITS)
        return cls._compact(np.array(starts, np.int64), fields, passages, tokens, together)

    @classmethod
    def _compact(
        cls, starts: NDArray[Any], fields: NDArray[Any], passages: NDArray[Any], tokens: NDArray[Any], sums: Quantized
    ) -> "SumPart":
        return cls(
            smallest(starts, len(fields)),
            fields.astype(np.uint8),
            smallest(passages, int(passages.max(initial=0))),
            smallest(tokens, int(tokens.max(initial=0))),
            sums,
        )

    @classmethod
    def merge(cls, parts: Sequence["SumPart"], keep: Sequence[Mask]) -> "SumPart":
        """Return the parts of the videos that are kept, one segment after the other."""
        rows = [np.repeat(kept, ragged.lengths_of(part.starts)) for part, kept in zip(parts, keep, strict=True)]

        def column(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(part, name)[mask] for part, mask in zip(parts, rows, strict=True)])

        lengths = [ragged.lengths_of(part.starts)[kept] for part, kept in zip(parts, keep, strict=True)]
        sums = Quantized(
            np.concatenate([part.sums.numbers[mask] for part, mask in zip(parts, rows, strict=True)]),
            np.concatenate([part.sums.scales[mask] for part, mask in zip(parts, rows, strict=True)]),
        )
        starts = ragged.starts_of(np.concatenate(lengths))
        return cls._compact(starts, column("fields"), column("passages"), column("tokens"), sums)

    def save(self, folder: Path, encoder: int = 0) -> None:
        """Write it; `encoder` is the number of the encoder in the segment."""
        of_rows = {"fields": self.fields, "passages": self.passages, "tokens": self.tokens}
        sums = {"sums": self.sums.numbers, "scales": self.sums.scales}
        save_arrays(folder / _file(encoder), {"starts": self.starts} | of_rows | sums)

    @classmethod
    def load(cls, files: VerifiedFiles, encoder: int = 0) -> "SumPart":
        """Load what `save` wrote.

        Raises:
            GenerationError: the file is missing or differs from its sha256.
            ValueError: the arrays contradict each other.
        """
        found = files.arrays(_file(encoder))
        fields, passages = typed(found["fields"], "u1"), typed(found["passages"], "u")
        sums = Quantized(typed(found["sums"], "i1", 2), typed(found["scales"], "f4"))
        part = cls(typed(found["starts"], "u"), fields, passages, typed(found["tokens"], "u"), sums)
        if not files.mapped:
            part.check()
        return part

    def check(self) -> None:
        """Read all of it.

        Raises:
            ValueError: the arrays contradict each other.
        """
        rows = len(self.fields)
        ragged.check(self.starts, rows)
        fits = (
            len(self.passages) == len(self.tokens) == len(self.sums) == len(self.sums.numbers) == rows
            and not (self.fields >= len(TEXT_FIELDS)).any()
            and np.isfinite(self.sums.scales).all()
        )
        if not fits:
            raise ValueError("the parts of the whole videos contradict each other")


@dataclass(frozen=True)
class PartsOfVideos:
    """The parts of the vectors of some videos, video after video.

    Attributes:
        starts: video v of them has the parts starts[v] to starts[v + 1].
        fields, passages, tokens: see SumPart, shape (parts,).
        sums: what each part adds to the vector of its video, shape (parts, dimension).
    """

    starts: Sequence[int]
    fields: NDArray[np.uint8]
    passages: NDArray[Any]
    tokens: NDArray[Any]
    sums: NDArray[np.float32]

    @cached_property
    def owners(self) -> NDArray[np.int64]:
        """Which of the videos each part is of, shape (parts,)."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def of(self, number: int) -> slice:
        """Return which of the parts are of a video, by its number among these."""
        return slice(self.starts[number], self.starts[number + 1])

    def added(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return for each video the sum of the values of its parts."""
        return np.bincount(self.owners, values, len(self.starts) - 1).astype(np.float64)


class WholeVideoParts:
    """The parts of every video's vector by one encoder, in several segments."""

    def __init__(self, parts: Sequence[SumPart]) -> None:
        self._parts = list(parts)
        self._starts = np.cumsum([0, *(part.videos for part in parts)])

    def of(self, videos: Sequence[int]) -> PartsOfVideos:
        """Return the parts of some videos; there are none of one if they are not known."""
        found = [self._of(video) for video in videos]

        def column(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(part, name)[rows] for part, rows in found])

        numbers = np.concatenate([part.sums.numbers[rows] for part, rows in found])
        scales = np.concatenate([part.sums.scales[rows] for part, rows in found])
        starts = list(accumulate((rows.stop - rows.start for _, rows in found), initial=0))
        sums = Quantized(numbers, scales).rows(slice(None))
        return PartsOfVideos(starts, column("fields"), column("passages"), column("tokens"), sums)

    def _of(self, video: int) -> tuple[SumPart, slice]:
        """Return the segment that has a video, and its rows there."""
        number = int(self._starts.searchsorted(video, side="right")) - 1
        part, local = self._parts[number], video - int(self._starts[number])
        return part, slice(int(part.starts[local]), int(part.starts[local + 1]))


def _file(encoder: int) -> str:
    return f"sums.{encoder}{SUFFIX}"
