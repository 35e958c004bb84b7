"""Whether vectors are unit vectors. Everything that is searched must be: a cosine is an inner product here."""

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Vectors

TOLERANCE = 1e-3  # of the length; that of a vector rounded to bf16 or read back from disk differs by far less


def unit_length(vectors: Vectors) -> NDArray[np.bool_]:
    """Return which rows of `vectors`, shape (rows, dimension), have the length 1: shape (rows,).

    A row with a value that is not finite does not.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        return np.asarray(np.abs(lengths - 1) < TOLERANCE)
