"""Texts -> which words they have and where, kept from one answer to the next.

Answers show the same videos again and again, and texts have the same words. So a text is cut once into chunks, which
have a number, and a chunk is read once, together with all others that an answer is the first to show. To find the
words of a question in hundreds of passages then takes a look-up of its terms and a few operations on arrays of numbers.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.text.words import Word, chunks, words_of_chunk
from retrieval.index.analysis import all_stems, bare_stems, char_ngrams

KEPT_TEXTS = 16_384  # about 10 MB
KEPT_CHUNKS = 100_000  # about 100 MB
KEPT_LANGUAGES = 4  # sets of languages, of as many corpora

# A word of a chunk: its position in it, the forms that a question may have it in, and its 4-grams. Python's garbage
# collector looks once at a bare tuple, and again and again at an object of a class.
AnalysedWord = tuple[int, int, tuple[str, ...], tuple[str, ...]]


class TextChunks(NamedTuple):
    """The numbers of the chunks of a text, and where they start in it, each of shape (chunks,)."""

    numbers: NDArray[np.int32]
    starts: NDArray[np.int32]


class KnownTexts:
    """The texts that were read so far, whose words may be in any of some languages. Several threads can use it."""

    def __init__(self, languages: Sequence[str]) -> None:
        self._languages = tuple(languages)
        self._texts: OrderedDict[str, TextChunks] = OrderedDict()  # the one that was read last is the last
        self._numbers: dict[str, int] = {}
        self._chunks: list[list[Word]] = []
        self._having: dict[str, list[int]] = {}  # by stem without its language, or 4-gram: the chunks that have it
        self._analysed: dict[int, list[AnalysedWord]] = {}
        self._lock = threading.Lock()

    @property
    def full(self) -> bool:
        """Whether there are so many chunks that another instance should take over."""
        return len(self._chunks) > KEPT_CHUNKS

    def read(self, texts: Sequence[str]) -> list[TextChunks]:
        """Return the chunks of texts. New texts take half of the time if they are read together."""
        with self._lock:
            new = {text: list(chunks(text)) for text in texts if text not in self._texts}
            if new:
                self._add({chunk for found in new.values() for chunk, _ in found} - self._numbers.keys())
            for text, found in new.items():
                self._texts[text] = TextChunks(
                    np.array([self._numbers[chunk] for chunk, _ in found], np.int32),
                    np.array([start for _, start in found], np.int32),
                )
            known = [self._texts[text] for text in texts]
            for text in texts:
                self._texts.move_to_end(text)
            while len(self._texts) > KEPT_TEXTS:
                self._texts.popitem(last=False)
            return known

    def _add(self, new: Collection[str]) -> None:
        words = [[word for word in words_of_chunk(chunk) if word.kind != "tag"] for chunk in new]
        stems = iter(bare_stems([word for of_chunk in words for word in of_chunk], self._languages))
        for chunk, of_chunk in zip(new, words, strict=True):
            number = self._numbers[chunk] = len(self._chunks)
            self._chunks.append(of_chunk)
            terms: set[str] = set()
            for word in of_chunk:
                terms.update(next(stems), char_ngrams(word))
            for term in terms:
                self._having.setdefault(term, []).append(number)

    def with_any(self, terms: Iterable[str]) -> NDArray[np.bool_]:
        """Return which of the known chunks may have any of some terms, stems or 4-grams, shape (chunks,).

        Those with the stem of another language are among them.
        """
        found = np.zeros(len(self._chunks), np.bool_)
        for term in {term[term.find(":") + 1 :] for term in terms}:
            if having := self._having.get(term):
                numbers = np.array(having)
                found[numbers[numbers < len(found)]] = True  # another thread may have added some
        return found

    def words(self, number: int) -> Sequence[AnalysedWord]:
        """Return the words of a chunk. A hashtag of several words is these, and not one."""
        if number not in self._analysed:
            self._analysed[number] = [
                (word.start, word.end, all_stems(word, self._languages), char_ngrams(word))
                for word in self._chunks[number]
            ]
        return self._analysed[number]


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
