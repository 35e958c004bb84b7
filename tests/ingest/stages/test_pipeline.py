"""The stages download and transcribe over due videos, with generated media and a tiny Whisper."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ingest.catalog import Catalog, Stage
from ingest.stages.pipeline import StageError
from ingest.stages.stage_run import StageReport
from scraper.records import Video
from tests.ingest import media_samples
from tests.ingest.stages.running import run, text


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
