from pathlib import Path

import numpy as np

from retrieval.embedding.encoder import KeywordOnly
from retrieval.embedding.vector_cache import SAVE_EVERY, VectorCache
from tests.retrieval.fake_encoder import FakeEncoder


def test_each_new_text_is_encoded_once(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    first, encoded = VectorCache(tmp_path / "v.sqlite").encode(encoder, ["one", "two", "one"])
    assert encoded == encoder.texts == 2 and np.array_equal(first[0], first[2])
    again, encoded = VectorCache(tmp_path / "v.sqlite").encode(encoder, ["two", "three", "one"])
    assert encoded == 1 and np.array_equal(again[2], first[0]) and np.array_equal(again[0], first[1])


def test_vectors_of_another_encoder_key_are_not_used(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "v.sqlite")
    cache.encode(FakeEncoder("fp32"), ["one"])
    assert cache.encode(FakeEncoder("bf16"), ["one"])[1] == 1


def test_no_texts_give_an_empty_matrix(tmp_path: Path) -> None:
    vectors, encoded = VectorCache(tmp_path / "v.sqlite").encode(FakeEncoder(dimension=8), [])
    assert vectors.shape == (0, 8) and encoded == 0


def test_an_encoder_without_vectors_gives_rows_without_columns(tmp_path: Path) -> None:
    vectors, encoded = VectorCache(tmp_path / "v.sqlite").encode(KeywordOnly(), ["one", "two"])
    assert vectors.shape == (2, 0) and encoded == 0


def test_an_interrupted_run_resumes(tmp_path: Path) -> None:
    class Interrupted(FakeEncoder):
        def passages(self, texts):  # type: ignore[no-untyped-def]
            if self.texts:
                raise KeyboardInterrupt
            return super().passages(texts)

    texts = [f"text {number}" for number in range(SAVE_EVERY + 1)]
    cache = VectorCache(tmp_path / "v.sqlite")
    try:
        cache.encode(Interrupted(), texts)
    except KeyboardInterrupt:
        assert cache.encode(FakeEncoder(), texts)[1] == 1
    else:
        raise AssertionError("the second batch was not interrupted")
