"""Scores by retriever and field -> one score per video, as a sum of contributions that explain it.

Two retrievers are fused: dense (a cosine per field) and keyword (BM25F by three analysers, split by field). Each fusion
method works on one query at a time and gives every retriever a matrix (fields, videos) of contributions. A video's
score is the sum over both. How scores are made comparable depends on all videos, or on a sample of them that is always
the same, so the score of a video does not depend on which others are scored with it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ingest.settings import FusionMethod, SearchMode
from retrieval.errors import BadWeights
from retrieval.index.documents import ALL_FIELDS, FIELD_ALIASES, FIELDS, TEXT_FIELDS, field_id

Method = FusionMethod
Mode = SearchMode
Retriever = Literal["dense", "keyword", "reranker", "vision"]  # where a contribution comes from
Scores = NDArray[np.float64]
METHODS: tuple[Method, ...] = ("zscore", "dbsf", "rrf")
MODES: tuple[Mode, ...] = ("hybrid", "dense", "keyword")
# A score is a weighted sum of these parts: the dense retriever, once for each encoder, and the keyword retriever's
# three analysers. The names are those of their weights in FusionWeights.
DENSE_PART = "dense_retriever"
KEYWORD_PARTS = ("stems", "char_ngrams", "bigrams")

MAX_WEIGHT = 5.0  # of a field; with more, only that field would count
# Of a field's passages in the dense retriever, per 1 that its weight is above 1: benchmarks/presets.py
FOCUS = 0.2
EQUAL = 1e-9  # scores are equal if they differ by less than this share of their size
RRF_K = 60  # Cormack, Clarke and Buettcher 2009
DBSF_SIGMAS = 3.0  # Mazzeschi 2023: mean plus and minus three standard deviations become 1 and 0


def dense_part(encoder: str, encoders: Sequence[str]) -> str:
    """Return the name of the part of an encoder: that of the weight, and if there are several, the encoder's."""
    return f"{DENSE_PART}:{encoder}" if len(encoders) > 1 else DENSE_PART


def part_names(encoders: Sequence[str]) -> tuple[str, ...]:
    """Return the names of all parts of a score of a generation with these encoders."""
    return *(dense_part(encoder, encoders) for encoder in encoders), *KEYWORD_PARTS


def parse_weights(assignments: str | Iterable[str]) -> dict[str, float]:
    """Return field weights by stored identifier from text such as "speech=2, comments:0".

    Args:
        assignments: one text or several; each may have several weights, separated by commas. `=` and `:` mean the same.
            Fields have their names or their stored identifiers. The last weight of a field counts.

    Raises:
        BadWeights: there is no such field, a weight is not a number from 0 to MAX_WEIGHT, or every field is off.
    """
    weights: dict[str, float] = {}
    for text in [assignments] if isinstance(assignments, str) else assignments:
        for assignment in filter(None, map(str.strip, text.split(","))):
            name, _, number = (piece.strip() for piece in assignment.replace(":", "=", 1).partition("="))
            field = field_id(name)
            if field is None:
                shown = [FIELD_ALIASES.get(field, field) for field in ALL_FIELDS]
                raise BadWeights(f"no field {name[:40]!r}; the fields are {', '.join(shown)}")
            try:
                weights[field] = float(number)
            except ValueError:
                weights[field] = -1.0
            if not 0 <= weights[field] <= MAX_WEIGHT:
                raise BadWeights(f"the weight of {name} must be a number from 0 to {MAX_WEIGHT:g}, as in {name}=2")
    if weights and all(weights.get(field, 1.0) == 0 for field in FIELDS):
        raise BadWeights("every field is switched off; leave one above 0")
    return weights


def dense_weight(tuned: float, weight: float) -> float:
    """Return the weight of a field in the dense retriever, where the whole video has about 1.

    A field has little by itself: the whole video contains it. If a person says where a memory comes from (`weight` is
    above 1), the passages of this field count, and the whole video backs them up.
    """
    return tuned * weight + FOCUS * max(0.0, weight - 1.0)


def rank_positions(scores: Scores) -> Scores:
    """Return the rank of each score, 1 for the highest. Equal scores keep their order; NaN is last."""
    order = np.argsort(-np.where(np.isnan(scores), -np.inf, scores), kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    return ranks


@dataclass(frozen=True)
class Moments:
    """How the scores of videos are spread. A `deviation` that is only the rounding error of equal scores is 0."""

    mean: float
    deviation: float
    highest: float
    count: int

    @classmethod
    def merged(cls, parts: Sequence["Moments"]) -> "Moments":
        """Return how the scores of several parts of the videos are spread together (Chan et al. 1983)."""
        known = [part for part in parts if part.count]
        count = sum(part.count for part in known)
        if not count:
            return cls(0.0, 0.0, 0.0, 0)
        mean = sum(part.count * part.mean for part in known) / count
        squares = sum(part.count * (part.deviation**2 + (part.mean - mean) ** 2) for part in known)
        deviation, highest = math.sqrt(squares / count), max(part.highest for part in known)
        spread = deviation > EQUAL * max(abs(mean), abs(highest))
        return cls(mean, deviation if spread else 0.0, highest, count)


def moments(scores: NDArray[Any]) -> Moments:
    """Return how scores are spread; NaN does not count."""
    from retrieval.index.compiled import mean_and_deviation

    mean, deviation, count = mean_and_deviation(scores)
    if not count:
        return Moments(0.0, 0.0, 0.0, 0)
    low, high = float(np.fmin.reduce(scores)), float(np.fmax.reduce(scores))
    return Moments(mean, deviation if deviation > EQUAL * max(abs(low), abs(high)) else 0.0, high, count)


class Normaliser:
    """Makes the scores of a retriever comparable with those of others, by one of the METHODS.

    Args:
        scores: of all videos, or unless the method is rrf, of a sample, or how those are spread; NaN for a video
            without the field.
    """

    def __init__(self, method: Method, scores: NDArray[Any] | Moments) -> None:
        self.moments = scores if isinstance(scores, Moments) else moments(scores)
        self._method = method
        self._ranks = rank_positions(scores) if method == "rrf" and not isinstance(scores, Moments) else np.empty(0)

    def dense(self, scores: NDArray[Any], videos: NDArray[np.int64] | slice) -> NDArray[Any]:
        """Return normalised cosines of some videos, given with their numbers: with mean 0, or from 0 to 1."""
        if self._method == "rrf":
            return np.where(np.isnan(scores), np.nan, 1.0 / (RRF_K + self._ranks[videos]))
        of = self.moments
        # One video, or all with the same score: there is no spread to normalise by, but still a score to explain.
        normal = (scores - of.mean) / of.deviation if of.deviation else scores
        return np.clip(normal / (2 * DBSF_SIGMAS) + 0.5, 0.0, 1.0) if self._method == "dbsf" else normal

    @property
    def divisor(self) -> float:
        """By what a BM25F score is divided, if the method is zscore or dbsf."""
        return self.moments.deviation or self.moments.highest or 1.0

    def keyword(self, scores: NDArray[Any], videos: NDArray[np.int64] | slice) -> NDArray[Any]:
        """Return normalised BM25F scores of some videos. Zero stays: a video without any matching term gets 0."""
        if self._method == "rrf":
            return np.where(scores > 0, 1.0 / (RRF_K + self._ranks[videos]), 0.0)
        normal = scores / self.divisor
        return np.clip(normal / (2 * DBSF_SIGMAS), 0.0, 1.0) if self._method == "dbsf" else normal


def fuse_dense(normal: Mapping[str, Scores], weights: Mapping[str, float], lowest: float | None = None) -> Scores:
    """Return the contributions of the dense retriever, shape (FIELDS, videos).

    A video's contributions are the weighted mean over its fields, so the weight of a missing field goes to the others.
    A video with none of the weighted fields gets the lowest score of all others, as a contribution of the first such
    field.

    Args:
        normal: by field, what its Normaliser made of the cosines, shape (videos,); NaN if a video does not have it.
        lowest: the score of a video with none of the weighted fields, if others are scored than these videos.
    """
    videos = len(next(iter(normal.values()))) if normal else 0
    contributions, total = np.zeros((len(FIELDS), videos)), np.zeros(videos)
    weighted = _weighted(normal, weights)
    for field in weighted:
        present = ~np.isnan(normal[field])
        contributions[FIELDS.index(field)] = np.where(present, weights[field] * normal[field], 0.0)
        total += np.where(present, weights[field], 0.0)
    scored = total > 0
    contributions[:, scored] /= total[scored]
    if weighted and not scored.all():
        if lowest is None:
            lowest = float(contributions[:, scored].sum(axis=0).min()) if scored.any() else 0.0
        contributions[FIELDS.index(weighted[0]), ~scored] = lowest
    return contributions


def weighted_mean(normal: Mapping[str, NDArray[np.float32]], weights: Mapping[str, float]) -> NDArray[np.float32]:
    """Return the sum of what `fuse_dense` returns, shape (videos,), NaN for a video with none of the fields.

    It needs a third of the time and memory.
    """
    weighted = _weighted(normal, weights)
    if len(weighted) == 1:
        return normal[weighted[0]]
    videos = len(next(iter(normal.values())))
    sums, total = np.zeros(videos, np.float32), np.zeros(videos, np.float32)
    for field in weighted:
        present = ~np.isnan(normal[field])
        sums[present] += np.float32(weights[field]) * normal[field][present]
        total[present] += np.float32(weights[field])
    return np.where(total > 0, sums / np.maximum(total, np.float32(1e-9)), np.float32(np.nan))


def fuse_keyword(split: Scores, normal: NDArray[Any]) -> Scores:
    """Return the contributions of one analyser, shape (FIELDS, videos): the normalised scores, divided among the fields
    in the proportions of BM25F.

    Args:
        split: the BM25F scores by TEXT_FIELDS, shape (TEXT_FIELDS, videos).
        normal: what the Normaliser made of them, shape (videos,).
    """
    scores = split.sum(axis=0)
    contributions = np.zeros((len(FIELDS), split.shape[1]))
    with np.errstate(invalid="ignore", divide="ignore"):
        contributions[: len(TEXT_FIELDS)] = np.where(scores > 0, split / scores, 0.0) * normal
    return contributions


def _weighted(found: Mapping[str, Any], weights: Mapping[str, float]) -> list[str]:
    return [field for field in FIELDS if weights.get(field, 0.0) > 0 and field in found]
