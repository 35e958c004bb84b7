"""Stages over due videos, with real Tesseract, generated media, a tiny Whisper; and runs that are disturbed."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from ingest.catalog import Catalog, Stage
from ingest.catalog.entries import HAND, Text
from ingest.ocr import rapidocr
from ingest.settings import Settings
from ingest.stages.pipeline import StageError, run_stage
from ingest.stages.stage_run import StageReport
from ingest.stages.workers import WorkerError, each
from scraper.errors import Locked
from scraper.records import Video
from tests.broken_files import broken_pictures, broken_videos
from tests.ingest import media_samples

REPOSITORY = Path(__file__).resolve().parents[3]
SOON = "https://v.example/a.mp4"  # a link that is never requested in these tests


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


def run(catalog: Catalog, stage: Stage, whisper: Path | str = "none") -> StageReport:
    return run_stage(
        catalog, stage, Settings(whisper=str(whisper), download_hosts="v.example", download_http=True), processes=2
    )


def text(catalog: Catalog, video_id: str, stage: Stage) -> str | None:
    entry = catalog.get(video_id)
    assert entry
    return entry.texts["cover" if stage == "ocr" else "transcript"].text


class Web(ThreadingHTTPServer):
    """A proxy that answers with a file per link, and with "busy" for all others."""

    files: dict[str, Path]


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        file = self.server.files.get(self.path)  # type: ignore[attr-defined]
        self.send_response(200 if file else 503)
        self.send_header("Retry-After", "Mon, 01 Jan 99999999999 00:00:00 GMT")  # beyond the range of dates
        self.send_header("Content-Type", "video/mp4" if self.path.endswith(".mp4") else "image/png")
        self.end_headers()
        self.wfile.write(file.read_bytes() if file else b"")

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    with Web(("127.0.0.1", 0), Answer) as serving:
        serving.files = {}
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{serving.server_port}")
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield serving
        serving.shutdown()


def disturb_tesseract(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have `script` (sh) run before each picture that Tesseract reads."""
    real = shutil.which("tesseract")
    assert real
    folder.mkdir()
    wrapper = folder / "tesseract"
    wrapper.write_text(f'#!/bin/sh\ncase "$*" in *--psm*)\n{script}\n;; esac\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TIKTOK_RETRIEVAL_OCR_ENGINE", "tesseract")
    monkeypatch.setenv("TIKTOK_RETRIEVAL_OCR_LANGUAGES", "eng")


# -- download -----------------------------------------------------------------------------------------------------


def test_a_hostile_answer_fails_only_its_item(catalog: Catalog, web: Web, picture: Path) -> None:
    web.files["http://v.example/good.png"] = picture
    for video_id, name in (("10001", "hostile"), ("10002", "good")):
        catalog.put_video(Video(id=video_id, cover_sources=[f"http://v.example/{name}.png"]))
    report = run(catalog, "download")
    assert (report.done, report.failed) == (1, 1)
    assert catalog.ledger.error("10001", "download").startswith("cover: server: ")


def test_leftovers_of_a_killed_download_are_removed(catalog: Catalog, web: Web, picture: Path) -> None:
    web.files["http://v.example/a.png"] = picture
    catalog.put_video(Video(id="10001", cover_sources=["http://v.example/a.png"]))
    (catalog.media_folder("10001") / ".cover.0123456789abcdef.part").write_bytes(b"half")
    assert run(catalog, "download").done == 1
    assert [path.name for path in catalog.media_folder("10001").iterdir()] == ["cover.png"]


def test_files_that_disappeared_are_fetched_again(catalog: Catalog, web: Web, picture: Path, spoken: Path) -> None:
    web.files = {"http://v.example/a.png": picture, "http://v.example/a.mp4": spoken}
    cover, video = web.files
    catalog.put_video(Video(id="10001", cover_sources=[cover], video_sources=[video]))
    stages: dict[Stage, str] = {"ocr": "cover.png", "transcribe": "video.mp4"}
    for stage, name in stages.items():
        run(catalog, "download")
        path = catalog.media_folder("10001") / name
        path.unlink()
        assert run(catalog, stage) == StageReport(stage, waiting=1)
        assert catalog.ledger.due("download") == catalog.ledger.due(stage) == ["10001"]
        assert run(catalog, "download").done == 1
        assert path.is_file()
    assert run(catalog, "ocr").done == 1


def test_files_that_disappeared_without_a_link_are_failures(catalog: Catalog, picture: Path, spoken: Path) -> None:
    media_samples.add(catalog, "10001", video=spoken, slides=(picture, picture.read_bytes() + b" "))
    for name in ("slide_1.png", "video_0.mp4"):
        (catalog.media_folder("10001") / name).unlink()
    assert run(catalog, "ocr").failed == 1
    assert catalog.ledger.error("10001", "ocr").startswith("slide 2: the file is gone from the data folder: ")
    assert text(catalog, "10001", "ocr") == "Good morning"


# -- ocr ----------------------------------------------------------------------------------------------------------


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


# -- transcribe ---------------------------------------------------------------------------------------------------


def test_speech_silence_no_audio_and_broken_files_are_four_outcomes(
    catalog: Catalog, tmp_path: Path, whisper: Path, spoken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.speech.segments.MAX_COMPRESSION", 99.0)  # random weights may well write a loop
    silent = media_samples.video(tmp_path / "silent.mp4", np.zeros(48_000, np.float32), 3)
    mute = media_samples.video(tmp_path / "mute.mp4", None)
    media_samples.add(catalog, "10001", video=spoken)
    media_samples.add(catalog, "10002", video=silent)
    media_samples.add(catalog, "10003", video=mute)
    media_samples.add(catalog, "10004", video=spoken.read_bytes()[: spoken.stat().st_size * 2 // 3])
    report = run(catalog, "transcribe", whisper)
    assert report == StageReport("transcribe", done=2, failed=1, absent=1)
    assert text(catalog, "10001", "transcribe")
    assert text(catalog, "10002", "transcribe") == ""
    assert catalog.ledger.notes("10002") == {"transcribe": "no sound in the audio track"}
    mute_entry = catalog.get("10003")
    assert mute_entry
    assert (mute_entry.states["transcribe"], mute_entry.texts) == ("absent", {})
    assert text(catalog, "10004", "transcribe") is None
    assert "before its claimed length" in catalog.ledger.error("10004", "transcribe")
    made = catalog.get("10001")
    assert made
    assert made.texts["transcript"].segments
    assert "@" in made.texts["transcript"].model


def test_a_video_replaced_by_one_without_audio_loses_its_transcript(
    catalog: Catalog, whisper: Path, tmp_path: Path, spoken: Path
) -> None:
    media_samples.add(catalog, "10001", video=spoken)
    assert run(catalog, "transcribe", whisper).done == 1
    media_samples.add(catalog, "10001", video=media_samples.video(tmp_path / "mute.mp4", None))
    assert run(catalog, "transcribe", whisper).absent == 1
    entry = catalog.get("10001")
    assert entry and entry.texts == {}


def test_photo_posts_have_no_transcript(catalog: Catalog, picture: Path) -> None:
    media_samples.add(catalog, "10001", slides=(picture,))
    catalog.put_video(Video(id="10001", captions=[{"url": "https://elsewhere.example/c"}], scraped_at=1))  # type: ignore[list-item]
    run(catalog, "download")
    assert run(catalog, "transcribe").absent == 1


def test_missing_weights_stop_the_stage_and_fail_nothing(catalog: Catalog, spoken: Path) -> None:
    media_samples.add(catalog, "10001", video=spoken)
    with pytest.raises(StageError):
        run(catalog, "transcribe", catalog.data / "no-such-folder")
    assert catalog.ledger.due("transcribe") == ["10001"]


def test_nothing_to_transcribe_needs_no_weights(catalog: Catalog, picture: Path) -> None:
    media_samples.add(catalog, "10001", cover=picture)
    assert run(catalog, "transcribe", "no-such-model") == StageReport("transcribe")


# -- disturbances -------------------------------------------------------------------------------------------------


def test_a_concurrent_run_of_a_stage_is_refused(catalog: Catalog) -> None:
    with FileLock(catalog.data / ".ocr.lock"), pytest.raises(Locked, match="another `ocr` is running"):
        run(catalog, "ocr")


def test_a_full_disk_stops_the_stage_and_the_next_run_finishes(catalog: Catalog, tmp_path: Path) -> None:
    long = media_samples.cover(
        tmp_path / "long.png", "\n".join(f"words number {n} stand on one cover" for n in range(16)), (1080, 1920)
    )
    ids = [media_samples.add(catalog, str(number), cover=long) for number in range(10_001, 10_016)]
    pages = catalog.database.connection.execute("PRAGMA page_count").fetchone()[0]
    catalog.database.connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite then says that the disk is full
    with pytest.raises(StageError, match="full"):
        run(catalog, "ocr")
    finished = len(ids) - len(catalog.ledger.due("ocr"))
    catalog.database.connection.execute("PRAGMA max_page_count = 1000000")
    assert run(catalog, "ocr") == StageReport("ocr", done=len(ids) - finished)
    assert catalog.ledger.failures() == []


def die(item: int) -> int:
    if item == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == 2:
        time.sleep(600)
    if item == 3:
        raise ValueError("three")
    return item


def test_a_worker_that_crashes_or_hangs_fails_only_its_item() -> None:
    made = dict(each(die, ((n, n) for n in range(8)), processes=2, limit_s=lambda _: 3))
    assert sorted(n for n, outcome in made.items() if outcome == n) == [0, 4, 5, 6, 7]
    assert isinstance(made[1], WorkerError)
    assert isinstance(made[2], WorkerError)
    assert "longer than 3 s" in str(made[2])
    assert isinstance(made[3], ValueError)


def corpus(data: Path, picture: Path, spoken: Path, count: int) -> list[str]:
    with Catalog(data, create=True) as catalog:
        return [media_samples.add(catalog, str(20_000 + n), cover=picture, video=spoken) for n in range(count)]


def start(data: Path, whisper: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ingest", "run", "--data", str(data), "--whisper", str(whisper), "--batch", "2"]
    # a shell makes its background processes and their children ignore Ctrl-C: restore the default
    restore = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=restore
    )


def made_at(data: Path) -> dict[tuple[str, str], float]:
    with Catalog(data) as catalog:
        rows = catalog.database.connection.execute("SELECT video_id, kind, made_at FROM texts").fetchall()
    return {(row["video_id"], row["kind"]): row["made_at"] for row in rows}


def check_finished(data: Path, ids: list[str], before: dict[tuple[str, str], float]) -> None:
    after = made_at(data)
    assert set(after) == {(video_id, kind) for video_id in ids for kind in ("cover", "transcript")}
    assert {key: after[key] for key in before} == before, "something was done twice"
    with Catalog(data) as catalog:
        assert len(catalog.ids(usable=True)) == len(ids)
        assert catalog.database.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        tries = catalog.database.connection.execute("SELECT DISTINCT tries FROM ledger WHERE state = 'done'").fetchall()
        assert [row["tries"] for row in tries] == [1]


def test_a_killed_run_is_finished_by_the_next(tmp_path: Path, picture: Path, spoken: Path, whisper: Path) -> None:
    ids = corpus(tmp_path, picture, spoken, 8)
    killed = start(tmp_path, whisper)
    while killed.poll() is None and len(made_at(tmp_path)) < 4:
        time.sleep(0.02)
    killed.kill()
    killed.communicate()
    before = made_at(tmp_path)
    assert 4 <= len(before) < 16
    again = start(tmp_path, whisper)
    _, errors = again.communicate(timeout=300)
    assert again.returncode == 0, errors
    check_finished(tmp_path, ids, before)


def test_ctrl_c_stops_cleanly_and_keeps_finished_items(
    tmp_path: Path, picture: Path, spoken: Path, whisper: Path
) -> None:
    corpus(tmp_path, picture, spoken, 12)
    running = start(tmp_path, whisper)
    while running.poll() is None and not made_at(tmp_path):
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=300)
    assert running.returncode == 130
    assert b"Finished items are kept" in errors
    assert b"Traceback" not in errors
    with Catalog(tmp_path) as catalog:
        assert catalog.ledger.failures() == []
        assert len(catalog.ledger.due("ocr")) + len(made_at(tmp_path)) == 12


@pytest.mark.heavy
def test_a_run_of_200_killed_ten_times_loses_nothing_and_does_nothing_twice(
    tmp_path: Path, picture: Path, spoken: Path, whisper: Path
) -> None:
    ids = corpus(tmp_path, picture, spoken, 200)
    chance = random.Random(4)
    before: dict[tuple[str, str], float] = {}
    for count in sorted(
        chance.sample(range(2 * len(ids) - 20), 10)
    ):  # number of the 400 texts after which it is killed
        killed = start(tmp_path, whisper)
        while killed.poll() is None and len(made_at(tmp_path)) < count:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 0.5))
        assert killed.poll() is None, "it was done before it could be killed"
        killed.kill()
        killed.communicate()
        now = made_at(tmp_path)
        assert {key: now.get(key) for key in before} == before
        before = now
    again = start(tmp_path, whisper)
    _, errors = again.communicate(timeout=900)
    assert again.returncode == 0, errors
    check_finished(tmp_path, ids, before)


def check_hostile(
    catalog: Catalog, whisper: Path, images: Sequence[Path | bytes], clips: Sequence[Path | bytes]
) -> int:
    """Run two stages over hostile files; return how many of them gave a text that could be read."""
    for number, image in enumerate(images):
        media_samples.add(catalog, str(30_000 + number), cover=image)
    for number, clip in enumerate(clips):
        media_samples.add(catalog, str(40_000 + number), video=clip)
    read = run(catalog, "ocr")
    assert read.done + read.failed + read.absent == len(images) + len(clips)
    transcribed = run(catalog, "transcribe", whisper)
    assert transcribed.done + transcribed.failed + transcribed.absent == len(clips)
    assert catalog.ledger.due("ocr") == catalog.ledger.due("transcribe") == []
    assert all("/" not in str(line["error"]).replace("I/O", "") for line in catalog.ledger.failures())
    return read.done


def test_no_broken_file_crashes_or_hangs_a_stage(catalog: Catalog, whisper: Path) -> None:
    check_hostile(catalog, whisper, list(broken_pictures().values())[::8], list(broken_videos().values())[::3])


@pytest.mark.heavy
@pytest.mark.research_data("published collections of hostile pictures and videos")
def test_no_published_hostile_file_crashes_or_hangs_a_stage(shared_data: Path, catalog: Catalog, whisper: Path) -> None:
    images = [path for path in sorted((shared_data / "hostile" / "pillow").rglob("*")) if path.is_file()]
    assert check_hostile(catalog, whisper, images, sorted((shared_data / "hostile" / "mp4parse").iterdir())) > 300
