"""A question's vectors and words -> what each encoder and each analyser adds to the scores of videos."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ingest.language import language_of
from ingest.text.words import words
from retrieval.embedding.encoder import Vectors
from retrieval.index.bm25f import KeywordIndex, TermCounts, Totals
from retrieval.index.dense import DenseIndex
from retrieval.index.documents import OVERVIEW
from retrieval.index.generation import Generation
from retrieval.index.rows import SAMPLE_VIDEOS, Best, PassageRows
from retrieval.index.sketch import Halves
from retrieval.index.values import Mask
from retrieval.search.clauses import ClauseScores
from retrieval.search.fusion import (
    Method,
    Moments,
    Normaliser,
    Scores,
    fuse_dense,
    fuse_keyword,
    weighted_mean,
)
from retrieval.search.parallel import halves
from retrieval.search.understand import Preference

QueryVectors = Sequence[Vectors | None]  # a question's unit vectors by the encoders of the generation; None: no part
Videos = NDArray[np.int64]
# A field with at least this share of the highest weight is scored for all videos in the first phase. The others move a
# video by a few places at most.
FIRST_PHASE_SHARE = 0.05
NEAR = 500  # videos by each encoder of which the most similar to a video are chosen
COVERED = 0.3  # a video with less of a question counts less by its words: docs/explanation/scoring.md


@dataclass(frozen=True)
class FirstFields:
    """The fields that the first phase scores: those that are `scanned`, and those in which it searches."""

    scanned: frozenset[str]
    searched: frozenset[str]

    @classmethod
    def of(cls, indexes: Mapping[str, DenseIndex], weights: Mapping[str, float], method: Method) -> "FirstFields":
        """Choose among the fields that have a weight."""
        positive = {field: weight for field, weight in weights.items() if weight > 0}
        if method == "rrf":
            return cls(frozenset(positive), frozenset())
        first = _first_phase(positive, {field: indexes[field].rows for field in positive})
        searched = {field for field in first if indexes[field].searchable}
        return cls(frozenset(first - searched), frozenset(searched))


@dataclass(frozen=True)
class EncoderSpread:
    """How the cosines of all videos, or of a sample, are spread: with a question by field, and with its clauses."""

    fields: Mapping[str, Moments]
    clauses: Sequence[Moments]

    @classmethod
    def merged(cls, parts: Sequence["EncoderSpread"]) -> "EncoderSpread":
        """Return how those of several parts of the videos are spread together."""
        clauses = zip(*(part.clauses for part in parts), strict=True)
        fields = {field: Moments.merged([part.fields[field] for part in parts]) for field in parts[0].fields}
        return cls(fields, [Moments.merged(of_clause) for of_clause in clauses])


class EncoderScores:
    """What one encoder finds for a question.

    Args:
        indexes: by field.
        vector: the question's.
        weights: by field; a field with 0 is not scored.
        clauses: vectors of the question's clauses, which add something to whole videos.
        first: the fields of the first phase, if they are chosen already.
        each: calls a function with each half of the videos.
    """

    def __init__(
        self,
        indexes: Mapping[str, DenseIndex],
        vector: Vectors,
        weights: Mapping[str, float],
        method: Method,
        clauses: Vectors | None = None,
        first: FirstFields | None = None,
        each: Halves = map,
    ) -> None:
        self._weights = {field: weight for field, weight in weights.items() if weight > 0}
        self._indexes, self._vector, self._method, self._each = indexes, vector, method, each
        self._first = first or FirstFields.of(indexes, weights, method)
        self._everywhere = {field: indexes[field].all_best(vector, each) for field in self._first.scanned}
        self._samples: dict[str, tuple[Videos, NDArray[np.float32]]] = {}  # videos and their scores
        self._normalisers = {field: self._normaliser(field, method) for field in self._weights}
        counting = clauses is not None and OVERVIEW in self._weights and method == "zscore"
        self.clauses = ClauseScores(indexes[OVERVIEW], clauses) if clauses is not None and counting else None

    def _normaliser(self, field: str, method: Method) -> Normaliser:
        index, sample = self._indexes[field], self._indexes[field].rows.sample
        if field not in self._everywhere:
            found = index.best_of_sample(self._vector) - index.hubs(sample)
        elif field == OVERVIEW or method == "rrf":
            return Normaliser(method, index.corrected(self._everywhere[field]))
        else:
            found = index.corrected(self._everywhere[field].of(sample), sample)
        self._samples[field] = sample, found
        return Normaliser(method, found)

    @property
    def spread(self) -> EncoderSpread:
        """How the cosines are spread by which the scores are relative."""
        fields = {field: of.moments for field, of in self._normalisers.items()}
        return EncoderSpread(fields, self.clauses.spread if self.clauses else [])

    def with_spread(self, spread: EncoderSpread) -> "EncoderScores":
        """Return the scores if the cosines are spread so in all parts of the videos."""
        found = copy(self)
        found._normalisers = {field: Normaliser(self._method, of) for field, of in spread.fields.items()}
        found.clauses = self.clauses.with_spread(spread.clauses) if self.clauses else None
        found.__dict__.pop("lowest", None)
        return found

    @property
    def whole(self) -> Moments | None:
        """How the cosines of all whole videos, or of a sample, less their hubness are spread; None if they do not
        count."""
        return self._normalisers[OVERVIEW].moments if OVERVIEW in self._normalisers else None

    @property
    def searches(self) -> bool:
        """Whether the first phase scores only videos that are near to the question."""
        return bool(self._first.searched)

    def nearest(self, count: int, among: Mask) -> list[Videos]:
        """Return the videos that are about the nearest to the question in each field that is searched, or to a clause.

        Args:
            count: of passages of a field, and of the clauses.
            among: the videos to choose from, shape (videos,).
        """
        found = [self._indexes[field].nearest(self._vector, count, among, halves) for field in self._first.searched]
        return found + (self.clauses.nearest(count, among) if self.clauses else [])

    def first(self, videos: Videos | None = None) -> NDArray[np.float32]:
        """Return about what this encoder gives some videos, by default all."""
        normal = {}
        for field in self._first.scanned | self._first.searched:
            index = self._indexes[field]
            cosines = index.corrected(self._best(field, videos), videos)
            normal[field] = self._normalisers[field].dense(cosines, slice(None) if videos is None else videos)
        scores = weighted_mean(normal, self._weights)
        unscored = np.isnan(scores)
        if unscored.any():
            scores = np.where(unscored, np.float32(self.lowest), scores)
        if self.clauses:
            scores = scores + self.clauses.added(videos)
        return scores

    def best(self, videos: Videos) -> dict[str, Best]:
        """Return by field the best passage of each of some videos."""
        return {field: self._best(field, videos) for field in self._weights}

    def _best(self, field: str, videos: Videos | None) -> Best:
        if field in self._everywhere:
            found = self._everywhere[field]
            return found if videos is None else found.of(videos)
        index = self._indexes[field]
        return index.best(self._vector, np.arange(index.rows.videos) if videos is None else videos, self._each)

    def contributions(self, best: Mapping[str, Best], videos: Videos) -> Scores:
        """Return what each field adds for some videos with these best passages, shape (FIELDS, videos).

        What clauses add is not among it.
        """
        normal = {
            field: self._normalisers[field].dense(self._indexes[field].corrected(of, videos).astype(np.float64), videos)
            for field, of in best.items()
        }
        missing = normal and np.all([np.isnan(of) for of in normal.values()], axis=0).any()
        return fuse_dense(normal, self._weights, self.lowest if missing else None)

    @cached_property
    def lowest(self) -> float:
        """The lowest score of a sample of the videos; a video with none of the weighted fields gets it."""
        common = next(iter(self._indexes.values())).rows.common
        normal = {}
        for field, normaliser in self._normalisers.items():
            index = self._indexes[field]
            if field in self._everywhere:
                scores = index.corrected(self._everywhere[field].of(common), common)
            else:
                videos, found = self._samples[field]
                scores = np.full(len(common), np.nan, np.float32)
                known = np.isin(common, videos)
                scores[known] = found[np.isin(videos, common)]
            normal[field] = normaliser.dense(scores.astype(np.float64), common)
        if not normal:
            return 0.0
        scored = np.any([~np.isnan(of) for of in normal.values()], axis=0)
        contributions = fuse_dense({field: of[scored] for field, of in normal.items()}, self._weights)
        return float(contributions.sum(axis=0).min()) if scored.any() else 0.0


def _first_phase(weights: Mapping[str, float], rows: Mapping[str, PassageRows]) -> set[str]:
    """Return the fields that the first phase scores: those with the highest weights, so many that no video has only
    other ones, and those that few videos have."""
    least = FIRST_PHASE_SHARE * max(weights.values(), default=0.0)
    found = {field for field in weights if len(rows[field].sample) < SAMPLE_VIDEOS}
    having = _any([of.present for of in rows.values()])
    ordered = sorted(weights, key=lambda field: -weights[field])
    for number, field in enumerate(ordered):
        if weights[field] < least and _any([rows[name].present for name in ordered[:number]]) == having:
            break
        found.add(field)
    return found


def _any(masks: Sequence[Mask]) -> int:
    """Return how many videos are in one of the masks."""
    if not masks:
        return 0
    if any(mask.all() for mask in masks):
        return len(masks[0])
    found = masks[0].copy()
    for mask in masks[1:]:
        found |= mask
    return int(np.count_nonzero(found))


class AnalyserScores:
    """What one analyser finds for a question.

    Args:
        weights: by field, shape (TEXT_FIELDS,).
        preferred: tags and creators whose videos count more.
        in_proportion: whether a video that has less than COVERED of the question counts in proportion.
        counted: the counts of the terms, if there are other videos than these.
    """

    def __init__(
        self,
        index: KeywordIndex,
        text: str,
        weights: Scores,
        preferred: Sequence[Preference],
        method: Method,
        in_proportion: bool,
        counted: TermCounts | None = None,
    ) -> None:
        self._index, self._preferred, self._method = index, preferred, method
        self._totals: Totals = index.totals(text, weights, language_of(text), counted)
        self._scores, self.idfs = self._totals.scores, self._totals.idfs
        self._covered = COVERED if in_proportion else 0.0
        for one in preferred:
            self._scores[one.videos] += np.float32(one.added)
            self._totals.coverage[one.videos] = 1.0  # a tag or a name is no chance
        self.normaliser = Normaliser(method, self._scores)

    def add_to(self, scores: NDArray[np.float32], weight: float) -> None:
        """Add what this analyser gives each video, times a weight, to `scores`, shape (videos,)."""
        from retrieval.index.compiled import add_scaled

        if self._method == "zscore":
            scale = weight / self.normaliser.divisor
            add_scaled(self._scores, self._totals.coverage, scale, self._covered, scores)
        else:
            every = slice(None)
            scores += np.float32(weight) * self.normaliser.keyword(self._scores, every) * self._factor(every)

    def _factor(self, videos: Videos | slice) -> NDArray[np.float32]:
        """Return by what the scores of some videos are multiplied."""
        coverage = self._totals.coverage[videos]
        if not self._covered:
            return np.ones_like(coverage)
        return np.asarray(np.minimum(1.0, coverage / np.float32(self._covered)), np.float32)

    def contributions(self, videos: Videos) -> Scores:
        """Return what each field adds for some videos, shape (FIELDS, videos)."""
        split, factor = self.split(videos)
        normal = self.normaliser.keyword(split.sum(axis=0), videos)
        return fuse_keyword(split, normal * factor)

    def split(self, videos: Videos) -> tuple[Scores, NDArray[np.float32]]:
        """Return the BM25F scores of some videos by field, shape (TEXT_FIELDS, videos), and the share of its score that
        each gets, shape (videos,)."""
        split = self._index.split(self._totals, videos)
        for one in self._preferred:
            split[one.field, one.videos[videos]] += one.added
        return split, self._factor(videos)


def is_known_emoji(generation: Generation, text: str) -> bool:
    """Return whether a question has nothing but emoji, and some text has one of them or of their names."""
    if {word.kind for word in words(text)} != {"emoji"}:
        return False
    stems = generation.keyword["stems"]
    return any(stems.has(form) for term in stems.query_terms(text) for form in term.all())


def nearest(generation: Generation, video: int, shown: Mask, count: int) -> tuple[Videos, Scores]:
    """Return the `count` videos whose whole text is closest in meaning to that of `video`, the closest first, and their
    cosines.

    With several encoders, a cosine is the mean of theirs, and z-scores decide the order, because the cosines of
    encoders have different ranges. There are none if the video has no text, or the generation no vectors.

    Args:
        shown: which videos may be among them, shape (videos,).
    """
    rows = generation.rows[OVERVIEW]
    if not generation.dense or not rows.present[video]:
        return np.empty(0, np.int64), np.empty(0)
    others = shown & rows.present
    others[video] = False
    indexes = [of_encoder[OVERVIEW] for of_encoder in generation.dense]
    vectors = [index.vector(rows.of(video)[0]) for index in indexes]
    near = [index.nearest(one, max(NEAR, count), others) for index, one in zip(indexes, vectors, strict=True)]
    videos = np.unique(np.concatenate(near))

    pairs = list(zip(indexes, vectors, strict=True))
    cosines = np.array([index.corrected(index.best(one, videos), videos) for index, one in pairs], np.float64)
    usual = np.array([index.best_of_sample(one) - index.hubs(rows.sample) for index, one in pairs], np.float64)
    spread = usual.std(axis=1, keepdims=True)
    closeness = (cosines / np.where(spread > 0, spread, 1.0)).sum(axis=0)
    order = np.argsort(-closeness, kind="stable")[:count]
    return videos[order], cosines.mean(axis=0)[order]
