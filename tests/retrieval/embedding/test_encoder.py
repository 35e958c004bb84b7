import shutil
from pathlib import Path

import numpy as np
import pytest

from ingest.models.weights import WeightsError, resolve
from retrieval.embedding.encoder import MIN_HALF_COSINE, Encoder, KeywordOnly, SentenceEncoder


def test_vectors_have_unit_length_and_the_models_dimension(encoder: Encoder) -> None:
    vectors = encoder.passages(["a cat", "", "😀", "long " * 2000])
    assert vectors.shape == (4, encoder.dimension) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_the_chosen_precision_stays_close_to_fp32(encoder: Encoder) -> None:
    texts = ["my cat knocked the teapot over", "#fyp 😭", "la tortilla de patatas", "12 km/h", "a " * 300]
    exact = SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2", precision="fp32")
    assert (encoder.passages(texts) * exact.passages(texts)).sum(axis=1).min() >= MIN_HALF_COSINE
    assert (encoder.key == exact.key) == (encoder.precision == "fp32")


def test_a_keyword_only_encoder_has_no_vectors() -> None:
    encoder = KeywordOnly(reason="no such model")
    assert encoder.dimension == 0
    for encode in (encoder.passages, encoder.queries):
        with pytest.raises(WeightsError, match="no such model"):
            encode(["a cat"])


def test_a_missing_model_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="nobody/no-such-model"):
        SentenceEncoder("nobody/no-such-model")


def test_other_settings_with_the_same_weights_change_the_key(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "multilingual-e5-small", "wordllama-l2-supercat-256"])
def test_one_question_has_the_vector_that_it_has_among_others(name: str) -> None:
    encoder = SentenceEncoder(name)
    questions = ["my cat", "¿cómo se hace la tortilla sin que se pegue?", "", "😀", "long " * 600]
    together = encoder.queries(questions)
    alone = np.array([encoder.query(question) for question in questions])
    np.testing.assert_allclose(alone, together, atol=0.01)
    assert alone.dtype == np.float32


def test_weights_that_are_rounded_once_give_the_vectors_of_rounding_for_every_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = ["my cat knocked the teapot over", "#fyp 😭", "a " * 300]
    rounded = SentenceEncoder("all-MiniLM-L6-v2", precision="bf16")
    monkeypatch.setattr("retrieval.embedding.encoder._round_weights", lambda model: None)
    every_time = SentenceEncoder("all-MiniLM-L6-v2", precision="bf16")
    assert rounded.key == every_time.key
    np.testing.assert_array_equal(rounded.passages(texts), every_time.passages(texts))
