"""Texts -> unit vectors: what every encoder can do, the sentence-transformers encoder, and searching without one.

A CPU that computes in bf16 natively is about three times as fast with it as with fp32. `SentenceEncoder` uses bf16 only
if the loaded model's vectors of some probe texts stay within cosine 0.999 of those in fp32. The weights of its linear
layers are then rounded once. Autocast rounds them for every text otherwise, to the same values.
"""

import copy
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
from retrieval.embedding.bulk import BulkEncoder
from retrieval.embedding.registry import KEYWORDS_ALONE, full_name, offered
from retrieval.embedding.token_sums import Cuts, TokenSums, pools_by_mean, token_sums

if TYPE_CHECKING:
    import torch

Vectors = NDArray[np.float32]

BATCH = 64
MIN_HALF_COSINE = 0.999
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
        precision: "fp32", "bf16", "fp16" or "none".
        prompts: what the encoder puts before each query ("query") and each passage ("document").
        cached: whether its vectors are kept. A table of word vectors gives them faster than the cache is written.
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
    @property
    def cached(self) -> bool: ...

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of passages, shape (len(texts), dimension)."""

    def query(self, text: str) -> Vectors:
        """Return the unit vector of a query, shape (dimension,)."""

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of queries, shape (len(texts), dimension)."""

    def token_sums(self, texts: Sequence[str], cuts: Sequence[Cuts]) -> tuple[Vectors, list[TokenSums]] | None:
        """Return the unit vectors of passages, and the parts of them between the `cuts`; None if the encoder does not
        pool by the mean, or is not to encode anything."""


class SentenceEncoder:
    """A sentence-transformers model by name or folder. Its weights are checked by sha256.

    `prompts` come from the model's configuration. If that has none, they come from the list of known models
    (retrieval/embedding/registry.py). `sha256` is that of the weights that an index was built with, if there are
    several.

    Raises:
        ingest.models.weights.WeightsError: the weights cannot be loaded, or are not the expected ones.
    """

    def __init__(self, name: str, *, precision: str | None = None, sha256: str | None = None) -> None:
        # Threads within the tokenizer do not survive a fork. Bulk encoding has threads of its own.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding
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
        self._model.float()  # a model saved in half precision would otherwise ignore `precision`
        self._model.eval()
        added = missing_prompts(name, self._model.prompts)
        self._model.prompts.update(added)
        self.prompts = {kind: self._model.prompts.get(kind) or "" for kind in ("query", "document")}
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.precision = precision or self._best_precision()
        self._computing = _computes_in(self.precision, self._model.device.type)
        if self._computing == "bf16":
            _round_weights(self._model)
        elif self._computing == "fp16":
            self._model.half()
        self._bulk: BulkEncoder | None = None
        self.cached = not isinstance(self._model[0], StaticEmbedding)
        self.key = encoder_key(self.sha256, self.precision, weights.folder, added)

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of passages, shape (len(texts), dimension)."""
        if self._model.device.type != "cuda":
            return self._encode(texts, "document")
        if self._bulk is None:
            self._bulk = BulkEncoder(self._model, self.prompts["document"])
        return _normalised(self._bulk.vectors(texts)) if texts else np.zeros((0, self.dimension), np.float32)

    def query(self, text: str) -> Vectors:
        """Return the unit vector of a query, shape (dimension,).

        The model is called directly: what sentence-transformers does for a batch takes 1 to 2 ms.
        """
        import torch
        from sentence_transformers.util import batch_to_device

        model = self._model
        prompt = model.prompts.get("query", model.prompts.get(model.default_prompt_name or ""))
        with torch.inference_mode(), self._autocast():
            features = batch_to_device(model.preprocess([text], prompt=prompt), model.device)
            encoded = model(features, task="query")["sentence_embedding"][0, : self.dimension]
        vector: Vectors = encoded.float().cpu().numpy()
        return vector / max(float(np.linalg.norm(vector)), 1e-12)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of queries, shape (len(texts), dimension)."""
        return self._encode(texts, "query")

    def token_sums(self, texts: Sequence[str], cuts: Sequence[Cuts]) -> tuple[Vectors, list[TokenSums]] | None:
        """Return the unit vectors of passages and the parts of them, or None if the model does not pool by the mean."""
        prompt = self.prompts["document"]
        if not pools_by_mean(self._model, prompt):
            return None
        batches = [
            token_sums(self._model, texts[at : at + BATCH], cuts[at : at + BATCH], prompt, self._autocast())
            for at in range(0, len(texts), BATCH)
        ]
        vectors = np.concatenate([batch for batch, _ in batches]) if batches else np.zeros((0, self.dimension))
        return vectors.astype(np.float32), [one for _, sums in batches for one in sums]

    def _encode(self, texts: Sequence[str], kind: str) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        encode = self._model.encode_document if kind == "document" else self._model.encode_query
        with self._autocast():
            encoded = encode(list(texts), batch_size=BATCH, normalize_embeddings=False, show_progress_bar=False)
        return _normalised(np.array(encoded, dtype=np.float32))

    def _autocast(self) -> "torch.autocast | nullcontext[None]":
        import torch

        return torch.autocast("cpu", dtype=torch.bfloat16) if self._computing == "bf16" else nullcontext()

    def _best_precision(self) -> str:
        on_card = self._model.device.type == "cuda"
        if not on_card and (self._model.device.type != "cpu" or not has_bf16()):
            return "fp32"
        self._computing = "fp32"
        exact = self._encode(_PROBES, "document")
        full = self._model
        if on_card:
            self._model, half = copy.deepcopy(full).half(), "fp16"
        else:
            self._computing = half = "bf16"
        rounded = self._encode(_PROBES, "document")
        self._model = full
        close = float((exact * rounded).sum(axis=1).min()) >= MIN_HALF_COSINE
        # Equal to the last bit: a static model, which computes nothing in bf16.
        return half if close and not np.array_equal(exact, rounded) else "fp32"


def _computes_in(precision: str, device: str) -> str:
    """Return in which precision a device computes vectors that an index has in `precision`."""
    if precision == "fp32":
        return "fp32"
    if device == "cuda":
        return "fp16"
    return "bf16" if precision == "bf16" and device == "cpu" and has_bf16() else "fp32"


def _normalised(vectors: Vectors) -> Vectors:
    """Return unit vectors. In fp32: the model's own normalisation would round in half precision."""
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors


def _round_weights(model: "torch.nn.Module") -> None:
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.to(torch.bfloat16)


def missing_prompts(name: str, configured: Mapping[str, str | None]) -> dict[str, str]:
    """Return the prompts that a model needs but sentence-transformers would not use, by "query" and "document"."""
    if passage := configured.get("passage") or configured.get("corpus"):
        # sentence-transformers prefers "document" to these two, even if it is empty
        return {} if configured.get("document") else {"document": passage}
    known = offered(name)
    return dict(known.prompts) if known and not any(configured.values()) else {}


def encoder_key(sha256: str, precision: str, folder: Path, added: Mapping[str, str]) -> str:
    """Return what identifies an encoder by its weights, its settings in a folder, and the prompts `added` to them."""
    # The settings' checksums cover the model's prompts, but not those added here.
    identity = (sha256, precision, _settings_sha256(folder), *sorted(added.items()))
    return hashlib.sha256(repr(identity).encode()).hexdigest()


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

    sha256, dimension, precision, cached = "", 0, "none", True
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

    def token_sums(self, texts: Sequence[str], cuts: Sequence[Cuts]) -> None:
        return None
