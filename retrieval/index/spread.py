"""How the passages of an index are spread around their mean: what a usual similarity with any direction is.

Vectors of texts lie in a narrow cone (those of e5 have cosines of 0.7 to 0.9 with everything). Seen from their mean,
they differ, and a similarity can be given in standard deviations above the usual one.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Vectors
from retrieval.index.dense import DenseIndex
from retrieval.index.documents import TEXT_FIELDS

SAMPLE = 8_192  # passages: enough for the covariance of a few hundred dimensions, in a tenth of a second


class Spread:
    """The mean of the passages of one encoder, and the covariance of their directions from it."""

    def __init__(self, indexes: Mapping[str, DenseIndex]) -> None:
        total = max(1, sum(indexes[field].rows.passages for field in TEXT_FIELDS))
        step = max(1, total // SAMPLE)
        found = np.concatenate([indexes[field].every(step) for field in TEXT_FIELDS])
        self._mean = found.mean(axis=0) if len(found) else np.zeros(found.shape[1], np.float32)
        directions = self.directions(found)
        self._usual = directions.mean(axis=0) if len(found) else self._mean
        self._covariance = (directions - self._usual).T @ (directions - self._usual) / max(1, len(found))

    def directions(self, vectors: Vectors) -> NDArray[np.float32]:
        """Return where vectors lie from the mean, as unit vectors, shape (rows, dimension)."""
        away: NDArray[np.float32] = vectors - self._mean
        lengths = np.sqrt(np.einsum("rd,rd->r", away, away))
        away /= np.maximum(lengths, 1e-6)[:, None]
        return away

    def deviations(self, directions: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return how many standard deviations more than a usual passage each of `directions` has of each of `wanted`.

        Shapes: (rows, dimension) and (wanted, dimension) give (rows, wanted).
        """
        variances = np.einsum("wd,wd->w", wanted @ self._covariance, wanted)
        deviations = np.sqrt(np.maximum(0.0, variances))
        above = directions @ wanted.T - wanted @ self._usual
        return np.asarray(above / np.where(deviations > 1e-6, deviations, 1.0), np.float64)
