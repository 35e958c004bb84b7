"""Which videos contain an exact phrase, and the words of all texts.

A phrase is found by checking the words around each occurrence of its rarest word. No text is read again, so it takes
well under a millisecond.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from retrieval.index.analysis import plain, terms
from retrieval.index.phrase_part import Mask, PhrasePart
from retrieval.index.vocabulary import Wanted, most_frequent

Counts = NDArray[np.int64]


class PhraseIndex:
    """The words of all texts of several segments.

    `alive` has shape (videos,). Only videos that are alive are found and counted.
    """

    @classmethod
    def of(cls, documents: Iterable[Mapping[str, Sequence[str]]], fields: Sequence[str]) -> "PhraseIndex":
        """Return the index of documents that are in no generation."""
        part = PhrasePart.build(documents, fields)
        return cls([part], np.ones(part.videos, bool))

    def __init__(self, parts: Sequence[PhrasePart], alive: Mask) -> None:
        self.videos = len(alive)
        self._alive = alive
        self._starts = [0, *np.cumsum([part.videos for part in parts]).tolist()]
        self._parts = list(parts)
        self._counts = cache(partial(_counts, self._parts, self._starts, alive))  # of no method, as in passages.py

    def shown(self, word: str) -> str:
        """Return a word as it is mostly spelt in the texts."""
        counted: Counter[str] = Counter()
        for number, part in enumerate(self._parts):
            if (found := part.words.number(word)) is not None:
                for spelling in part.spellings_of(found).tolist():
                    counted[part.spelling(spelling)] += int(self._counts(number)[1][spelling])
        return min(counted, key=lambda spelling: (-counted[spelling], spelling), default=word)

    def count(self, word: str) -> int:
        """Return how many videos contain a word."""
        return int(self.counts([word])[0])

    def counts(self, words: Sequence[str]) -> Counts:
        """Return how many videos contain each of these words."""
        wanted, counted = Wanted.of(words), np.zeros(len(words), np.int64)
        for number, part in enumerate(self._parts):
            found = part.words.numbers(wanted)
            if (known := found >= 0).any():
                counted[known] += self._counts(number)[0][found[known]]
        return counted

    def known(self, words: Sequence[str]) -> list[str]:
        """Return the words that a text contains."""
        return [word for word, count in zip(words, self.counts(words).tolist(), strict=True) if count]

    def words(self) -> Iterator[str]:
        """Yield all words that a text contains, one that is in several segments several times."""
        for number, part in enumerate(self._parts):
            for word in np.flatnonzero(self._counts(number)[0]).tolist():
                yield part.words[word]

    def letters(self) -> dict[str, int]:
        """Return in how many different words each letter or other sign is, its repetitions included."""
        counted: Counter[int] = Counter()
        for number, part in enumerate(self._parts):
            there = np.flatnonzero(self._counts(number)[0])
            found, times = np.unique(part.words.strings.take(there).code_points(), return_counts=True)
            counted.update(dict(zip(found.tolist(), times.tolist(), strict=True)))
        return {chr(letter): times for letter, times in counted.items()}

    def words_from(self, start: str, limit: int, hidden: Sequence[int] = ()) -> list[tuple[str, int]]:
        """Return words that begin with `start`, as spelt, and their number of videos, the most frequent first.

        Args:
            hidden: videos that do not count.
        """
        key = "".join(terms(start, plain))
        if not key:
            return []
        found, others = [], np.unique(np.array([video for video in hidden if self._alive[video]], np.int64))
        for number, part in enumerate(self._parts):
            begun = part.words.strings.beginning_with(key, part.by_string)
            counts = self._counts(number)[0][begun]
            first, end = np.searchsorted(others, self._starts[number : number + 2])
            if end > first and len(begun):
                counts = counts - part.counts(others[first:end] - self._starts[number])[0][begun]
            found.append((part.words, begun, counts))
        return [(self.shown(word), count) for word, count in most_frequent(found, limit)]

    def videos_with_phrase(self, phrase: Sequence[str], field: str = "") -> Mask:
        """Return which videos contain these words next to each other, in `field` or in any: shape (videos,)."""
        found = np.zeros(self.videos, dtype=bool)
        if not phrase:
            return found
        wanted = Wanted.of(phrase)
        for part, first in zip(self._parts, self._starts, strict=False):
            numbers = part.words.numbers(wanted)
            if (numbers < 0).any():
                continue
            cells = part.cells(part.positions(numbers.tolist()))
            if field:
                cells = cells[cells % len(part.fields) == part.fields.index(field)]
            found[first + cells // len(part.fields)] = True
        return found & self._alive


def _counts(parts: Sequence[PhrasePart], starts: Sequence[int], alive: Mask, number: int) -> tuple[Counts, Counts]:
    """Return for a part in how many videos each word is, and how often each word and spelling is written."""
    part = parts[number]
    deleted = np.flatnonzero(~alive[starts[number] : starts[number + 1]])
    having, written = part.videos_of.astype(np.int64), part.written.astype(np.int64)
    if len(deleted):
        fewer, less = part.counts(deleted)
        having, written = having - fewer, written - less
    return having, written
