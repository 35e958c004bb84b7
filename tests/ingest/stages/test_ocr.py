"""The OCR stage over due videos, with real engines and generated media."""

import re
import subprocess
import threading
import time
from functools import cache
from pathlib import Path

import pytest

from ingest.catalog import Catalog
from ingest.catalog.entries import HAND, Text
from ingest.ocr import rapidocr, tesseract
from ingest.settings import Settings
from ingest.stages.pipeline import StageError, run_stage
from ingest.stages.stage_run import StageReport
from scraper.records import Video
from tests.ingest import media_samples
from tests.ingest.stages.running import SOON, disturb_tesseract, run, text


def test_covers_are_read_with_their_provenance(catalog: Catalog, picture: Path) -> None:
    media_samples.add(catalog, "10001", cover=picture)
    assert run(catalog, "ocr") == StageReport("ocr", done=1)
    entry = catalog.get("10001")
    assert entry
    made = entry.texts["cover"]
    assert (made.text, made.engine) == ("Good morning", "auto")
    assert "rapidocr" in made.version
    assert catalog.ledger.due("ocr") == []


def test_a_russian_description_makes_capitals_that_look_latin_cyrillic(catalog: Catalog, tmp_path: Path) -> None:
    record = Video(id="10001", description="скоро новое видео")
    media_samples.add(catalog, "10001", cover=media_samples.cover(tmp_path / "cover.png", "CKOPO"), record=record)
    assert run(catalog, "ocr") == StageReport("ocr", done=1)
    assert text(catalog, "10001", "ocr") == "СКОРО"


def test_a_german_video_is_read_by_the_pack_of_its_language(
    catalog: Catalog, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = installed_pack("eng")
    packs = tmp_path / "packs"
    packs.mkdir()
    (packs / "deu.traineddata").symlink_to(installed)
    (packs / "eng.traineddata").write_bytes(b"damaged: whoever uses it crashes")
    for name in ("configs", "tessconfigs"):
        if (installed.parent / name).is_dir():
            (packs / name).symlink_to(installed.parent / name)
    monkeypatch.setenv("TESSDATA_PREFIX", str(packs))
    monkeypatch.setattr(tesseract, "packs", cache(tesseract.packs.__wrapped__))
    german = Video(id="10001", description="Heute backen wir zusammen ein schönes Brot")
    media_samples.add(catalog, "10001", cover=picture, record=german)
    settings = Settings(ocr_engine="tesseract", ocr_languages="auto")
    assert run_stage(catalog, "ocr", settings, processes=2).done == 1
    assert text(catalog, "10001", "ocr") == "Good morning"


def installed_pack(name: str) -> Path:
    listed = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=True).stdout
    return Path(listed.split('"')[1]) / f"{name}.traineddata"


def test_a_corrupt_cover_is_null_and_failed_and_others_are_read(catalog: Catalog, picture: Path) -> None:
    media_samples.add(catalog, "10001", cover=b"\x89PNG\r\n\x1a\n nothing behind it")
    media_samples.add(catalog, "10002", cover=picture)
    report = run(catalog, "ocr")
    assert (report.done, report.failed) == (1, 1)
    assert text(catalog, "10001", "ocr") is None
    assert "cover: the image cannot be read" in catalog.ledger.error("10001", "ocr")
    assert text(catalog, "10002", "ocr") == "Good morning"


def test_all_slides_of_a_photo_post_are_read_and_equal_ones_once(catalog: Catalog, tmp_path: Path) -> None:
    slides = tuple(media_samples.cover(tmp_path / f"{word}.png", word) for word in ("First", "Second"))
    media_samples.add(catalog, "10001", cover=slides[0], slides=slides)
    run(catalog, "ocr")
    assert text(catalog, "10001", "ocr") == "First\nSecond"


def test_one_broken_slide_fails_the_post_but_keeps_what_was_read(catalog: Catalog, picture: Path) -> None:
    media_samples.add(catalog, "10001", slides=(picture, b"broken"))
    assert run(catalog, "ocr").failed == 1
    assert text(catalog, "10001", "ocr") == "Good morning"
    assert catalog.ledger.error("10001", "ocr").startswith("slide 2: ")


def test_a_post_of_many_slides_has_time_for_each(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disturb_tesseract(tmp_path / "bin", monkeypatch, "sleep 0.5")
    monkeypatch.setattr("ingest.ocr.engine.IMAGE_LIMIT_S", 8.0)
    words = ["One", "Two", "Three", "Four", "Five", "Six"]  # read up to three times: 9 s of sleep alone
    media_samples.add(
        catalog, "10001", slides=tuple(media_samples.cover(tmp_path / f"{word}.png", word) for word in words)
    )
    assert run(catalog, "ocr").done == 1
    assert text(catalog, "10001", "ocr") == "\n".join(words)


def test_a_crash_of_tesseract_affects_only_its_slide(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disturb_tesseract(tmp_path / "bin", monkeypatch, f"mkdir {tmp_path / 'once'} && exit 3")
    media_samples.add(
        catalog,
        "10001",
        slides=tuple(media_samples.cover(tmp_path / f"{word}.png", word) for word in ("First", "Second")),
    )
    assert run(catalog, "ocr").failed == 1
    assert text(catalog, "10001", "ocr") == "Second"
    assert catalog.ledger.error("10001", "ocr") == "slide 1: Tesseract crashed (exit code 3)"


def test_a_cover_that_is_replaced_during_ocr_is_read_again(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go = tmp_path / "reading", tmp_path / "go"
    disturb_tesseract(tmp_path / "bin", monkeypatch, f"touch {reading}; while [ ! -e {go} ]; do sleep 0.1; done")
    media_samples.add(catalog, "10001", cover=media_samples.cover(tmp_path / "old.png", "Old"))
    new = media_samples.cover(tmp_path / "new.png", "New")

    def replace() -> None:
        while not reading.exists():
            time.sleep(0.05)
        with Catalog(catalog.data) as other:
            media_samples.add(other, "10001", cover=new)
        go.touch()

    threading.Thread(target=replace, daemon=True).start()
    assert run(catalog, "ocr") == StageReport("ocr", waiting=1)
    assert run(catalog, "ocr").done == 1
    assert text(catalog, "10001", "ocr") == "New"


def test_a_saved_frame_does_not_overwrite_a_cover_that_is_being_downloaded(catalog: Catalog, spoken: Path) -> None:
    media_samples.add(catalog, "10001", video=spoken)
    cover = catalog.media_folder("10001") / "cover.jpg"
    cover.write_bytes(b"fetched, not yet entered")
    assert run(catalog, "ocr").done == 1
    assert cover.read_bytes() == b"fetched, not yet entered"


def test_an_older_frame_counts_only_if_the_video_is_lost(catalog: Catalog, spoken: Path, picture: Path) -> None:
    for video_id in ("10001", "10002"):
        media_samples.add(catalog, video_id, video=spoken)
        frame = catalog.media_folder(video_id) / "cover.jpg"  # where earlier versions kept it
        frame.write_bytes(picture.read_bytes())
        catalog.put_media(video_id, "cover", frame, "frame")
    (catalog.media_folder("10002") / "video_0.mp4").unlink()
    run(catalog, "ocr")
    assert text(catalog, "10001", "ocr") == ""  # the video shows nothing: the frame was of an older one
    assert text(catalog, "10002", "ocr") == "Good morning"


def test_a_video_without_a_cover_gets_a_frame_as_cover(catalog: Catalog, tmp_path: Path) -> None:
    from PIL import Image

    frame = Image.open(media_samples.cover(tmp_path / "frame.png", "From the video", (540, 960)))
    media_samples.add(catalog, "10001", video=media_samples.video(tmp_path / "v.mp4", None, 2, [frame]))
    run(catalog, "ocr")
    assert text(catalog, "10001", "ocr") == "From the video"
    entry = catalog.get("10001")
    assert entry
    cover = entry.file("cover")
    assert cover
    assert (cover.source, cover.path.is_file()) == ("frame", True)
    assert entry.states["ocr"] == "done"


def test_items_waiting_for_their_download_stay_due(catalog: Catalog) -> None:
    catalog.put_video(Video(id="10001", video_sources=[SOON], cover_sources=[SOON]))
    assert run(catalog, "ocr") == StageReport("ocr", waiting=1)
    assert run(catalog, "transcribe") == StageReport("transcribe", waiting=1)
    assert catalog.ledger.due("ocr") == catalog.ledger.due("transcribe") == ["10001"]


def test_a_failed_download_fails_the_texts_and_says_why(catalog: Catalog) -> None:
    catalog.put_video(Video(id="10001", video_sources=["blob:https://www.tiktok.com/1"]))
    assert run(catalog, "download").failed == 1
    assert run(catalog, "ocr").failed == run(catalog, "transcribe").failed == 1
    assert "no media: the download failed (video: blob: the link is a blob:" in catalog.ledger.error(
        "10001", "transcribe"
    )
    assert text(catalog, "10001", "transcribe") is None


def test_failed_items_are_not_tried_again_without_retry(catalog: Catalog) -> None:
    media_samples.add(catalog, "10001", video=b"no video")
    assert run(catalog, "ocr").failed == 1
    assert run(catalog, "ocr") == StageReport("ocr")
    catalog.ledger.retry("ocr")
    assert run(catalog, "ocr").failed == 1


def test_an_unusable_setting_changes_no_text(catalog: Catalog, picture: Path) -> None:
    media_samples.add(catalog, "10001", cover=picture)
    run(catalog, "ocr")
    with pytest.raises(StageError, match="tesseract-ocr-xxx"):
        run_stage(catalog, "ocr", Settings(ocr_languages="xxx"))
    assert run(catalog, "ocr") == StageReport("ocr")


def test_without_rapidocr_tesseract_reads_alone_and_one_line_says_so(
    catalog: Catalog, picture: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    media_samples.add(catalog, "10001", cover=picture)
    rapidocr.check.cache_clear()
    with monkeypatch.context() as patch:
        patch.setitem(rapidocr.MODELS, "Rec", "lost.onnx")
        assert run(catalog, "ocr") == StageReport("ocr", done=1)
        assert "only Tesseract reads: rapidocr" in capsys.readouterr().err
        assert run(catalog, "ocr") == StageReport("ocr"), "the same text is made once"
    entry = catalog.get("10001")
    assert entry
    assert (entry.texts["cover"].text, entry.texts["cover"].engine) == ("Good morning", "tesseract")
    rapidocr.check.cache_clear()
    assert run(catalog, "ocr").done == 1, "RapidOCR is back: its readings are better"


def test_a_changed_setting_makes_the_affected_texts_again_and_says_how_many(
    catalog: Catalog, picture: Path, spoken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    media_samples.add(catalog, "10001", cover=picture)
    media_samples.add(catalog, "10002", cover=picture, video=spoken)
    assert run(catalog, "ocr").done == 2
    fewer = Settings(frames=3)
    assert run_stage(catalog, "ocr", fewer, progress="auto") == StageReport("ocr", done=1)
    assert "ocr: 1 texts were made with other settings" in capsys.readouterr().err
    assert run_stage(catalog, "ocr", fewer) == StageReport("ocr")


def test_a_text_whose_files_are_gone_stays_when_a_setting_changes(
    catalog: Catalog, picture: Path, spoken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    media_samples.add(catalog, "10001", cover=picture, video=spoken)
    assert run(catalog, "ocr").done == 1
    entry = catalog.get("10001")
    assert entry
    for media in entry.media:
        if media.kind == "video":
            media.path.unlink()
    fewer = Settings(frames=3)
    assert run_stage(catalog, "ocr", fewer, progress="auto") == StageReport("ocr")
    assert "1 texts were made with other settings and stay: the files" in capsys.readouterr().err
    kept = catalog.get("10001")
    assert kept and kept.texts["cover"].text == entry.texts["cover"].text == "Good morning"


def test_an_earlier_text_stays_when_it_cannot_be_made_again(catalog: Catalog) -> None:
    media_samples.add(catalog, "10001", cover=b"no picture")
    catalog.put_text("10001", "cover", Text("read before", "tesseract", "5", recipe="other settings"))
    assert run(catalog, "ocr") == StageReport("ocr", failed=1)
    entry = catalog.get("10001")
    assert entry and entry.texts["cover"].text == "read before" and entry.states["ocr"] == "failed"
    assert run(catalog, "ocr") == StageReport("ocr"), "it is tried once"


def test_a_text_written_by_hand_during_ocr_stays(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Path
) -> None:
    reading, go = tmp_path / "reading", tmp_path / "go"
    wait = f"touch {reading}; while [ ! -e {go} ]; do sleep 0.1; done; exit 3"
    disturb_tesseract(tmp_path / "bin", monkeypatch, wait)
    media_samples.add(catalog, "10001", cover=picture)

    def write() -> None:
        while not reading.exists():
            time.sleep(0.05)
        with Catalog(catalog.data) as other:
            other.put_text("10001", "cover", Text("by hand", HAND))
        go.touch()

    threading.Thread(target=write, daemon=True).start()
    assert run(catalog, "ocr") == StageReport("ocr", done=1)
    assert text(catalog, "10001", "ocr") == "by hand"
    assert catalog.ledger.failures() == []


def test_without_a_terminal_lines_show_speed_and_time_left(
    catalog: Catalog, picture: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ingest.progress.LINE_EVERY_S", 0.0)
    for video_id in ("10001", "10002"):
        media_samples.add(catalog, video_id, cover=picture)
    run_stage(catalog, "ocr", Settings(), progress="auto")
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"ocr: 1 done, of 2; [0-9.]+ a minute, [0-9:]+ left", lines[0])
    assert lines[-1] == "ocr: 2 done, of 2"


def test_a_missing_language_pack_stops_the_stage_and_fails_nothing(catalog: Catalog, picture: Path) -> None:
    media_samples.add(catalog, "10001", cover=picture)
    with pytest.raises(StageError, match="tesseract-ocr-xxx"):
        run_stage(catalog, "ocr", Settings(ocr_languages="xxx"))
    assert catalog.ledger.due("ocr") == ["10001"]
