"""A question's vectors and words -> the contributions of each retriever to the score of every video."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.text.words import words
from retrieval.embedding.encoder import Vectors
from retrieval.index.documents import FIELDS, OVERVIEW
from retrieval.index.generation import Generation
from retrieval.search.conditions import Condition
from retrieval.search.fusion import Method, Scores, dense_part, fuse_dense, fuse_keyword
from retrieval.search.understand import preference_scores

QueryVectors = Sequence[Vectors | None]  # a question's unit vectors by the encoders of the generation; None: no part


@dataclass(frozen=True)
class DenseScores:
    """What the encoders found.

    Attributes:
        contributions: of each encoder and field to each video's score, shape (encoders, fields, videos).
        parts: each encoder's score before its weight, shape (videos,), by the part's name.
        passages: for each encoder, the cosines of the passages of the fields that count.
    """

    contributions: Scores
    parts: dict[str, Scores]
    passages: list[dict[str, NDArray[np.float32]]]


@dataclass(frozen=True)
class KeywordScores:
    """What the analysers found: contributions, shape (fields, videos), parts as above, idfs of terms by analyser."""

    contributions: Scores
    parts: dict[str, Scores]
    idfs: dict[str, dict[str, float]]


def dense_scores(
    generation: Generation,
    vectors: QueryVectors,
    share: Sequence[float],
    weights: Mapping[str, float],
    method: Method,
) -> DenseScores:
    """Score every video by its vectors.

    Args:
        vectors: of the question, one for each encoder of the generation.
        share: by what the weight of each encoder is multiplied; 0 leaves it out.
        weights: by field; a field with 0 is not scored.
    """
    manifest = generation.manifest
    shape = (len(FIELDS), len(generation.ids))
    found = DenseScores(np.zeros((len(vectors), *shape)), {}, [{} for _ in vectors])
    for number, (used, vector) in enumerate(zip(manifest.encoders, vectors, strict=True)):
        part = dense_part(used.name, manifest.encoder_names)
        found.parts[part] = np.zeros(shape[1])
        if vector is None or not share[number]:
            continue
        index = generation.dense[number]
        passages = {field: index[field].passage_scores(vector) for field, weight in weights.items() if weight > 0}
        cosines = {field: index[field].video_scores(scores) for field, scores in passages.items()}
        normal = share[number] * fuse_dense(cosines, weights, method)
        found.passages[number] = passages
        found.parts[part] = normal.sum(axis=0)
        found.contributions[number] = manifest.weights.of_encoder(used.name) * normal
    return found


def keyword_scores(
    generation: Generation, text: str, preferred: Sequence[Condition], weights: Scores, method: Method
) -> KeywordScores:
    """Score every video by its words.

    Args:
        preferred: tags and creators whose videos count more.
        weights: by field, shape (TEXT_FIELDS,).
    """
    found = {name: index.scores(text, weights) for name, index in generation.keyword.items()}
    if preferred:
        split, idfs = found["stems"]
        found["stems"] = split + preference_scores(generation, preferred, weights), idfs
    contributions, parts = np.zeros((len(FIELDS), len(generation.ids))), dict[str, Scores]()
    for name, (split, _) in found.items():
        normal = fuse_keyword(split, method)
        parts[name] = normal.sum(axis=0)
        contributions += generation.manifest.weights.of_part(name) * normal
    return KeywordScores(contributions, parts, {name: idfs for name, (_, idfs) in found.items()})


def is_known_emoji(generation: Generation, text: str) -> bool:
    """Return whether a question has nothing but emoji, and some text has one of them."""
    if {word.kind for word in words(text)} != {"emoji"}:
        return False
    stems = generation.keyword["stems"]
    return any(stems.has(form) for term in stems.query_terms(text) for form in term.forms)


def nearest(generation: Generation, video: int, shown: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Scores]:
    """Return the videos whose whole text is closest in meaning to that of `video`, the closest first, and all cosines.

    With several encoders, a cosine is the mean of theirs, and z-scores decide the order, because the cosines of
    encoders have different ranges. There are none if the video has no text, or the generation no vectors.

    Args:
        shown: which videos may be among them, shape (videos,).
    """
    rows = generation.rows[OVERVIEW]
    none = np.empty(0, np.int64), np.empty(0)
    if not generation.dense or not rows.present[video]:
        return none
    cosines = np.array(
        [
            index[OVERVIEW].video_scores(index[OVERVIEW].passage_scores(index[OVERVIEW].vector(rows.of(video)[0])))
            for index in generation.dense
        ]
    )
    cosines[:, video] = np.nan
    cosines[:, ~shown] = np.nan
    if np.isnan(cosines).all():
        return none
    spread = np.nanstd(cosines, axis=1, keepdims=True)
    closeness = (cosines / np.where(spread > 0, spread, 1.0)).sum(axis=0)
    order = np.argsort(-closeness, kind="stable")
    return order[~np.isnan(closeness[order])], cosines.mean(axis=0)
