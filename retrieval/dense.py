"""One FAISS index per field: passages' unit vectors, ordered by video, searched exactly.

Inner products of every passage come from one `range_search` below any possible score, which unlike a top-k search sorts
nothing; a video scores in a field as its best passage does.
"""

from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.encoder import Vectors

_BELOW_ANY_COSINE = -2.0


class DenseIndex:
    """The passages of one field. `starts` has length videos + 1: video v owns rows starts[v] to starts[v + 1]."""

    def __init__(self, index: "faiss.Index", starts: NDArray[np.int64]) -> None:
        self._index = index
        self._starts = starts
        self.present: NDArray[np.bool_] = np.diff(starts) > 0

    @classmethod
    def build(cls, vectors: Vectors, starts: NDArray[np.int64]) -> "DenseIndex":
        """From unit vectors, shape (passages, dimension), in the order that `starts` describes."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return cls(index, starts)

    def save(self, folder: Path, field: str) -> None:
        """Write `field`.faiss and `field`.starts.npy."""
        faiss.write_index(self._index, str(folder / f"{field}.faiss"))
        np.save(folder / f"{field}.starts.npy", self._starts)

    @classmethod
    def load(cls, folder: Path, field: str) -> "DenseIndex":
        return cls(faiss.read_index(str(folder / f"{field}.faiss")), np.load(folder / f"{field}.starts.npy"))

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
        """Each video's best passage, shape (videos,); NaN where the video has none in this field."""
        scores = np.full(len(self.present), np.nan)
        if self.passages:
            scores[self.present] = np.maximum.reduceat(passage_scores, self._starts[:-1][self.present])
        return scores

    def best_row(self, passage_scores: NDArray[np.float32], video: int) -> int:
        """The row of the video's best passage."""
        start, end = int(self._starts[video]), int(self._starts[video + 1])
        return start + int(passage_scores[start:end].argmax())

    def rows(self, video: int) -> range:
        """The rows of a video's passages."""
        return range(int(self._starts[video]), int(self._starts[video + 1]))
