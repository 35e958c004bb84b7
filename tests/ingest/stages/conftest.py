"""What the tests of stages share: a catalog, a tiny Whisper, a film with speech, and a cover."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.catalog import Catalog
from tests.ingest import media_samples


@pytest.fixture(scope="session")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media_samples.tiny_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media_samples.video(tmp_path_factory.mktemp("media") / "spoken.mp4", media_samples.speech(3), 3)


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media_samples.cover(tmp_path_factory.mktemp("media") / "cover.png", "Good morning")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "data", create=True) as opened:
        yield opened
