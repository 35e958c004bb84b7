"""Fixtures that every room's tests share: the shared data folder, and nothing that hides a skip."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; tests that need it skip, saying so, where it is missing."""
    folder = Path(os.environ.get("TIKTOK_RETRIEVAL_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the shared data folder is not here (TIKTOK_RETRIEVAL_SHARED_DATA names it)")
    return folder


@pytest.fixture(scope="session")
def sample_corpus() -> Path:
    """The corpus that ships with the project."""
    return REPOSITORY / "data" / "sample"
