"""The terms of a question -> where their postings are in each segment."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.index.keyword_part import KeywordPart
from retrieval.index.query_terms import WEIGHT_OF_EMOJI, QueryTerm, query_terms
from retrieval.index.vocabulary import Wanted


class Placed:
    """The part of a segment, and which of all videos are its own: `first` and those that follow it."""

    def __init__(self, part: KeywordPart, first: int, alive: NDArray[np.bool_]) -> None:
        self.part, self.first, self.videos = part, first, part.videos
        self.alive = alive[first : first + part.videos]
        self.all_alive = bool(self.alive.all())

    @property
    def span(self) -> slice:
        """The part's videos among all."""
        return slice(self.first, self.first + self.videos)

    def spans(self, forms: "Forms") -> "Spans":
        """Return where the postings of terms are."""
        numbers = self.part.vocabulary.numbers(forms.wanted)
        found = numbers >= 0
        before = np.concatenate([[0], np.cumsum(found)])
        size = len(self.part.docs)  # damage in a file that is mapped must not lead the compiled loops out of it
        return Spans(
            starts=np.minimum(self.part.indptr[numbers[found]], size).astype(np.int64),
            ends=np.minimum(self.part.indptr[numbers[found] + 1], size).astype(np.int64),
            factors=forms.factors[found],
            first_span=before[forms.first],
            first_synonym=before[forms.first_synonym],
            known=self._of_alive(numbers),
        )

    def have(self, terms: Wanted) -> NDArray[np.bool_]:
        """Return which of the terms a text has."""
        return self._of_alive(self.part.vocabulary.numbers(terms))

    def _of_alive(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which terms, given by their numbers, are in a video that is not deleted."""
        found = numbers >= 0
        if not self.all_alive:
            for at in np.flatnonzero(found).tolist():
                span = slice(int(self.part.indptr[numbers[at]]), int(self.part.indptr[numbers[at] + 1]))
                found[at] = self.alive[self.part.docs[span]].any()
        return found


@dataclass(frozen=True)
class Forms:
    """All forms and synonyms of the terms of a question, one after the other.

    Attributes:
        texts, wanted, factors: of each form. Those of a term start at first[t], its synonyms at first_synonym[t].
    """

    texts: list[str]
    wanted: Wanted
    factors: NDArray[np.float32]
    first: NDArray[np.int64]
    first_synonym: NDArray[np.int64]

    @classmethod
    def of(cls, terms: Sequence[QueryTerm]) -> "Forms":
        texts: list[str] = []
        factors: list[float] = []
        first, first_synonym = [0], []
        for term in terms:
            texts += term.forms
            first_synonym.append(len(texts))
            texts += term.synonyms
            first.append(len(texts))
            factors += [1.0] * len(term.forms) + [WEIGHT_OF_EMOJI] * len(term.synonyms)
        return cls(
            texts,
            Wanted.of(texts),
            np.array(factors, np.float32),
            np.array(first, np.int64),
            np.array(first_synonym, np.int64),
        )


@dataclass(frozen=True)
class Spans:
    """The postings of the terms of a question in one part, as index/compiled.py reads them.

    `known` says which of all forms are in a video that is not deleted, shape (forms,).
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    factors: NDArray[np.float32]
    first_span: NDArray[np.int64]
    first_synonym: NDArray[np.int64]
    known: NDArray[np.bool_]


@dataclass(frozen=True)
class Terms:
    """The terms of a question, and where their postings are in each part."""

    forms: Forms
    spans: Sequence[Spans]

    @classmethod
    def of(cls, parts: Sequence[Placed], analyser: str, languages: tuple[str, ...], query: str) -> "Terms":
        """Look up a question's terms, with the forms that texts in some languages have."""
        forms = Forms.of(query_terms(analyser, query, languages))
        return cls(forms, [part.spans(forms) for part in parts])

    def __len__(self) -> int:
        return len(self.forms.first_synonym)
