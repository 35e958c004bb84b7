"""Damage in the catalog is found and named, and stops nothing else."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ingest.catalog import Catalog, CatalogError, sums
from ingest.catalog.database import Database, cause_of
from ingest.catalog.inspection import Finding, inspect
from ingest.catalog.reader import BadEntry
from ingest.catalog.repair import repair
from tests.ingest.catalog.test_sums import ONE, TWO, filled

FLIPS = 120


def found(data: Path) -> list[Finding]:
    with closing(Database(data, read_only=True)) as database:
        return inspect(database.connection)


def change(data: Path, sql: str) -> None:
    """Change the file as damage does: no program keeps the sums."""
    with closing(sqlite3.connect(data / "catalog.sqlite")) as db, db:
        db.execute(sql)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    filled(tmp_path).close()
    return tmp_path


def test_a_catalog_that_is_well_has_no_findings(data: Path) -> None:
    assert found(data) == []


@pytest.mark.parametrize(
    ("sql", "name", "part"),
    [
        ("UPDATE texts SET text = 'an the screen' WHERE kind = 'cover'", ONE, "cover"),
        ("UPDATE segments SET start_s = 0.5", ONE, "transcript"),
        ("UPDATE judgements SET query = 'what were it'", "judgement 1", "judgement"),
        ("UPDATE encounters SET at = '2034-01-01T00:00:00'", ONE, "encounters"),
        ("UPDATE ledger SET tries = 4 WHERE stage = 'ocr'", ONE, "ledger"),
        ("UPDATE comments SET record = replace(record, 'first', 'fisrt')", ONE, "record"),
        ("UPDATE records SET scraped_at = 9.0", ONE, "records"),
        ("UPDATE short_links SET target = 'x'", "catalog", "short links"),
        ("DELETE FROM origins", ONE, "origins"),
    ],
)
def test_what_changed_by_itself_is_named(data: Path, sql: str, name: str, part: str) -> None:
    change(data, sql)
    assert any(name in one.name and one.part == part for one in found(data))


def test_a_flipped_bit_is_harmless_or_named_and_never_a_traceback(
    data: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def content(path: Path) -> object:
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as db:
                db.text_factory = bytes
                return [db.execute(f"SELECT * FROM {table.name}").fetchall() for table in sums.TABLES]  # noqa: S608
        except sqlite3.Error:
            return None

    whole = (data / "catalog.sqlite").read_bytes()
    before, chance = content(data / "catalog.sqlite"), random.Random(1)
    used = [at for at, byte in enumerate(whole) if byte]  # most of a small file is empty
    folder = tmp_path_factory.mktemp("flipped")
    silent = []
    for _ in range(FLIPS):
        flipped, at = bytearray(whole), chance.choice(used)
        flipped[at] ^= 1 << chance.randrange(8)
        for rest in folder.iterdir():
            rest.unlink()
        (folder / "catalog.sqlite").write_bytes(flipped)
        try:
            named = bool(found(folder))
            with Catalog(folder, read_only=True) as catalog:
                list(catalog.entries(catalog.ids()))
                catalog.status()
                catalog.browser.listed()
        except (CatalogError, sqlite3.OperationalError):
            named = True
        if not named and content(folder / "catalog.sqlite") != before:
            silent.append(at)
    assert silent == []


def test_a_part_that_the_disk_did_not_return_once_is_not_called_damaged(data: Path) -> None:
    file = data / "catalog.sqlite"
    content = file.read_bytes()
    file.write_bytes(content[:100] + bytes(len(content) - 100))
    with pytest.raises(sqlite3.DatabaseError) as raised, closing(sqlite3.connect(file)) as db:
        db.execute("SELECT * FROM videos")
    assert "is damaged" in str(cause_of(raised.value, file))
    file.write_bytes(content)
    assert "the disk reports an error" in str(cause_of(raised.value, file))


def test_a_damaged_line_of_an_index_of_sqlite_is_named_and_repaired(data: Path) -> None:
    file = data / "catalog.sqlite"
    content = file.read_bytes()
    assert b"indexsqlite_autoindex_videos_1" in content
    file.write_bytes(content.replace(b"indexsqlite_autoindex_videos_1", b"iodexsqlite_autoindex_videos_1"))
    findings = found(data)
    assert [one.problem for one in findings] == ["the line of the index sqlite_autoindex_videos_1 is damaged"]
    repair(data, findings)
    assert found(data) == []


def test_a_damaged_name_of_a_column_is_named_and_no_traceback(data: Path) -> None:
    file = data / "catalog.sqlite"
    content = file.read_bytes()
    assert content.count(b"no_speech ") == 1
    file.write_bytes(content.replace(b"no_speech ", b"no_sxeech "))
    assert [one.part for one in found(data)] == ["schema"]
    with Catalog(data, read_only=True) as catalog:
        assert list(catalog.entries([ONE])) == [] and ONE in catalog.bad


def test_nothing_in_place_of_a_name_is_named_and_repaired(data: Path) -> None:
    file = data / "catalog.sqlite"
    content = bytearray(file.read_bytes())
    of_a_sum = bytes([4, 13 + 2 * len(ONE), 13 + 2 * len("cover")])  # how a line of the sums begins: size and two types
    at = next(at for at in range(len(content)) if content[at : at + 3] == of_a_sum)
    content[at + 1] = 0  # the type of NULL
    file.write_bytes(content)
    findings = found(data)
    assert findings
    repair(data, findings)
    assert {one.part for one in found(data)} <= {"structure"}


def test_a_damaged_record_costs_one_video_and_is_named(data: Path) -> None:
    change(data, f"UPDATE videos SET record = replace(record, '\"id\"', '\"id') WHERE id = '{ONE}'")  # noqa: S608
    with Catalog(data, read_only=True) as catalog:
        assert TWO in [entry.video.id for entry in catalog.entries(catalog.ids())]
        assert list(catalog.bad) == [ONE] and ONE in catalog.bad[ONE] and "check --repair" in catalog.bad[ONE]
        with pytest.raises(BadEntry, match=ONE):
            catalog.get(ONE)
        assert catalog.browser.listed()


def test_a_damaged_page_is_a_catalog_error(data: Path) -> None:
    path = data / "catalog.sqlite"
    with closing(sqlite3.connect(path)) as db:
        page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'videos'").fetchone()[0]
        size = db.execute("PRAGMA page_size").fetchone()[0]
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = bytearray(path.read_bytes())
    whole[(page - 1) * size : (page - 1) * size + 100] = b"\xff" * 100
    path.write_bytes(whole)
    with Catalog(data, read_only=True) as catalog, pytest.raises(CatalogError, match="damaged"):
        catalog.get(ONE)
    assert found(data)


def test_a_catalog_of_format_5_without_an_index_gets_it(data: Path) -> None:
    with closing(sqlite3.connect(data / "catalog.sqlite")) as db:
        db.executescript(
            "DROP INDEX media_by_content; DROP TABLE sums; ALTER TABLE ledger DROP COLUMN note;"
            "ALTER TABLE videos DROP COLUMN description_languages; ALTER TABLE videos DROP COLUMN comment_languages;"
            "ALTER TABLE texts DROP COLUMN languages; DROP TABLE changes; PRAGMA user_version = 5"
        )
    assert found(data) == []


@pytest.mark.parametrize("time", ["9e999", "-9e999"])
def test_a_time_that_is_no_number_costs_one_video(data: Path, time: str) -> None:
    change(data, f"INSERT OR REPLACE INTO segments VALUES ('{ONE}', 'transcript', 0, 0, {time}, 'tea', NULL, NULL)")  # noqa: S608
    with Catalog(data, read_only=True) as catalog:
        assert TWO in [entry.video.id for entry in catalog.entries(catalog.ids())]
        assert list(catalog.bad) == [ONE]
