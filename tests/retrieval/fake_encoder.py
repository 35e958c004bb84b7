"""An encoder without a model, for tests that need vectors but not their quality."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from retrieval.embedding.encoder import Vectors
from retrieval.embedding.token_sums import Cuts, TokenSums
from retrieval.index.analysis import stems, terms


class FakeEncoder:
    """Gives each stem a random direction; a text's vector is their normalised sum. Texts that share words are close.

    `texts` counts the passages that were encoded.
    """

    sha256, precision, cached = "0" * 64, "fp32", True
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

    def token_sums(self, texts: Sequence[str], cuts: Sequence[Cuts]) -> tuple[Vectors, list[TokenSums]]:
        """The parts are exact if no word is cut."""
        vectors = self.passages(texts)
        return vectors, [self._parts(text, of) for text, of in zip(texts, cuts, strict=True)]

    def _parts(self, text: str, cuts: Cuts) -> TokenSums:
        pieces = [terms(text[start:end], stems) for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]
        sums = np.array([sum((self._direction(stem) for stem in of), np.zeros(self.dimension)) for of in pieces])
        tokens = np.array([len(of) for of in pieces])
        sums = sums + np.outer(tokens / max(1, tokens.sum()), self._direction(""))
        length = np.linalg.norm(sum((self._direction(stem) for of in pieces for stem in of), self._direction("")))
        return TokenSums(tokens.astype(np.int32), (sums / length).astype(np.float16))

    def _direction(self, stem: str) -> Vectors:
        seed = int.from_bytes(hashlib.sha256(stem.encode()).digest()[:4])
        return np.random.default_rng(seed).normal(size=self.dimension).astype(np.float32)
