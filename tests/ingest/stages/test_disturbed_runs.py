"""Runs that are killed, interrupted, or meet a full disk or hostile files."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock

from ingest.catalog import Catalog
from ingest.stages.pipeline import StageError
from ingest.stages.stage_run import StageReport
from ingest.stages.workers import WorkerError, each
from scraper.errors import Locked
from tests.broken_files import broken_pictures, broken_videos
from tests.command_line import REPOSITORY
from tests.ingest import media_samples
from tests.ingest.stages.running import run


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


def test_one_item_starts_one_process() -> None:
    before = len(multiprocessing.active_children())
    running = each(abs, [("a", -1)], processes=4, limit_s=lambda _: 60.0)
    assert next(running) == ("a", 1)
    assert len(multiprocessing.active_children()) == before + 1
    assert list(running) == []


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
    assert running.returncode == 130, errors
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
