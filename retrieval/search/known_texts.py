"""Texts -> which words they have and where, kept from one answer to the next.

Answers show the same videos again and again, and texts have the same words. So a text is cut once into chunks, which
have a number, and a chunk is analysed once. To find the words of a question in hundreds of passages then takes a
look-up of its terms and a few operations on arrays of numbers.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.text.words import chunks, words_of_chunk
from retrieval.index.analysis import all_stems, char_ngrams

KEPT_TEXTS = 16_384  # about 10 MB
KEPT_CHUNKS = 100_000  # about 100 MB
KEPT_LANGUAGES = 4  # sets of languages, of as many corpora


class AnalysedWord(NamedTuple):
    """A word of a chunk: its position in it, the forms that a question may have it in, and its 4-grams."""

    start: int
    end: int
    forms: tuple[str, ...]
    pieces: tuple[str, ...]


class TextChunks(NamedTuple):
    """The numbers of the chunks of a text, and where they start in it, each of shape (chunks,)."""

    numbers: NDArray[np.int32]
    starts: NDArray[np.int32]


class KnownTexts:
    """The texts that were read so far, whose words may be in any of some languages. Several threads can use it."""

    def __init__(self, languages: Sequence[str]) -> None:
        self._languages = tuple(languages)
        self._numbers: dict[str, int] = {}
        self._words: list[list[AnalysedWord]] = []
        self._having: dict[str, list[int]] = {}  # by term, the chunks that have it
        self._lock = threading.Lock()
        self.chunks: Callable[[str], TextChunks] = lru_cache(KEPT_TEXTS)(self._chunks)

    @property
    def full(self) -> bool:
        """Whether there are so many chunks that another instance should take over."""
        return len(self._words) > KEPT_CHUNKS

    def words(self, number: int) -> Sequence[AnalysedWord]:
        """Return the words of a chunk that are no tags."""
        return self._words[number]

    def with_any(self, terms: Iterator[str]) -> NDArray[np.bool_]:
        """Return which of the known chunks have any of some terms, forms or 4-grams, shape (chunks,)."""
        found = np.zeros(len(self._words), np.bool_)
        for term in terms:
            if having := self._having.get(term):
                numbers = np.array(having)
                found[numbers[numbers < len(found)]] = True  # another thread may have added some
        return found

    def _chunks(self, text: str) -> TextChunks:
        found = list(chunks(text))
        numbers = [self._number(chunk) for chunk, _ in found]
        return TextChunks(np.array(numbers, np.int32), np.array([start for _, start in found], np.int32))

    def _number(self, chunk: str) -> int:
        known = self._numbers.get(chunk)
        if known is not None:
            return known
        words = [
            AnalysedWord(word.start, word.end, all_stems(word, self._languages), tuple(char_ngrams(word)))
            for word in words_of_chunk(chunk)
            if word.kind != "tag"
        ]
        with self._lock:
            if chunk not in self._numbers:
                number = len(self._words)
                for term in {term for word in words for term in (*word.forms, *word.pieces)}:
                    self._having.setdefault(term, []).append(number)
                self._words.append(words)
                self._numbers[chunk] = number
            return self._numbers[chunk]


_current: dict[tuple[str, ...], KnownTexts] = {}


def known_texts(languages: Sequence[str]) -> KnownTexts:
    """Return what is known of texts whose words may be in some languages."""
    languages = tuple(languages)
    known = _current.get(languages)
    if known is None or known.full:
        _current.pop(languages, None)
        while len(_current) >= KEPT_LANGUAGES:
            _current.pop(next(iter(_current)), None)
        known = _current[languages] = KnownTexts(languages)
    return known


def forget_texts() -> None:
    """Forget all texts: some may be of videos that were erased."""
    _current.clear()
