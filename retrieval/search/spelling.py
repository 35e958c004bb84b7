"""Words that are in no text -> the likeliest words that are: with one letter changed, split in two, or joined.

A word's neighbours are all strings one edit away (Norvig 2007, "How to write a spelling corrector"): about 600
dictionary look-ups, whatever the size of the corpus. Neighbours that occur in the same video as the question's other
words are preferred.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np

from retrieval.index.analysis import plain, stems, tokens
from retrieval.index.phrases import PhraseIndex

MIN_LETTERS = 4  # shorter words have too many neighbours
MIN_PART = 3  # letters of each half of a word that is split
# Weight of the logarithm of how well a word fits the question's other words, against the logarithm of its frequency.
CONTEXT_WEIGHT = 0.3


@dataclass(frozen=True)
class Correction:
    """A word of the question, and the word that was searched for instead."""

    typed: str
    used: str


@dataclass(frozen=True)
class _Word:
    """A word of the question and its position. `term` is "" unless it is exactly one word of a-z and 0-9."""

    term: str
    start: int
    end: int


class Speller:
    """Corrects questions with the vocabulary of one generation."""

    def __init__(self, phrases: PhraseIndex) -> None:
        self._phrases = phrases
        self._stems = {stem for word in phrases.vocabulary for stem in stems(word)}

    def knows(self, word: str) -> bool:
        """Return whether any text has the word, in this form or another."""
        return word in self._phrases.vocabulary or any(stem in self._stems for stem in stems(word))

    def correct(self, text: str, literal: Collection[str] = ()) -> tuple[str, list[Correction]]:
        """Return the text with its unknown words corrected, and the corrections. Words in `literal` are kept."""
        words = [
            _Word(token.terms[0] if len(token.terms) == 1 else "", token.start, token.end)
            for token in tokens(text, plain)
        ]
        known = [word.term for word in words if word.term in self._phrases.vocabulary]
        corrections: list[Correction] = []
        pieces, at = [], 0
        for number, word in enumerate(words):
            if word.start < at or word.term in literal or not self._suspicious(word.term):
                continue
            used, end = self.nearest(word.term, known), word.end
            if not used and (parts := self._split(word.term)):
                used = " ".join(parts)
            following = words[number + 1] if number + 1 < len(words) else None
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
        """Return the likeliest word one edit away, "" if there is none.

        Likely words occur in the same video as rare words among the question's `others`, and in many videos.
        """
        candidates = [near for near in set(_neighbours(word)) if near in self._phrases.vocabulary]
        if not candidates:
            return ""
        if len(candidates) > 1 and others:
            weight = np.zeros(self._phrases.videos)
            for other in set(others):
                having = self._phrases.videos_with_phrase([other])
                weight[having] += np.log(1 + self._phrases.videos / having.sum())
            context = {near: float(weight[self._phrases.videos_with_phrase([near])].max()) for near in candidates}
        else:
            context = dict.fromkeys(candidates, 0.0)

        def likelihood(near: str) -> tuple[float, str]:
            return CONTEXT_WEIGHT * context[near] + float(np.log(self._phrases.count(near))), near

        return max(candidates, key=likelihood)

    def _suspicious(self, word: str) -> bool:
        return len(word) >= MIN_LETTERS and word.isalpha() and not self.knows(word)

    def _split(self, word: str) -> list[str]:
        """Return two words that were written as one, if they occur next to each other in some text."""
        for cut in range(MIN_PART, len(word) - MIN_PART + 1):
            parts = [word[:cut], word[cut:]]
            if all(self._phrases.count(part) for part in parts) and self._phrases.videos_with_phrase(parts).any():
                return parts
        return []


def _neighbours(word: str) -> Iterator[str]:
    """Return every string that is one inserted, deleted, changed or transposed letter away."""
    for cut in range(len(word) + 1):
        head, tail = word[:cut], word[cut:]
        yield from (head + letter + tail for letter in ascii_lowercase)
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in ascii_lowercase if letter != tail[0])
        if len(tail) > 1 and tail[0] != tail[1]:
            yield head + tail[1] + tail[0] + tail[2:]
