"""The index is tested with an encoder that needs no weights."""

from pathlib import Path

import pytest

from retrieval.index.builder import build
from retrieval.index.documents import Document
from tests.retrieval.fake_encoder import FakeEncoder


@pytest.fixture(scope="session")
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture(scope="session")
def indexes(documents: list[Document], encoder: FakeEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexes")
    build(documents, folder, encoder)
    return folder
