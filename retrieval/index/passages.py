"""The texts of all passages, and which part of each is spoken or shown when.

Nothing is locked: several threads read at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import accumulate, chain, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.index import ragged
from retrieval.index.arrays import SUFFIX, read_arrays, save_arrays, smallest, typed
from retrieval.index.documents import FIELDS, Mark, Passage
from retrieval.index.strings import Strings
from retrieval.index.verified import VerifiedFiles

FILE = f"passages{SUFFIX}"
_KEPT_READS = 4_096  # of a field of a video: answers show the same videos again and again
Mask = NDArray[np.bool_]


class PassagePart:
    """The passages of a segment: field after field, and within a field video after video.

    Attributes:
        starts: by field, shape (videos + 1,): video v has the rows starts[v] to starts[v + 1] of the field.
        texts: of all fields. Row r of a field is the text first_of[field] + r.
        marks: where the marks of each text start in the other two arrays, shape (texts + 1,).
        at: the character of each mark. `times`: its start and end in seconds, shape (marks, 2).
    """

    def __init__(
        self,
        starts: Mapping[str, NDArray[np.int64]],
        texts: Strings,
        marks: NDArray[np.int64],
        at: NDArray[np.uint32],
        times: NDArray[np.float64],
    ) -> None:
        self.starts, self.texts, self.marks, self.at, self.times = dict(starts), texts, marks, at, times
        self.videos = len(self.starts[FIELDS[0]]) - 1
        sizes = [int(self.starts[field][-1]) for field in FIELDS]
        self.first_of = dict(zip(FIELDS, accumulate(sizes, initial=0), strict=False))

    @classmethod
    def build(cls, documents: Iterable[Mapping[str, Sequence[Passage]]]) -> "PassagePart":
        """Make it from the passages of each document by field."""
        by_field: dict[str, list[Passage]] = {field: [] for field in FIELDS}
        starts: dict[str, list[int]] = {field: [0] for field in FIELDS}
        for passages in documents:
            for field, of_field in by_field.items():
                of_field += passages.get(field, ())
                starts[field].append(len(of_field))
        every = list(chain.from_iterable(by_field.values()))
        flat = [mark for passage in every for mark in passage.marks]
        return cls(
            {field: np.array(of, np.int64) for field, of in starts.items()},
            Strings.of(passage.text for passage in every),
            ragged.starts_of(np.array([len(passage.marks) for passage in every], np.int64)),
            np.array([mark.at for mark in flat], np.uint32),
            np.array([(mark.start_s, mark.end_s) for mark in flat], np.float64).reshape(-1, 2),
        )

    @classmethod
    def merge(cls, parts: Sequence["PassagePart"], keep: Sequence[Mask]) -> "PassagePart":
        """Return the passages of the videos that are kept, one part after the other."""
        starts = {
            field: ragged.starts_of(
                np.concatenate([np.diff(part.starts[field])[kept] for part, kept in zip(parts, keep, strict=True)])
            )
            for field in FIELDS
        }
        texts: list[Strings] = []
        marks: list[tuple[NDArray[np.float64], NDArray[np.int64]]] = []
        for field in FIELDS:
            for part, kept in zip(parts, keep, strict=True):
                rows = np.flatnonzero(np.repeat(kept, np.diff(part.starts[field]))) + part.first_of[field]
                texts.append(part.texts.take(rows))
                flat = np.column_stack([part.at.astype(np.float64), part.times])
                marks.append(ragged.take(flat, part.marks, rows))
        joined, where = ragged.join(marks)
        return cls(starts, Strings.join(texts), where, joined[:, 0].astype(np.uint32), joined[:, 1:].copy())

    def save(self, folder: Path) -> None:
        arrays = {f"{field}.starts": smallest(of, int(of[-1])) for field, of in self.starts.items()}
        marks = {"marks": smallest(self.marks, len(self.at)), "at": self.at, "times": self.times}
        save_arrays(folder / FILE, arrays | marks | self.texts.arrays("texts"))

    @classmethod
    def load(cls, files: VerifiedFiles) -> "PassagePart":
        """Load what `save` wrote.

        Raises:
            GenerationError: the file is missing or differs from its sha256.
            ValueError: the arrays contradict each other.
        """
        found = files.arrays(FILE)
        starts = {field: typed(found[f"{field}.starts"], "u").astype(np.int64) for field in FIELDS}
        texts, marks = Strings.load(found.arrays, "texts"), typed(found["marks"], "u")
        part = cls(starts, texts, marks, typed(found["at"], "u4"), typed(found["times"], "f8", 2))
        part.check_starts()  # of a file that is mapped as well: compiled loops go by them
        if not files.mapped:
            part.check()
        return part

    def check_starts(self) -> None:
        """Check where the passages of each video start.

        Raises:
            ValueError: they are not in order, or not of the same videos.
        """
        for starts in self.starts.values():
            ragged.check(starts, int(starts[-1]) if len(starts) else 0)
            if len(starts) != self.videos + 1:
                raise ValueError("the passages are not of the same videos")

    def check(self) -> None:
        """Read all of it.

        Raises:
            ValueError: the arrays contradict each other.
        """
        self.check_starts()
        self.texts.check()
        ragged.check(self.marks, len(self.at))
        fits = len(self.texts) == len(self.marks) - 1 == sum(
            int(starts[-1]) for starts in self.starts.values()
        ) and self.times.shape == (len(self.at), 2)
        if not fits:
            raise ValueError("the passages contradict each other")

    def passages(self, field: str, rows: range) -> list[Passage]:
        """Return the passages of some rows of a field that follow each other."""
        first = self.first_of[field] + rows.start
        texts = self.texts.between(first, first + len(rows))
        marks = self.marks[first : first + len(rows) + 1].astype(np.int64)
        if not len(rows) or marks[0] == marks[-1]:
            return [Passage(text) for text in texts]
        span, bounds = slice(int(marks[0]), int(marks[-1])), (marks - marks[0]).tolist()
        every = [
            Mark(at, start, end)
            for at, (start, end) in zip(self.at[span].tolist(), self.times[span].tolist(), strict=True)
        ]
        return [Passage(text, tuple(every[a:b])) for text, (a, b) in zip(texts, pairwise(bounds), strict=True)]


def texts_in(folder: Path) -> Strings:
    """Return the texts of all passages of a segment, without checking its files.

    Raises:
        OSError: they cannot be read.
        ValueError: the file is damaged.
    """
    return Strings.load(read_arrays(np.fromfile(folder / FILE, np.uint8)).arrays, "texts")


class Passages:
    """The passages of a generation: row r of a field comes after all rows of the field in earlier segments."""

    def __init__(self, parts: Sequence[PassagePart]) -> None:
        self._parts = list(parts)
        self._starts = {
            field: np.concatenate([[0], np.cumsum([part.starts[field][-1] for part in parts], dtype=np.int64)])
            for field in FIELDS
        }
        # of no method: the cache of one would keep an old generation in memory until Python looks for circles
        self.of = lru_cache(_KEPT_READS)(partial(_passages_of, self._parts, self._starts))

    def starts(self, field: str) -> NDArray[np.int64]:
        """Return where the rows of each video start, and where the last ends, shape (videos + 1,)."""
        return ragged.joined_starts([part.starts[field] for part in self._parts], self._starts[field])

    def __call__(self, field: str, rows: range) -> list[Passage]:
        """Return the passages of a field by row."""
        return list(self.of(field, rows))


def _passages_of(
    parts: Sequence[PassagePart], starts: Mapping[str, NDArray[np.int64]], field: str, rows: range
) -> tuple[Passage, ...]:
    """Return passages that follow each other, of one segment or several."""
    found: list[Passage] = []
    while len(found) < len(rows):
        row = rows[len(found)]
        part = int(starts[field].searchsorted(row, side="right")) - 1
        before, end = int(starts[field][part]), int(starts[field][part + 1])
        found += parts[part].passages(field, range(row - before, min(rows.stop, end) - before))
    return tuple(found)
