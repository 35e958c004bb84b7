"""The scores of each retriever -> the scores of videos, in two phases.

The first phase scores all videos, by the whole video and by the fields with the highest weights, and says how the
scores of each field are spread. The second phase scores every field of some videos, exactly. What a video gets there
does not depend on which others are scored with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from retrieval.index.documents import FIELDS, OVERVIEW
from retrieval.index.generation import Generation
from retrieval.index.rows import Best
from retrieval.index.values import Mask
from retrieval.search.answer import Ranking
from retrieval.search.candidates import Candidates
from retrieval.search.clauses import OfClauses
from retrieval.search.fusion import Method, Mode, Scores, dense_part
from retrieval.search.matching import informative_terms
from retrieval.search.query import Question
from retrieval.search.scoring import AnalyserScores, EncoderScores, QueryVectors, Videos
from retrieval.search.seen import SeenScores
from retrieval.search.spelling import Correction

POOL = 1_000  # videos with the best words, and passages of a segment near to the question, that the first phase scores
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
    ) -> None:
        self.dense, self.keyword = dense, keyword
        self._generation, self._share, self._method, self._mode = generation, share, method, mode

    def scores(
        self, among: Mask | None = None, count: int = 0, others: NDArray[np.floating] | None = None
    ) -> NDArray[np.float32]:
        """Return about the score of each video, shape (videos,); -inf if it is hardly one of the best.

        Args:
            among: the videos of which the best `count` are needed, shape (videos,); by default all are scored.
            others: what other retrievers add, shape (videos,).
        """
        weights = self._generation.manifest.weights
        total = np.zeros(len(self._generation.ids), np.float32)
        if others is not None:
            total += others.astype(np.float32)
        if self._mode != "dense":
            for name, of_analyser in self.keyword.items():
                total += np.float32(weights.of_part(name)) * of_analyser.first()
        pool = None if among is None else self._pool(total, count, among)
        of_pool = total if pool is None else total[pool]
        for number, of_encoder in enumerate(self.dense):
            if of_encoder:
                weight = weights.of_encoder(self._generation.manifest.encoders[number].name)
                of_pool += np.float32(weight * self._share[number]) * of_encoder.first(pool)
        if pool is None:
            return total
        total[:] = -np.inf
        total[pool] = of_pool
        return total

    def _pool(self, known: NDArray[np.float32], count: int, among: Mask) -> Videos | None:
        """Return the videos that the first phase scores, ascending; None for all.

        They are those with the best scores so far (`known`) and those that are about the nearest by an encoder, or if
        there are not many, all that it may choose from.
        """
        searching = [of_encoder for of_encoder in self.dense if of_encoder and of_encoder.searches]
        if not searching:
            return None
        allowed = np.flatnonzero(among)
        count = max(POOL, 2 * count)
        if len(allowed) <= max(SCORED, count):
            return allowed
        words = allowed[np.argpartition(-known[allowed], count)[:count]] if known.any() else allowed[:0]
        near = [videos for of_encoder in searching for videos in of_encoder.nearest(count, among)]
        return np.unique(np.concatenate([words, *near]))

    def of(self, videos: Videos) -> Scored:
        """Score some videos, given ascending, exactly."""
        manifest = self._generation.manifest
        shape = (len(FIELDS), len(videos))
        averages = np.zeros((len(self.dense), len(videos)))
        dense, none = np.zeros((len(self.dense), *shape)), [None for _ in self.dense]
        found = Scored(dense, np.zeros(shape), {}, [{} for _ in self.dense], averages, list(none))
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
                hubs = self._generation.dense[number][OVERVIEW].hubs[videos]
                averages[number] = of_encoder.whole.mean + hubs
        for name, of_analyser in self.keyword.items() if self._mode != "dense" else ():
            normal = of_analyser.contributions(videos)
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
    known_idfs = {name: of.totals.idfs for name, of in first.keyword.items()}
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
