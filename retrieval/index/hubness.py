"""How close each video is to almost every question: its hubness.

Some videos are hubs: their whole text is close to almost every question. A video's mean cosine with the transcripts of
*other* videos measures this, and a share of it is subtracted (the idea of CSLS, Conneau et al. 2018).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Vectors
from retrieval.index.documents import OVERVIEW
from retrieval.index.segment import Used

NEIGHBOURS = 10
SAMPLE = 20_000  # passages to compare with: this part of a build of 50,000 videos takes less than a minute
GROWTH = 1.5  # above SAMPLE passages, the hubness of all is computed anew when there are so many times the videos
FOLLOWED = 4_096  # videos of which a server computes it anew for each change: a tenth of a second
_BLOCK = 256  # videos compared at once
_SPEECH = "transcript"


@dataclass(frozen=True)
class Hubs:
    """The hubness of all videos, shape (encoders, videos), and how many there were when all were last computed.

    `final` says that a build has computed it for exactly these videos.
    """

    values: NDArray[np.float32]
    of: int
    final: bool = False


def hubness(used: Sequence[Used], encoders: int, known: Hubs | None = None, *, quick: bool = False) -> Hubs:
    """Return each video's mean cosine with the NEIGHBOURS nearest passages of speech of other videos.

    It is 0 for deleted videos, and for all if there are too few passages. Of many passages, a sample counts: those of
    the videos whose digests are lowest. What is `known` of a video is kept then, until the corpus has grown much.

    Args:
        known: what the videos had so far; NaN for new ones.
        quick: whether what is known is kept in a smaller corpus as well, up to the next build.
    """
    if known and known.final:
        return Hubs(np.nan_to_num(known.values), known.of)
    alive = int(sum(np.count_nonzero(one.alive) for one in used))
    spoken = [_counts(one, _SPEECH) for one in used]
    sampled = int(sum(counts.sum() for counts in spoken)) > SAMPLE
    keep = sampled or (quick and alive > FOLLOWED)
    kept = known if keep and known and alive < GROWTH * known.of else None
    chosen = _sample(used, spoken) if sampled else [counts > 0 for counts in spoken]
    rows = [_values(used, chosen, encoder, kept) for encoder in range(encoders)]
    videos = sum(len(one.alive) for one in used)
    return Hubs(np.array(rows, np.float32).reshape(encoders, videos), kept.of if kept else alive)


def mean_of_nearest(
    vectors: Vectors, videos: NDArray[np.int64], others: Vectors, owners: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the mean cosine of each vector with its NEIGHBOURS nearest `others`, without those of its own video."""
    cosines = vectors @ others.T
    cosines[owners[None, :] == videos[:, None]] = -1.0
    return np.asarray(np.partition(cosines, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:].mean(axis=1), np.float32)


def _values(
    used: Sequence[Used], chosen: Sequence[NDArray[np.bool_]], encoder: int, kept: Hubs | None
) -> NDArray[np.float32]:
    found = np.zeros(sum(len(one.alive) for one in used), np.float32)
    wanted = np.concatenate([one.alive & (_counts(one, OVERVIEW) > 0) for one in used])
    if kept:
        old = kept.values[encoder]
        found[~np.isnan(old)] = old[~np.isnan(old)]
        wanted &= np.isnan(old)
    found[~np.concatenate([one.alive for one in used])] = 0.0
    if not wanted.any():
        return found
    others, owners = _speech(used, chosen, encoder)
    if len(np.unique(owners)) <= NEIGHBOURS:
        return np.zeros_like(found)
    first = 0
    for one in used:
        index = one.segment.vectors(OVERVIEW, encoder)
        videos = np.flatnonzero(wanted[first : first + len(one.alive)])
        for start in range(0, len(videos), _BLOCK):
            block = videos[start : start + _BLOCK]
            found[first + block] = mean_of_nearest(index.of_videos(block), first + block, others, owners)
        first += len(one.alive)
    return found


def _speech(
    used: Sequence[Used], chosen: Sequence[NDArray[np.bool_]], encoder: int
) -> tuple[Vectors, NDArray[np.int64]]:
    """Return the vectors of what is said in the chosen videos, and the number of the video of each."""
    vectors, owners, first = [np.zeros((0, 0), np.float32)], [np.zeros(0, np.int64)], 0
    for one, videos in zip(used, chosen, strict=True):
        if videos.any():
            index = one.segment.vectors(_SPEECH, encoder)
            numbers = np.flatnonzero(videos)
            vectors.append(index.of_videos(numbers))
            owners.append(first + np.repeat(numbers, index.rows.counts_of(numbers)))
        first += len(one.alive)
    return np.concatenate(vectors[1:]) if len(vectors) > 1 else vectors[0], np.concatenate(owners)


def _counts(one: Used, field: str) -> NDArray[np.int64]:
    """Return how many passages of a field each video has; none if it is deleted."""
    return np.where(one.alive, one.segment.rows[field].counts, 0)


def _sample(used: Sequence[Used], spoken: Sequence[NDArray[np.int64]]) -> list[NDArray[np.bool_]]:
    """Choose videos until they have SAMPLE passages. The choice depends on what they are, not on their numbers."""
    counts = np.concatenate(spoken)
    digests = np.concatenate([one.segment.contents[:, :8] for one in used])
    order = np.argsort(np.ascontiguousarray(digests).view(">u8").ravel(), kind="stable")
    order = order[counts[order] > 0]
    enough = int(np.searchsorted(np.cumsum(counts[order]), SAMPLE)) + 1
    chosen = np.zeros(len(counts), np.bool_)
    chosen[order[:enough]] = True
    return np.split(chosen, np.cumsum([len(one.alive) for one in used])[:-1])
