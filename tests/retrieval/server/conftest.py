"""The tiny corpus with its index, and a client of the API over it."""

import shutil
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from retrieval.embedding.encoder import Encoder
from retrieval.server.api import create_app
from tests.tiny_corpus import make_data, make_index

Folders = tuple[Path, Path]  # the data folder and its indexes


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Folders:
    """Folders that no test may change."""
    folder = tmp_path_factory.mktemp("api")
    make_data(folder / "data")
    make_index(folder / "data", folder / "indexes", encoder)
    return folder / "data", folder / "indexes"


@pytest.fixture
def folders(built: Folders, tmp_path: Path) -> Folders:
    """Copies that a test may change."""
    data, indexes = (shutil.copytree(folder, tmp_path / folder.name) for folder in built)
    return data, indexes


@pytest.fixture(scope="session")
def client(built: Folders) -> TestClient:
    """A client for requests that change nothing."""
    return TestClient(create_app(*built), raise_server_exceptions=False)


@pytest.fixture
def writing_client(folders: Folders) -> TestClient:
    """A client over copies that requests may change."""
    return TestClient(create_app(*folders), raise_server_exceptions=False)
