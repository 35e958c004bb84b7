"""What the whole video adds to a score -> what each of its passages adds to that.

By an encoder that pools by the mean, the vector of a whole video is the sum of its parts (index/whole_video.py), and so
is its cosine with the question. The score is the cosine above that of an average video, in standard deviations: the
average is divided among the passages by their tokens. So are the errors of half precision and of the encoder's
rounding: the parts of the score add up to it exactly.

Of other encoders, the parts are an estimate: each field gets a share by how
much nearer than usual its best passage is to the question. It does not see what a field adds by its context.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Vectors
from retrieval.index.documents import FIELDS, OVERVIEW, TEXT_FIELDS
from retrieval.index.generation import Generation
from retrieval.index.whole_video import PartsOfVideos
from retrieval.search.answer import Ranking


class Share(NamedTuple):
    """What a passage of a video, by field and number, adds to the contribution of the whole video."""

    field: str
    passage: int
    contribution: float


def whole_video_shares(
    generation: Generation, ranking: Ranking, videos: Sequence[int], encoder: int
) -> list[tuple[list[Share], bool]]:
    """Return for each video the shares of its passages in what the whole video adds to its score by one encoder, and
    whether they are exact. They add up to it; there are none if it adds nothing."""
    places = ranking.at(videos)
    totals = ranking.dense[encoder, FIELDS.index(OVERVIEW), places]
    vector = ranking.vectors[encoder] if ranking.vectors else None
    if vector is None or not totals.any():
        return [([], True) for _ in videos]
    parts = generation.parts[encoder].of(videos)
    of_clauses = ranking.clauses[encoder] if ranking.clauses else None
    by_clauses = 0.0 if of_clauses is None else of_clauses.contributions[places]
    cosines = ranking.best[encoder][OVERVIEW].cosines[places].astype(np.float64)
    above = _divided(parts, parts.sums @ vector, cosines, ranking.averages[encoder, places], totals - by_clauses)
    if of_clauses is not None:
        nearest = of_clauses.vectors[of_clauses.best[places]]
        along = np.einsum("pd,pd->p", parts.sums, nearest[parts.owners])
        above += _divided(
            parts, along, parts.added(along), of_clauses.averages[places], of_clauses.contributions[places]
        )
    numbers = zip(parts.fields.tolist(), parts.passages.tolist(), above.tolist(), strict=True)
    shares = [Share(FIELDS[field], passage, contribution) for field, passage, contribution in numbers]
    there = (totals != 0) & generation.rows[OVERVIEW].present[list(videos)]
    unknown = [
        video
        for number, video in enumerate(videos)
        if there[number] and parts.starts[number] == parts.starts[number + 1]
    ]
    estimated = _estimated(generation, vector, unknown, encoder)
    return [
        ([share._replace(contribution=total * share.contribution) for share in estimated[video]], False)
        if video in estimated
        else (shares[parts.of(number)] if there[number] else [], True)
        for number, (video, total) in enumerate(zip(videos, totals.tolist(), strict=True))
    ]


def _divided(
    parts: PartsOfVideos,
    along: NDArray[Any],
    cosines: NDArray[np.float64],
    averages: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the shares of the passages in the contributions of some videos, shape (parts,).

    Args:
        along: the part of each passage in the cosine of its video, which adds nothing where it is the average.
        cosines, averages, totals: of each video. The totals are the contributions.
    """
    owners = parts.owners
    tokens = parts.tokens / parts.added(parts.tokens)[owners]
    above_average = cosines - averages
    near = np.abs(above_average) <= 1e-9
    scales = np.where(near, 0.0, totals / np.where(near, 1.0, above_average))
    above = scales[owners] * (along - tokens * averages[owners])
    divided: NDArray[np.float64] = above + tokens * (totals - parts.added(above))[owners]
    return divided


def _estimated(generation: Generation, vector: Vectors, videos: Sequence[int], encoder: int) -> dict[int, list[Share]]:
    """Return for each of some videos the shares of the best passages of its fields in a contribution of 1."""
    if not videos:
        return {}
    spread, ascending = generation.spreads[encoder], np.unique(np.array(videos, np.int64))
    rows = [generation.rows[field].first_of(ascending) for field in TEXT_FIELDS]
    pairs = zip(TEXT_FIELDS, rows, strict=True)
    vectors = [generation.dense[encoder][field].at(of_field) for field, (of_field, _) in pairs]
    near = spread.deviations(spread.directions(np.concatenate(vectors)), spread.directions(vector[None]))[:, 0]
    by_field = np.split(near, np.cumsum([len(of_field) for of_field, _ in rows])[:-1])
    starts = [np.searchsorted(owners, np.arange(len(ascending) + 1)).tolist() for _, owners in rows]
    found: dict[int, list[Share]] = {}
    for number, video in enumerate(ascending.tolist()):
        best = []
        for field, of_field, start in zip(TEXT_FIELDS, by_field, starts, strict=True):
            of_video = of_field[start[number] : start[number + 1]]
            if len(of_video):
                best.append(Share(field, int(of_video.argmax()), max(0.0, float(of_video.max()))))
        total = sum(share.contribution for share in best)
        found[video] = [
            share._replace(contribution=share.contribution / total if total else 1 / len(best)) for share in best
        ]
    return found
