"""Bulk encoding gives the vectors of the plain way. A graphics card only changes where it computes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, StaticEmbedding, Transformer
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from retrieval.embedding import encoder as encoders
from retrieval.embedding.bulk import BulkEncoder
from retrieval.embedding.encoder import SentenceEncoder

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "cat", "falls", "off", "the", "shelf", "query", "passage", ":")
TEXTS = ["the cat", "", "cat " * 50, "😭 falls off", "the shelf falls off the cat", *(f"cat {n}" for n in range(40))]


def tokenizer() -> Tokenizer:
    made = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return made


def transformer(folder: Path) -> SentenceTransformer:
    """Return a small transformer with random weights that reads 16 tokens."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    BertModel(BertConfig(vocab_size=len(WORDS), intermediate_size=64, **sizes)).save_pretrained(folder)
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer(), **marks).save_pretrained(folder)  # type: ignore[no-untyped-call]
    reads = Transformer(str(folder), max_seq_length=16)
    return SentenceTransformer(modules=[reads, Pooling(32, "mean"), Normalize()], device="cpu")


def table(folder: Path) -> SentenceTransformer:
    torch.manual_seed(0)
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer(), embedding_dim=8)], device="cpu")


Make = Callable[[Path], SentenceTransformer]


@pytest.mark.parametrize("prompt", ["", "passage: "])
@pytest.mark.parametrize(("make", "direct"), [(transformer, True), (table, False)])
def test_bulk_encoding_gives_the_vectors_of_the_plain_way(
    tmp_path: Path, make: Make, direct: bool, prompt: str
) -> None:
    model = make(tmp_path)
    bulk = BulkEncoder(model, prompt, batch=4)
    plain = model.encode(TEXTS, prompt=prompt or None, batch_size=4)
    np.testing.assert_allclose(bulk.vectors(TEXTS), plain, atol=1e-6)
    assert bulk.direct == direct


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", pytest.param("multilingual-e5-small", marks=pytest.mark.heavy)])
def test_bulk_encoding_gives_the_vectors_of_real_models(name: str) -> None:
    plain = SentenceEncoder(name, precision="fp32")
    texts = [*encoders._PROBES, "", "un texto corto", "字幕 " * 400]
    bulk = BulkEncoder(plain._model, plain.prompts["document"], batch=4)
    assert bulk.direct
    np.testing.assert_allclose(encoders._normalised(bulk.vectors(texts)), plain.passages(texts), atol=1e-5)


def test_a_tokenizer_with_settings_that_bulk_encoding_does_not_know_is_not_called_directly(tmp_path: Path) -> None:
    model = transformer(tmp_path)
    model.tokenizer.truncation_side = "left"
    bulk = BulkEncoder(model, "")
    assert not bulk.direct
    np.testing.assert_allclose(bulk.vectors(TEXTS), model.encode(TEXTS), atol=1e-6)


class LittleMemory(torch.nn.Module):
    """Has memory for four texts."""

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        if len(features["sentence_embedding"]) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return features


def test_a_card_with_little_memory_computes_fewer_texts_at_once(tmp_path: Path) -> None:
    model = transformer(tmp_path)
    plain = model.encode(TEXTS)
    model.append(LittleMemory())
    np.testing.assert_allclose(BulkEncoder(model, "", batch=32, least=1).vectors(TEXTS), plain, atol=1e-6)
    with pytest.raises(torch.OutOfMemoryError):
        BulkEncoder(model, "", batch=32, least=8).vectors(TEXTS)


def test_an_error_while_tokenizing_ends_the_encoding(tmp_path: Path) -> None:
    texts: list[Any] = ["the cat", None] * 20
    with pytest.raises(TypeError):
        BulkEncoder(transformer(tmp_path), "", batch=2).vectors(texts)


def test_a_computer_without_a_card_computes_what_a_card_has_indexed_in_fp32() -> None:
    exact, indexed = (SentenceEncoder("all-MiniLM-L6-v2", precision=precision) for precision in ("fp32", "fp16"))
    assert indexed.precision == "fp16" and indexed.key != exact.key
    np.testing.assert_array_equal(indexed.query("my cat"), exact.query("my cat"))
    np.testing.assert_array_equal(indexed.passages(["my cat"]), exact.passages(["my cat"]))
