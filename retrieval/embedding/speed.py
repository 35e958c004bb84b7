"""Encoders and texts -> how fast they are on this computer, measured on a sample."""

import time
from collections.abc import Sequence

import numpy as np

from retrieval.embedding.encoder import Encoder

SAMPLE_TEXTS, SAMPLE_RUNS = 256, 16  # seconds even for a large model


def texts_per_s(encoders: Sequence[Encoder], texts: Sequence[str], sample_texts: int = SAMPLE_TEXTS) -> float:
    """Return how many texts all of the encoders encode in a second.

    The sample has texts of all lengths, in batches of similar length, as the vector cache encodes them.
    """
    by_length = sorted(texts, key=len)
    size = max(1, sample_texts // SAMPLE_RUNS)
    starts = (np.arange(SAMPLE_RUNS) + 0.5) / SAMPLE_RUNS * len(by_length) - size / 2
    samples = [by_length[start : start + size] for start in np.maximum(starts, 0).astype(int)]
    clock = time.perf_counter()
    for sample in samples:
        for encoder in encoders:
            encoder.passages(sample)
    return sum(map(len, samples)) / (time.perf_counter() - clock)
