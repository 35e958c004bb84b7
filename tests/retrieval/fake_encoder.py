"""An encoder without a model, for tests that need vectors but not their quality."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from retrieval.embedding.encoder import Vectors
from retrieval.index.analysis import stems, terms


class FakeEncoder:
    """Gives each stem a random direction; a text's vector is their normalised sum. Texts that share words are close.

    `texts` counts the passages that were encoded.
    """

    sha256, precision = "0" * 64, "fp32"
    prompts: Mapping[str, str] = {"query": "", "document": ""}

    def __init__(self, key: str = "fake", *, dimension: int = 64) -> None:
        self.name = self.key = key
        self.dimension = dimension
        self.texts = 0

    def passages(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        return np.stack([self.query(text) for text in texts]) if texts else np.zeros((0, self.dimension), np.float32)

    def queries(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self.query(text) for text in texts])

    def query(self, text: str) -> Vectors:
        vector = sum((self._direction(stem) for stem in terms(text, stems)), self._direction(""))
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    def _direction(self, stem: str) -> Vectors:
        seed = int.from_bytes(hashlib.sha256(stem.encode()).digest()[:4])
        return np.random.default_rng(seed).normal(size=self.dimension).astype(np.float32)
