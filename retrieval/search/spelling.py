"""Words that are in no text -> the likeliest words that are: split in two, joined, or with one letter changed.

A word that a language has is never changed (of the question's language, and the frequent words of any other), and none
becomes a word of another language or script. A word's neighbours are all strings one edit away (Norvig 2007, "How to
write a spelling corrector"): some hundred dictionary look-ups, whatever the size of the corpus. Neighbours that occur
in the same video as the question's other words are preferred.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest

import numpy as np
import regex

from ingest.language import language_of
from ingest.text.known_words import frequencies
from ingest.text.words import Word, words
from retrieval.index.analysis import all_stems
from retrieval.index.bm25f import KeywordIndex
from retrieval.index.phrases import PhraseIndex

# From which zipf frequency on a word of a language is no typo: of the question's language, or if that is uncertain, of
# one that many texts here are in; of another language; of another one although the question's language is certain.
OWN_ZIPF, OTHER_ZIPF, FOREIGN_ZIPF = 3.0, 4.0, 5.0
MIN_LETTERS = 4  # shorter words have too many neighbours
MIN_PART = 3  # letters of each half of a word that is split
MAX_ALPHABET = 2_000  # Korean has most: each syllable is a letter
# Weight of the logarithm of how well a word fits the question's other words, against the logarithm of its frequency.
CONTEXT_WEIGHT = 0.3
_SCRIPT = {
    name: regex.compile(rf"\p{{{name}}}")
    for name in (
        *("Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Armenian", "Georgian", "Hangul"),
        *("Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala"),
    )
}


@dataclass(frozen=True)
class Correction:
    """A word of the question, and the word that was searched for instead."""

    typed: str
    used: str


class Speller:
    """Corrects questions with the vocabulary of one generation: its words as they are, and their stems."""

    def __init__(self, phrases: PhraseIndex, stems: KeywordIndex) -> None:
        self._phrases = phrases
        self._stems = stems

    def correct(self, text: str, literal: Collection[str] = ()) -> tuple[str, list[Correction]]:
        """Return the text with its unknown words corrected, and the corrections. Words in `literal` are kept."""
        typed = [word for word in words(text) if word.kind == "word"]
        known = self._phrases.known([word.folded for word in typed])
        suspicious = {word.start for word in typed if word.folded not in known and self._suspicious(word)}
        language = language_of(text) if suspicious else ""
        corrections: list[Correction] = []
        pieces, at = [], 0
        for word, following in zip_longest(typed, typed[1:]):
            if (
                word.start < at
                or word.folded in literal
                or word.start not in suspicious
                or self._is_word(word, language)
            ):
                continue
            used, end = " ".join(self._split(word.folded)), word.end
            if not used and following and following.folded not in literal:
                joined = word.folded + following.folded
                if text[word.end : following.start].isspace() and self._phrases.count(joined):
                    used, end = joined, following.end
            if not used:
                used = self.nearest(word.folded, known, language)
            if used:
                shown = self._phrases.shown(used)
                corrections.append(Correction(text[word.start : end], shown))
                pieces += [text[at : word.start], shown]
                at = end
        return ("".join(pieces) + text[at:] if corrections else text), corrections

    def nearest(self, word: str, others: Collection[str] = (), language: str = "") -> str:
        """Return the likeliest word one edit away, "" if there is none.

        Likely words occur in the same video as rare words among the question's `others`, and in many videos.

        Args:
            language: the question's language, "" if it is uncertain. A word that only other languages have is no
                candidate.
        """
        found = self._phrases.known(list(set(_neighbours(word, self._letters_of(word)))))
        candidates = [near for near in found if _may_be_in(near, language)]
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

    def _suspicious(self, word: Word) -> bool:
        """Return whether a word may be misspelt. The caller has seen that no text has it in this form; neither must any
        have another form of it."""
        if len(word.folded) < MIN_LETTERS or not _script(word.folded) or not all(map(_is_letter, word.folded)):
            return False
        return not self._stems.have(all_stems(word, self._stems.languages)).any()

    def _is_word(self, word: Word, language: str) -> bool:
        """Return whether a word is one of the question's language, or a frequent one of any other."""
        own = {language} if language else self._stems.common_languages
        other = FOREIGN_ZIPF if language else OTHER_ZIPF
        return any(zipf >= (OWN_ZIPF if of in own else other) for of, zipf in frequencies(word.letters).items())

    def _split(self, word: str) -> Sequence[str]:
        """Return two words that were written as one, if they occur next to each other in some text."""
        for cut in range(MIN_PART, len(word) - MIN_PART + 1):
            parts = [word[:cut], word[cut:]]
            if all(self._phrases.count(part) for part in parts) and self._phrases.videos_with_phrase(parts).any():
                return parts
        return []

    def _letters_of(self, word: str) -> str:
        return self._alphabets.get(_script(word), "")

    @cached_property
    def _alphabets(self) -> dict[str, str]:
        """By script, the letters that the texts have, the most frequent first."""
        counts: dict[str, dict[str, int]] = {}
        for letter, count in self._phrases.letters().items():
            if script := _script(letter):
                counts.setdefault(script, {})[letter] = count
        return {
            script: "".join(sorted(filter(_is_letter, of), key=lambda letter: -of[letter])[:MAX_ALPHABET])
            for script, of in counts.items()
        }


def _script(word: str) -> str:
    """Return the script of a word that is written in letters; "" if another one, or several, could be meant."""
    return next((name for name, pattern in _SCRIPT.items() if pattern.match(word)), "")


def _is_letter(sign: str) -> bool:
    return sign.isalpha() or bool(_MARK.match(sign))


_MARK = regex.compile(r"\p{M}")


def _may_be_in(word: str, language: str) -> bool:
    """Return whether a word may be one of a language: it is among its frequent words, or among those of none."""
    return not language or not (known := frequencies(word)) or language in known


def _neighbours(word: str, letters: str) -> Iterator[str]:
    """Return every string that is one inserted, deleted, changed or transposed letter away."""
    for cut in range(len(word) + 1):
        head, tail = word[:cut], word[cut:]
        yield from (head + letter + tail for letter in letters)
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in letters if letter != tail[0])
        if len(tail) > 1 and tail[0] != tail[1]:
            yield head + tail[1] + tail[0] + tail[2:]
