"""One FAISS index per encoder and field: the unit vectors of passages, ordered by video, searched exactly.

The inner products of all passages come from one `range_search` with a radius below any possible score, which does not
sort, unlike a top-k search. A video's score in a field is that of its best passage.

Some videos are hubs: their whole text is close to almost every question. A video's mean cosine with the transcripts of
*other* videos measures this, and a share of it is subtracted (the idea of CSLS, Conneau et al. 2018).
"""

from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Vectors
from retrieval.embedding.unit import unit_length
from retrieval.index.verified import VerifiedFiles

HUB_SHARE = 0.5  # of the hubness to subtract from a cosine; chosen in docs/explanation/scoring.md
HUB_NEIGHBOURS = 10
HUB_SAMPLE = 20_000  # passages to compare with: this part of a build of 50,000 videos takes less than a minute
_HUB_BLOCK = 256  # videos compared at once
_BELOW_ANY_COSINE = -2.0
_CHECKED = 16_384  # vectors whose length is checked at once


def hubness(
    vectors: Vectors, starts: NDArray[np.int64], others: Vectors, other_starts: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return each video's mean cosine with the HUB_NEIGHBOURS nearest passages of other videos, shape (videos,).

    It is 0 for all videos if there are too few passages.

    Args:
        vectors, starts: at most one passage per video, and the first row of each video (as in DenseIndex).
        others, other_starts: the passages to compare with.
    """
    owners = np.repeat(np.arange(len(other_starts) - 1), np.diff(other_starts))
    if len(owners) > HUB_SAMPLE:
        chosen = np.random.default_rng(0).permutation(len(owners))[:HUB_SAMPLE]
        others, owners = others[chosen], owners[chosen]
    found = np.zeros(len(starts) - 1, np.float32)
    if len(np.unique(owners)) <= HUB_NEIGHBOURS:
        return found
    present = np.flatnonzero(np.diff(starts))
    for first in range(0, len(present), _HUB_BLOCK):
        videos = present[first : first + _HUB_BLOCK]
        cosines = vectors[starts[videos]] @ others.T
        cosines[owners[None, :] == videos[:, None]] = -1.0
        found[videos] = np.partition(cosines, -HUB_NEIGHBOURS, axis=1)[:, -HUB_NEIGHBOURS:].mean(axis=1)
    return found


class PassageRows:
    """The rows of a field's passages, the same for every encoder.

    `starts` has length videos + 1: video v has the rows starts[v] to starts[v + 1].
    """

    def __init__(self, starts: NDArray[np.int64]) -> None:
        self._starts = starts
        self.present: NDArray[np.bool_] = np.diff(starts) > 0

    def save(self, folder: Path, field: str) -> None:
        """Write `field`.starts.npy."""
        np.save(folder / f"{field}.starts.npy", self._starts)

    @classmethod
    def load(cls, files: VerifiedFiles, field: str) -> "PassageRows":
        """Load what `save` wrote.

        Raises:
            GenerationError: the file is missing or differs from its sha256.
            ValueError: the numbers are not in the order of the videos.
        """
        starts = files.array(f"{field}.starts.npy")
        if not len(starts) or starts[0] or (np.diff(starts) < 0).any():
            raise ValueError(f"the passages of {field} are not numbered in the order of the videos")
        return cls(starts)

    @property
    def videos(self) -> int:
        return len(self.present)

    @property
    def passages(self) -> int:
        return int(self._starts[-1])

    def of(self, video: int) -> range:
        """Return the rows of a video's passages."""
        return range(int(self._starts[video]), int(self._starts[video + 1]))

    def best_of(self, passage_scores: NDArray[np.float32], video: int) -> int:
        """Return the row of the video's best passage."""
        rows = self.of(video)
        return rows.start + int(passage_scores[rows.start : rows.stop].argmax())

    def highest(self, passage_scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the score of each video's best passage, shape (videos,); NaN without a passage."""
        scores = np.full(self.videos, np.nan)
        if self.passages:
            scores[self.present] = np.maximum.reduceat(passage_scores, self._starts[:-1][self.present])
        return scores


class DenseIndex:
    """The vectors of one encoder for the passages of one field, in the order of `rows`.

    `hubs` has length videos: HUB_SHARE of it is subtracted from a video's cosine.
    """

    def __init__(self, index: faiss.Index, rows: PassageRows, hubs: NDArray[np.float32] | None) -> None:
        self._index = index
        self.rows = rows
        self._hubs = np.zeros(rows.videos, np.float32) if hubs is None else hubs

    @classmethod
    def build(cls, vectors: Vectors, rows: PassageRows, hubs: NDArray[np.float32] | None = None) -> "DenseIndex":
        """Index unit vectors, shape (passages, dimension), in the order of `rows`."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return cls(index, rows, hubs)

    def save(self, folder: Path, field: str, encoder: int) -> None:
        """Write `field`.`encoder`.hubs.npy and `field`.`encoder`.faiss; `encoder` is its number in the manifest."""
        # Python writes the bytes: FAISS ignores an error at the end, when a full disk is noticed.
        (folder / f"{field}.{encoder}.faiss").write_bytes(faiss.serialize_index(self._index).data)
        np.save(folder / f"{field}.{encoder}.hubs.npy", self._hubs)

    @classmethod
    def load(cls, files: VerifiedFiles, rows: PassageRows, field: str, encoder: int) -> "DenseIndex":
        """Load what `save` wrote.

        Raises:
            GenerationError: a file is missing or differs from its sha256.
            ValueError: a vector is not of length 1, or the arrays contradict each other.
        """
        index = faiss.deserialize_index(np.frombuffer(files.read(f"{field}.{encoder}.faiss"), np.uint8))
        loaded = cls(index, rows, files.array(f"{field}.{encoder}.hubs.npy"))
        loaded._check(field)
        return loaded

    def _check(self, field: str) -> None:
        if len(self._hubs) != self.rows.videos or not np.isfinite(self._hubs).all():
            raise ValueError(f"a hubness of {field} is not a number")
        count = int(self._index.ntotal)
        if count != self.rows.passages:
            raise ValueError(f"{field} has {count} vectors for {self.rows.passages} passages")
        bad = 0
        for start in range(0, count, _CHECKED):
            block = self._index.reconstruct_n(start, min(_CHECKED, count - start))
            bad += int(np.count_nonzero(~unit_length(block)))
        if bad:
            raise ValueError(f"{bad} of {count} vectors of {field} do not have the length 1")

    def passage_scores(self, query: Vectors) -> NDArray[np.float32]:
        """Return the cosine of every passage with the query vector (dimension,), shape (passages,)."""
        scores = np.empty(self.rows.passages, np.float32)
        _, distances, rows = self._index.range_search(query[None, :], _BELOW_ANY_COSINE)
        scores[rows] = distances
        return scores

    def video_scores(self, passage_scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the score of each video's best passage less its hubness, shape (videos,); NaN without a passage."""
        return self.rows.highest(passage_scores) - HUB_SHARE * self._hubs

    def vector(self, row: int) -> NDArray[np.float32]:
        """Return the unit vector of a passage, shape (dimension,)."""
        return np.asarray(self._index.reconstruct(row), np.float32)
