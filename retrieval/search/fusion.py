"""Scores of lanes and fields -> one score per video, as a sum of contributions that explain it.

Two lanes are fused: dense (a cosine per field) and keyword (BM25F, three analysers, split by field). Every rule here is
per query and gives a matrix (fields, videos) of contributions a lane; a video's score is the plain sum over both.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from retrieval.index.documents import FIELDS, TEXT_FIELDS

Method = Literal["zscore", "dbsf", "rrf"]
Lane = Literal["hybrid", "dense", "keyword"]
Scores = NDArray[np.float64]
METHODS: tuple[Method, ...] = ("zscore", "dbsf", "rrf")
LANES: tuple[Lane, ...] = ("hybrid", "dense", "keyword")
# what a score is a weighted sum of, by the names of its weights below: the dense lane, and the keyword lane's analysers
PARTS = ("dense_lane", "words", "grams", "pairs")

MAX_WEIGHT = 5.0  # of a field on top of its own weight; beyond it nothing else counts
EQUAL = 1e-9  # scores that differ by less than this share of themselves are the same
RRF_K = 60  # Cormack, Clarke and Buettcher 2009
DBSF_SIGMAS = 3.0  # Mazzeschi 2023: mean plus and minus three standard deviations become 1 and 0


def parse_weights(assignments: Iterable[str]) -> dict[str, float]:
    """ "transcript=2" and the like -> weights by field.

    Raises:
        ValueError: no such field, or no number from 0 to MAX_WEIGHT.
    """
    weights = {}
    for assignment in assignments:
        field, _, number = assignment.partition("=")
        if field not in FIELDS:
            raise ValueError(f"no field {field!r}; the fields are {', '.join(FIELDS)}")
        try:
            weights[field] = float(number)
        except ValueError:
            raise ValueError(f"the weight of {field} is a number like {field}=1.5, not {number!r}") from None
        if not 0 <= weights[field] <= MAX_WEIGHT:
            raise ValueError(f"the weight of {field} lies between 0 and {MAX_WEIGHT:g}")
    return weights


def rank_positions(scores: Scores) -> Scores:
    """The 1-based place of each score, highest first; ties in the order they stand; NaN last."""
    order = np.argsort(-np.where(np.isnan(scores), -np.inf, scores), kind="stable")
    places = np.empty(len(scores))
    places[order] = np.arange(1, len(scores) + 1)
    return places


def _deviation(scores: Scores) -> float:
    """The standard deviation, 0 where it is only the rounding of equal scores."""
    deviation = float(scores.std()) if len(scores) else 0.0
    return deviation if deviation > EQUAL * float(np.abs(scores).max(initial=0.0)) else 0.0


def _zscore(scores: Scores, present: NDArray[np.bool_]) -> Scores:
    deviation = _deviation(scores[present])
    # one video alone, or all alike: nothing to tell apart, but still a score to explain
    return (scores - scores[present].mean()) / deviation if deviation else scores


def _dbsf(scores: Scores, present: NDArray[np.bool_]) -> Scores:
    return np.clip(_zscore(scores, present) / (2 * DBSF_SIGMAS) + 0.5, 0.0, 1.0)


def _rrf(scores: Scores, present: NDArray[np.bool_]) -> Scores:
    return 1.0 / (RRF_K + rank_positions(np.where(present, scores, np.nan)))


_NORMALISE: dict[Method, Callable[[Scores, NDArray[np.bool_]], Scores]] = {
    "zscore": _zscore,
    "dbsf": _dbsf,
    "rrf": _rrf,
}


def fuse_dense(cosines: Mapping[str, Scores], weights: Mapping[str, float], method: Method) -> Scores:
    """Contributions of the dense lane, shape (FIELDS, videos).

    Each field's cosines (NaN: the video has no such field) are normalised over the videos that have it. A video's
    contributions are the weighted mean over *its* fields: the weight of an absent field goes to those that are there.
    A video with none of the weighted fields gets the lowest score that any other has, on the first such field's line.
    """
    videos = len(next(iter(cosines.values()))) if cosines else 0
    contributions, total = np.zeros((len(FIELDS), videos)), np.zeros(videos)
    weighted = [field for field in FIELDS if weights.get(field, 0.0) > 0 and field in cosines]
    for field in weighted:
        present = ~np.isnan(cosines[field])
        normal = _NORMALISE[method](np.nan_to_num(cosines[field]), present)
        contributions[FIELDS.index(field)] = np.where(present, weights[field] * normal, 0.0)
        total += np.where(present, weights[field], 0.0)
    scored = total > 0
    contributions[:, scored] /= total[scored]
    if scored.any() and not scored.all():
        contributions[FIELDS.index(weighted[0]), ~scored] = contributions[:, scored].sum(axis=0).min()
    return contributions


def fuse_keyword(split: Scores, method: Method) -> Scores:
    """Contributions of one analyser, shape (FIELDS, videos), from its BM25F split by TEXT_FIELDS.

    The whole score is normalised without moving its zero (no word matched: nothing contributed), which ranks the same,
    and is shared out among the fields as BM25F shares it.
    """
    scores = split.sum(axis=0)
    if method == "rrf":
        normal = np.where(scores > 0, 1.0 / (RRF_K + rank_positions(scores)), 0.0)
    else:
        normal = scores / (_deviation(scores) or scores.max(initial=0.0) or 1.0)
        if method == "dbsf":
            normal = np.clip(normal / (2 * DBSF_SIGMAS), 0.0, 1.0)
    contributions = np.zeros((len(FIELDS), split.shape[1]))
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(scores > 0, split / scores, 0.0)
    contributions[: len(TEXT_FIELDS)] = shares * normal
    return contributions
