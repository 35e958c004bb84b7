"""A question -> its terms, each with the other forms in which texts may have it.

The language of a short question is uncertain, so a word is looked up by its stem in every language of the corpus. Its
forms count as one term: they have one idf, and a video that has two of them scores no higher than with one twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ingest.text.emoji_names import MAX_NAME_WORDS, emoji_by_name, names_of_emoji
from ingest.text.words import Word, words
from retrieval.index.analysis import all_stems, bigrams, ngrams_of, stem

WEIGHT_OF_EMOJI = 0.3  # of an emoji for its name, and of a name for its emoji: 🔥 is seldom about a fire


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """A term of a question: the forms that a text may have, and with a lower weight those that mean the same."""

    forms: tuple[str, ...]
    synonyms: tuple[str, ...] = ()

    def all(self) -> tuple[str, ...]:
        return self.forms + self.synonyms


def stems_of_query(text: str, languages: Sequence[str]) -> list[QueryTerm]:
    """Return the words of a question with their stems in each of the languages."""
    found = []
    typed = list(words(text))
    for number, word in enumerate(typed, start=1):
        forms = all_stems(word, languages)
        ending = [typed[max(0, number - count) : number] for count in range(1, MAX_NAME_WORDS + 1)]
        others = [form for last in ending for form in _synonyms(last, languages) if form not in forms]
        found.append(QueryTerm(forms, tuple(dict.fromkeys(others))))
    return _once(found)


def _synonyms(last: Sequence[Word], languages: Sequence[str]) -> list[str]:
    """Return the emoji that these words are a name of, or the names of an emoji in one word."""
    if last[0].kind != "emoji":
        return list(emoji_by_name().get(" ".join(word.folded for word in last), ()))
    if len(last) == 1:
        names = [Word(name, name, "word", 0, 0) for name in names_of_emoji().get(last[0].folded, ())]
        return [form for name in names for form in all_stems(name, languages)]
    return []


def _ngrams_of_query(text: str, languages: Sequence[str]) -> list[QueryTerm]:
    return _once([QueryTerm((gram,)) for gram in ngrams_of(text)])


def _bigrams_of_query(text: str, languages: Sequence[str]) -> list[QueryTerm]:
    typed = [word for word in words(text) if word.kind != "tag"]
    by_language = [bigrams([stem(word, language) for word in typed]) for language in ("", *languages)]
    return _once([QueryTerm(tuple(dict.fromkeys(forms))) for forms in zip(*by_language, strict=True)])


def _once(found: list[QueryTerm]) -> list[QueryTerm]:
    """Return each term once: a repeated word of a question counts once."""
    return list({term.forms[0]: term for term in found}.values())


@lru_cache(maxsize=256)  # the score and the confidence of an answer need them
def query_terms(analyser: str, text: str, languages: tuple[str, ...]) -> list[QueryTerm]:
    """Return the terms of a question for one of the analysers (analysis.TERMS), each once."""
    return _QUERY_TERMS[analyser](text, languages)


_QUERY_TERMS: dict[str, Callable[[str, Sequence[str]], list[QueryTerm]]] = {
    "stems": stems_of_query,
    "char_ngrams": _ngrams_of_query,
    "bigrams": _bigrams_of_query,
}
