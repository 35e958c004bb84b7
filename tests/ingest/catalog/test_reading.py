"""Reading where nothing can be written."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from ingest.catalog import Catalog, reading
from tests.ingest.catalog.test_sums import ONE, filled


@pytest.fixture
def no_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make SQLite fail as it does where it cannot make the file next to the catalog: a folder has its place."""
    opened = reading._opened

    def failing(path: Path, options: str) -> sqlite3.Connection:
        if "immutable" not in options:
            path.with_name(f"{path.name}-shm").mkdir(exist_ok=True)
        return opened(path, options)

    monkeypatch.setattr(reading, "_opened", failing)


def read(data: Path) -> list[str]:
    with Catalog(data, read_only=True) as catalog:
        return [entry.video.id for entry in catalog.entries(catalog.ids())]


def test_reading_changes_nothing(tmp_path: Path) -> None:
    filled(tmp_path).close()
    before = (tmp_path / "catalog.sqlite").read_bytes()
    with Catalog(tmp_path, read_only=True) as catalog, pytest.raises(sqlite3.OperationalError, match="readonly"):
        catalog.database.execute("DELETE FROM videos")
    assert ONE in read(tmp_path) and (tmp_path / "catalog.sqlite").read_bytes() == before


def test_a_snapshot_without_a_log_is_read_where_nothing_can_be_written(tmp_path: Path, no_shared_memory: None) -> None:
    filled(tmp_path).close()
    assert ONE in read(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_with_a_log_is_read_with_its_changes(tmp_path: Path) -> None:
    catalog = filled(tmp_path / "data")
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for name in ("catalog.sqlite", "catalog.sqlite-wal"):
        shutil.copy(tmp_path / "data" / name, snapshot)
    catalog.close()
    snapshot.chmod(0o500)
    try:
        assert ONE in read(snapshot)
    finally:
        snapshot.chmod(0o700)


def test_what_a_list_of_videos_shows_is_read_without_comments_and_texts(tmp_path: Path) -> None:
    with filled(tmp_path) as catalog:
        whole = list(catalog.entries(catalog.ids()))
        shown = list(catalog.entries(catalog.ids(), whole=False))
        assert any(entry.video.comments for entry in whole) and any(entry.texts for entry in whole)
        for one, other in zip(whole, shown, strict=True):
            assert other.video == one.video.model_copy(update={"comments": []})
            assert (other.media, other.encounters) == (one.media, one.encounters)
            assert not other.texts and not other.states


def test_damage_is_noticed_in_what_a_list_of_videos_shows(tmp_path: Path) -> None:
    with filled(tmp_path) as catalog:
        catalog.database.execute("UPDATE comments SET record = '{' WHERE video_id = ?", (ONE,))
        shown = [entry.video.id for entry in catalog.entries(catalog.ids(), whole=False)]
        assert ONE not in shown and ONE in catalog.bad
