import contextlib
import sqlite3
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest

from ingest.catalog import Catalog, CatalogError
from ingest.catalog.entries import Segment, Text
from ingest.catalog.migrations import MIGRATIONS
from ingest.catalog.records import MAX_RECORDS
from scraper.records import Comment, Video

ID = "7000000000000000001"


def video(video_id: str = ID, **changes: object) -> Video:
    return Video.model_validate(
        {"id": video_id, "scraped_at": 100.0, "cover_sources": ["https://a.example/c.jpg"]} | changes
    )


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path, create=True)


def state(catalog: Catalog, stage: str, video_id: str = ID) -> str:
    entry = catalog.get(video_id)
    assert entry
    return dict(entry.states)[stage]  # type: ignore[index]


def media_file(catalog: Catalog, content: bytes, name: str = "cover.jpg") -> Path:
    folder = catalog.media_folder(ID)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def test_a_stored_record_is_read_back_unchanged(catalog: Catalog) -> None:
    shown = {"likes_shown": "1.1M", "posted": "2024-05-01"}
    stored = video(description="naïve 😀 #tag", comments=[Comment(text="lol", likes=3)], **shown)
    assert catalog.put_video(stored) == "new"
    entry = catalog.get(ID)
    assert entry and entry.video == stored


def test_the_newest_scrape_wins_and_a_repeated_one_changes_nothing(catalog: Catalog) -> None:
    assert catalog.put_video(video(description="two", scraped_at=200.0)) == "new"
    assert catalog.put_video(video(description="two", scraped_at=200.0)) == "unchanged"
    assert catalog.put_video(video(description="one", scraped_at=100.0)) == "unchanged"
    assert catalog.put_video(video(description="three", scraped_at=300.0, comments=[Comment(text="new")])) == "updated"
    entry = catalog.get(ID)
    assert entry and entry.video.description == "three" and entry.video.comments[0].text == "new"


def test_records_of_several_sources_merge_by_field_in_any_order(tmp_path: Path) -> None:
    scrapes = [
        video(source="console script", scraped_at=300.0, comments=[Comment(text="lol")], likes_shown="2K"),
        video(source="yt-dlp", scraped_at=200.0, description="newer words", likes=1999, music_title="a song"),
        video(source="console script", scraped_at=100.0, description="older words", creator_nickname="Ann"),
        Video(id=ID, permalink=f"https://www.tiktok.com/@a/video/{ID}", source="data export"),
    ]
    for number, order in enumerate(permutations(scrapes)):
        with Catalog(tmp_path / str(number), create=True) as own:
            outcomes = [own.put_video(scrape) for scrape in order]
            assert outcomes[0] == "new"
            assert [own.put_video(scrape) for scrape in order] == ["unchanged"] * 4
            entry = own.get(ID)
            assert entry and own.records(ID) == scrapes
        merged = entry.video
        assert (merged.description, merged.music_title, merged.creator_nickname) == ("newer words", "a song", "Ann")
        assert [comment.text for comment in merged.comments] == ["lol"]
        assert (merged.likes_shown, merged.likes) == ("2K", 2000), "a count and how it was shown are one value"
        assert merged.permalink and merged.scraped_at == 300.0
        assert merged.source == "console script, yt-dlp, data export"


def test_records_kept_of_one_video_are_limited(catalog: Catalog) -> None:
    for number in range(2 * MAX_RECORDS):
        catalog.put_video(video(description=str(number), scraped_at=number + 1.0))
    kept = [record.description for record in catalog.records(ID)]
    assert kept == [str(2 * MAX_RECORDS - 1 - number) for number in range(MAX_RECORDS)]


def test_fields_of_only_the_oldest_record_survive_the_limit(catalog: Catalog) -> None:
    catalog.put_video(video(comments=[Comment(text="lol")], source="console script", scraped_at=1.0))
    for number in range(2 * MAX_RECORDS):
        catalog.put_video(video(description=str(number), source="yt-dlp", scraped_at=number + 2.0))
    entry = catalog.get(ID)
    assert entry and [comment.text for comment in entry.video.comments] == ["lol"]
    assert entry.video.source == "yt-dlp, console script"
    assert len(catalog.records(ID)) == MAX_RECORDS


def test_a_catalog_of_the_first_format_is_migrated(tmp_path: Path) -> None:
    kept = video(description="kept", comments=[Comment(text="one"), Comment(text="two")])
    bare = video("70002", cover_sources=[])
    with contextlib.closing(sqlite3.connect(tmp_path / "catalog.sqlite", isolation_level=None)) as db:
        db.executescript(MIGRATIONS[0])
        for old in (kept, bare):
            record = old.model_dump_json(exclude={"comments"}, exclude_defaults=True)
            db.execute("INSERT INTO videos VALUES (?, ?, 'x', 100.0, 150.0)", (old.id, record))
        for number, comment in enumerate(kept.comments):
            record = comment.model_dump_json(exclude_defaults=True)
            db.execute("INSERT INTO comments VALUES (?, ?, ?)", (ID, number, record))
        db.execute("INSERT INTO media VALUES (?, 'cover', 0, 'media/01/x.jpg', 'y', 3, 'imported', 150.0)", (ID,))
        db.execute("PRAGMA user_version = 1")
    with Catalog(tmp_path) as catalog:
        assert (catalog.records(ID), catalog.records("70002")) == ([kept], [bare])
        assert [catalog.put_video(one) for one in (kept, bare)] == ["unchanged"] * 2, "known as it is written today"
        assert (catalog.records(ID), catalog.records("70002")) == ([kept], [bare])
        assert catalog.put_video(video(music_title="a song", scraped_at=50.0)) == "updated"
        entry = catalog.get(ID)
    assert entry and (entry.video.description, entry.video.music_title) == ("kept", "a song")
    assert [comment.text for comment in entry.video.comments] == ["one", "two"]
    assert [(media.kind, media.bytes) for media in entry.media] == [("cover", 3)]


def test_a_video_without_a_date_is_dated_by_its_id_and_any_other_date_wins(catalog: Catalog) -> None:
    catalog.put_video(Video(id=ID))
    first, made_up = catalog.get(ID), "9000000000000000123"
    assert first and first.video.posted == "2021-08-24"
    catalog.put_video(Video(id=ID, posted="2021-08-20", scraped_at=1.0))
    catalog.put_video(Video(id=ID, description="newer, without a date", scraped_at=2.0))
    catalog.put_video(Video(id=made_up))
    later, other = catalog.get(ID), catalog.get(made_up)
    assert later and later.video.posted == "2021-08-20"
    assert other and other.video.posted is None, "no day of the past"


def test_a_record_that_is_only_a_link_is_due(catalog: Catalog) -> None:
    link = f"https://www.tiktok.com/@a/video/{ID}"
    catalog.put_video(Video(id=ID, permalink=link))
    assert [state(catalog, stage) for stage in ("download", "ocr", "transcribe")] == ["due"] * 3
    catalog.put_video(Video(id="70002", permalink="https://www.tiktok.example/@a/video/70002"))
    assert state(catalog, "download", "70002") == "absent"


def test_new_links_are_due_even_after_a_finished_download(catalog: Catalog) -> None:
    catalog.put_video(video())
    catalog.ledger.set(ID, "download", "done")
    catalog.put_video(video(description="no new link", scraped_at=200.0))
    assert state(catalog, "download") == "done"
    catalog.put_video(video(video_sources=["https://a.example/v.mp4"], scraped_at=150.0))
    assert (state(catalog, "download"), state(catalog, "transcribe")) == ("due", "due")


def test_a_working_link_is_kept_with_newer_dead_ones(catalog: Catalog) -> None:
    good, old = "https://a.example/v.mp4", "https://a.example/old.mp4"
    track = {"language": "eng-US", "url": "https://a.example/c.vtt"}
    catalog.put_video(video(video_sources=[old], captions=[{"language": "eng-US", "source": "ASR"}], scraped_at=1.0))
    catalog.put_video(video(video_sources=[good], captions=[track], scraped_at=2.0))
    catalog.put_video(video(video_sources=["blob:https://a.example/1"], captions=[{"language": "x"}], scraped_at=3.0))
    entry = catalog.get(ID)
    assert entry and entry.video.video_sources == [good, old, "blob:https://a.example/1"]
    assert [(c.url, c.source) for c in entry.video.captions] == [(track["url"], "ASR")], "yt-dlp does not tell ASR"


def test_a_record_from_the_future_does_not_stay_the_newest(catalog: Catalog) -> None:
    catalog.put_video(video(description="from 4821", scraped_at=9e10))
    catalog.put_video(video(description="from today", scraped_at=1.7e9))
    entry = catalog.get(ID)
    assert entry and entry.video.description == "from today"


def test_records_without_a_time_keep_the_order_of_import(catalog: Catalog) -> None:
    first, second = (video(description=words, scraped_at=None) for words in ("first", "second"))
    assert [catalog.put_video(one) for one in (first, second, first, second)] == [
        "new",
        "updated",
        "unchanged",
        "unchanged",
    ]
    entry = catalog.get(ID)
    assert entry and entry.video.description == "second"


def test_no_parent_folder_may_be_a_symbolic_link(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "media").symlink_to(tmp_path.parent)
    with pytest.raises(CatalogError, match="is a link"):
        catalog.media_folder(ID)


def test_importing_a_file_removes_the_line_of_its_failed_download(catalog: Catalog) -> None:
    catalog.put_video(video())
    catalog.ledger.put_file(ID, "cover", 0, "notfound", "the server does not have it")
    catalog.put_media(ID, "cover", media_file(catalog, b"one"), "imported")
    assert catalog.ledger.files() == []


def test_each_file_has_its_own_line(catalog: Catalog) -> None:
    catalog.put_video(video())
    catalog.ledger.put_file(ID, "cover", 0, "expired", "the link has expired")
    catalog.ledger.put_file(ID, "cover", 0)
    catalog.ledger.put_file(ID, "video", 0, "expired", "the link has expired")
    lines = [(line["kind"], line["state"], line["tries"], line["code"]) for line in catalog.ledger.files(ID)]
    assert lines == [("cover", "done", 2, ""), ("video", "failed", 1, "expired")]
    assert catalog.ledger.file_counts() == {"cover": {"done": 1}, "video": {"expired": 1}}


def test_a_new_scrape_keeps_the_texts_already_made(catalog: Catalog) -> None:
    catalog.put_video(video())
    catalog.put_text(ID, "cover", Text("READ ME", "tesseract", "5"))
    catalog.put_video(video(description="changed", scraped_at=300.0))
    entry = catalog.get(ID)
    assert entry and entry.texts["cover"].text == "READ ME" and entry.states["ocr"] == "done"


def test_unreadable_and_empty_texts_differ(catalog: Catalog) -> None:
    catalog.put_video(video())
    catalog.put_text(ID, "cover", Text("", "tesseract"))
    assert state(catalog, "ocr") == "done"
    catalog.fail(ID, "ocr", "truncated", Text(None, "tesseract"))
    entry = catalog.get(ID)
    assert entry and entry.texts["cover"].text is None and entry.states["ocr"] == "failed"


def test_segments_keep_their_order_and_times(catalog: Catalog) -> None:
    segments = [Segment(0.0, 1.5, "one"), Segment(31.25, 33.0, "two")]
    catalog.put_video(video())
    catalog.put_text(ID, "transcript", Text("one two", "whisper", segments=segments))
    entry = catalog.get(ID)
    assert entry and list(entry.texts["transcript"].segments) == segments


def test_stages_without_media_are_absent_and_become_due_with_media(catalog: Catalog) -> None:
    catalog.put_video(video(cover_sources=[]))
    assert [state(catalog, stage) for stage in ("download", "ocr", "transcribe")] == ["absent"] * 3
    catalog.put_media(ID, "cover", media_file(catalog, b"one"), "imported")
    assert (state(catalog, "ocr"), state(catalog, "transcribe")) == ("due", "absent")
    catalog.put_media(ID, "video", media_file(catalog, b"v", "video.mp4"), "imported")
    assert state(catalog, "transcribe") == "due"


def test_the_same_file_again_makes_nothing_due_and_another_content_does(catalog: Catalog) -> None:
    catalog.put_video(video())
    catalog.put_media(ID, "cover", media_file(catalog, b"one"), "imported")
    catalog.put_text(ID, "cover", Text("x", "tesseract"))
    assert not catalog.put_media(ID, "cover", media_file(catalog, b"one"), "imported")
    assert state(catalog, "ocr") == "done"
    assert catalog.put_media(ID, "cover", media_file(catalog, b"two"), "imported")
    assert state(catalog, "ocr") == "due"


def test_a_caption_file_makes_nothing_due(catalog: Catalog) -> None:
    catalog.put_video(video())
    catalog.put_text(ID, "cover", Text("x", "tesseract"))
    assert catalog.put_media(ID, "caption", media_file(catalog, b"WEBVTT", "caption_01.vtt"), "imported")
    assert (state(catalog, "ocr"), state(catalog, "transcribe")) == ("done", "absent")


def test_an_imported_text_never_replaces_one_made_here(catalog: Catalog) -> None:
    catalog.put_video(video())
    assert catalog.import_text(ID, "cover", "first")
    assert catalog.import_text(ID, "cover", "second")
    catalog.put_text(ID, "cover", Text("made", "tesseract"))
    assert not catalog.import_text(ID, "cover", "third")
    entry = catalog.get(ID)
    assert entry and entry.texts["cover"].text == "made"


def test_usable_leaves_out_due_and_failed_videos(catalog: Catalog) -> None:
    for number in range(4):
        catalog.put_video(video(f"7000{number}", cover_sources=["https://a.example/c.jpg"] if number != 3 else []))
    catalog.import_text("70000", "cover", "")
    catalog.import_text("70001", "cover", None)
    assert catalog.ids() == ["70000", "70001", "70002", "70003"]
    assert catalog.ids(usable=True) == ["70000", "70003"]


def test_failures_are_counted_and_retried_by_stage_id_and_error(catalog: Catalog) -> None:
    for number in range(3):
        catalog.put_video(video(f"7000{number}"))
        catalog.fail(f"7000{number}", "ocr", "truncated" if number else "too large")
    assert catalog.ledger.retry(error="too large") == 1
    assert catalog.ledger.due("ocr") == ["70000"]
    assert catalog.ledger.retry("transcribe") == 0
    assert catalog.ledger.retry("ocr", ids=["70002"]) == 1
    assert [(f["video_id"], f["error"], f["tries"]) for f in catalog.ledger.failures()] == [("70001", "truncated", 1)]
    catalog.fail("70002", "ocr", "truncated")
    assert catalog.ledger.failures("ocr")[1]["tries"] == 2


FILL = """
import sys
from pathlib import Path
from ingest.catalog import Catalog
from scraper.records import Video
with Catalog(Path(sys.argv[1])) as own:
    for number in range(int(sys.argv[2]), int(sys.argv[2]) + 100):
        own.put_video(Video(id=str(number)))
"""


def test_processes_write_concurrently(tmp_path: Path) -> None:
    Catalog(tmp_path, create=True).close()
    running = [
        subprocess.Popen([sys.executable, "-c", FILL, str(tmp_path), start]) for start in ("10000", "10050", "20000")
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    with Catalog(tmp_path) as catalog:
        assert len(catalog.ids()) == 250


def test_a_failed_transaction_leaves_nothing(catalog: Catalog) -> None:
    with pytest.raises(RuntimeError), catalog.transaction():
        catalog.put_video(video())
        raise RuntimeError
    assert catalog.ids() == []


def test_a_missing_newer_or_broken_catalog_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="tiktok-retrieval import"):
        Catalog(tmp_path)
    Catalog(tmp_path, create=True).close()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(CatalogError, match="newer"):
        Catalog(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "catalog.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(CatalogError, match="cannot be opened"):
        Catalog(tmp_path / "broken")


def test_an_imported_null_replaces_no_text_and_a_text_replaces_a_null(catalog: Catalog) -> None:
    catalog.put_video(video())
    catalog.import_text(ID, "cover", "kept")
    assert not catalog.import_text(ID, "cover", None)
    assert state(catalog, "ocr") == "done"
    catalog.fail(ID, "ocr", "truncated", Text(None, "tesseract"))
    assert catalog.import_text(ID, "cover", "known elsewhere")
    assert state(catalog, "ocr") == "done"


def test_an_error_that_ends_the_transaction_is_the_reported_one(catalog: Catalog) -> None:
    with pytest.raises(ValueError, match="full"), catalog.transaction(), catalog.transaction():
        catalog.database.execute("ROLLBACK")  # as SQLite does on a full disk
        raise ValueError("full")
    assert not catalog.database.connection.in_transaction


def test_an_inner_transaction_can_fail_alone(catalog: Catalog) -> None:
    with catalog.transaction():
        catalog.put_video(video("70001"))
        with pytest.raises(RuntimeError), catalog.transaction():
            catalog.put_video(video("70002"))
            raise RuntimeError
        catalog.put_video(video("70003"))
    assert catalog.ids() == ["70001", "70003"]


def test_scrapes_of_the_same_second_merge_the_same_in_any_order(tmp_path: Path) -> None:
    scrapes = [video(description="one"), video(description="two")]
    winners = []
    for number, order in enumerate((scrapes, scrapes[::-1])):
        with Catalog(tmp_path / str(number), create=True) as own:
            outcomes = [own.put_video(scrape) for scrape in [*order, *order]]
            entry = own.get(ID)
            assert "updated" not in outcomes[2:]
        winners.append(entry and entry.video.description)
    assert winners[0] == winners[1]
