import shutil
from pathlib import Path

import numpy as np
import pytest

from ingest.models.weights import WeightsError, resolve
from retrieval.embedding.encoder import MIN_BF16_COSINE, Encoder, SentenceEncoder
from retrieval.embedding.vector_cache import VectorCache


def test_vectors_are_unit_and_of_the_models_dimension(encoder: Encoder) -> None:
    vectors = encoder.passages(["a cat", "", "😀", "long " * 2000])
    assert vectors.shape == (4, encoder.dimension) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_the_chosen_precision_stays_close_to_fp32(encoder: Encoder) -> None:
    texts = ["my cat knocked the teapot over", "#fyp 😭", "la tortilla de patatas", "12 km/h", "a " * 300]
    exact = SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2", precision="fp32")
    assert (encoder.passages(texts) * exact.passages(texts)).sum(axis=1).min() >= MIN_BF16_COSINE
    assert (encoder.key == exact.key) == (encoder.precision == "fp32")


def test_only_texts_not_seen_before_are_encoded_and_each_once(encoder: Encoder, tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "v.sqlite")
    first, encoded = cache.encode(encoder, ["one", "two", "one"])
    assert encoded == 2 and np.array_equal(first[0], first[2])
    again, encoded = VectorCache(tmp_path / "v.sqlite").encode(encoder, ["two", "three", "one"])
    assert encoded == 1 and np.array_equal(again[2], first[0]) and np.array_equal(again[0], first[1])


def test_another_precision_is_another_cache_line(encoder: Encoder, tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "v.sqlite")
    cache.encode(encoder, ["one"])
    other = SentenceEncoder(
        "sentence-transformers/all-MiniLM-L6-v2", precision="fp32" if encoder.precision == "bf16" else "bf16"
    )
    assert cache.encode(other, ["one"])[1] == 1


def test_nothing_to_encode_gives_an_empty_matrix(encoder: Encoder, tmp_path: Path) -> None:
    vectors, encoded = VectorCache(tmp_path / "v.sqlite").encode(encoder, [])
    assert vectors.shape == (0, encoder.dimension) and encoded == 0


def test_a_model_that_is_not_there_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="nobody/no-such-model"):
        SentenceEncoder("nobody/no-such-model")


def test_other_settings_beside_the_same_weights_are_another_encoder(tmp_path: Path) -> None:
    carried = resolve("sentence-transformers/all-MiniLM-L6-v2").folder
    shutil.copytree(carried, tmp_path / "mine")
    first = SentenceEncoder(str(tmp_path / "mine"))
    assert first.name == str((tmp_path / "mine").resolve())
    pooling = tmp_path / "mine" / "1_Pooling" / "config.json"
    text = pooling.read_text().replace('"pooling_mode_mean_tokens": true', '"pooling_mode_mean_tokens": false')
    pooling.write_text(text.replace('"pooling_mode_cls_token": false', '"pooling_mode_cls_token": true'))
    assert SentenceEncoder(str(tmp_path / "mine")).key != first.key
    pooling.write_text('{"nonsense": 1}')
    with pytest.raises(WeightsError, match="not a sentence-transformers model"):
        SentenceEncoder(str(tmp_path / "mine"))
