"""Scores by retriever and field -> one score per video, as a sum of contributions that explain it.

Two retrievers are fused: dense (a cosine per field) and keyword (BM25F by three analysers, split by field). Each fusion
method works on one query at a time and gives every retriever a matrix (fields, videos) of contributions. A video's
score is the sum over both.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ingest.settings import FusionMethod, SearchMode
from retrieval.errors import BadWeights
from retrieval.index.documents import FIELD_ALIASES, FIELDS, TEXT_FIELDS, field_id

Method = FusionMethod
Mode = SearchMode
Retriever = Literal["dense", "keyword", "reranker"]  # where a contribution comes from
Scores = NDArray[np.float64]
METHODS: tuple[Method, ...] = ("zscore", "dbsf", "rrf")
MODES: tuple[Mode, ...] = ("hybrid", "dense", "keyword")
# A score is a weighted sum of these parts: the dense retriever, once for each encoder, and the keyword retriever's
# three analysers. The names are those of their weights in FusionWeights.
DENSE_PART = "dense_retriever"
KEYWORD_PARTS = ("stems", "char_ngrams", "bigrams")

MAX_WEIGHT = 5.0  # of a field, multiplied with its tuned weight; with more, only that field would count
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
                shown = [FIELD_ALIASES.get(field, field) for field in FIELDS]
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


def rank_positions(scores: Scores) -> Scores:
    """Return the rank of each score, 1 for the highest. Equal scores keep their order; NaN is last."""
    order = np.argsort(-np.where(np.isnan(scores), -np.inf, scores), kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    return ranks


def _deviation(scores: Scores) -> float:
    """Return the standard deviation, or 0 if it is only the rounding error of equal scores."""
    deviation = float(scores.std()) if len(scores) else 0.0
    return deviation if deviation > EQUAL * float(np.abs(scores).max(initial=0.0)) else 0.0


def _zscore(scores: Scores, present: NDArray[np.bool_]) -> Scores:
    deviation = _deviation(scores[present])
    # One video, or all with the same score: there is no spread to normalise by, but still a score to explain.
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
    """Return the contributions of the dense retriever, shape (FIELDS, videos).

    Each field's cosines (NaN if a video does not have the field) are normalised over the videos that have it. A video's
    contributions are the weighted mean over its fields, so the weight of a missing field goes to the others. A video
    with none of the weighted fields gets the lowest score of all others, as a contribution of the first such field.
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
    """Return the contributions of one analyser, shape (FIELDS, videos), from its BM25F split by TEXT_FIELDS.

    The sum over the fields is normalised without moving its zero, so that a video without any matching term gets 0. It
    is then divided among the fields in the proportions of BM25F.
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
