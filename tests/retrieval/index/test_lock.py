"""One process changes the index at a time; what ends soon is waited for."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from retrieval.index.lock import PROBE_S, _brief_work, only_builder
from scraper.errors import Locked

HOLD = """
import sys, time
from pathlib import Path
from retrieval.index.lock import only_builder
with only_builder(Path(sys.argv[1]), brief=sys.argv[2] == "brief"):
    print("held", flush=True)
    time.sleep(float(sys.argv[3]))
"""


def holding(indexes: Path, kind: str, seconds: float) -> "subprocess.Popen[str]":
    """Return another process that holds the lock for some time."""
    command = [sys.executable, "-c", HOLD, str(indexes), kind, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "held\n"
    return process


def test_a_command_waits_for_a_server_that_follows_its_catalog(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with holding(tmp_path, "brief", 5 * PROBE_S) as server:
        with only_builder(tmp_path):
            assert server.wait(timeout=10) == 0
        assert "waiting for a server" in caplog.text


def test_a_command_waits_although_the_work_of_a_server_ends_just_after_an_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    with holding(tmp_path, "brief", 3 * PROBE_S) as server:

        def asked(indexes: Path) -> bool:
            if time.monotonic() - began > PROBE_S:  # after the attempt
                server.wait(timeout=10)
            return _brief_work(indexes)

        began = time.monotonic()
        monkeypatch.setattr("retrieval.index.lock._brief_work", asked)
        with only_builder(tmp_path):
            assert server.poll() == 0


def test_a_command_does_not_wait_for_another_one_or_for_a_killed_server(tmp_path: Path) -> None:
    with holding(tmp_path, "brief", 60) as server:
        server.kill()
    with holding(tmp_path, "long", 60) as command:
        with pytest.raises(Locked, match="another build"), only_builder(tmp_path):
            pass
        command.kill()


def test_a_server_does_not_wait_for_itself(tmp_path: Path) -> None:
    refused = []

    def follow() -> None:
        began = time.monotonic()
        try:
            with only_builder(tmp_path, brief=True):
                pass
        except Locked:
            refused.append(time.monotonic() - began)

    for brief in (False, True):
        with only_builder(tmp_path, brief=brief):
            thread = threading.Thread(target=follow)
            thread.start()
            thread.join(timeout=10)
    assert len(refused) == 2 and max(refused) < 10 * PROBE_S
    follow()
    assert len(refused) == 2
