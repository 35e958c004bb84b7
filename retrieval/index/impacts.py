"""The postings of terms -> in how many videos they are, and what they add to the score of each.

Of all postings that people's questions lead to, more than half are those of some dozen words. What such a word adds to
each video is kept: reading that takes a sixth of the time of computing it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.index.arrays import address_of
from retrieval.index.parts import Parts
from retrieval.index.query_terms import QueryTerm
from retrieval.index.term_postings import Terms

FREQUENT = 0.5
LEAST_POSTINGS = 16_384  # so many, is frequent
KEPT_TERMS = 128  # of each analyser and generation; among a million videos, they take some 300 MB


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
    def of(
        cls, parts: Parts, term: QueryTerm, weights: NDArray[np.float32], saturation: NDArray[np.float32]
    ) -> "Impacts":
        """Compute them; for the arguments see bm25f.Totals."""
        from retrieval.index.compiled_parts import find_impacts

        terms, most = Terms.of(parts, [term]), parts.most
        room = min(int(terms.postings.sum()), len(saturation)) + 1
        found, impacts = np.empty(room, np.uint16), np.empty(room, np.float32)
        of_parts = np.zeros(len(parts), np.int64)
        find_impacts(
            parts.table,
            parts.alive,
            weights,
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
        table[:, :2] += [address_of(videos), address_of(impacts)]
        return cls(count_videos(parts, terms, terms.ends, weights)[:, 0], videos, impacts, table)


def frequent(terms: Terms, videos: int) -> list[int]:
    """Return the numbers of the terms whose impacts are kept."""
    return np.flatnonzero(terms.postings >= max(LEAST_POSTINGS, FREQUENT * videos)).tolist()


def count_videos(
    parts: Parts, terms: Terms, ends: NDArray[np.int64], weights: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Return how many videos have one of the forms of each term, and one of its synonyms, shape (2, terms).

    For `ends` and `weights` see `write_scores`.
    """
    from retrieval.index.compiled_parts import count_in_all

    counts = np.zeros((2, len(terms)), np.int64)
    count_in_all(
        parts.table,
        parts.alive,
        parts.all_alive,
        weights,
        bool((weights[: parts.fields] > 0).all()),
        terms.starts,
        ends,
        terms.forms.first,
        terms.forms.first_synonym,
        np.zeros(parts.most, np.int32),
        counts,
    )
    return counts


def write_scores(
    parts: Parts,
    terms: Terms,
    ends: NDArray[np.int64],
    weights: NDArray[np.float32],
    scales: NDArray[np.float32],
    shares: NDArray[np.float32],
    saturation: NDArray[np.float32],
    scores: NDArray[np.float32],
    coverage: NDArray[np.float32],
    kept: Sequence[tuple[int, Impacts]] = (),
) -> None:
    """Write what terms give each video to `scores` and `coverage`; see bm25f.Totals for these and the other arguments.

    Args:
        ends: where the postings end that are read: those of `terms`, or where they start.
        kept: terms by number whose impacts are added instead of those of their postings.
    """
    from retrieval.index.compiled_parts import add_all_totals

    tables = np.zeros((len(kept), len(parts), 3), np.int64)
    for number, (_, impacts) in enumerate(kept):
        tables[number] = impacts.table
    add_all_totals(
        parts.table,
        weights,
        terms.starts,
        ends,
        terms.forms.factors,
        terms.forms.first,
        scales,
        shares,
        saturation,
        tables,
        np.array([term for term, _ in kept], np.int64),
        np.zeros(parts.most, np.float32),
        np.empty(parts.most, np.int32),
        scores,
        coverage,
    )
