"""Which videos have changed since a server last looked."""

import itertools
import shutil
import sqlite3
from pathlib import Path

import pytest

from ingest.catalog import Catalog
from ingest.catalog.changes import Mark
from ingest.catalog.entries import Encounter
from ingest.catalog.inspection import inspect
from ingest.catalog.repair import repair
from ingest.catalog.sums import CHANGES_KEPT
from scraper.records import Video

TIMES = itertools.count(1)  # what is scraped later replaces what was there


def put(catalog: Catalog, *ids: str, description: str = "a loaf") -> None:
    for video_id in ids:
        catalog.put_video(Video(id=video_id, description=description, scraped_at=float(next(TIMES))))


def since(catalog: Catalog, mark: Mark) -> list[str] | None:
    return catalog.changes.since(mark)[1]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path, create=True)


def test_videos_that_have_changed_are_named_once(catalog: Catalog) -> None:
    put(catalog, "70001", "70002")
    mark = catalog.changes.mark()
    assert since(catalog, mark) == []
    catalog.judgements.add("loaf", "70001")
    assert since(catalog, mark) == [], "an answer takes nothing from it"
    put(catalog, "70003", "70002", description="a drum")
    put(catalog, "70003", description="a kettle")
    assert since(catalog, mark) == ["70002", "70003"]


def test_what_was_not_written_in_the_end_has_not_changed(catalog: Catalog) -> None:
    mark = catalog.changes.mark()
    with pytest.raises(ZeroDivisionError), catalog.transaction():
        put(catalog, "70001")
        raise ZeroDivisionError
    assert since(catalog, mark) == []


def test_removed_and_erased_videos_are_named_and_leave_nothing(catalog: Catalog) -> None:
    put(catalog, "70001", "70002")
    mark = catalog.changes.mark()
    catalog.removals.hide(["70001"])
    hidden, changed = catalog.changes.since(mark)
    assert changed == ["70001"]
    claimed = catalog.removals.claim(["70001"])
    catalog.removals.erase()
    catalog.removals.finish(claimed)
    assert since(catalog, hidden) == since(catalog, mark) == ["70001"]
    items = [row["item"] for row in catalog.database.execute("SELECT item FROM changes")]
    assert "70002" in items and "70001" not in items


def test_a_list_that_is_removed_changes_its_videos(catalog: Catalog) -> None:
    put(catalog, "70001", "70002")
    catalog.put_encounters("70002", [Encounter(list="likes", at="2024-03-03T10:00:00")])
    mark = catalog.changes.mark()
    catalog.removals.end("likes")
    assert since(catalog, mark) == ["70002"]


def test_too_many_changes_or_another_file_are_not_known(catalog: Catalog, tmp_path: Path) -> None:
    put(catalog, "70001")
    mark = catalog.changes.mark()
    with catalog.transaction():
        put(catalog, *(f"71{number:04d}" for number in range(CHANGES_KEPT)))
    assert len(since(catalog, mark) or ()) == CHANGES_KEPT
    put(catalog, "70001", description="a drum")
    assert since(catalog, mark) is None
    with Catalog(shutil.copytree(tmp_path, tmp_path / "other")) as other:
        assert since(other, catalog.changes.mark()) is None


def test_a_video_that_vanishes_without_being_removed_is_not_overlooked(catalog: Catalog) -> None:
    put(catalog, "70001")
    mark = catalog.changes.mark()
    with catalog.transaction():
        catalog.database.execute("DELETE FROM videos WHERE id = '70001'")
    assert since(catalog, mark) is None


def test_sums_of_few_videos_are_those_of_all(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    put(catalog, "70001", "70002", "70003")
    catalog.put_encounters("70002", [Encounter(list="likes", at="2024-03-03T10:00:00")])
    catalog.removals.end("likes")
    few = catalog.sums(["70002", "70003"])
    monkeypatch.setattr("ingest.catalog.reader.FEW", 0)
    assert few == catalog.sums(["70002", "70003"])
    assert catalog.ids(among=["70003", "70009"]) == ["70003"]


def test_a_catalog_of_an_earlier_format_is_looked_at_as_a_whole_once(catalog: Catalog, tmp_path: Path) -> None:
    put(catalog, "70001")
    catalog.close()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as db:
        db.executescript("DROP TABLE changes; PRAGMA user_version = 7")
    with Catalog(tmp_path) as migrated:
        mark = migrated.changes.mark()
        put(migrated, "70002")
        assert since(migrated, mark) == ["70002"] and migrated.ids() == ["70001", "70002"]


def test_a_repair_of_what_is_damaged_is_a_change(catalog: Catalog, tmp_path: Path) -> None:
    put(catalog, "70001")
    catalog.put_encounters("70001", [Encounter(list="likes", at="2024-03-03T10:00:00")])
    catalog.close()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as db:
        db.execute("UPDATE encounters SET at = '2023-01-01T10:00:00'")
    with Catalog(tmp_path) as damaged:
        mark, before = damaged.changes.mark(), damaged.sums(["70001"])
        assert repair(tmp_path, inspect(damaged.database.connection))
        assert damaged.sums(["70001"]) != before and since(damaged, mark) == ["70001"]


@pytest.mark.parametrize("number", [(1 << 63) - 1, 0, "x", 1.5])
def test_a_damaged_number_is_found_and_repaired(catalog: Catalog, tmp_path: Path, number: object) -> None:
    put(catalog, "70001")
    mark = catalog.changes.mark()
    catalog.close()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as db:
        db.execute("UPDATE sqlite_sequence SET seq = ?", (number,))
    with Catalog(tmp_path, read_only=True) as damaged:
        findings = inspect(damaged.database.connection)
    assert [one.problem for one in findings] == ["the number of the last change is damaged"]
    repair(tmp_path, findings)
    with Catalog(tmp_path) as repaired:
        assert inspect(repaired.database.connection) == [] and since(repaired, mark) is None
        put(repaired, "70002")
