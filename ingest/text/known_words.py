"""The words of 42 languages, from wordfreq's lists: a frequent one is not a typo, and a rare one is not nonsense.

The lists of the languages that a script is used by are read when a question first needs them. Of each word only a
number is kept, so that 1.7 million words take 14 MB.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain

import numpy as np
import regex
from numpy.typing import NDArray

from ingest.text.fold import fold, letters

LEAST_ZIPF = 3.0  # the logarithm of the occurrences in a billion words: once in a million, some 30,000 words a language
WITHOUT_ACCENTS_ZIPF = 4.0  # of words that people also type without accents
RARE_ZIPF = 2.0  # once in ten million words: axolotl, capybara
# What a part of a word must have to say what it is about: "Katzenvideo" has Katzen, "고양이가" 고양이.
PART = 0.5  # share of the word
MIN_PART = {"Hangul": 2, "Arabic": 3, "Hebrew": 3, "Devanagari": 3, "Bengali": 3, "Latin": 5}  # letters
MIN_PART_OTHERS = 4
MAX_WORD_CHARS = 40
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
_APOSTROPHE = str.maketrans("", "", "'’")  # words are compared without: "we've", "пам'яті"
_POINTS = regex.compile(r"[\u0591-\u05C7\u0640\u064B-\u0652\u0670]+")  # the lists have Hebrew and Arabic without
_CODES = {"nb": "no", "fil": "tl"}  # wordfreq's name of a language -> this project's
COUNTED_LANGUAGES = frozenset(_CODES.get(language, language) for group in _SCRIPTS.values() for language in group)

_MAX_CACHED = 100_000


@dataclass(frozen=True)
class _Words:
    """The words of all languages of a script as sorted numbers, with language and zipf frequency; shape (words,)."""

    languages: tuple[str, ...]
    numbers: NDArray[np.int64]
    language: NDArray[np.int8]
    zipf: NDArray[np.float32]

    def of(self, number: int) -> dict[str, float]:
        """Return the languages that have a word, and its frequency in each.

        A language may have a word twice, with and without an apostrophe: "isn't" and "isnt". The more frequent counts.
        """
        first, end = np.searchsorted(self.numbers, number), np.searchsorted(self.numbers, number, "right")
        found: dict[str, float] = {}
        for row in range(int(first), int(end)):
            language = self.languages[self.language[row]]
            found[language] = max(float(self.zipf[row]), found.get(language, 0.0))
        return found


@lru_cache(maxsize=_MAX_CACHED)
def frequencies(word: str) -> Mapping[str, float]:
    """Return the languages (ISO 639-1) among whose frequent words a word is, and how frequent it is in each (zipf)."""
    typed = _POINTS.sub("", letters(word))
    script = _script(typed)
    if not script:
        return {}
    written, without_accents = _lists(script)
    found = written.of(hash(typed))
    for language, zipf in without_accents.of(hash(fold(typed))).items():
        found[language] = max(zipf, found.get(language, 0.0))
    return found


@lru_cache(maxsize=1024)
def is_known(word: str, languages: Collection[str]) -> bool:
    """Return whether a word is a frequent one of some language, has one as a part, or is a rare one of `languages`.

    No list has all compounds, and all forms of words with prefixes and endings.

    Args:
        languages: ISO 639-1 codes, as a frozenset. Their rare words are read at the first call: 0.2 s a language.
    """
    typed = _POINTS.sub("", letters(word))[:MAX_WORD_CHARS]
    script = _script(typed)
    if not script:
        return False
    asked = [language for language in _SCRIPTS[script] if _CODES.get(language, language) in languages]
    if any(_has(_rare(language), [typed]) for language in asked):
        return True
    length = len(typed)
    least = max(MIN_PART.get(script, MIN_PART_OTHERS), math.ceil(PART * length))
    parts = {typed, *(typed[first:end] for first in range(length) for end in range(first + least, length + 1))}
    return _has(_lists(script)[0].numbers, parts)


def has_list(word: str) -> bool:
    """Return whether there is a list of words in the script of a word."""
    return bool(_script(letters(word)))


def _script(typed: str) -> str:
    return next((name for name, pattern in _SCRIPT.items() if pattern.match(typed)), "")


@cache
def _rare(language: str) -> NDArray[np.int64]:
    """Return the words of a language, by wordfreq's name, that are rare, but not rarer than RARE_ZIPF."""
    from wordfreq import available_languages, read_cBpack

    lists = read_cBpack((available_languages("small") | available_languages("large"))[language])
    rare = chain(*lists[_rarity(LEAST_ZIPF) : _rarity(RARE_ZIPF)])
    return np.sort(np.fromiter((hash(word) for word in _each(without_apostrophes, list(rare))), np.int64))


def _has(numbers: NDArray[np.int64], words: Collection[str]) -> bool:
    """Return whether one of some words is among the sorted numbers."""
    asked = np.fromiter(map(hash, words), np.int64)
    at = np.searchsorted(numbers, asked)
    return bool((numbers[at[at < len(numbers)]] == asked[at < len(numbers)]).any())


@cache
def _lists(script: str) -> tuple[_Words, _Words]:
    """Return the words of the languages of a script as they are written, and the most frequent without accents."""
    from wordfreq import available_languages, read_cBpack  # takes 0.3 s to import

    files = available_languages("small")
    languages = _SCRIPTS[script]
    written = [
        [_each(without_apostrophes, words) for words in read_cBpack(files[language])[: _rarity(LEAST_ZIPF)]]
        for language in languages
    ]
    without_accents = [
        [_folded(words) for words in by_rarity[: _rarity(WITHOUT_ACCENTS_ZIPF)]] for by_rarity in written
    ]
    return _words(languages, written), _words(languages, without_accents)


def without_apostrophes(text: str) -> str:
    """Return a text in the form in which its words are compared with the lists."""
    return text.translate(_APOSTROPHE)


def _folded(words: Sequence[str]) -> list[str]:
    """Return the folded forms that differ from the words."""
    accented = [word for word in words if not word.isascii()]
    return [one for one, word in zip(_each(fold, accented), accented, strict=True) if one != word]


def _each(change: Callable[[str], str], words: Sequence[str]) -> list[str]:
    """Return each word changed. One call for all of them takes a fraction of the time; words have no line breaks."""
    return change("\n".join(words)).split("\n") if words else []


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
