import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from ingest.catalog import Catalog, Media
from ingest.catalog.entries import CAPTIONS, Segment, Text
from ingest.catalog.media_damage import EMPTY, MISSING, OTHER_CONTENT, OTHER_SIZE, content_damage
from ingest.media import open_image, poster
from ingest.settings import Settings
from ingest.sound import audio
from ingest.stages.importer import import_source
from ingest.stages.pipeline import run_stage
from scraper.download import sweep
from tests.ingest import media_samples
from tests.scraper.test_sources import console_record, write

ONE, TWO = "7000000000000000001", "7000000000000000002"


def names(catalog: Catalog) -> list[str]:
    return sorted(path.name for path in catalog.media_folder(ONE).iterdir())


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    write(folder / "info" / "batch_1.json", [console_record(ONE), "broken", console_record(TWO)])
    write(folder / "ocr.json", {ONE: "SALE", TWO: None})
    write(folder / "speech_to_text.json", {ONE: "", TWO: "hello"})
    write(folder / "coverphotos" / f"{ONE}.jpg", "a cover")
    return folder


def test_importing_twice_changes_nothing_the_second_time(study: Path, tmp_path: Path) -> None:
    with Catalog(tmp_path / "data", create=True) as catalog:
        first = import_source(catalog, study)
        assert (first.new, first.texts, first.media, len(first.problems)) == (2, 4, 1, 1)
        again = import_source(catalog, study)
        assert (again.new, again.updated, again.unchanged, again.texts, again.media) == (0, 0, 2, 0, 0)
        assert catalog.ids(usable=True) == [ONE]


def test_media_are_copied_into_the_data_folder(study: Path, tmp_path: Path) -> None:
    with Catalog(tmp_path / "data", create=True) as catalog:
        import_source(catalog, study)
        entry = catalog.get(ONE)
    cover = entry.file("cover") if entry else None
    assert cover and cover.path.read_text() == "a cover" and cover.path.is_relative_to(tmp_path / "data" / "media")


def test_a_text_made_here_survives_the_next_import(study: Path, tmp_path: Path) -> None:
    with Catalog(tmp_path / "data", create=True) as catalog:
        import_source(catalog, study)
        catalog.put_text(ONE, "cover", Text("read here", "tesseract", "5"))
        write(study / "ocr.json", {ONE: "OTHER"})
        record = console_record(ONE, description="a newer scrape") | {"scrape-timestamp": 1700000000.0}
        write(study / "info" / "batch_2.json", [record])
        report = import_source(catalog, study)
        entry = catalog.get(ONE)
    assert report.updated == 1 and entry
    assert (entry.video.description, entry.texts["cover"].text) == ("a newer scrape", "read here")


def test_hostile_strings_go_in_and_come_out_as_text(hostile_strings: list[str], tmp_path: Path) -> None:
    records = [console_record(str(10_000 + n), description=text) for n, text in enumerate(hostile_strings)]
    with Catalog(tmp_path / "data", create=True) as catalog:
        report = import_source(catalog, write(tmp_path / "hostile.json", records))
        assert report.new == len(hostile_strings) and not report.problems
        for entry, text in zip(catalog.entries(catalog.ids()), hostile_strings, strict=True):
            assert entry.video.description == text.replace("\x00", "\ufffd").strip()


@pytest.mark.research_data("the records of a real study")
def test_the_real_study_has_1462_usable_records(shared_data: Path, tmp_path: Path) -> None:
    with Catalog(tmp_path / "data", create=True) as catalog:
        report = import_source(catalog, shared_data / "tiktok")
        assert (report.new, len(report.problems), len(catalog.ids(usable=True))) == (3100, 0, 1462)
        assert import_source(catalog, shared_data / "tiktok").unchanged == 3100


def test_a_cover_that_changed_in_place_is_imported_again(study: Path, tmp_path: Path) -> None:
    with Catalog(tmp_path / "data", create=True) as catalog:
        import_source(catalog, study)
        with (study / "coverphotos" / f"{ONE}.jpg").open("r+") as file:  # the same inode, as `cp` over it would
            file.write("b cover")
        assert import_source(catalog, study).media == 1
        entry = catalog.get(ONE)
        assert names(catalog) == ["cover.jpg"]  # no part file is left, although the inode is the same
    assert entry and entry.media[0].path.read_text() == "b cover"
    assert entry.media[0].sha256 == hashlib.sha256(b"b cover").hexdigest()


def test_an_unreadable_file_does_not_affect_others(study: Path, tmp_path: Path) -> None:
    write(study / "videos" / f"{TWO}.mp4", "x")
    with Catalog(tmp_path / "data", create=True) as catalog:
        blocked = catalog.media_folder(TWO)
        blocked.parent.mkdir(parents=True, exist_ok=True)
        blocked.rmdir() if blocked.is_dir() else None
        blocked.write_text("a file where the folder should be")
        report = import_source(catalog, study)
        assert (report.new, report.media) == (2, 1)
        assert any("cannot be imported" in problem.reason for problem in report.problems)


@pytest.fixture
def downloaded(tmp_path: Path) -> Path:
    """A folder as yt-dlp writes it: info, cover, and captions in one language."""
    folder = tmp_path / "downloads"
    info = {"id": ONE, "extractor_key": "TikTok", "webpage_url": f"https://www.tiktok.com/@a/video/{ONE}", "title": "x"}
    write(folder / "x.info.json", info | {"description": "a jar becomes a lamp", "epoch": 1_700_000_000})
    Image.new("RGB", (9, 16)).save(folder / "x.image", "WEBP")
    (folder / "x.eng-US.vtt").write_text("WEBVTT\n\n00:00:01.000 --> 00:00:02.500\ngood morning\n")
    return folder


def test_downloads_of_yt_dlp_come_with_cover_and_captions(downloaded: Path, tmp_path: Path) -> None:
    with Catalog(tmp_path / "data", create=True) as catalog:
        report = import_source(catalog, downloaded)
        assert (report.new, report.texts, report.media, report.problems) == (1, 1, 2, [])
        again = import_source(catalog, downloaded)
        assert (again.unchanged, again.texts, again.media) == (1, 0, 0)
        entry = catalog.get(ONE)
    assert entry and sorted(media.path.name for media in entry.media) == ["caption_01.vtt", "cover.webp"]
    said = entry.texts["transcript"]
    assert (said.engine, said.language) == (CAPTIONS, "eng-US")
    assert list(said.segments) == [Segment(1.0, 2.5, "good morning")]


def test_damaged_captions_are_reported_and_leave_the_speech_to_whisper(downloaded: Path, tmp_path: Path) -> None:
    captions = downloaded / "x.eng-US.vtt"
    captions.write_text("WEBVTT\n\n00:01.000 --> 00:02.500\ngood morning\n\nxx:03 --> 00:04.000\nlost\n")
    with Catalog(tmp_path / "data", create=True) as catalog:
        report = import_source(catalog, downloaded)
        entry = catalog.get(ONE)
        assert entry and entry.texts["transcript"].text == "good morning"
        assert entry.states["transcribe"] == "due"
        assert [problem.reason for problem in report.problems] == [
            "1 of 2 lines of the captions are damaged: Whisper transcribes the video instead"
        ]
        assert import_source(catalog, downloaded).texts == 0
        captions.write_text("WEBVTT\n\n00:01.000 --> 00:02.500\ngood morning\n\n00:03.000 --> 00:04.000\nfound\n")
        assert import_source(catalog, downloaded).texts == 1
        entry = catalog.get(ONE)
    assert entry and entry.texts["transcript"].text == "good morning found"
    assert entry.states["transcribe"] == "done"


def test_captions_in_several_languages_are_not_used_as_transcript(downloaded: Path, tmp_path: Path) -> None:
    (downloaded / "x.ara-SA.vtt").write_text("WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nsabah\n")
    with Catalog(tmp_path / "data", create=True) as catalog:
        report = import_source(catalog, downloaded)
        entry = catalog.get(ONE)
    assert (report.texts, report.media) == (0, 3)
    assert entry and "transcript" not in entry.texts


def test_a_record_from_several_sources_keeps_the_newest_of_each_field(study: Path, tmp_path: Path) -> None:
    links = tmp_path / "links.txt"
    links.write_text(
        f"https://www.tiktok.com/@someone/video/{ONE}\nhttps://www.tiktok.com/@b/video/7000000000000000009\n"
    )
    with Catalog(tmp_path / "data", create=True) as catalog:
        assert import_source(catalog, links).new == 2
        assert catalog.ledger.due("download") == [ONE, "7000000000000000009"]
        assert import_source(catalog, study).updated == 1
        entry = catalog.get(ONE)
        assert entry and entry.video.description == console_record(ONE)["description"]
        assert entry.video.source == "console script, list of links"
        again = import_source(catalog, links)
        assert (again.unchanged, again.updated) == (2, 0)


KILLED = """
import os, sys
from pathlib import Path
from ingest.catalog import Catalog, Media
from ingest.settings import Settings
from ingest.stages.importer import import_source
from ingest.stages.pipeline import run_stage
Path.replace = lambda *_: os._exit(9)
with Catalog(Path(sys.argv[1]), create=True) as catalog:
    import_source(catalog, Path(sys.argv[2]))
"""


@pytest.mark.parametrize("mend", ["another import", "a download"])
def test_leftovers_of_a_killed_import_are_removed_by_the_next_one(study: Path, tmp_path: Path, mend: str) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "data", study], timeout=60, check=False)
    assert killed.returncode == 9
    with Catalog(tmp_path / "data") as catalog:
        assert len(names(catalog)) == 1
        if mend == "a download":
            sweep(catalog.media_folder(ONE))
            assert names(catalog) == []
        import_source(catalog, study)
        assert names(catalog) == ["cover.jpg"]


def test_a_cover_of_another_kind_replaces_the_older_file(study: Path, tmp_path: Path) -> None:
    cover = study / "coverphotos" / f"{ONE}.jpg"
    with Catalog(tmp_path / "data", create=True) as catalog:
        for form, suffix in (("JPEG", "jpg"), ("WEBP", "webp"), ("BMP", "bmp"), ("PNG", "png")):
            cover.unlink()
            cover = cover.with_suffix(
                ".bmp" if form == "BMP" else ".jpg"
            )  # the type of the others is detected by content
            Image.new("RGB", (9, 16)).save(cover, form)
            source = write(tmp_path / "study" / "coverphotos" / "a.jsonl", {"id": ONE, "cover_file": cover.name})
            assert import_source(catalog, source).media == 1
            assert names(catalog) == [f"cover.{suffix}"]
    assert cover.is_file()


def test_a_file_that_is_not_media_is_refused_with_a_reason(tmp_path: Path) -> None:
    named = {"cover_file": "x.html", "slide_files": ["x.svg", "y.jpg"], "video_file": "x.json"}
    for name in ("x.html", "x.svg", "x.json"):
        write(tmp_path / name, "<html><script>alert(1)</script>")
    media_samples.cover(tmp_path / "y.jpg", "hello")
    with Catalog(tmp_path / "data", create=True) as catalog:
        report = import_source(catalog, write(tmp_path / "a.jsonl", {"id": ONE} | named))
        assert (report.new, report.media, names(catalog)) == (1, 1, ["slide_02.jpg"])
    assert [(Path(problem.file).name, problem.reason) for problem in report.problems] == [
        ("x.html", "is not a picture that can be read here"),
        ("x.json", "is not a video that can be read here"),
        ("x.svg", "is not a picture that can be read here"),
    ]


@pytest.mark.parametrize("suffix", ["bmp", "tiff", "jp2", "ppm"])
def test_a_picture_known_only_by_its_name_is_imported_if_readable(tmp_path: Path, suffix: str) -> None:
    media_samples.cover(tmp_path / f"x.{suffix}", "hello")
    with Catalog(tmp_path / "data", create=True) as catalog:
        import_source(catalog, write(tmp_path / "a.jsonl", {"id": ONE, "cover_file": f"x.{suffix}"}))
        assert names(catalog) == [f"cover.{suffix}"]
        assert open_image(catalog.media_folder(ONE) / names(catalog)[0]).size == (540, 960)


@pytest.mark.parametrize(("suffix", "read"), [("avi", poster), ("flv", poster), ("ts", poster), ("ts", audio)])
def test_a_video_known_only_by_its_name_is_imported_if_readable(
    tmp_path: Path, suffix: str, read: Callable[[Path], object]
) -> None:
    media_samples.video(tmp_path / f"x.{suffix}", media_samples.voice(1), 1)
    with Catalog(tmp_path / "data", create=True) as catalog:
        import_source(catalog, write(tmp_path / "a.jsonl", {"id": ONE, "video_file": f"x.{suffix}"}))
        assert names(catalog) == [f"video.{suffix}"]
        read(catalog.media_folder(ONE) / names(catalog)[0])


def film(catalog: Catalog) -> Media:
    entry = catalog.get(ONE)
    found = entry.file("video") if entry else None
    assert found
    return found


@pytest.fixture
def filmed(tmp_path: Path) -> Path:
    """A record with a video file of its own."""
    folder = tmp_path / "filmed"
    folder.mkdir()
    (folder / "clip.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(2_000))
    write(folder / "records.jsonl", {"id": ONE, "description": "x", "video_file": "clip.mp4"})
    return folder


def test_what_becomes_of_the_source_does_not_change_the_catalogs_file(filmed: Path, tmp_path: Path) -> None:
    source = filmed / "clip.mp4"
    before = source.read_bytes()
    with Catalog(tmp_path / "data", create=True) as catalog:
        import_source(catalog, filmed / "records.jsonl")
        taken = film(catalog).path
        assert taken.stat().st_nlink == 1 and taken.stat().st_ino != source.stat().st_ino
        with source.open("r+b") as file:  # overwritten in place
            file.write(b"another film" * 500)
        assert taken.read_bytes() == before
        assert content_damage(film(catalog)) == ""


def test_a_file_that_an_older_version_linked_becomes_a_copy(filmed: Path, tmp_path: Path) -> None:
    with Catalog(tmp_path / "data", create=True) as catalog:
        import_source(catalog, filmed / "records.jsonl")
        taken = film(catalog).path
        taken.unlink()
        os.link(filmed / "clip.mp4", taken)
        import_source(catalog, filmed / "records.jsonl")
        assert taken.stat().st_nlink == 1


@pytest.mark.parametrize(
    ("damaging", "expected"),
    [
        (lambda path: path.unlink(), MISSING),
        (lambda path: path.write_bytes(b""), EMPTY),
        (lambda path: path.write_bytes(b"short"), OTHER_SIZE),
        (lambda path: path.write_bytes(bytes(path.stat().st_size)), OTHER_CONTENT),
    ],
    ids=["gone", "empty", "cut", "another content"],
)
def test_a_damaged_file_is_repaired_by_the_next_import(
    filmed: Path, tmp_path: Path, damaging: Callable[[Path], object], expected: str
) -> None:
    with Catalog(tmp_path / "data", create=True) as catalog:
        import_source(catalog, filmed / "records.jsonl")
        catalog.fail(ONE, "ocr", "the file is broken")
        damaging(film(catalog).path)
        assert content_damage(film(catalog)) == expected
        report = import_source(catalog, filmed / "records.jsonl")
        assert (report.unchanged, report.media, report.repaired, report.problems) == (1, 0, 1, [])
        assert content_damage(film(catalog)) == ""
        entry = catalog.get(ONE)
        assert entry and entry.states["ocr"] == "due"
        assert import_source(catalog, filmed / "records.jsonl").repaired == 0


def test_an_empty_file_is_not_imported(filmed: Path, tmp_path: Path) -> None:
    (filmed / "clip.mp4").write_bytes(b"")
    with Catalog(tmp_path / "data", create=True) as catalog:
        report = import_source(catalog, filmed / "records.jsonl")
    assert report.media == 0 and [problem.reason for problem in report.problems] == ["is empty"]


def test_no_stage_reads_a_damaged_file(filmed: Path, tmp_path: Path) -> None:
    with Catalog(tmp_path / "data", create=True) as catalog:
        import_source(catalog, filmed / "records.jsonl")
        film(catalog).path.write_bytes(b"another film")
        for stage in ("download", "ocr"):
            assert run_stage(catalog, stage, Settings()).failed == 1
            assert "damaged" in catalog.ledger.error(ONE, stage)
        import_source(catalog, filmed / "records.jsonl")
        entry = catalog.get(ONE)
        assert entry and entry.states["ocr"] == entry.states["download"] == "due"
        assert run_stage(catalog, "download", Settings()).done == 1
