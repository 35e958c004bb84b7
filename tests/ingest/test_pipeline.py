"""What is due -> texts and a closed ledger, with real Tesseract, made media, a tiny Whisper; and what disturbs it."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from ingest.catalog import Catalog, Stage
from ingest.outcomes import StageReport
from ingest.pipeline import StageError, run_stage
from ingest.settings import Settings
from ingest.workers import WorkerError, each
from scraper.records import Video
from tests.ingest import making

REPOSITORY = Path(__file__).resolve().parents[2]
SOON = "https://v.example/a.mp4"  # a link that is never asked in these tests


@pytest.fixture(scope="session")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return making.tiny_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return making.video(tmp_path_factory.mktemp("media") / "spoken.mp4", making.voice(3), 3)


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return making.cover(tmp_path_factory.mktemp("media") / "cover.png", "Good morning")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "data", create=True) as opened:
        yield opened


def run(catalog: Catalog, stage: Stage, whisper: Path | str = "none") -> StageReport:
    return run_stage(catalog, stage, Settings(whisper=str(whisper)), processes=2)


def text(catalog: Catalog, video_id: str, stage: Stage) -> str | None:
    entry = catalog.get(video_id)
    assert entry
    return entry.texts["cover" if stage == "ocr" else "transcript"].text


# -- ocr ----------------------------------------------------------------------------------------------------------


def test_covers_are_read_with_their_provenance(catalog: Catalog, picture: Path) -> None:
    making.add(catalog, "10001", cover=picture)
    assert run(catalog, "ocr") == StageReport("ocr", done=1)
    entry = catalog.get("10001")
    assert entry
    made = entry.texts["cover"]
    assert (made.text, made.engine) == ("Good morning", "tesseract")
    assert made.version[0].isdigit()
    assert catalog.due("ocr") == []


def test_a_corrupt_cover_is_null_and_failed_and_the_rest_goes_on(catalog: Catalog, picture: Path) -> None:
    making.add(catalog, "10001", cover=b"\x89PNG\r\n\x1a\n nothing behind it")
    making.add(catalog, "10002", cover=picture)
    report = run(catalog, "ocr")
    assert (report.done, report.failed) == (1, 1)
    assert text(catalog, "10001", "ocr") is None
    assert "cover: the image cannot be read" in catalog.error("10001", "ocr")
    assert text(catalog, "10002", "ocr") == "Good morning"


def test_all_slides_of_a_photo_post_are_read_and_equal_ones_once(catalog: Catalog, tmp_path: Path) -> None:
    slides = tuple(making.cover(tmp_path / f"{word}.png", word) for word in ("First", "Second"))
    making.add(catalog, "10001", cover=slides[0], slides=slides)
    run(catalog, "ocr")
    assert text(catalog, "10001", "ocr") == "First\nSecond"


def test_one_broken_slide_fails_the_post_but_keeps_what_was_read(catalog: Catalog, picture: Path) -> None:
    making.add(catalog, "10001", slides=(picture, b"broken"))
    assert run(catalog, "ocr").failed == 1
    assert text(catalog, "10001", "ocr") == "Good morning"
    assert catalog.error("10001", "ocr").startswith("slide 2: ")


def test_a_video_without_a_cover_gives_a_frame_of_itself(catalog: Catalog, tmp_path: Path) -> None:
    from PIL import Image

    frame = Image.open(making.cover(tmp_path / "frame.png", "From the video", (540, 960)))
    making.add(catalog, "10001", video=making.video(tmp_path / "v.mp4", None, 2, [frame]))
    run(catalog, "ocr")
    assert text(catalog, "10001", "ocr") == "From the video"
    entry = catalog.get("10001")
    assert entry
    cover = entry.file("cover")
    assert cover
    assert (cover.source, cover.path.is_file()) == ("frame", True)
    assert entry.states["ocr"] == "done"


def test_what_waits_for_its_download_stays_due(catalog: Catalog) -> None:
    catalog.put_video(Video(id="10001", video_sources=[SOON], cover_sources=[SOON]))
    assert run(catalog, "ocr") == StageReport("ocr", waiting=1)
    assert run(catalog, "transcribe") == StageReport("transcribe", waiting=1)
    assert catalog.due("ocr") == catalog.due("transcribe") == ["10001"]


def test_a_failed_download_fails_the_texts_and_says_why(catalog: Catalog) -> None:
    catalog.put_video(Video(id="10001", video_sources=["blob:https://www.tiktok.com/1"]))
    assert run(catalog, "download").failed == 1
    assert run(catalog, "ocr").failed == run(catalog, "transcribe").failed == 1
    assert "no media: the download failed (video: the link is a blob:" in catalog.error("10001", "transcribe")
    assert text(catalog, "10001", "transcribe") is None


def test_a_missing_language_pack_stops_the_stage_and_fails_nothing(catalog: Catalog, picture: Path) -> None:
    making.add(catalog, "10001", cover=picture)
    with pytest.raises(StageError, match="tesseract-ocr-xxx"):
        run_stage(catalog, "ocr", Settings(ocr_languages="xxx"))
    assert catalog.due("ocr") == ["10001"]


# -- transcribe ---------------------------------------------------------------------------------------------------


def test_speech_silence_no_sound_and_broken_files_are_four_outcomes(
    catalog: Catalog, tmp_path: Path, whisper: Path, spoken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.transcribe.MAX_COMPRESSION", 99.0)  # random weights may well write a loop
    silent = making.video(tmp_path / "silent.mp4", np.zeros(48_000, np.float32), 3)
    mute = making.video(tmp_path / "mute.mp4", None)
    making.add(catalog, "10001", video=spoken)
    making.add(catalog, "10002", video=silent)
    making.add(catalog, "10003", video=mute)
    making.add(catalog, "10004", video=spoken.read_bytes()[: spoken.stat().st_size * 2 // 3])
    report = run(catalog, "transcribe", whisper)
    assert report == StageReport("transcribe", done=2, failed=1, absent=1)
    assert text(catalog, "10001", "transcribe")
    assert text(catalog, "10002", "transcribe") == ""
    mute_entry = catalog.get("10003")
    assert mute_entry
    assert (mute_entry.states["transcribe"], mute_entry.texts) == ("absent", {})
    assert text(catalog, "10004", "transcribe") is None
    assert "breaks off" in catalog.error("10004", "transcribe")
    made = catalog.get("10001")
    assert made
    assert made.texts["transcript"].segments
    assert "@" in made.texts["transcript"].model


def test_photo_posts_have_no_transcript(catalog: Catalog, picture: Path) -> None:
    making.add(catalog, "10001", slides=(picture,))
    catalog.put_video(Video(id="10001", captions=[{"url": SOON}], scraped_at=1))  # type: ignore[list-item]
    assert run(catalog, "transcribe").absent == 1


def test_weights_that_cannot_be_had_stop_the_stage_and_fail_nothing(catalog: Catalog, spoken: Path) -> None:
    making.add(catalog, "10001", video=spoken)
    with pytest.raises(StageError):
        run(catalog, "transcribe", catalog.data / "no-such-folder")
    assert catalog.due("transcribe") == ["10001"]


def test_nothing_to_transcribe_needs_no_weights(catalog: Catalog, picture: Path) -> None:
    making.add(catalog, "10001", cover=picture)
    assert run(catalog, "transcribe", "no-such-model") == StageReport("transcribe")


# -- disturbances -------------------------------------------------------------------------------------------------


def test_a_second_run_of_a_stage_says_so(catalog: Catalog) -> None:
    with FileLock(catalog.data / ".ocr.lock"), pytest.raises(StageError, match="another `ocr` is at work"):
        run(catalog, "ocr")


def test_a_full_disk_stops_the_stage_and_the_next_run_finishes(catalog: Catalog, tmp_path: Path) -> None:
    long = making.cover(tmp_path / "long.png", "\n".join(["so many words stand on one cover"] * 16), (1080, 1920))
    ids = [making.add(catalog, str(number), cover=long) for number in range(10_001, 10_016)]
    pages = catalog._db.execute("PRAGMA page_count").fetchone()[0]
    catalog._db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own way to say that the disk is full
    with pytest.raises(StageError, match="full"):
        run(catalog, "ocr")
    finished = len(ids) - len(catalog.due("ocr"))
    catalog._db.execute("PRAGMA max_page_count = 1000000")
    assert run(catalog, "ocr") == StageReport("ocr", done=len(ids) - finished)
    assert catalog.failures() == []


def die(item: int) -> int:
    if item == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == 2:
        time.sleep(600)
    if item == 3:
        raise ValueError("three")
    return item


def test_a_worker_that_crashes_or_hangs_costs_only_its_item() -> None:
    made = dict(each(die, ((n, n) for n in range(8)), processes=2, limit_s=lambda _: 3))
    assert sorted(n for n, outcome in made.items() if outcome == n) == [0, 4, 5, 6, 7]
    assert isinstance(made[1], WorkerError)
    assert isinstance(made[2], WorkerError)
    assert "longer than 3 s" in str(made[2])
    assert isinstance(made[3], ValueError)


def corpus(data: Path, picture: Path, spoken: Path, count: int) -> list[str]:
    with Catalog(data, create=True) as catalog:
        return [making.add(catalog, str(20_000 + n), cover=picture, video=spoken) for n in range(count)]


def start(data: Path, whisper: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ingest", "run", "--data", str(data), "--whisper", str(whisper), "--batch", "2"]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def made_at(data: Path) -> dict[tuple[str, str], float]:
    with Catalog(data) as catalog:
        rows = catalog._db.execute("SELECT video_id, kind, made_at FROM texts").fetchall()
    return {(row["video_id"], row["kind"]): row["made_at"] for row in rows}


def check_finished(data: Path, ids: list[str], before: dict[tuple[str, str], float]) -> None:
    after = made_at(data)
    assert set(after) == {(video_id, kind) for video_id in ids for kind in ("cover", "transcript")}
    assert {key: after[key] for key in before} == before, "something was done twice"
    with Catalog(data) as catalog:
        assert len(catalog.ids(usable=True)) == len(ids)
        assert catalog._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        tries = catalog._db.execute("SELECT DISTINCT tries FROM ledger WHERE state = 'done'").fetchall()
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


def test_ctrl_c_stops_cleanly_and_keeps_what_is_finished(
    tmp_path: Path, picture: Path, spoken: Path, whisper: Path
) -> None:
    corpus(tmp_path, picture, spoken, 12)
    running = start(tmp_path, whisper)
    while running.poll() is None and not made_at(tmp_path):
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"what is finished stays" in errors
    assert b"Traceback" not in errors
    with Catalog(tmp_path) as catalog:
        assert catalog.failures() == []
        assert len(catalog.due("ocr")) + len(made_at(tmp_path)) == 12


@pytest.mark.heavy
@pytest.mark.parametrize("attempt", range(10))
def test_runs_killed_at_any_moment_lose_nothing(
    tmp_path: Path, picture: Path, spoken: Path, whisper: Path, attempt: int
) -> None:
    ids = corpus(tmp_path, picture, spoken, 12)
    chance = random.Random(attempt)
    before: dict[tuple[str, str], float] = {}
    for _ in range(4):
        killed = start(tmp_path, whisper)
        time.sleep(chance.uniform(0.3, 12))
        killed.kill()
        killed.communicate()
        now = made_at(tmp_path)
        assert {key: now.get(key) for key in before} == before
        before = now
    again = start(tmp_path, whisper)
    _, errors = again.communicate(timeout=300)
    assert again.returncode == 0, errors
    check_finished(tmp_path, ids, before)


@pytest.mark.heavy
def test_no_hostile_file_crashes_or_hangs_a_stage(shared_data: Path, catalog: Catalog, whisper: Path) -> None:
    images = [path for path in sorted((shared_data / "hostile" / "pillow").rglob("*")) if path.is_file()]
    clips = sorted((shared_data / "hostile" / "mp4parse").iterdir())
    for number, path in enumerate(images):
        making.add(catalog, str(30_000 + number), cover=path)
    for number, path in enumerate(clips):
        making.add(catalog, str(40_000 + number), video=path)
    read = run(catalog, "ocr")
    assert read.done + read.failed + read.absent == len(images) + len(clips)
    assert read.done > 300
    heard = run(catalog, "transcribe", whisper)
    assert heard.done + heard.failed + heard.absent == len(clips)
    assert catalog.due("ocr") == catalog.due("transcribe") == []
    assert all("/" not in str(line["error"]).replace("I/O", "") for line in catalog.failures())
