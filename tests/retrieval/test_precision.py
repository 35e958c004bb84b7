"""Which precision the commands encode in, if there is an index."""

from pathlib import Path

from ingest.settings import Settings
from retrieval.commands.options import load_encoders
from retrieval.index.builder import build
from retrieval.index.documents import plain_document
from tests.retrieval.fake_encoder import FakeEncoder

MINILM = "sentence-transformers/all-MiniLM-L6-v2"


def indexed_in(precision: str, indexes: Path) -> Settings:
    encoder = FakeEncoder(MINILM)
    encoder.precision = precision
    build([plain_document("1", "cat", "it falls")], indexes, encoder)
    return Settings(data=indexes.parent, indexes=indexes, encoder=(MINILM,))


def test_what_is_added_to_an_index_in_half_precision_has_the_same_precision(tmp_path: Path) -> None:
    [encoder] = load_encoders(indexed_in("fp16", tmp_path / "indexes"))
    assert encoder.precision == "fp16"


def test_an_index_in_fp32_does_not_slow_down_a_computer_that_has_half_precision(tmp_path: Path) -> None:
    [encoder] = load_encoders(indexed_in("fp32", tmp_path / "indexes"))
    [without_index] = load_encoders(Settings(data=tmp_path, indexes=tmp_path / "none", encoder=(MINILM,)))
    assert encoder.precision == without_index.precision
