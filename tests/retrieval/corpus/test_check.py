"""The command that checks and repairs."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
import typer

from ingest.catalog import Catalog, sums
from ingest.catalog.inspection import Finding
from retrieval.commands.check import check as command
from retrieval.commands.check import lines
from retrieval.corpus.check import check
from tests.ingest.catalog.test_sums import LOCAL, ONE, TWO, filled


@pytest.fixture
def data(tmp_path: Path) -> Path:
    filled(tmp_path / "data").close()
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def nobody_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.corpus.check.SETTLED_S", 0.0)


def damage(data: Path, sql: str) -> None:
    with closing(sqlite3.connect(data / "catalog.sqlite")) as db, db:
        db.execute(sql)


def repaired(data: Path) -> list[str]:
    """Repair and return what was done, after checking that nothing is left and a copy was taken."""
    report = check(data, data / "indexes", mend=True)
    assert report.found and report.left == [] and report.copy and report.copy.is_file()
    return report.done


def test_nothing_is_found_and_nothing_is_copied_if_all_is_well(data: Path) -> None:
    report = check(data, data / "indexes", mend=True)
    assert report.found == [] and report.copy is None and report.checked["videos"] == 3


def test_a_damaged_text_is_made_again(data: Path) -> None:
    damage(data, "UPDATE texts SET text = 'x' WHERE kind = 'cover'")
    repaired(data)
    with Catalog(data) as catalog:
        entry = catalog.get(ONE)
        assert entry and "cover" not in entry.texts and entry.states["ocr"] == "due"


def test_a_text_by_hand_and_a_judgement_are_kept_and_named(data: Path) -> None:
    damage(data, "UPDATE texts SET text = 'sayd' WHERE kind = 'transcript'")
    damage(data, "UPDATE judgements SET query = 'what was its'")
    done = "\n".join(repaired(data))
    with Catalog(data) as catalog:
        entry = catalog.get(ONE)
        assert entry and entry.texts["transcript"].text == "sayd"
        assert [judgement.query for judgement in catalog.judgements.all()] == ["what was its"]
    assert f"video {ONE}: transcript text kept" in done and "'what was its'" in done


def test_a_damaged_record_is_merged_again_from_the_others(data: Path) -> None:
    damage(data, f"UPDATE videos SET record = 'no json' WHERE id = '{ONE}'")  # noqa: S608
    repaired(data)
    with Catalog(data) as catalog:
        entry = catalog.get(ONE)
        assert entry and entry.video.description == "b" and entry.video.comments[0].text == "first"
        assert entry.states["download"] == "due"


def test_a_record_that_is_lost_leaves_texts_and_judgements(data: Path) -> None:
    damage(data, f"UPDATE videos SET record = 'no json' WHERE id = '{ONE}'")  # noqa: S608
    damage(data, f"UPDATE records SET record = 'no json either' || sha256 WHERE video_id = '{ONE}'")  # noqa: S608
    done = "\n".join(repaired(data))
    assert f"video {ONE}: its record is lost" in done
    with Catalog(data) as catalog:
        entry = catalog.get(ONE)
        assert entry and entry.texts["transcript"].text == "said" and catalog.judgements.count() == 1


def test_a_damaged_file_that_was_downloaded_is_due_again(data: Path) -> None:
    cover = data / "media" / ONE[-2:] / ONE / "cover.jpg"
    cover.write_bytes(b"pictuRe")
    assert any("cover.jpg" in one.problem for one in check(data, data / "indexes").found)
    repaired(data)
    assert not cover.exists()
    with Catalog(data) as catalog:
        assert catalog.ledger.states(ONE)["download"] == "due"


def test_a_file_that_cannot_be_downloaded_is_named_again(data: Path) -> None:
    (data / "media" / "03" / "9000000000000000003" / "video.mp4").unlink()
    report = check(data, data / "indexes", mend=True)
    assert ["video.mp4" in one.problem for one in report.left] == [True] and "import it again" in report.left[0].advice


def test_writing_meanwhile_is_no_damage(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = sums.computed

    def while_written(db: sqlite3.Connection, tables: Iterable[sums.Table] = sums.TABLES) -> dict[sums.Key, bytes]:
        found = plain(db, tables)
        with Catalog(data) as catalog:
            catalog.ledger.set(ONE, "ocr", "failed", "it broke")
        return found

    monkeypatch.setattr(sums, "computed", while_written)
    assert check(data, data / "indexes").found == []


def test_a_file_that_is_entered_or_removed_meanwhile_is_no_damage(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cover = data / "media" / ONE[-2:] / ONE / "cover.jpg"
    cover.write_bytes(b"another picture")
    film = data / "media" / LOCAL[-2:] / LOCAL / "video.mp4"
    film.unlink()

    def settle(_: float) -> None:
        with Catalog(data) as catalog:
            catalog.put_media(ONE, "cover", cover, "downloaded")
            catalog.removals.hide([LOCAL])

    monkeypatch.setattr("retrieval.corpus.check.time.sleep", settle)
    assert check(data, data / "indexes").found == []


def test_the_sum_of_an_item_whose_name_is_damaged_is_made_again(data: Path) -> None:
    damage(data, f"UPDATE sums SET item = CAST(x'ff' || substr(item, 2) AS TEXT) WHERE item = '{TWO}'")  # noqa: S608
    repaired(data)


def test_a_file_that_sqlite_calls_malformed_is_named(data: Path) -> None:
    with closing(sqlite3.connect(data / "catalog.sqlite")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'texts'").fetchone()[0]
        size = db.execute("PRAGMA page_size").fetchone()[0]
    with (data / "catalog.sqlite").open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * 8)
    assert "structure" in {one.part for one in check(data, data / "indexes").found}


@pytest.mark.parametrize(
    ("was", "became"),
    [
        (b"no_speech ", b"no_sxeech "),  # p and x differ in one bit; the file opens with the wrong name of a column
        (b"CREATE TABLE videos", b"CREATM TABLE videos"),  # the file does not open
        (b"tablesegmentssegments", b"tablesegmentrsegments"),
        (b"tablejudgementsjudgements", b"tablejudgementsjudgemdnts"),
    ],
)
def test_a_damaged_definition_is_named_and_repaired_with_all_content(data: Path, was: bytes, became: bytes) -> None:
    file = data / "catalog.sqlite"
    with closing(sqlite3.connect(file)) as db:
        before = [db.execute(f"SELECT * FROM {table.name}").fetchall() for table in sums.TABLES]  # noqa: S608
    whole = file.read_bytes()
    assert whole.count(was) == 1
    file.write_bytes(whole.replace(was, became))
    assert {(one.part, one.advice) for one in check(data, data / "indexes").found} == {("schema", Finding.advice)}
    assert all("is written again" in line for line in repaired(data))
    with closing(sqlite3.connect(file)) as db:
        assert before == [db.execute(f"SELECT * FROM {table.name}").fetchall() for table in sums.TABLES]  # noqa: S608


@pytest.mark.parametrize("repair", [False, True])
def test_a_definition_that_is_missing_is_named_with_the_command_that_restores(
    data: Path, capsys: pytest.CaptureFixture[str], *, repair: bool
) -> None:
    damage(data, "DROP TABLE segments")
    file = data / "catalog.sqlite"
    before = file.read_bytes()
    with pytest.raises(typer.Exit):
        command(repair=repair, data=data, indexes=data / "indexes")
    said = capsys.readouterr().out
    named = "the catalog: the definition of segments is damaged. To do: restore a backup with"
    assert f"{named} `tiktok-retrieval restore FILE --data NEW --indexes NEW`" in said
    assert "check --repair" not in said and "repaired:" not in said and file.read_bytes() == before


def test_many_missing_files_share_a_line_and_their_cure() -> None:
    files = [Finding(str(number), "file", "its video is missing", "import it again") for number in range(9)]
    other = [Finding("7", "record", "damaged", "repair it"), Finding("8", "record", "damaged", "repair it")]
    found = lines([*files, *other], advise=True)
    assert found[0].startswith("9 files are missing or damaged (video 0: its video is missing; video 1: ")
    assert found[0].endswith("; ...). To do: import it again") and "video 3" not in found[0]
    assert found[1:] == ["video 7: damaged. To do: repair it", "video 8: damaged. To do: repair it"]


@pytest.mark.parametrize("mend", [False, True])
def test_a_catalog_that_is_missing_is_named(data: Path, *, mend: bool) -> None:
    (data / "indexes").mkdir()
    (data / "catalog.sqlite").unlink()
    report = check(data, data / "indexes", mend=mend)
    assert [one.problem for one in report.left] == [f"there is none in {data}"] and report.done == []
