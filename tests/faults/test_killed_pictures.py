"""`pictures` and `build --vision`, killed again and again -> in the end, what an undisturbed run makes."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ingest.catalog.picture_store import PictureStore
from retrieval.index.generation import open_current
from tests.command_line import ENTRY_POINT, environment
from tests.retrieval.seen_corpus import TOY, make_seen_data

pytestmark = pytest.mark.faults

KILLS = 6


def run(folder: Path, *arguments: str, kill_after_s: float | None = None) -> bool:
    """Run a command on the folders; return whether it ended by itself."""
    command = [*ENTRY_POINT, *arguments, "--quiet"]
    command += ["--data", str(folder / "data"), "--indexes", str(folder / "indexes")]
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        _, errors = process.communicate(timeout=kill_after_s or 600)
        assert process.returncode == 0, errors
        return True
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return False


def seconds_of(folder: Path, *arguments: str) -> float:
    started = time.monotonic()
    assert run(folder, *arguments)
    return time.monotonic() - started


def pictures_of(folder: Path) -> tuple[object, object]:
    with PictureStore(folder / "data") as store:
        assert not store.not_compared()
        return store.shown(), store.copies()


def index_of(folder: Path) -> dict[str, tuple[object, bytes]]:
    generation = open_current(folder / "indexes")
    assert generation.seen
    return {
        video_id: (
            generation.seen.pictures(video),
            generation.seen.index.vectors(generation.seen.rows.of(video)).tobytes(),
        )
        for video_id, video in generation.positions.items()
    }


def test_killed_runs_end_where_an_undisturbed_one_does(tmp_path: Path) -> None:
    chance = random.Random(23)
    for name in ("calm", "killed"):
        make_seen_data(tmp_path / name / "data")
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    build = ("build", "--encoder", "all-MiniLM-L6-v2", "--vision", str(TOY))
    for command in (("pictures", "--processes", "1"), build):
        needs_s = seconds_of(calm, *command)
        for _ in range(KILLS):
            run(killed, *command, kill_after_s=chance.uniform(0.2, 1.0) * needs_s)
        assert run(killed, *command)
        assert pictures_of(killed) == pictures_of(calm)
    assert index_of(killed) == index_of(calm)
