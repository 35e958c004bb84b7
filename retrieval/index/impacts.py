"""The postings of terms -> in how many videos they are, and what they add to the score of each.

Of all postings that people's questions lead to, more than half are those of some dozen terms. What such a term adds to
each video, its impacts, is kept: reading that takes a sixth of the time of computing it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from retrieval.index.arrays import address_of
from retrieval.index.parts import Parts
from retrieval.index.posting import MAX_FIELDS
from retrieval.index.query_terms import QueryTerm
from retrieval.index.term_postings import Terms

# A term is frequent that has so many postings for each video, and at least so many. With more terms, computing the
# impacts costs more time and memory than they save.
FREQUENT, LEAST_POSTINGS = 0.5, 16_384
KEPT_TERMS = 64  # of an analyser, of at most 6 bytes a video each. 200 questions have 24 among a million videos
_ASKED_TERMS = 1_024
Weights = tuple[float, ...]  # one per field
Saturation = Callable[[Weights], NDArray[np.float32] | None]


@dataclass(frozen=True)
class Impacts:
    """What a term adds to the score of each video, but for its idf.

    Attributes:
        counts: how many videos have one of its forms, and one of its synonyms, shape (2,).
        videos: the number within its part of each video that has it.
        impacts: what it adds to each.
        table: where the videos and the impacts of each part are in memory, and how many, shape (parts, 3).
    """

    counts: NDArray[np.int64]
    videos: NDArray[np.uint16]
    impacts: NDArray[np.float32]
    table: NDArray[np.int64]

    @classmethod
    def of(cls, parts: Parts, saturation_of: Saturation, term: QueryTerm, weights: Weights) -> "Impacts":
        """Compute them.

        Args:
            saturation_of: returns what a frequency is compared with in each video; a field with a weight has text.
        """
        from retrieval.index.compiled_parts import find_impacts

        terms, saturation, most = Terms.of(parts, [term]), saturation_of(weights), parts.most
        assert saturation is not None, "no field counts"
        room = min(int(terms.postings.sum()), len(saturation)) + 1
        found, impacts = np.empty(room, np.uint16), np.empty(room, np.float32)
        of_parts = np.zeros(len(parts), np.int64)
        find_impacts(
            parts.table,
            parts.alive,
            of_all_fields(weights),
            terms.starts,
            terms.ends,
            terms.forms.factors,
            saturation,
            (np.zeros(most, np.float32), np.empty(most, np.int32), *np.empty((2, most), np.float32)),
            found,
            impacts,
            of_parts,
        )
        size, before = of_parts.sum(), np.cumsum(of_parts) - of_parts
        videos, impacts = found[:size].copy(), impacts[:size].copy()
        table = np.stack([before * videos.itemsize, before * impacts.itemsize, of_parts], axis=1)
        table[:, :2] += [address_of(videos, np.uint16), address_of(impacts, np.float32)]
        return cls(count_in_videos(parts, ToRead(terms, terms.ends, []), weights)[:, 0], videos, impacts, table)


@dataclass(frozen=True)
class ToRead:
    """What is read for a question.

    Attributes:
        ends: where the postings end that are read, shape (parts, forms): where those of `terms` end, or for a term that
            is kept, where they start.
        kept: terms by number, with the impacts that are read instead of their postings.
    """

    terms: Terms
    ends: NDArray[np.int64]
    kept: Sequence[tuple[int, Impacts]]


class KeptImpacts:
    """The impacts of frequent terms that at least two questions have had with the same weights: to compute them for one
    is slower than to read the postings."""

    def __init__(self, parts: Parts, saturation_of: Saturation) -> None:
        self._videos, self._saturation_of = len(parts.alive), saturation_of
        # of no method, as in passages.py
        self._times = lru_cache(_ASKED_TERMS)(_counter)
        self._impacts = lru_cache(KEPT_TERMS)(partial(Impacts.of, parts, saturation_of))

    def __len__(self) -> int:
        return self._impacts.cache_info().currsize

    def to_read(self, terms: Terms, weights: Weights, again: bool) -> ToRead:
        """Return what is read for the terms of a question.

        Args:
            again: whether this was asked before for the same question.
        """
        least, ends = max(LEAST_POSTINGS, FREQUENT * self._videos), terms.ends.copy()
        numbers = np.flatnonzero(terms.postings >= least).tolist() if self._saturation_of(weights) is not None else []
        kept = []
        for number in numbers:
            times = self._times(terms.terms[number], weights)
            times[0] += not again
            if times[0] > 1:
                kept.append((number, self._impacts(terms.terms[number], weights)))
                forms = slice(terms.forms.first[number], terms.forms.first[number + 1])
                ends[:, forms] = terms.starts[:, forms]
        return ToRead(terms, ends, kept)


def count_in_videos(parts: Parts, read: ToRead, weights: Weights) -> NDArray[np.int64]:
    """Return how many videos have one of the forms of each term, and one of its synonyms, shape (2, terms)."""
    from retrieval.index.compiled_parts import count_in_all

    terms = read.terms
    counts = np.zeros((2, len(terms)), np.int64)
    count_in_all(
        parts.table,
        parts.alive,
        parts.all_alive,
        of_all_fields(weights),
        all(weight > 0 for weight in weights),
        terms.starts,
        read.ends,
        terms.forms.first,
        terms.forms.first_synonym,
        np.zeros(parts.most, np.int32),
        counts,
    )
    for number, impacts in read.kept:
        counts[:, number] = impacts.counts
    return counts


def write_scores(
    parts: Parts,
    read: ToRead,
    weights: Weights,
    scales: NDArray[np.float32],
    shares: NDArray[np.float32],
    saturation: NDArray[np.float32],
    scores: NDArray[np.float32],
    coverage: NDArray[np.float32],
) -> None:
    """Write what terms give each video to `scores` and `coverage`; see bm25f.Totals for the other arguments.

    Args:
        shares: of each term in the coverage, shape (terms,).
    """
    from retrieval.index.compiled_parts import add_all_totals

    tables = np.zeros((len(read.kept), len(parts), 3), np.int64)
    for at, (_, impacts) in enumerate(read.kept):
        tables[at] = impacts.table
    add_all_totals(
        parts.table,
        of_all_fields(weights),
        read.terms.starts,
        read.ends,
        read.terms.forms.factors,
        read.terms.forms.first,
        scales,
        shares,
        saturation,
        tables,
        np.array([number for number, _ in read.kept], np.int64),
        np.zeros(parts.most, np.float32),
        np.empty(parts.most, np.int32),
        scores,
        coverage,
    )


def of_all_fields(weights: Weights) -> NDArray[np.float32]:
    """Return the weights of fields, and 0 for those that do not exist, shape (MAX_FIELDS,)."""
    found = np.zeros(MAX_FIELDS, np.float32)
    found[: len(weights)] = weights
    return found


def _counter(term: QueryTerm, weights: Weights) -> list[int]:
    """Return what counts how many questions have had a term."""
    return [0]
