"""Texts -> unit vectors: what every encoder can do, the sentence-transformers encoder, and searching without one.

A CPU that computes in bf16 natively is about three times as fast with it as with fp32. `SentenceEncoder` uses bf16 only
if the loaded model's vectors of some probe texts stay within cosine 0.999 of those in fp32.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.models.device import has_bf16, obey_thread_limit
from ingest.models.weights import WeightsError, resolve
from retrieval.embedding.registry import KEYWORDS_ALONE, full_name, offered

if TYPE_CHECKING:
    import torch

Vectors = NDArray[np.float32]

BATCH = 64
MIN_BF16_COSINE = 0.999
_PROBES = (
    "cat falls off the shelf",
    "when the teacher says the test is tomorrow 😭 #school",
    "¿cómo se hace la tortilla sin que se pegue? receta fácil paso a paso",
    "so what you want to do is take the old filter out, rinse it under cold water, let it dry and put it back. " * 8,
)


class Encoder(Protocol):
    """Turns passages and queries into unit vectors.

    Attributes:
        name: the model's name or the absolute path of its folder.
        key: identifies everything that decides a vector: weights, precision, settings and prompts. Vectors with the
            same key can be compared.
        sha256: of the weights; "" if there are none.
        dimension: of the vectors; 0 if there are none.
        precision: "fp32", "bf16" or "none".
        prompts: what the encoder puts before each query ("query") and each passage ("document").
    """

    @property
    def name(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    @property
    def precision(self) -> str: ...
    @property
    def prompts(self) -> Mapping[str, str]: ...

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of passages, shape (len(texts), dimension)."""

    def query(self, text: str) -> Vectors:
        """Return the unit vector of a query, shape (dimension,)."""

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of queries, shape (len(texts), dimension)."""


class SentenceEncoder:
    """A sentence-transformers model by name or folder. Its weights are checked by sha256.

    `prompts` come from the model's configuration. If that has none, they come from the list of known models
    (retrieval/embedding/registry.py). `sha256` is that of the weights that an index was built with, if there are
    several.

    Raises:
        ingest.models.weights.WeightsError: the weights cannot be loaded, or are not the expected ones.
    """

    def __init__(self, name: str, *, precision: str | None = None, sha256: str | None = None) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # no warning after a fork
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        obey_thread_limit()
        weights = resolve(full_name(name), wanted=sha256)
        # A folder by its absolute path: manifests keep the name, and a search may start in another folder.
        self.name = str(weights.folder.resolve()) if weights.source == "folder" else weights.name
        self.sha256 = weights.sha256
        try:
            self._model = SentenceTransformer(str(weights.folder), local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(f"{weights.folder} is not a sentence-transformers model: {error}") from error
        if self._model.device.type == "cpu":
            self._model.float()  # a model saved in half precision would otherwise ignore `precision`
        added = _missing_prompts(name, self._model.prompts)
        self._model.prompts.update(added)
        self.prompts = {kind: self._model.prompts.get(kind) or "" for kind in ("query", "document")}
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.precision = precision or self._best_precision()
        # The settings' checksums cover the model's prompts, but not those added here.
        identity = (self.sha256, self.precision, _settings_sha256(weights.folder), *sorted(added.items()))
        self.key = hashlib.sha256(repr(identity).encode()).hexdigest()

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of passages, shape (len(texts), dimension)."""
        return self._encode(texts, "document")

    def query(self, text: str) -> Vectors:
        """Return the unit vector of a query, shape (dimension,)."""
        vector: Vectors = self._encode([text], "query")[0]
        return vector

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of queries, shape (len(texts), dimension)."""
        return self._encode(texts, "query")

    def _encode(self, texts: Sequence[str], kind: str) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        encode = self._model.encode_document if kind == "document" else self._model.encode_query
        with self._autocast():
            encoded = encode(list(texts), batch_size=BATCH, normalize_embeddings=False, show_progress_bar=False)
        vectors: Vectors = np.array(encoded, dtype=np.float32)
        # Normalise in fp32: the model's normalisation would round under autocast.
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors

    def _autocast(self) -> "torch.autocast | nullcontext[None]":
        import torch

        return torch.autocast("cpu", dtype=torch.bfloat16) if self.precision == "bf16" else nullcontext()

    def _best_precision(self) -> str:
        if self._model.device.type != "cpu" or not has_bf16():
            return "fp32"
        self.precision = "fp32"
        exact = self.passages(_PROBES)
        self.precision = "bf16"
        rounded = self.passages(_PROBES)
        close = float((exact * rounded).sum(axis=1).min()) >= MIN_BF16_COSINE
        # Equal to the last bit: a static model, which computes nothing in bf16.
        return "bf16" if close and not np.array_equal(exact, rounded) else "fp32"


def _missing_prompts(name: str, configured: Mapping[str, str | None]) -> dict[str, str]:
    """Return the prompts that a model needs but sentence-transformers would not use, by "query" and "document"."""
    if passage := configured.get("passage") or configured.get("corpus"):
        # sentence-transformers prefers "document" to these two, even if it is empty
        return {} if configured.get("document") else {"document": passage}
    known = offered(name)
    return dict(known.prompts) if known and not any(configured.values()) else {}


def _settings_sha256(folder: Path) -> list[str]:
    """Return the checksums of the text files that decide a vector besides the weights: tokenizer, pooling, prompts."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".txt") and path.is_file())
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


class KeywordOnly:
    """An encoder without a model, for searching by keywords only.

    An index built with it has no vectors. In a searcher it replaces a model that could not be loaded; `name` and `key`
    are then those of the missing model, and `reason` says why it is missing.

    Raises:
        WeightsError: a vector is asked for.
    """

    sha256, dimension, precision = "", 0, "none"
    prompts: Mapping[str, str] = {"query": "", "document": ""}

    def __init__(
        self, name: str = KEYWORDS_ALONE, key: str = KEYWORDS_ALONE, reason: str = "this index has no vectors"
    ) -> None:
        self.name, self.key, self.reason = name, key, reason

    def passages(self, texts: Sequence[str]) -> Vectors:
        raise WeightsError(self.reason)

    def query(self, text: str) -> Vectors:
        raise WeightsError(self.reason)

    def queries(self, texts: Sequence[str]) -> Vectors:
        raise WeightsError(self.reason)
