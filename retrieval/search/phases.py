"""The scores of each retriever -> the scores of videos, in two phases.

The first phase scores all videos, by the whole video and by the fields with the highest weights, and says how the
scores of each field are spread. The second phase scores every field of some videos, exactly. What a video gets there
does not depend on which others are scored with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retrieval.index.documents import FIELDS, OVERVIEW
from retrieval.index.generation import Generation
from retrieval.index.highest import highest
from retrieval.index.rows import Best
from retrieval.index.values import Mask
from retrieval.search.answer import Ranking
from retrieval.search.candidates import Candidates, exhaustive
from retrieval.search.clauses import OfClauses
from retrieval.search.fusion import Method, Mode, Scores, dense_part
from retrieval.search.matching import informative_terms
from retrieval.search.parallel import core_idle, in_helper
from retrieval.search.query import Question
from retrieval.search.scoring import AnalyserScores, EncoderScores, QueryVectors, Videos
from retrieval.search.seen import SeenScores
from retrieval.search.spelling import Correction

# Videos with the best words, and passages of a field near to the question, that the first phase scores. With 1,000, it
# finds 99.4 % of the first ten among 10,000 videos, and all of them in hybrid mode (benchmarks/two_phase.py --pool).
# More videos have more that is almost as near, so it is twice as many, and by meaning alone, where no words help, four
# times as many again: among a million, two phases find 99.6 % of the first ten in all modes.
POOL, TIMES_BY_MEANING = 2_000, 4
SCORED = 32_768  # videos: if so few meet the conditions, it scores them all


@dataclass(frozen=True)
class Scored:
    """What the second phase found for some videos; see Ranking, which has the same attributes."""

    dense: Scores
    keyword: Scores
    parts: dict[str, Scores]
    best: list[dict[str, Best]]
    averages: Scores
    clauses: list[OfClauses | None]


class FirstPhase:
    """What is known of all videos for a question, and how some of them are scored exactly.

    Attributes:
        dense: by encoder of the generation; None for one that has no part in the scores.
        keyword: by analyser. They say as well which words match, so they are there in every mode.
    """

    def __init__(
        self,
        generation: Generation,
        dense: Sequence[EncoderScores | None],
        share: Sequence[float],
        keyword: Mapping[str, AnalyserScores],
        method: Method,
        mode: Mode,
        others: NDArray[np.floating] | None = None,
    ) -> None:
        self.dense, self.keyword = dense, keyword
        self._generation, self._share, self._method, self._mode = generation, share, method, mode
        self._others = others

    def best(self, count: int, among: Mask) -> Videos:
        """Return about the `count` best videos of a mask, ascending."""
        pool = self.pool(count, among)
        if pool is None:
            return highest(self._scores, count, among)
        return pool[highest(self._with_dense(pool), count)]

    def pool(self, count: int, among: Mask) -> Videos | None:
        """Return the videos in a mask that may be the `count` best, ascending; None if all may.

        They are those with the best scores by their words, and those that are about the nearest by an encoder, or if
        there are not many, all.
        """
        if not self._searching:
            return None
        count = max(POOL * (TIMES_BY_MEANING if self._mode == "dense" else 1), 2 * count)
        if np.count_nonzero(among) <= max(SCORED, count):
            return np.flatnonzero(among)
        near = [videos for of_encoder in self._searching for videos in of_encoder.nearest(count, among)]
        known = self._known
        return np.unique(np.concatenate([*near, highest(known, count, among)] if known.any() else near))

    @cached_property
    def _searching(self) -> list[EncoderScores]:
        """The encoders by which the first phase scores only videos that are near."""
        return [of_encoder for of_encoder in self.dense if of_encoder and of_encoder.searches]

    @cached_property
    def _known(self) -> NDArray[np.float32]:
        """What all retrievers but the dense one give each video, shape (videos,)."""
        found = np.zeros(len(self._generation.ids), np.float32)
        if self._others is not None:
            found += self._others
        for name, of_analyser in self.keyword.items() if self._mode != "dense" else ():
            of_analyser.add_to(found, self._generation.manifest.weights.of_part(name))
        return found

    @cached_property
    def _scores(self) -> NDArray[np.float32]:
        return self._with_dense(None)

    def _with_dense(self, videos: Videos | None) -> NDArray[np.float32]:
        """Return about the scores of some videos, or of all."""
        weights = self._generation.manifest.weights
        found = self._known.copy() if videos is None else self._known[videos]
        for number, of_encoder in enumerate(self.dense):
            if of_encoder:
                weight = weights.of_encoder(self._generation.manifest.encoders[number].name)
                found += np.float32(weight * self._share[number]) * of_encoder.first(videos)
        return found

    def of(self, videos: Videos) -> Scored:
        """Score some videos, given ascending, exactly."""
        manifest = self._generation.manifest
        shape = (len(FIELDS), len(videos))
        averages = np.zeros((len(self.dense), len(videos)))
        dense, none = np.zeros((len(self.dense), *shape)), [None for _ in self.dense]
        found = Scored(dense, np.zeros(shape), {}, [{} for _ in self.dense], averages, list(none))
        of_analysers = {} if self._mode == "dense" else self.keyword

        def by_words() -> list[Scores]:
            return [of_analyser.contributions(videos) for of_analyser in of_analysers.values()]

        # Among many videos, they are computed while the vectors are compared.
        both = any(self.dense) and bool(of_analysers) and not exhaustive(len(self._generation.ids), len(videos))
        of_words = in_helper(by_words) if both and core_idle() else by_words
        for number, of_encoder in enumerate(self.dense):
            used = manifest.encoders[number]
            part = dense_part(used.name, manifest.encoder_names)
            if not of_encoder:
                if self._mode != "keyword":
                    found.parts[part] = np.zeros(len(videos))
                continue
            found.best[number] = of_encoder.best(videos)
            normal = self._share[number] * of_encoder.contributions(found.best[number], videos)
            found.parts[part] = normal.sum(axis=0)
            weight = manifest.weights.of_encoder(used.name)
            found.dense[number] = weight * normal
            if of_encoder.clauses:
                of_clauses = of_encoder.clauses.of(videos, self._share[number])
                found.parts[part] += of_clauses.contributions
                found.clauses[number] = of_clauses = replace(
                    of_clauses, contributions=weight * of_clauses.contributions
                )
                found.dense[number, FIELDS.index(OVERVIEW)] += of_clauses.contributions
            if of_encoder.whole and self._method == "zscore":
                hubs = self._generation.dense[number][OVERVIEW].hubs(videos)
                averages[number] = of_encoder.whole.mean + hubs
        for name, normal in zip(of_analysers, of_words(), strict=True):
            found.parts[name] = normal.sum(axis=0)
            found.keyword[:] += manifest.weights.of_part(name) * normal
        return found


def scored(
    first: FirstPhase,
    chosen: Candidates,
    text: str,
    vectors: QueryVectors,
    corrections: Sequence[Correction],
    question: Question,
    seen: SeenScores | None,
) -> Ranking:
    """Score some videos exactly: the second phase."""
    found = first.of(chosen.videos)
    added, pictures = seen.of(chosen.videos) if seen else (None, None)
    known_idfs = {name: of.idfs for name, of in first.keyword.items()}
    return Ranking(
        query=text,
        videos=chosen.videos,
        steps=chosen.steps,
        scores=found.dense.sum(axis=(0, 1)) + found.keyword.sum(axis=0) + (0.0 if added is None else added),
        dense=found.dense,
        keyword=found.keyword,
        parts=found.parts,
        best=found.best,
        whole=[of.whole if of else None for of in first.dense],
        vectors=vectors,
        averages=found.averages,
        clauses=found.clauses,
        known_idfs=known_idfs,
        idfs={name: informative_terms(idfs) for name, idfs in known_idfs.items()},
        corrections=corrections,
        phrases=[condition.words for condition in question.phrases],
        seen=added,
        pictures=pictures,
        by_sight=seen is not None and seen.focused,
    )
