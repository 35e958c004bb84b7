"""The languages of texts in the catalog."""

import sqlite3
from contextlib import closing
from pathlib import Path

from ingest.catalog import Catalog
from ingest.catalog.entries import Entry, Segment, Text
from scraper.records import Comment, Video

ID = "7000000000000000001"
GERMAN = "Der Hund hört die Katze im Garten."
FRENCH = "Mon fils mange le croissant en deux bouchées."
ENGLISH = "The cat pushed the teapot off the shelf again."


def stored(data: Path, video: Video, **texts: Text) -> Entry:
    with Catalog(data, create=True) as catalog:
        catalog.put_video(video)
        for kind, text in texts.items():
            catalog.put_text(ID, "cover" if kind == "cover" else "transcript", text)
        found = catalog.get(ID)
    assert found
    return found


def test_each_text_has_its_language(tmp_path: Path) -> None:
    video = Video(id=ID, description=GERMAN, comments=[Comment(text="so cute, what is her name"), Comment(text="aww")])
    entry = stored(
        tmp_path, video, cover=Text(FRENCH, "tesseract", language="eng"), transcript=Text(ENGLISH, "imported")
    )
    assert entry.languages == {"description": ("de",), "comments": ("en",), "cover": ("fr",), "transcript": ("en",)}


def test_a_text_in_two_languages_has_both(tmp_path: Path) -> None:
    entry = stored(tmp_path, Video(id=ID, description=f"{GERMAN}\n{ENGLISH} {ENGLISH}"))
    assert sorted(entry.languages["description"]) == ["de", "en"]


def test_what_whisper_detected_comes_first(tmp_path: Path) -> None:
    said = Text("Ja. Nein. OK.", "whisper", language="no", segments=[Segment(0, 1, "Ja."), Segment(1, 2, "Nein.")])
    assert stored(tmp_path, Video(id=ID), transcript=said).languages["transcript"] == ("no",)


def test_the_languages_that_whisper_is_certain_of_count_whatever_the_words_look_like(tmp_path: Path) -> None:
    names = "Ana Maria Lopez, Berlin, Hotel Adlon, Taxi, Pizza, Radio, Foto, Auto, Kilo"
    segments = [
        Segment(0, 4, names, language="de"),
        Segment(4, 8, names, language="es"),
        Segment(8, 9, "OK", language="en"),
    ]
    said = Text(f"{names} {names} OK", "whisper", language="de", segments=segments)
    assert stored(tmp_path, Video(id=ID), transcript=said).languages["transcript"] == ("de", "es")


def test_speech_in_two_languages_has_both_the_one_of_the_engine_first(tmp_path: Path) -> None:
    segments = [Segment(0, 4, FRENCH), Segment(4, 8, ENGLISH), Segment(8, 12, FRENCH), Segment(12, 16, ENGLISH)]
    said = Text(" ".join(one.text for one in segments), "whisper", language="en", segments=segments)
    assert stored(tmp_path, Video(id=ID), transcript=said).languages["transcript"] == ("en", "fr")


def test_tags_of_captions_become_codes(tmp_path: Path) -> None:
    entry = stored(tmp_path, Video(id=ID), transcript=Text(ENGLISH, "captions", language="eng-US"))
    assert entry.languages["transcript"] == ("en",)


def test_a_changed_description_changes_the_language(tmp_path: Path) -> None:
    stored(tmp_path, Video(id=ID, description=GERMAN, scraped_at=1))
    assert stored(tmp_path, Video(id=ID, description=FRENCH, scraped_at=2)).languages["description"] == ("fr",)


def test_the_library_counts_videos_by_language(tmp_path: Path) -> None:
    stored(tmp_path, Video(id=ID, description=GERMAN), transcript=Text(ENGLISH, "imported"))
    with Catalog(tmp_path) as catalog:
        catalog.put_video(Video(id="7000000000000000002", description=GERMAN))
        catalog.put_video(Video(id="7000000000000000003", description="🐙"))
        assert catalog.browser.languages() == {"de": 2, "en": 1}


def test_an_existing_catalog_gets_the_languages_when_it_is_opened(tmp_path: Path) -> None:
    video = Video(id=ID, description=GERMAN, comments=[Comment(text="so cute, what is her name")])
    before = stored(tmp_path, video, transcript=Text(FRENCH, "imported"), cover=Text(None, "tesseract"))
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as db:
        db.executescript(
            "INSERT INTO videos (id, record, sha256, scraped_at, imported_at) VALUES ('8', '{damaged', '', 0, 0);"
            "ALTER TABLE videos DROP COLUMN description_languages; ALTER TABLE videos DROP COLUMN comment_languages;"
            "ALTER TABLE texts DROP COLUMN languages; DROP TABLE changes; PRAGMA user_version = 6"
        )
    with Catalog(tmp_path) as catalog:
        assert catalog.get(ID) == before
