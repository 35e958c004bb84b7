"""A text -> its terms: stems by language, character n-grams, and bigrams of stems.

The words are those of ingest/text/words.py, so that records, questions, names and phrases agree on what a word is.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import regex
import Stemmer

from ingest.text.fold import fold
from ingest.text.words import Word, words

NGRAM = 4
SYLLABLES = 2  # the length of an n-gram in scripts whose characters are syllables or words
# By language, the name of its Snowball stemmer. English stems have no prefix: texts of unknown languages have them too.
_STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "eo": "esperanto",
    "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fr": "french", "ga": "irish",
    "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian",
    "ne": "nepali", "nl": "dutch", "no": "norwegian", "nb": "norwegian", "nn": "norwegian", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
    "yi": "yiddish",
}  # fmt: skip
_SCRIPTS = {
    "ar": "Arabic", "fa": "Arabic", "el": "Greek", "hi": "Devanagari", "ne": "Devanagari", "hy": "Armenian",
    "ru": "Cyrillic", "ta": "Tamil", "yi": "Hebrew",
}  # fmt: skip
_SCRIPT = {name: regex.compile(rf"\p{{{name}}}") for name in {"Latin", *_SCRIPTS.values()}}
_SYLLABIC = regex.compile(r"\p{Hangul}")


@dataclass(frozen=True, slots=True)
class Token:
    """The terms of one word of a text, and the word's position."""

    terms: tuple[str, ...]
    start: int
    end: int


Analyser = Callable[[Word], tuple[str, ...]]


def plain(word: Word) -> tuple[str, ...]:
    """Return a word without stemming, as phrases need it."""
    return (word.folded,)


def stems(word: Word) -> tuple[str, ...]:
    """Return the English stem of a word. Most words of other languages stay as they are."""
    return (stem(word, ""),)


def stem(word: Word, language: str) -> str:
    """Return the stem of a word of a text in `language` (ISO 639-1, "" if unknown).

    A stem of another language than English has the language in front, so that it equals no other language's word. Words
    in a script that the language is not written in are treated as English.
    """
    if word.kind != "word":
        return word.folded if word.kind != "tag" else _english(word.folded)
    if has_stemmer(language) and _script_of(word.folded[:1]) == _SCRIPTS.get(language, "Latin"):
        return f"{language}:{_stem(word.letters, language)}"
    return _english(word.folded)


def all_stems(word: Word, languages: Sequence[str]) -> tuple[str, ...]:
    """Return the different stems of a word: the English one, and those in each of the languages."""
    found = [stem(word, "")]
    if word.kind == "word":
        script = _script_of(word.folded[:1])
        found += [
            f"{language}:{_stem(word.letters, language)}"
            for language in languages
            if has_stemmer(language) and script == _SCRIPTS.get(language, "Latin")
        ]
    return tuple(dict.fromkeys(found))


def bare_stems(found: Sequence[Word], languages: Sequence[str]) -> list[set[str]]:
    """Return the stems of each word in any of the languages, without the language: `all_stems` for many words.

    It takes about half of the time, and leaves out what other stems have in front of ":".
    """
    bare = [{stem(word, "")} for word in found]
    of_script: dict[str, list[int]] = {}
    for number, word in enumerate(found):
        if word.kind == "word":
            of_script.setdefault(_script_of(word.folded[:1]), []).append(number)
    for script, numbers in of_script.items():
        letters = [found[number].letters for number in numbers]
        columns = [
            _stemmer(_STEMMERS[language]).stemWords(letters)
            for language in languages
            if has_stemmer(language) and script == _SCRIPTS.get(language, "Latin")
        ]
        for number, forms in zip(numbers, zip(*columns, strict=True), strict=False):  # without a language, no forms
            bare[number].update(form if form.isascii() else fold(form) for form in set(forms))
    return bare


@lru_cache(maxsize=10_000)
def _script_of(letter: str) -> str:
    """Return the script of a letter if some stemmer knows it, else ""."""
    return next((name for name, script in _SCRIPT.items() if script.match(letter)), "")


def has_stemmer(language: str) -> bool:
    """Return whether words of a language have stems of their own."""
    return language in _STEMMERS


@lru_cache(maxsize=100_000)
def _english(folded: str) -> str:
    return str(_stemmer("english").stemWord(folded))


@lru_cache(maxsize=200_000)
def _stem(letters: str, language: str) -> str:
    found: str = _stemmer(_STEMMERS[language]).stemWord(letters)
    return found if found.isascii() else fold(found)


_local = threading.local()


def _stemmer(name: str) -> Stemmer.Stemmer:
    """Return a stemmer; a thread has its own, because it keeps the word that it works on."""
    known = _local.__dict__
    if name not in known:
        known[name] = Stemmer.Stemmer(name, 0)
    return known[name]


def char_ngrams(word: Word) -> tuple[str, ...]:
    """Return the character 4-grams of a word with its boundaries: cat -> _cat, cat_. A misspelt word keeps most.

    Of Korean words, they are pairs of syllables.
    """
    if word.kind == "tag":  # its words have them
        return ()
    return (word.folded,) if word.kind != "word" else _char_ngrams(word.folded)


@lru_cache(maxsize=100_000)
def _char_ngrams(folded: str) -> tuple[str, ...]:
    bounded = f"_{folded}_"
    size = SYLLABLES if _SYLLABIC.match(folded) else NGRAM
    return tuple(bounded[i : i + size] for i in range(max(1, len(bounded) - size + 1)))


def tokens(text: str, analyser: Analyser) -> Iterator[Token]:
    """Yield the words of a text with their terms, in order. Positions are characters of `text`."""
    for word in words(text):
        if found := analyser(word):
            yield Token(found, word.start, word.end)


def terms(text: str, analyser: Analyser) -> list[str]:
    """Return all terms of a text, in order, with repetitions."""
    return [term for word in words(text) for term in analyser(word)]


def _stems_of(text: str, language: str) -> list[str]:
    return [stem(word, language) for word in words(text)]


def ngrams_of(text: str, language: str = "") -> list[str]:
    """Return the n-grams of a text. Of signs that follow each other, they are the pairs."""
    found: list[str] = []
    previous: Word | None = None
    paired = False
    for word in words(text):
        joined = word.kind == "sign" and previous is not None and previous.end == word.start
        if previous is not None and not joined and not paired:
            found.append(previous.folded)
        if word.kind != "sign":
            previous = None
            found += char_ngrams(word)
            continue
        if joined and previous is not None:
            found.append(previous.folded + word.folded)
        previous, paired = word, joined
    if previous is not None and not paired:
        found.append(previous.folded)
    return found


def bigrams_of(text: str, language: str = "") -> list[str]:
    """Return neighbouring stems as one term: "remote jobs" -> remot job. They reward words next to each other."""
    return bigrams([stem(word, language) for word in words(text) if word.kind != "tag"])


def bigrams(stems_in_order: Sequence[str]) -> list[str]:
    return [f"{first} {second}" for first, second in pairwise(stems_in_order)]


# By name, the analysers of the keyword index: a text and its language -> terms.
TERMS: dict[str, Callable[[str, str], list[str]]] = {
    "stems": _stems_of,
    "char_ngrams": ngrams_of,
    "bigrams": bigrams_of,
}
