"""The words of a question in a text: which ones they are, where, and the stretch of the text that has most of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from retrieval.index.analysis import plain, tokens
from retrieval.index.documents import Mark, Passage
from retrieval.index.generation import Generation
from retrieval.index.query_terms import query_terms
from retrieval.search.answer import Ranking
from retrieval.search.known_texts import AnalysedWord, known_texts
from retrieval.search.stop_words import content_words

SPAN_CHARS = 120  # the longest span: about two lines of text
MIN_NGRAM_SHARE = 0.6  # a misspelt word matches if this share of its 4-grams does
MIN_IDF_SHARE = 0.4  # words below this share of the question's highest idf ("a", "the", "that") explain nothing
NO_PASSAGE = Passage("")


class Match(NamedTuple):
    """A word of a passage that is also in the question: its position, its term and the term's idf.

    It is marked unless it matches a stop word.
    """

    start: int
    end: int
    term: str
    idf: float
    marked: bool = True


def informative_terms(idfs: Mapping[str, float]) -> dict[str, float]:
    """Return the terms of a question that are rare enough to explain a match."""
    least = MIN_IDF_SHARE * max(idfs.values(), default=0.0)
    return {term: idf for term, idf in idfs.items() if idf >= least}


class Matcher:
    """Finds the words of a question in texts: those of its phrases, and single ones.

    A word matches by its stem in one of the languages, or, if it is misspelt, by most of its 4-grams.

    Args:
        content: the terms that are not of stop words alone; by default all.
        phrases: the words that the question wants next to each other.
    """

    def __init__(
        self,
        stem_idfs: Mapping[str, float],
        ngram_idfs: Mapping[str, float],
        languages: Sequence[str] = (),
        content: Collection[str] | None = None,
        phrases: Sequence[Sequence[str]] = (),
    ) -> None:
        self.total_idf = sum(stem_idfs.values())
        self._stem_idfs, self._ngram_idfs, self._phrases = stem_idfs, ngram_idfs, phrases
        self._content = {*stem_idfs, *ngram_idfs} if content is None else content
        self._texts = known_texts(languages)
        # By text: the reasons of a hit show the same passages again and again.
        self._found: dict[str, list[Match]] = {}
        self._masses: dict[str, float] = {}

    def read(self, texts: Iterable[str]) -> None:
        """Find the words in texts: in many together in little more time than in one."""
        new = [text for text in dict.fromkeys(texts) if text not in self._found]
        if not new:
            return
        self._found |= {text: [] for text in new}
        chunks = self._texts.read(new)
        numbers, starts = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
        ends = np.cumsum([len(one.numbers) for one in chunks])
        some = np.flatnonzero(self._texts.with_any(chain(self._stem_idfs, self._ngram_idfs))[numbers])
        of_text = np.searchsorted(ends, some, side="right")
        known: dict[int, list[Match]] = {}
        for text, number, at in zip(of_text.tolist(), numbers[some].tolist(), starts[some].tolist(), strict=True):
            if number not in known:
                known[number] = self._among(self._texts.words(number))
            self._found[new[text]] += [
                Match(at + start, at + end, term, idf, marked) for start, end, term, idf, marked in known[number]
            ]
        if self._phrases:
            self._found |= {text: self._with_phrases(text) for text in new}

    def matches(self, text: str) -> list[Match]:
        """Return the question's words in a text, in order."""
        if text not in self._found:
            self.read([text])
        return self._found[text]

    def mass(self, text: str) -> float:
        """Return the idf mass of the question's words in a text."""
        if text not in self._masses:
            self._masses[text] = idf_mass(self.matches(text))
        return self._masses[text]

    def _with_phrases(self, text: str) -> list[Match]:
        found = phrase_words(text, self._phrases, 1.0 + self.total_idf)
        in_phrase = {match.start for match in found}
        found += [match for match in self._found[text] if match.start not in in_phrase]
        return sorted(found, key=lambda match: match.start)

    def _among(self, analysed: Sequence[AnalysedWord]) -> list[Match]:
        found = []
        for start, end, forms, pieces in analysed:
            if not self._stem_idfs.keys().isdisjoint(forms):
                known = next(form for form in forms if form in self._stem_idfs)
                found.append(Match(start, end, known, self._stem_idfs[known], known in self._content))
                continue
            if self._ngram_idfs.keys().isdisjoint(pieces):
                continue
            shared = [self._ngram_idfs[piece] for piece in pieces if piece in self._ngram_idfs]
            if len(shared) >= MIN_NGRAM_SHARE * len(pieces):
                marked = any(piece in self._content for piece in pieces)
                found.append(Match(start, end, "".join(pieces), sum(shared) / len(pieces), marked))
        return found


def phrase_words(text: str, phrases: Sequence[Sequence[str]], idf: float) -> list[Match]:
    """Return the words of every occurrence of the phrases in a text. Each phrase counts as `idf`.

    With an `idf` above that of all single words together, the passage with the phrase is the one shown.
    """
    found_words = [(word, token.start, token.end) for token in tokens(text, plain) for word in token.terms]
    found: dict[int, Match] = {}
    for phrase in phrases:
        for first in range(len(found_words) - len(phrase) + 1):
            stretch = found_words[first : first + len(phrase)]
            if all(word == wanted for (word, *_), wanted in zip(stretch, phrase, strict=True)):
                for word, start, end in stretch:
                    found[start] = Match(start, end, f'"{word}"', idf / len(phrase))
    return list(found.values())


def idf_mass(found: Iterable[Match]) -> float:
    """Return the sum of the idfs of the different terms among matches."""
    by_term = {match.term: match.idf for match in found}
    return sum(by_term.values()) if by_term else 0.0


def best_span(found: Sequence[Match]) -> tuple[int, int] | None:
    """Return the stretch of up to SPAN_CHARS with the highest idf mass; of equals the shortest, then the first."""
    best, best_key = None, (0.0, 0)
    for first, match in enumerate(found):
        terms: dict[str, float] = {}
        for last in found[first:]:
            if last.end - match.start > SPAN_CHARS and terms:
                break
            terms[last.term] = last.idf
            key = (sum(terms.values()), match.start - last.end)
            if best is None or key > best_key:
                best, best_key = (match.start, last.end), key
    return best


def best_passage(passages: Iterable[Passage], matcher: Matcher) -> Passage:
    """Return the passage with the highest idf mass, the first of equals."""
    return max(passages, key=lambda passage: matcher.mass(passage.text), default=NO_PASSAGE)


def best_mark(passage: Passage, found: Sequence[Match], span: tuple[int, int]) -> Mark | None:
    """Return the times of a passage's segment; None without times.

    It is the segment with the highest idf mass in the stretch that is shown (`span`), the first of equals.
    """
    if len(passage.marks) <= 1:
        return passage.marks[0] if passage.marks else None
    shown = [match for match in found if span[0] <= match.start < span[1]]

    def mass(number: int) -> float:
        start = passage.marks[number].at
        end = passage.marks[number + 1].at if number + 1 < len(passage.marks) else len(passage.text)
        return idf_mass(match for match in shown if start <= match.start < end)

    return passage.marks[max(range(len(passage.marks)), key=mass)]


def matcher_of(generation: Generation, ranking: Ranking) -> Matcher:
    """Return what finds the informative words of a ranking's question."""
    languages = generation.keyword["stems"].languages
    content = content_terms(ranking.query, languages)
    return Matcher(ranking.idfs["stems"], ranking.idfs["char_ngrams"], languages, content, ranking.phrases)


def content_terms(text: str, languages: tuple[str, ...]) -> frozenset[str]:
    """Return the stems and 4-grams of the content words of a question."""
    content = " ".join(text[word.start : word.end] for word in content_words(text))
    terms = [term for analyser in ("stems", "char_ngrams") for term in query_terms(analyser, content, languages)]
    return frozenset(form for term in terms for form in term.all())


def marked(found: Iterable[Match]) -> list[tuple[int, int]]:
    """Return where matches are that a person looks for: not those of stop words."""
    return [(match.start, match.end) for match in found if match.marked]


def spans_of(text: str, matcher: Matcher) -> list[tuple[int, int]]:
    """Return where the question's words are in a text, in order and without overlap."""
    spans: list[tuple[int, int]] = []
    for start, end in marked(matcher.matches(text)):
        if not spans or start >= spans[-1][1]:
            spans.append((start, end))
    return spans
