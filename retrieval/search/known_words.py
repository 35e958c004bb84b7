"""The frequent words of 42 languages, from wordfreq's lists: a word that one of them has is not a typo.

The lists of the languages that a script is used by are read when a question first needs them. Of each word only a
number is kept, so that 1.7 million words take 14 MB.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
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


@dataclass(frozen=True)
class _List:
    """The words of a language as sorted numbers, and the zipf frequency of each; shape (words,)."""

    numbers: NDArray[np.int64]
    zipf: NDArray[np.float32]

    def frequency(self, number: int) -> float:
        """Return the zipf frequency of a word, 0 if it is not in the list."""
        at = int(np.searchsorted(self.numbers, number))
        return float(self.zipf[at]) if at < len(self.numbers) and self.numbers[at] == number else 0.0


def frequencies(word: str) -> dict[str, float]:
    """Return the languages (ISO 639-1) among whose frequent words a word is, and how frequent it is in each (zipf)."""
    typed = letters(word)
    script = next((name for name, pattern in _SCRIPT.items() if pattern.match(typed)), "")
    exact, plain = hash(typed), hash(fold(typed))
    found = {
        language: max(known.frequency(exact), without_accents.frequency(plain))
        for language, known, without_accents in (_lists(script) if script else ())
    }
    return {language: zipf for language, zipf in found.items() if zipf}


@cache
def _lists(script: str) -> list[tuple[str, _List, _List]]:
    """Return, for each language of a script, its words as they are written and the most frequent without accents."""
    from wordfreq import available_languages, read_cBpack  # takes 0.3 s to import

    files = available_languages("small")
    found = []
    for language in _SCRIPTS[script]:
        by_rarity = read_cBpack(files[language])[: _rarity(LEAST_ZIPF)]
        accents = [
            [one for word in words if not word.isalpha() or not word.isascii() if (one := _plain(word)) != word]
            for words in by_rarity[: _rarity(WITHOUT_ACCENTS_ZIPF)]
        ]
        found.append((_CODES.get(language, language), _list(by_rarity), _list(accents)))
    return found


def _plain(word: str) -> str:
    return fold(word).replace("'", "")


def _rarity(zipf: float) -> int:
    """Return how many of wordfreq's lists are of words with this frequency: each is a hundredth of a zipf below 9."""
    return round(100 * (9 - zipf)) + 1


def _list(by_rarity: Sequence[Sequence[str]]) -> _List:
    numbers = np.array(list(map(hash, chain(*by_rarity))), np.int64)
    zipf = np.repeat(9 - np.arange(len(by_rarity)) / 100, list(map(len, by_rarity)))
    order = np.argsort(numbers, kind="stable")
    return _List(numbers[order], zipf[order].astype(np.float32))
