"""Many texts through a sentence-transformers model on a graphics card: tokenized in threads, ahead of the card.

`SentenceTransformer.encode` lets the card wait for the tokenizer: transformers turns each batch into Python lists and
checks them, which takes eight times as long as the tokenizer itself. So several threads call the tokenizer in Rust
directly. Each tokenizes a batch of its own: the threads within the tokenizer (TOKENIZERS_PARALLELISM) stay off, because
a process that has used them can no longer fork safely. Features of some probe texts are compared with those of the
model first. If a model makes other features, its own way is used.
"""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

THREADS = max(1, min(8, (os.cpu_count() or 1) - 1))  # that tokenize; one core is left to feed the card
AHEAD = 2 * THREADS  # batches that are tokenized before the card needs them
TASK = "document"
Features = dict[str, Any]  # what the model's first module reads: tensors of shape (texts, tokens), and settings
_LONG = "cat falls " * 2_000 + "off the shelf " * 2_000  # its end differs from its beginning
_PROBES = ("", "cat falls off the shelf", "¿cómo se hace? 😭 #receta", "猫が棚から落ちる", "один\nдва\tтри", _LONG)


class BulkEncoder:
    """Encodes many texts with one model and prompt.

    Args:
        prompt: what the model puts before each text.
        batch: texts that are computed at once. The card's memory may allow fewer.
        least: so few texts must fit.
    """

    def __init__(self, model: "SentenceTransformer", prompt: str, *, batch: int = 512, least: int = 16) -> None:
        self._model, self._prompt, self._batch, self._least = model, prompt, batch, least
        self._settings = model.preprocess(list(_PROBES), prompt=prompt or None, task=TASK)
        self._tokenizer = _rust_tokenizer(model)
        if self._tokenizer is not None and not _equal(self._rust(self._tokenizer, _PROBES), self._settings):
            self._tokenizer = None

    @property
    def direct(self) -> bool:
        """Whether the tokenizer in Rust is called directly."""
        return self._tokenizer is not None

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts as the model gives them, not normalised, shape (len(texts), dimension).

        Raises:
            torch.OutOfMemoryError: the card has too little memory for the least number of texts.
        """
        import torch

        while True:
            try:
                return self._vectors(texts)
            except torch.OutOfMemoryError:
                if self._batch <= self._least:
                    raise
                self._batch //= 2
            torch.cuda.empty_cache()

    def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import torch

        longest_first = np.argsort([-len(text) for text in texts], kind="stable")  # little padding; most memory first
        batches = [longest_first[at : at + self._batch] for at in range(0, len(texts), self._batch)]
        with torch.inference_mode():
            found = [self._computed(features) for features in self._tokenized(texts, batches)]
            vectors: NDArray[np.float32] = torch.cat(found).float().cpu().numpy()
        ordered = np.empty_like(vectors)
        ordered[longest_first] = vectors
        return ordered

    def _tokenized(self, texts: Sequence[str], batches: Sequence[NDArray[np.int64]]) -> Iterator[Features]:
        """Yield the features of each batch, up to AHEAD of them before they are needed."""
        with ThreadPoolExecutor(THREADS) as pool:
            waiting: deque[Future[Features]] = deque()
            try:
                for batch in batches:
                    waiting.append(pool.submit(self._features, [texts[n] for n in batch]))
                    if len(waiting) > AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _features(self, texts: Sequence[str]) -> Features:
        if self._tokenizer is None:
            return dict(self._model.preprocess(list(texts), prompt=self._prompt or None, task=TASK))
        return self._rust(self._tokenizer, texts)

    def _rust(self, tokenizer: "Tokenizer", texts: Sequence[str]) -> Features:
        import torch

        encodings = tokenizer.encode_batch_fast([self._prompt + text for text in texts])
        arrays = {
            "input_ids": [encoding.ids for encoding in encodings],
            "attention_mask": [encoding.attention_mask for encoding in encodings],
            "token_type_ids": [encoding.type_ids for encoding in encodings],
        }
        features: Features = {}
        for name, value in self._settings.items():
            if name in arrays:
                tensor = torch.from_numpy(np.array(arrays[name], np.int64))
                features[name] = tensor.pin_memory() if self._model.device.type == "cuda" else tensor
            else:
                features[name] = value
        return features

    def _computed(self, features: Features) -> "torch.Tensor":
        import torch

        moved = {
            name: value.to(self._model.device, non_blocking=True) if isinstance(value, torch.Tensor) else value
            for name, value in features.items()
        }
        found: torch.Tensor = self._model(moved, task=TASK)["sentence_embedding"]
        return found[:, : self._model.get_embedding_dimension()]


def _rust_tokenizer(model: "SentenceTransformer") -> "Tokenizer | None":
    """Return a copy of the model's tokenizer in Rust that truncates and pads as the model does, if it has one."""
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    limit = model.get_max_seq_length()
    if backend is None or not limit or model.tokenizer.pad_token_id is None:
        return None
    copy: Tokenizer = type(backend).from_str(backend.to_str())
    copy.enable_truncation(limit)
    copy.enable_padding(
        direction=model.tokenizer.padding_side,
        pad_id=model.tokenizer.pad_token_id,
        pad_type_id=model.tokenizer.pad_token_type_id,
        pad_token=model.tokenizer.pad_token,
    )
    return copy


def _equal(found: Features, wanted: Features) -> bool:
    import torch

    return found.keys() == wanted.keys() and all(
        torch.equal(found[name], value) if isinstance(value, torch.Tensor) else found[name] == value
        for name, value in wanted.items()
    )
