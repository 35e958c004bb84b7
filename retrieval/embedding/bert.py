"""A question -> its vector by a BERT model, with numpy: without torch, which takes seconds to import.

Only the weights of the layers are read into memory. Of the vocabulary, which is most of a multilingual model, the rows
of the question's tokens are read from the file. The vectors are those of sentence-transformers in fp32, up to rounding.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
_HALF, _ROOT = np.float32(0.5), np.float32(2**-0.5)


@dataclass(frozen=True)
class _Layer:
    """The weights of a layer: (matrix, bias) of linear ones, (weight, bias) of normalisations."""

    attended: tuple[Array, Array]  # query, key and value at once
    projected: tuple[Array, Array]
    attention_norm: tuple[Array, Array]
    widened: tuple[Array, Array]
    narrowed: tuple[Array, Array]
    norm: tuple[Array, Array]


class Bert:
    """A BERT model that pools by the mean. It can be used by several threads.

    Use `supported` before.
    """

    def __init__(self, folder: Path) -> None:
        from safetensors import safe_open
        from tokenizers import Tokenizer

        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # questions are short
        config = _read(folder / "config.json")
        self._heads, self._epsilon = int(config["num_attention_heads"]), np.float32(config["layer_norm_eps"])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(int(_read(folder / "sentence_bert_config.json")["max_seq_length"]))
        self._tokenizer.no_padding()
        file: Any = safe_open(str(folder / "model.safetensors"), framework="np")

        def read(name: str) -> Array:
            tensor: Array = file.get_tensor(name).astype(np.float32, copy=False)
            return tensor

        def pair(name: str) -> tuple[Array, Array]:
            weight = read(f"{name}.weight")
            return weight.T if weight.ndim == 2 else weight, read(f"{name}.bias")

        self._words = file.get_slice("embeddings.word_embeddings.weight")
        self._places = (
            read("embeddings.position_embeddings.weight") + read("embeddings.token_type_embeddings.weight")[0]
        )
        self._norm = pair("embeddings.LayerNorm")
        self._layers = []
        for number in range(int(config["num_hidden_layers"])):
            layer = f"encoder.layer.{number}"
            parts = [pair(f"{layer}.attention.self.{part}") for part in ("query", "key", "value")]
            self._layers.append(
                _Layer(
                    (np.hstack([matrix for matrix, _ in parts]), np.concatenate([bias for _, bias in parts])),
                    pair(f"{layer}.attention.output.dense"),
                    pair(f"{layer}.attention.output.LayerNorm"),
                    pair(f"{layer}.intermediate.dense"),
                    pair(f"{layer}.output.dense"),
                    pair(f"{layer}.output.LayerNorm"),
                )
            )
        self.dimension = len(self._norm[0])

    def vectors(self, texts: Sequence[str]) -> Array:
        """Return the unit vectors of texts, shape (len(texts), dimension)."""
        tokens = [encoded.ids for encoded in self._tokenizer.encode_batch(list(texts))]
        ends = np.cumsum([len(ids) for ids in tokens])
        starts = ends - [len(ids) for ids in tokens]
        # All tokens of all texts below each other, without padding: only attention knows where a text ends.
        words = [self._words[number : number + 1] for ids in tokens for number in ids]
        places = [self._places[: len(ids)] for ids in tokens]
        values = self._normalised(np.concatenate(words).astype(np.float32) + np.concatenate(places), self._norm)
        for layer in self._layers:
            values = self._through(layer, values, list(zip(starts.tolist(), ends.tolist(), strict=True)))
        pooled = np.add.reduceat(values, starts, axis=0) / (ends - starts)[:, None].astype(np.float32)
        unit: Array = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
        return unit

    def _through(self, layer: _Layer, values: Array, spans: Sequence[tuple[int, int]]) -> Array:
        from scipy.special import erf

        dimension = values.shape[1]
        attended = _linear(values, layer.attended)
        context = np.empty_like(values)
        for start, end in spans:
            shape = (end - start, 3, self._heads, dimension // self._heads)
            query, key, value = attended[start:end].reshape(shape).transpose(1, 2, 0, 3)
            weights = query @ key.transpose(0, 2, 1) * np.float32(shape[-1] ** -0.5)
            weights = np.exp(weights - weights.max(axis=-1, keepdims=True))
            weights /= weights.sum(axis=-1, keepdims=True)
            context[start:end] = (weights @ value).transpose(1, 0, 2).reshape(end - start, dimension)
        values = self._normalised(_linear(context, layer.projected) + values, layer.attention_norm)
        wide = _linear(values, layer.widened)
        wide *= _HALF * (1 + erf(wide * _ROOT))  # GELU
        return self._normalised(_linear(wide, layer.narrowed) + values, layer.norm)

    def _normalised(self, values: Array, norm: tuple[Array, Array]) -> Array:
        values = values - values.mean(axis=1, keepdims=True)
        variance = np.einsum("td,td->t", values, values)[:, None] / np.float32(values.shape[1])
        normalised: Array = values / np.sqrt(variance + self._epsilon) * norm[0] + norm[1]
        return normalised


def _linear(values: Array, weights: tuple[Array, Array]) -> Array:
    product: Array = values @ weights[0]
    product += weights[1]
    return product


def supported(folder: Path) -> bool:
    """Return whether a model in a folder is one that `Bert` computes: all its settings are known, and none is other."""
    try:
        config, pooling = _read(folder / "config.json"), _read(folder / "1_Pooling" / "config.json")
        read, modules = _read(folder / "sentence_bert_config.json"), _read(folder / "modules.json")
        kinds = [(str(module["type"]).rpartition(".")[2], module["path"]) for module in modules]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    modes = {name for name, used in pooling.items() if name.startswith("pooling_mode") and used}
    return (
        [*kinds, ("Normalize", "2_Normalize")][:3]
        == [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
        and len(kinds) <= 3
        and modes == {"pooling_mode_mean_tokens"}
        and pooling.get("include_prompt", True)
        and (config.get("model_type"), config.get("hidden_act")) == ("bert", "gelu")
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not read.get("do_lower_case")
        and isinstance(read.get("max_seq_length"), int)
        and (folder / "tokenizer.json").is_file()
        and (folder / "model.safetensors").is_file()
    )


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
