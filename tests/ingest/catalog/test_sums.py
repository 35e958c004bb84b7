"""Sums of the catalog: every writer keeps them."""

import _thread
import threading
from pathlib import Path

import pytest

from ingest.catalog import Catalog, sums
from ingest.catalog.entries import HAND, Segment, Text
from scraper.records import Comment, Encounter, Video

ONE, TWO, LOCAL = "7000000000000000001", "7000000000000000002", "9000000000000000003"


def fits(catalog: Catalog) -> bool:
    """Whether every sum is that of the tables, and none is missing."""
    db = catalog.database.connection
    return sums.computed(db) == sums.stored(db)


def filled(data: Path) -> Catalog:
    """A catalog with something in each table."""
    catalog = Catalog(data, create=True)
    for video_id in (ONE, TWO, LOCAL):
        catalog.put_video(Video(id=video_id, description="a", scraped_at=1.0, comments=[Comment(text="first")]))
    catalog.put_video(Video(id=ONE, description="b", scraped_at=2.0, cover_sources=["https://a.example/c.jpg"]))
    cover = catalog.media_folder(ONE) / "cover.jpg"
    cover.write_bytes(b"picture")
    catalog.put_media(ONE, "cover", cover, "downloaded")
    film = catalog.media_folder(LOCAL) / "video.mp4"
    film.write_bytes(b"film")
    catalog.put_media(LOCAL, "video", film, "imported")
    catalog.put_text(ONE, "cover", Text("on the screen", "tesseract"))
    catalog.put_text(ONE, "transcript", Text("said", HAND, segments=[Segment(0.0, 1.0, "said")]))
    catalog.put_encounters(ONE, [Encounter(list="likes", at="2024-01-01T00:00:00")])
    catalog.put_origin(ONE, data / "file.json")
    catalog.judgements.add("what was it", ONE)
    catalog.ledger.put_file(TWO, "cover", 0, "gone", "it is gone")
    catalog.import_notes.put_problems([("file.json", 1, "no id")], ["file.json"])
    catalog.import_notes.put_short_links({"https://vm.tiktok.com/a": ""})
    return catalog


def test_every_writer_keeps_the_sums(tmp_path: Path) -> None:
    with filled(tmp_path) as catalog:
        tables = {table.name for table in sums.TABLES if table.name != "removals"}
        assert all(catalog.database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables)  # noqa: S608
        assert fits(catalog)
        catalog.rename(LOCAL, Video(id="7000000000000000009", description="c"))
        catalog.fail(TWO, "ocr", "broken", Text(None, "tesseract"))
        catalog.forget_text(ONE, "cover")
        catalog.ledger.retry()
        catalog.judgements.delete(catalog.judgements.all()[0].id)
        assert fits(catalog)
        catalog.removals.hide([ONE])
        catalog.removals.end("likes")
        assert fits(catalog)
        removals = catalog.removals.claim([ONE])
        catalog.removals.erase()
        catalog.removals.finish(removals)
        assert fits(catalog)


def test_a_transaction_that_is_undone_leaves_the_sums(tmp_path: Path) -> None:
    with filled(tmp_path) as catalog:
        try:
            with catalog.transaction():
                catalog.ledger.set(ONE, "ocr", "failed", "why")
                raise RuntimeError
        except RuntimeError:
            pass
        assert fits(catalog)


def test_the_file_has_no_triggers(tmp_path: Path) -> None:
    with filled(tmp_path) as catalog:
        assert not catalog.database.execute("SELECT * FROM sqlite_schema WHERE type = 'trigger'").fetchall()


def test_ctrl_c_within_a_statement_is_ctrl_c_and_undoes_its_notes(tmp_path: Path) -> None:
    """SQLite makes an error of its own of an exception within a function of Python."""
    many = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
        " INSERT INTO short_links (link, target) SELECT 'https://vm.tiktok.com/' || i, '' FROM n"
    )
    with filled(tmp_path) as catalog:
        pressed = threading.Timer(0.1, _thread.interrupt_main)
        pressed.start()
        with pytest.raises(KeyboardInterrupt), catalog.database.transaction():
            catalog.database.execute(many)
            pressed.join()
        assert fits(catalog)
        catalog.judgements.add("another question", TWO)
        assert fits(catalog)
