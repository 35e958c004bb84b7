"""A text -> its terms: stems, character 4-grams, and bigrams of stems."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise

import regex
import Stemmer
from unidecode import unidecode

NGRAM = 4
MAX_TOKEN_CHARS = 100  # a longer "word" is a link or noise; its beginning is enough
_TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+")
_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_SIGNS = regex.compile(rf"[{_SPACELESS}]|[^{_SPACELESS}]+")
_PLAIN = regex.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Token:
    """The terms of one word of a text, and the word's position."""

    terms: tuple[str, ...]
    start: int
    end: int


def _plain_words(token: str) -> list[str]:
    """Transliterate a word of any script to words of a-z and 0-9: "été" -> ete, "你好" -> ni hao."""
    return _PLAIN.findall(unidecode(token[:MAX_TOKEN_CHARS]).lower())


@lru_cache(maxsize=100_000)
def plain(token: str) -> tuple[str, ...]:
    """Return a word without stemming, as phrases need it. In a script without spaces, each character is a word."""
    return tuple(word for piece in _SIGNS.findall(token[:MAX_TOKEN_CHARS]) for word in _plain_words(piece))


@lru_cache(maxsize=100_000)
def stems(token: str) -> tuple[str, ...]:
    """Return the English stems of a word. Most words of other languages stay as they are."""
    return tuple(Stemmer.Stemmer("english").stemWords(_plain_words(token)))


@lru_cache(maxsize=100_000)
def char_ngrams(token: str) -> tuple[str, ...]:
    """Return the character 4-grams of a word with its boundaries: cat -> _cat, cat_. A misspelt word keeps most."""
    found: list[str] = []
    for word in _plain_words(token):
        bounded = f"_{word}_"
        found += [bounded[i : i + NGRAM] for i in range(max(1, len(bounded) - NGRAM + 1))]
    return tuple(found)


Analyser = Callable[[str], tuple[str, ...]]
ANALYSERS: dict[str, Analyser] = {"stems": stems, "char_ngrams": char_ngrams}


def tokens(text: str, analyser: Analyser) -> Iterator[Token]:
    """Yield the words of a text with their terms, in order. Positions are characters of `text`."""
    # Without `concurrent=False`, `regex` releases the GIL at every match, which costs a busy server time.
    for match in _TOKEN.finditer(text, concurrent=False):
        if terms := analyser(match[0]):
            yield Token(terms, match.start(), match.end())


def terms(text: str, analyser: Analyser) -> list[str]:
    """Return all terms of a text, in order, with repetitions."""
    return [term for token in tokens(text, analyser) for term in token.terms]


def bigrams(text: str) -> list[str]:
    """Return neighbouring stems as one term: "remote jobs" -> remot job. They reward words next to each other."""
    found = terms(text, stems)
    return [f"{first} {second}" for first, second in pairwise(found)]


# By name, the analysers that the keyword index has.
TERMS: dict[str, Callable[[str], list[str]]] = {
    **{name: partial(terms, analyser=analyser) for name, analyser in ANALYSERS.items()},
    "bigrams": bigrams,
}
