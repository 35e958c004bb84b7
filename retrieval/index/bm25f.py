"""The keyword index: BM25F over the fields of a video, for stems, bigrams of stems, and character n-grams.

A term's weighted frequency is summed over the fields *before* BM25 saturates it (Robertson, Zaragoza and Taylor 2004).
With equal weights that is BM25 over the joined text, which is far better here than a sum of BM25 scores per field. Each
field's share of the score is its share of the weighted frequency.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from retrieval.index.analysis import has_stemmer
from retrieval.index.impacts import KeptImpacts, count_in_videos, of_all_fields, write_scores
from retrieval.index.keyword_part import KeywordPart
from retrieval.index.parts import Parts
from retrieval.index.query_terms import QueryTerm, query_terms
from retrieval.index.term_postings import Terms

K1 = 1.2  # the values of Robertson and Zaragoza 2009; others were no better on the tuning queries
B = 0.75
_KEPT_SATURATIONS = 4  # of field weights that people choose; each has 4 bytes a video
_KEPT_QUESTIONS = 16  # an answer asks for the terms of its question several times
MIN_SHARE = 0.02  # of the texts: a language that many are in


@dataclass(frozen=True)
class CorpusFacts:
    """What a score says of all videos, of which an index may have a part.

    Attributes:
        videos: how many there are.
        texts_by_language: how many texts are in each language.
        lengths: the mean number of terms in each field, shape (fields,).
    """

    videos: int
    texts_by_language: Mapping[str, int]
    lengths: NDArray[np.float64]


@dataclass(frozen=True)
class TermCounts:
    """How many videos have the terms of a question.

    Attributes:
        videos: how many have one of the forms of each term, and one of its synonyms, shape (2, terms).
        known: which forms and synonyms a text has, shape (forms,).
    """

    videos: NDArray[np.int64]
    known: NDArray[np.bool_]

    @classmethod
    def merged(cls, parts: Sequence["TermCounts"]) -> "TermCounts":
        """Return the counts of several parts of the videos together."""
        videos, known = [part.videos for part in parts], [part.known for part in parts]
        return cls(np.sum(videos, axis=0), np.any(known, axis=0))


@dataclass(frozen=True)
class Totals:
    """The BM25F scores of all videos for a question.

    Attributes:
        scores: shape (videos,).
        coverage: the share of the question that each video has: of the sum of its terms' idfs, shape (videos,). These
            idfs are those among the texts in the question's language: a word that all of them have says little.
        idfs: of each form of a term that some text has.
        weights: by field, those that the scores were made with; 0 for fields that do not exist, shape (MAX_FIELDS,).
        terms: those of the question; None if no field counts.
        scales: by what each term is multiplied, shape (terms,).
        saturation: what a frequency is compared with in each video, shape (videos,).
    """

    scores: NDArray[np.float32]
    coverage: NDArray[np.float32]
    idfs: dict[str, float]
    weights: NDArray[np.float32]
    terms: Terms | None
    scales: NDArray[np.float32]
    saturation: NDArray[np.float32]


class KeywordIndex:
    """The postings of one analyser over all fields, in several segments.

    `alive` has shape (videos,). Videos that are not alive do not count, and their scores are NaN. `corpus` says what
    the scores are relative to, if these are not all videos.

    `texts_by_language` counts the texts in each language; `languages` are those whose words have stems of their own,
    `common_languages` those that many texts are in.
    """

    def __init__(
        self, parts: Sequence[KeywordPart], alive: NDArray[np.bool_], corpus: CorpusFacts | None = None
    ) -> None:
        self.videos = len(alive)
        self._alive, self._all_alive = alive, bool(alive.all())
        self.corpus = corpus or _facts(parts, alive)
        self.texts_by_language = self.corpus.texts_by_language
        self.languages = tuple(sorted(filter(has_stemmer, self.texts_by_language)))
        least = MIN_SHARE * sum(self.texts_by_language.values())
        self.common_languages = frozenset(code for code, count in self.texts_by_language.items() if count >= least)
        self._analyser = parts[0].analyser
        self._fields = len(parts[0].lengths)
        self._parts = Parts(parts, alive)
        # of no method, as in passages.py
        self._saturation = lru_cache(_KEPT_SATURATIONS)(partial(_saturation, parts, self.corpus.lengths))
        self._terms = lru_cache(_KEPT_QUESTIONS)(partial(_terms, self._parts, self._analyser, self.languages))
        self._kept = KeptImpacts(self._parts, self._saturation)

    @classmethod
    def of(
        cls,
        analyser: str,
        documents: Iterable[Mapping[str, str]],
        fields: Sequence[str],
        languages: Iterable[Mapping[str, str]] = (),
    ) -> "KeywordIndex":
        """Return the index of documents that are in no generation; see `KeywordPart.build`."""
        part = KeywordPart.build(analyser, documents, fields, languages)
        return cls([part], np.ones(part.videos, np.bool_))

    def query_terms(self, query: str) -> list[QueryTerm]:
        """Return the terms of a question, each once, with the forms that texts in the languages here have."""
        return query_terms(self._analyser, query, self.languages)

    def has(self, term: str) -> bool:
        """Return whether any text has a term."""
        return bool(self.have([term])[0])

    def have(self, terms: Sequence[str]) -> NDArray[np.bool_]:
        """Return which of the terms a text has, shape (terms,)."""
        return Terms.of(self._parts, [QueryTerm((term,)) for term in terms]).known

    def contain(self, query: str, videos: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which videos have a term of a question in any form and field, shape (terms, videos)."""
        from retrieval.index.compiled_parts import note_all_terms

        terms = self._terms(query)
        found = np.zeros((len(terms), len(videos)), np.bool_)
        note_all_terms(self._parts.table, terms.starts, terms.ends, terms.forms.first, videos, found)
        return found

    def counts(self, query: str, weights: NDArray[np.float64]) -> TermCounts:
        """Return how many videos have the terms of a question; for the arguments see `totals`."""
        by_field = tuple(weights.tolist())
        read = self._kept.to_read(self._terms(query), by_field, again=False)
        return TermCounts(count_in_videos(self._parts, read, by_field), read.terms.known)

    def totals(
        self, query: str, weights: NDArray[np.float64], language: str = "", counted: TermCounts | None = None
    ) -> Totals:
        """Return the BM25F scores of all videos.

        Args:
            query: the question; a repeated term counts once.
            weights: one per field; 0 switches a field off, as if it were not indexed.
            language: of the question; "" if it is uncertain. The coverage depends on it.
            counted: the counts of the terms, if there are other videos than these.
        """
        scores, coverage = np.empty(self.videos, np.float32), np.empty(self.videos, np.float32)
        by_field = tuple(weights.tolist())
        saturation, of_all = self._saturation(by_field), of_all_fields(by_field)
        if saturation is None:
            nothing = np.zeros(self.videos, np.float32)
            return Totals(nothing, nothing.copy(), {}, of_all, None, np.zeros(0, np.float32), nothing)
        terms = self._terms(query)
        read = self._kept.to_read(terms, by_field, again=counted is not None)
        counts = counted.videos if counted else count_in_videos(self._parts, read, by_field)
        with_term = np.where(counts[0] > 0, counts[0], counts[1])
        idf = np.where(with_term > 0, _idf(self.corpus.videos, with_term), 0.0)
        shares = _idf(self._videos_in(language), with_term)
        shares /= shares.sum() or 1.0
        scales = (idf * (K1 + 1)).astype(np.float32)
        write_scores(self._parts, read, by_field, scales, shares.astype(np.float32), saturation, scores, coverage)
        if not self._all_alive:
            scores[~self._alive] = np.nan
        idfs, known = dict[str, float](), (counted or terms).known.tolist()
        forms = terms.forms
        of_forms = (idf[np.repeat(np.arange(len(terms)), np.diff(forms.first))] * forms.factors).tolist()
        for form, there, value in zip(forms.texts, known, of_forms, strict=True):
            if there and value:
                idfs[form] = value
        return Totals(scores, coverage, idfs, of_all, terms, scales, saturation)

    def split(self, totals: Totals, videos: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the BM25F scores of some videos split by field, shape (fields, videos).

        The sum over the fields is the score, up to rounding.

        Args:
            totals: of the question.
            videos: ascending.
        """
        from retrieval.index.compiled_parts import add_all_split

        split, terms = np.zeros((len(videos), self._fields)), totals.terms
        if terms is not None:
            add_all_split(
                self._parts.table,
                totals.weights,
                terms.starts,
                terms.ends,
                terms.forms.factors,
                terms.forms.first,
                totals.scales,
                totals.saturation,
                videos,
                split,
            )
        return split.T

    def _videos_in(self, language: str) -> float:
        """Return about how many videos are in a language; all if it is not a common one.

        Words of a question in a rare language are often names or borrowed ones, which texts in other languages have.
        """
        if language not in self.common_languages:
            return self.corpus.videos
        return max(1.0, self.corpus.videos * self.texts_by_language[language] / sum(self.texts_by_language.values()))


def _facts(parts: Sequence[KeywordPart], alive: NDArray[np.bool_]) -> CorpusFacts:
    """Return what these videos say of all if there are no others."""
    counted = int(np.count_nonzero(alive))
    ends = np.cumsum([part.videos for part in parts])[:-1]
    of_parts = list(zip(parts, np.split(alive, ends), strict=True))
    lengths = np.sum([part.lengths @ kept.astype(np.float64) for part, kept in of_parts], axis=0)
    languages = dict(sum((part.languages.counted(kept) for part, kept in of_parts), Counter[str]()))
    return CorpusFacts(counted, languages, lengths / max(1, counted))


def _saturation(
    parts: Sequence[KeywordPart], mean_lengths: NDArray[np.float64], weights: tuple[float, ...]
) -> NDArray[np.float32] | None:
    """Return what a frequency is compared with in each video, shape (videos,); None if no field counts."""
    length = np.concatenate([np.array(weights) @ part.lengths for part in parts])
    average = float(np.array(weights) @ mean_lengths)
    return (K1 * (1 - B + B * length / average)).astype(np.float32) if average > 0 else None


def _terms(parts: Parts, analyser: str, languages: tuple[str, ...], query: str) -> Terms:
    """Look up a question's terms, with the forms that texts in some languages have."""
    return Terms.of(parts, query_terms(analyser, query, languages))


def _idf(videos: float, with_term: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(np.log(1 + (np.maximum(0.0, videos - with_term) + 0.5) / (with_term + 0.5)))
