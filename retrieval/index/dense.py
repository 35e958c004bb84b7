"""One FAISS index per field: passages' unit vectors, ordered by video, searched exactly.

Inner products of every passage come from one `range_search` below any possible score, which unlike a top-k search sorts
nothing; a video scores in a field as its best passage does.

Some overviews are hubs: near to nearly every question, whatever it asks. How near a video is to the transcripts of
*others* tells how much of a cosine is that, and a share of it is taken off (the idea of CSLS, Conneau et al. 2018).
"""

from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Vectors

HUB_SHARE = 0.5  # of the hubness that is taken off a cosine; chosen in docs/explanation/scoring.md
HUB_NEIGHBOURS = 10
HUB_SAMPLE = 20_000  # passages that stand for all: keeps a build of 50,000 videos within a minute
_HUB_BLOCK = 256  # videos compared at once
_BELOW_ANY_COSINE = -2.0


def hubness(
    vectors: Vectors, starts: NDArray[np.int64], others: Vectors, other_starts: NDArray[np.int64]
) -> NDArray[np.float32]:
    """How near each video comes to what others say: its mean cosine with the HUB_NEIGHBOURS nearest of their passages.

    Args:
        vectors, starts: one passage a video at most, and who owns it (as in DenseIndex).
        others, other_starts: the passages it is compared with.
    Returns: shape (videos,); 0 for all where there are too few passages to tell.
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


def files_of(field: str) -> list[str]:
    """The names of what `DenseIndex.save` writes of a field."""
    return [f"{field}.{end}" for end in ("faiss", "starts.npy", "hubs.npy")]


class DenseIndex:
    """The passages of one field. `starts` has length videos + 1: video v owns rows starts[v] to starts[v + 1].

    `hubs` has length videos: HUB_SHARE of it is taken off a video's cosine.
    """

    def __init__(self, index: "faiss.Index", starts: NDArray[np.int64], hubs: NDArray[np.float32] | None) -> None:
        self._index = index
        self._starts = starts
        self._hubs = np.zeros(len(starts) - 1, np.float32) if hubs is None else hubs
        self.present: NDArray[np.bool_] = np.diff(starts) > 0

    @classmethod
    def build(
        cls, vectors: Vectors, starts: NDArray[np.int64], hubs: NDArray[np.float32] | None = None
    ) -> "DenseIndex":
        """From unit vectors, shape (passages, dimension), in the order that `starts` describes."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return cls(index, starts, hubs)

    def save(self, folder: Path, field: str) -> None:
        """Write `field`.faiss, `field`.starts.npy and `field`.hubs.npy."""
        faiss.write_index(self._index, str(folder / f"{field}.faiss"))
        np.save(folder / f"{field}.starts.npy", self._starts)
        np.save(folder / f"{field}.hubs.npy", self._hubs)

    @classmethod
    def load(cls, folder: Path, field: str) -> "DenseIndex":
        starts, hubs = (np.load(folder / f"{field}.{name}.npy") for name in ("starts", "hubs"))
        return cls(faiss.read_index(str(folder / f"{field}.faiss")), starts, hubs)

    @property
    def passages(self) -> int:
        return int(self._index.ntotal)

    def passage_scores(self, query: Vectors) -> NDArray[np.float32]:
        """The cosine of every passage with the query vector (dimension,), shape (passages,)."""
        scores = np.empty(self.passages, np.float32)
        _, distances, rows = self._index.range_search(query[None, :], _BELOW_ANY_COSINE)
        scores[rows] = distances
        return scores

    def video_scores(self, passage_scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Each video's best passage less its share of hubness, shape (videos,); NaN where it has none in this field."""
        scores = np.full(len(self.present), np.nan)
        if self.passages:
            best = np.maximum.reduceat(passage_scores, self._starts[:-1][self.present])
            scores[self.present] = best - HUB_SHARE * self._hubs[self.present]
        return scores

    def vector(self, row: int) -> NDArray[np.float32]:
        """The unit vector of a passage, shape (dimension,)."""
        return np.asarray(self._index.reconstruct(row), np.float32)

    def best_row(self, passage_scores: NDArray[np.float32], video: int) -> int:
        """The row of the video's best passage."""
        start, end = int(self._starts[video]), int(self._starts[video + 1])
        return start + int(passage_scores[start:end].argmax())

    def rows(self, video: int) -> range:
        """The rows of a video's passages."""
        return range(int(self._starts[video]), int(self._starts[video + 1]))
