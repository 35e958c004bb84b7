"""The terms of a question -> where their postings are in each segment."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.index.parts import Parts
from retrieval.index.query_terms import WEIGHT_OF_EMOJI, QueryTerm
from retrieval.index.vocabulary import Wanted


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
class Terms:
    """The terms of a question, and where their postings are.

    Attributes:
        starts, ends: of the postings of each form in each part, shape (parts, forms).
        known: which forms are in a video that is not deleted, shape (forms,).
    """

    terms: Sequence[QueryTerm]
    forms: Forms
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    known: NDArray[np.bool_]

    @classmethod
    def of(cls, parts: Parts, terms: Sequence[QueryTerm]) -> "Terms":
        from retrieval.index.compiled_parts import find_spans

        forms = Forms.of(terms)
        starts, ends = np.zeros((2, len(parts), len(forms.texts)), np.int64)
        find_spans(parts.table, forms.wanted.hashes, *forms.wanted.strings.parts, starts, ends)
        return cls(terms, forms, starts, ends, parts.have(starts, ends))

    def __len__(self) -> int:
        return len(self.terms)

    @property
    def postings(self) -> NDArray[np.int64]:
        """How many postings each term has, shape (terms,)."""
        of_forms = (self.ends - self.starts).sum(axis=0)
        return np.diff(np.concatenate([[0], np.cumsum(of_forms)])[self.forms.first])
