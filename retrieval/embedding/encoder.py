"""Texts -> unit vectors, through sentence-transformers, with a cache so that no text is encoded twice.

Where the CPU computes in bf16 natively it is about three times as fast as fp32; it is used only after the loaded model
has shown on probe texts that its vectors stay within cosine 0.999 of fp32.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

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


class Encoder:
    """A sentence-transformers model by name or folder, its weights checked by sha256.

    `prompts` is what stands before each question ("query") and passage ("document"): the model's own configuration's,
    or, where that has none, what the model is known to want (retrieval/embedding/registry.py).

    Raises:
        ingest.weights.WeightsError: the weights cannot be had or are not what they should be.
    """

    def __init__(self, name: str, *, precision: str | None = None) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its warning after a fork helps nobody
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        obey_thread_limit()
        weights = resolve(full_name(name))
        # a folder by its whole path: the name is kept in manifests and read from wherever a search is started
        self.name = str(weights.folder.resolve()) if weights.source == "folder" else weights.name
        self.sha256 = weights.sha256
        try:
            self._model = SentenceTransformer(str(weights.folder), local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(f"{weights.folder} holds no sentence-transformers model: {error}") from error
        if self._model.device.type == "cpu":
            self._model.float()  # kept in half precision it would compute so, whatever `precision` says
        added = _missing_prompts(name, self._model.prompts)
        self._model.prompts.update(added)
        self.prompts = {kind: self._model.prompts.get(kind) or "" for kind in ("query", "document")}
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.precision = precision or self._best_precision()
        # prompts of the model's own are in its settings; added ones are part of the key by themselves
        what = (self.sha256, self.precision, _settings_sha256(weights.folder), *sorted(added.items()))
        self.key = hashlib.sha256(repr(what).encode()).hexdigest()

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of passages, shape (len(texts), dimension)."""
        return self._encode(texts, "document")

    def query(self, text: str) -> Vectors:
        """The unit vector of a question, shape (dimension,)."""
        vector: Vectors = self._encode([text], "query")[0]
        return vector

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of questions, shape (len(texts), dimension)."""
        return self._encode(texts, "query")

    def knows(self, word: str) -> bool:
        """Whether the model reads a word as one piece, as it does those that are frequent in its language."""
        return word in self._whole_words

    @cached_property
    def _whole_words(self) -> set[str]:
        # looked up, not tokenized: a tokenizer shared by threads keeps settings of the call before
        pieces = list(self._model.tokenizer.get_vocab())
        for mark in ("▁", "Ġ"):  # how SentencePiece and byte-level BPE say that a word begins; WordPiece marks the rest
            if len(begin := [piece[1:] for piece in pieces if piece.startswith(mark)]) > len(pieces) / 10:
                pieces = begin
        return {piece.lower() for piece in pieces}

    def _encode(self, texts: Sequence[str], kind: str) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        encode = self._model.encode_document if kind == "document" else self._model.encode_query
        with self._autocast():
            encoded = encode(list(texts), batch_size=BATCH, normalize_embeddings=False, show_progress_bar=False)
        vectors: Vectors = np.array(encoded, dtype=np.float32)
        # normalised here, in fp32: under autocast the model's own normalisation would round
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
        # equal to the last bit: a static model, in which nothing is computed in bf16
        return "bf16" if close and not np.array_equal(exact, rounded) else "fp32"


def _missing_prompts(name: str, own: Mapping[str, str | None]) -> dict[str, str]:
    """The prompts that a model wants and sentence-transformers would not use, by "query" and "document"."""
    if passage := own.get("passage") or own.get("corpus"):
        # its own default, an empty "document", goes before these two
        return {} if own.get("document") else {"document": passage}
    known = offered(name)
    return dict(known.prompts) if known and not any(own.values()) else {}


def _settings_sha256(folder: Path) -> list[str]:
    """What beside the weights decides a vector: tokenizer, pooling, prompts, lengths, all in small text files."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".txt") and path.is_file())
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


class NoEncoder(Encoder):
    """Stands in a searcher for an encoder that cannot be had now: words can be searched for without."""

    def __init__(self, name: str, key: str, why: str) -> None:
        self.name, self.key, self.why = name, key, why

    def knows(self, word: str) -> bool:
        return False  # without a model's vocabulary every word that no text holds may be a typo

    def _encode(self, texts: Sequence[str], kind: str) -> Vectors:
        raise WeightsError(self.why)


class _WordsAlone(NoEncoder):
    """Stands where an encoder must: for the keyword lane, which asks none. Its vectors say nothing."""

    def __init__(self) -> None:
        super().__init__(KEYWORDS_ALONE, KEYWORDS_ALONE, "")
        self.sha256, self.precision = "", "none"
        self.dimension, self.prompts = 1, {"query": "", "document": ""}

    def _encode(self, texts: Sequence[str], kind: str) -> Vectors:
        return np.ones((len(texts), 1), np.float32)
