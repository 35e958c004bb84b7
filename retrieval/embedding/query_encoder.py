"""The vectors of questions and of a few passages by the models that the program carries, without loading torch and
sentence-transformers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.models import pinned_models
from ingest.models.weights import Weights, resolve
from retrieval.embedding.bert import Bert, supported
from retrieval.embedding.encoder import Encoder, SentenceEncoder, Vectors, encoder_key, missing_prompts
from retrieval.embedding.registry import full_name

if TYPE_CHECKING:
    from retrieval.embedding.token_sums import Cuts, TokenSums

FEW_CHARS = 20_000  # of passages, about 5,000 tokens: onnxruntime takes a few seconds for them, in one thread


class QueryEncoder:
    """A model that has encoded the passages of an index. It encodes questions, in fp32, in less time than torch.

    It encodes a few passages in the same way: to load torch for a new video would take ten seconds. For many passages,
    the whole model is loaded, which encodes them several times as fast.
    """

    cached = True

    def __init__(self, weights: Weights, precision: str) -> None:
        self.name, self.sha256, self.precision = weights.name, weights.sha256, precision
        settings = weights.folder / "config_sentence_transformers.json"
        configured = (json.loads(settings.read_text(encoding="utf-8")) if settings.is_file() else {}).get("prompts", {})
        added = missing_prompts(weights.name, configured)
        prompts = {**configured, **added}
        self.prompts: Mapping[str, str] = {kind: prompts.get(kind) or "" for kind in ("query", "document")}
        self.key = encoder_key(self.sha256, precision, weights.folder, added)
        self._bert = Bert(weights.folder)
        self.dimension = self._bert.dimension
        self._whole: SentenceEncoder | None = None

    def query(self, text: str, *, in_two_threads: bool = False) -> Vectors:
        """Return the unit vector of a query, shape (dimension,).

        Args:
            in_two_threads: whether another core is idle, which computes half of it.
        """
        vector: Vectors = self._bert.vectors([self.prompts["query"] + text], in_two_threads=in_two_threads)[0]
        return vector

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of queries, shape (len(texts), dimension)."""
        vectors: Vectors = self._bert.vectors([self.prompts["query"] + text for text in texts])
        return vectors

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of passages, shape (len(texts), dimension)."""
        if self._are_few(texts):
            vectors: Vectors = self._bert.vectors([self.prompts["document"] + text for text in texts])
            return vectors
        return self._loaded().passages(texts)

    def token_sums(self, texts: Sequence[str], cuts: "Sequence[Cuts]") -> "tuple[Vectors, list[TokenSums]] | None":
        """Return the unit vectors of passages and the parts of them; see `Encoder`."""
        if self._are_few(texts):
            return self._bert.token_sums(texts, cuts, self.prompts["document"])
        return self._loaded().token_sums(texts, cuts)

    def _are_few(self, texts: Sequence[str]) -> bool:
        return self._whole is None and sum(map(len, texts)) <= FEW_CHARS

    def _loaded(self) -> SentenceEncoder:
        if self._whole is None:
            self._whole = SentenceEncoder(self.name, precision=self.precision, sha256=self.sha256)
        return self._whole


def query_encoder(name: str, precision: str, sha256: str) -> Encoder:
    """Return an encoder of questions for an index that was built with this model.

    It is a QueryEncoder for the pinned BERT models, whose tokenizer and settings are known; else a SentenceEncoder.

    Raises:
        WeightsError: the weights cannot be loaded.
    """
    if (pin := pinned_models.find(full_name(name))) and not Path(name).is_dir():
        weights = resolve(pin.name, wanted=sha256)
        if supported(weights.folder):
            return QueryEncoder(weights, precision)
    return SentenceEncoder(name, precision=precision, sha256=sha256)
