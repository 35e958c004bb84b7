"""Words that no text holds -> the likeliest words that some text holds: one wrong letter away, split, or joined.

A word's neighbours are all strings one edit away (Norvig 2007, "How to write a spelling corrector"): some 600 look-ups
in a dictionary, whatever the size of the corpus. Of several neighbours the one is taken that stands in a video with the
question's other words.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np

from retrieval.index.analysis import plain, tokens, words
from retrieval.index.phrases import PhraseIndex

MIN_LETTERS = 4  # shorter words have a neighbour for everything
MIN_PART = 3  # letters of each half of a word that is split


@dataclass(frozen=True)
class Correction:
    """A word of the question and what it was searched for as."""

    typed: str
    used: str


@dataclass(frozen=True)
class _Word:
    """A word of the question where it stands; `term` "" where it is several or none in a-z."""

    term: str
    start: int
    end: int


class Speller:
    """Corrects questions by the words of one generation."""

    def __init__(self, phrases: PhraseIndex) -> None:
        self._phrases = phrases
        self._stems = {stem for word in phrases.vocabulary for stem in words(word)}

    def knows(self, word: str) -> bool:
        """Whether any text holds the word, in this form or another."""
        return word in self._phrases.vocabulary or any(stem in self._stems for stem in words(word))

    def correct(self, text: str, literal: Collection[str] = ()) -> tuple[str, list[Correction]]:
        """The text with its unknown words corrected, and what was corrected; words in `literal` stay."""
        read = [
            _Word(token.terms[0] if len(token.terms) == 1 else "", token.start, token.end)
            for token in tokens(text, plain)
        ]
        known = [word.term for word in read if word.term in self._phrases.vocabulary]
        corrections: list[Correction] = []
        pieces, at = [], 0
        for number, word in enumerate(read):
            if word.start < at or word.term in literal or not self._doubtful(word.term):
                continue
            used, end = self.nearest(word.term, known), word.end
            if not used and (parts := self._split(word.term)):
                used = " ".join(parts)
            following = read[number + 1] if number + 1 < len(read) else None
            if not used and following and following.term not in literal:
                joined = word.term + following.term
                if following.term and text[word.end : following.start].isspace() and self._phrases.count(joined):
                    used, end = joined, following.end
            if used:
                shown = self._phrases.shown(used)
                corrections.append(Correction(text[word.start : end], shown))
                pieces += [text[at : word.start], shown]
                at = end
        return ("".join(pieces) + text[at:] if corrections else text), corrections

    def nearest(self, word: str, others: Collection[str] = ()) -> str:
        """The likeliest word one edit away, "" where there is none.

        Likeliest is one that stands in a video with the rarest of the question's `others`; of equals the most frequent.
        """
        candidates = [near for near in set(_neighbours(word)) if near in self._phrases.vocabulary]
        if not candidates:
            return ""
        if len(candidates) > 1 and others:
            weight = np.zeros(self._phrases.videos)
            for other in set(others):
                held = self._phrases.videos_with_phrase([other])
                weight[held] += np.log(1 + self._phrases.videos / held.sum())
            together = {near: float(weight[self._phrases.videos_with_phrase([near])].max()) for near in candidates}
        else:
            together = dict.fromkeys(candidates, 0.0)

        def likelihood(near: str) -> tuple[float, str]:
            return COMPANY * together[near] + float(np.log(self._phrases.count(near))), near

        return max(candidates, key=likelihood)

    def _doubtful(self, word: str) -> bool:
        return len(word) >= MIN_LETTERS and word.isalpha() and not self.knows(word)

    def _split(self, word: str) -> list[str]:
        """Two words that were written as one, if they stand together in some text."""
        for cut in range(MIN_PART, len(word) - MIN_PART + 1):
            parts = [word[:cut], word[cut:]]
            if all(self._phrases.count(part) for part in parts) and self._phrases.videos_with_phrase(parts).any():
                return parts
        return []


COMPANY = 0.3  # how much standing with the question's other words counts against being frequent, each as logarithms


def _neighbours(word: str) -> Iterator[str]:
    """Every string that one letter added, left out, changed or swapped with the next makes of a word."""
    for cut in range(len(word) + 1):
        head, tail = word[:cut], word[cut:]
        yield from (head + letter + tail for letter in ascii_lowercase)
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in ascii_lowercase if letter != tail[0])
        if len(tail) > 1 and tail[0] != tail[1]:
            yield head + tail[1] + tail[0] + tail[2:]
