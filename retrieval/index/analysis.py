"""A text -> its terms: stems, character 4-grams and bigrams of stems."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise

import regex
import Stemmer
from unidecode import unidecode

GRAM = 4
MAX_TOKEN_CHARS = 100  # a "word" beyond this is a link or noise; its start is enough to find it
_TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+")
_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_SIGNS = regex.compile(rf"[{_SPACELESS}]|[^{_SPACELESS}]+")
_PLAIN = regex.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Token:
    """The terms of one word of a text and where the word stands."""

    terms: tuple[str, ...]
    start: int
    end: int


def _plain_words(token: str) -> list[str]:
    """A word of any script as words of a-z and 0-9: "été" -> ete, "你好" -> ni hao."""
    return _PLAIN.findall(unidecode(token[:MAX_TOKEN_CHARS]).lower())


@lru_cache(maxsize=100_000)
def plain(token: str) -> tuple[str, ...]:
    """A word as it is written, not stemmed: what quotes ask for. Where a script has no spaces, each sign is a word."""
    return tuple(word for piece in _SIGNS.findall(token[:MAX_TOKEN_CHARS]) for word in _plain_words(piece))


@lru_cache(maxsize=100_000)
def words(token: str) -> tuple[str, ...]:
    """The English stems of a word (stemming leaves most other languages' words alone)."""
    return tuple(Stemmer.Stemmer("english").stemWords(_plain_words(token)))


@lru_cache(maxsize=100_000)
def grams(token: str) -> tuple[str, ...]:
    """Character 4-grams inside word boundaries: cat -> _cat, cat_; what a misspelling leaves whole still matches."""
    found: list[str] = []
    for word in _plain_words(token):
        bounded = f"_{word}_"
        found += [bounded[i : i + GRAM] for i in range(max(1, len(bounded) - GRAM + 1))]
    return tuple(found)


Analyser = Callable[[str], tuple[str, ...]]
ANALYSERS: dict[str, Analyser] = {"words": words, "grams": grams}


def tokens(text: str, analyser: Analyser) -> Iterator[Token]:
    """The words of a text with their terms, in order; spans are in characters of `text` as it is."""
    # `regex` would let other threads in at every match, which costs a busy server more than the match
    for match in _TOKEN.finditer(text, concurrent=False):
        if terms := analyser(match[0]):
            yield Token(terms, match.start(), match.end())


def terms(text: str, analyser: Analyser) -> list[str]:
    """All terms of a text, in order, repeated as they repeat."""
    return [term for token in tokens(text, analyser) for term in token.terms]


def pairs(text: str) -> list[str]:
    """Neighbouring stems as one term: "remote jobs" -> remot job; the words of a phrase count more where they meet."""
    found = terms(text, words)
    return [f"{first} {second}" for first, second in pairwise(found)]


# what an index is made of, by its name
TERMS: dict[str, Callable[[str], list[str]]] = {
    **{name: partial(terms, analyser=analyser) for name, analyser in ANALYSERS.items()},
    "pairs": pairs,
}
