"""What the whole video adds to a score -> what each of its passages adds to that.

By an encoder that pools by the mean, the vector of a whole video is the sum of its parts (index/whole_video.py), and so
is its cosine with the question. The score is the cosine above that of an average video, in standard deviations: the
average is divided among the passages by their tokens. So are the errors of half precision and of the encoder's
rounding: the parts of the score add up to it exactly.

Of other encoders, the parts are an estimate: each field gets a share by how
much nearer than usual its best passage is to the question. It does not see what a field adds by its context.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Vectors
from retrieval.index.documents import FIELDS, OVERVIEW, TEXT_FIELDS
from retrieval.index.generation import Generation
from retrieval.index.whole_video import PartsOfVideo
from retrieval.search.answer import Ranking
from retrieval.search.clauses import of_place


@dataclass(frozen=True)
class Share:
    """What a passage of a video, by field and number, adds to the contribution of the whole video."""

    field: str
    passage: int
    contribution: float


def whole_video_shares(generation: Generation, ranking: Ranking, video: int, encoder: int) -> tuple[list[Share], bool]:
    """Return the shares of the passages in what the whole video adds to a score by one encoder, and whether they are
    exact. They add up to it; there are none if it adds nothing."""
    place = ranking.place(video)
    total = float(ranking.dense[encoder, FIELDS.index(OVERVIEW), place])
    vector = ranking.vectors[encoder] if ranking.vectors else None
    if not total or vector is None or not generation.rows[OVERVIEW].present[video]:
        return [], True
    parts = generation.parts[encoder].of(video)
    if not parts.passages:
        return _estimated(generation, vector, video, encoder, total), False
    of_clause = of_place(ranking.clauses, encoder, place)
    by_question = total - (of_clause[2] if of_clause else 0.0)
    cosine = float(ranking.best[encoder][OVERVIEW].cosines[place])
    above = _divided(parts, parts.sums @ vector, cosine, float(ranking.averages[encoder, place]), by_question)
    if of_clause:
        along = parts.sums @ of_clause[0]
        above += _divided(parts, along, float(along.sum()), *of_clause[1:])
    return [
        Share(FIELDS[field], passage, contribution)
        for (field, passage), contribution in zip(parts.passages, above.tolist(), strict=True)
    ], True


def _divided(
    parts: PartsOfVideo, along: NDArray[Any], cosine: float, average: float, total: float
) -> NDArray[np.float64]:
    """Return the shares of the passages in a contribution.

    Args:
        along: the part of each passage in the cosine, which adds nothing where it is the `average`.
    """
    tokens = parts.tokens / parts.tokens.sum()
    scale = total / (cosine - average) if abs(cosine - average) > 1e-9 else 0.0
    above = scale * (along - tokens * average)
    divided: NDArray[np.float64] = above + tokens * (total - above.sum())
    return divided


def _estimated(generation: Generation, vector: Vectors, video: int, encoder: int, total: float) -> list[Share]:
    spread = generation.spreads[encoder]
    wanted = spread.directions(vector[None])
    best: list[tuple[float, str, int]] = []
    for field in TEXT_FIELDS:
        if generation.rows[field].present[video]:
            rows = generation.rows[field].of(video)
            near = spread.deviations(spread.directions(generation.dense[encoder][field].vectors(rows)), wanted)[:, 0]
            best.append((float(near.max()), field, int(near.argmax())))
    weights = np.maximum([near for near, _, _ in best], 0.0)
    if not weights.sum():
        weights = np.ones(len(best))
    shares = total * weights / weights.sum()
    return [Share(field, number, share) for (_, field, number), share in zip(best, shares.tolist(), strict=True)]
