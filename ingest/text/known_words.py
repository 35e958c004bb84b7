"""The frequent words of 42 languages, from wordfreq's lists: a word that one of them has is not a typo.

The lists of the languages that a script is used by are read when a question first needs them. Of each word only a
number is kept, so that 1.7 million words take 14 MB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain

import numpy as np
import regex
from numpy.typing import NDArray

from ingest.text.fold import fold, letters

LEAST_ZIPF = 3.0  # the logarithm of the occurrences in a billion words: once in a million, some 30,000 words a language
WITHOUT_ACCENTS_ZIPF = 4.0  # of words that people also type without accents and apostrophes
_SCRIPTS = {
    "Cyrillic": ("bg", "mk", "ru", "uk", "sh"),
    "Arabic": ("ar", "fa", "ur"),
    "Greek": ("el",),
    "Hebrew": ("he",),
    "Devanagari": ("hi",),
    "Bengali": ("bn",),
    "Tamil": ("ta",),
    "Hangul": ("ko",),
    "Latin": (
        "en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "nb", "fi", "pl", "cs", "sk", "sl", "sh", "hu", "ro",
        "tr", "id", "ms", "fil", "vi", "ca", "is", "lt", "lv",
    ),
}  # fmt: skip
_SCRIPT = {name: regex.compile(rf"\p{{{name}}}") for name in _SCRIPTS}
_CODES = {"nb": "no", "fil": "tl"}  # wordfreq's name of a language -> this project's


_MAX_CACHED = 100_000


@dataclass(frozen=True)
class _Words:
    """The words of all languages of a script as sorted numbers, with language and zipf frequency; shape (words,)."""

    languages: tuple[str, ...]
    numbers: NDArray[np.int64]
    language: NDArray[np.int8]
    zipf: NDArray[np.float32]

    def of(self, number: int) -> dict[str, float]:
        """Return the languages that have a word, and its frequency in each."""
        first, end = np.searchsorted(self.numbers, number), np.searchsorted(self.numbers, number, "right")
        return {self.languages[self.language[row]]: float(self.zipf[row]) for row in range(int(first), int(end))}


@lru_cache(maxsize=_MAX_CACHED)
def frequencies(word: str) -> Mapping[str, float]:
    """Return the languages (ISO 639-1) among whose frequent words a word is, and how frequent it is in each (zipf)."""
    typed = letters(word)
    script = next((name for name, pattern in _SCRIPT.items() if pattern.match(typed)), "")
    if not script:
        return {}
    written, without_accents = _lists(script)
    found = written.of(hash(typed))
    for language, zipf in without_accents.of(hash(fold(typed))).items():
        found[language] = max(zipf, found.get(language, 0.0))
    return found


def has_list(word: str) -> bool:
    """Return whether there is a list of words in the script of a word."""
    typed = letters(word)
    return any(pattern.match(typed) for pattern in _SCRIPT.values())


@cache
def _lists(script: str) -> tuple[_Words, _Words]:
    """Return the words of the languages of a script as they are written, and the most frequent without accents."""
    from wordfreq import available_languages, read_cBpack  # takes 0.3 s to import

    files = available_languages("small")
    languages = _SCRIPTS[script]
    written = [read_cBpack(files[language])[: _rarity(LEAST_ZIPF)] for language in languages]
    without_accents = [
        [
            [one for word in words if not word.isascii() and (one := fold(word)) != word]
            for words in by_rarity[: _rarity(WITHOUT_ACCENTS_ZIPF)]
        ]
        for by_rarity in written
    ]
    return _words(languages, written), _words(languages, without_accents)


def _rarity(zipf: float) -> int:
    """Return how many of wordfreq's lists are of words with this frequency: each is a hundredth of a zipf below 9."""
    return round(100 * (9 - zipf)) + 1


def _words(languages: Sequence[str], by_rarity: Sequence[Sequence[Sequence[str]]]) -> _Words:
    """Join the lists of several languages, each in steps of rarity."""
    numbers = [np.array(list(map(hash, chain(*lists))), np.int64) for lists in by_rarity]
    zipf = [np.repeat(9 - np.arange(len(lists)) / 100, list(map(len, lists))) for lists in by_rarity]
    which = np.repeat(np.arange(len(languages), dtype=np.int8), list(map(len, numbers)))
    joined = np.concatenate(numbers)
    order = np.argsort(joined, kind="stable")
    codes = tuple(_CODES.get(language, language) for language in languages)
    return _Words(codes, joined[order], which[order], np.concatenate(zipf)[order].astype(np.float32))
