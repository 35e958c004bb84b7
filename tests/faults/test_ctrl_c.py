"""Ctrl-C at many points of a command: exit code 130, no traceback, and the next run finishes."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("Windows has no process groups that a test could interrupt", allow_module_level=True)

from tests.command_line import ENTRY_POINT, REPOSITORY, environment, run
from tests.faults.commands import COMMANDS
from tests.faults.corpus import Corpus, faults_of, kept
from tests.faults.fork_server import ForkServer
from tests.faults.shim import copy_of

TRIES = int(os.environ.get("CTRL_C_TRIES", "30"))
TRIES_OF_RUN = 8  # each takes seconds
INTERRUPTED = 130
LIMIT_S = 300.0
START_S = 0.02  # until the child process has called the program
BY_NAME = {command.name: command for command in COMMANDS}


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    server = ForkServer(REPOSITORY, environment())
    yield server
    server.close()


@pytest.mark.faults
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", ["import", "build", "edit", "backup"])
def test_ctrl_c_at_any_point_stops_cleanly_and_the_next_run_finishes(
    name: str, server: ForkServer, original: Path, tmp_path: Path
) -> None:
    command, corpus = BY_NAME[name], Corpus(copy_of(original, tmp_path / "corpus"))
    if command.before:
        server.request(command=strings(command.before(corpus)))
    ready, arguments = copy_of(corpus.root, tmp_path / "ready"), strings(command.arguments(corpus))
    server.request(command=arguments)  # reads files that are not in memory yet
    copy_of(ready, corpus.root)
    began = time.monotonic()
    assert server.request(command=arguments)["code"] == 0
    length_s = time.monotonic() - began
    chance, wrong, stopped = random.Random(17), [], 0
    for _ in range(TRIES):
        copy_of(ready, corpus.root)
        before, after_s = kept(corpus), chance.uniform(START_S, length_s)
        done = server.request(command=arguments, ctrl_c_s=after_s)
        stopped += done["code"] == INTERRUPTED
        if found := faults_after(corpus, before, done["code"], done["err"]):
            wrong.append(f"after {after_s:.3f} of {length_s:.3f} s: {found}")
        again = server.request(command=arguments)
        if again["code"] and "exists" not in again["err"]:
            wrong.append(f"after {after_s:.3f} of {length_s:.3f} s: the next run fails: {again['err'][-1000:]}")
    assert not wrong, "\n\n".join(wrong)
    assert stopped > TRIES / 4


@pytest.mark.faults
@pytest.mark.timeout(3_600)
def test_ctrl_c_at_any_point_of_a_run_stops_its_workers_and_the_next_run_finishes(
    original: Path, tmp_path: Path
) -> None:
    corpus = Corpus(copy_of(original, tmp_path / "corpus"))
    assert run(*BY_NAME["import"].arguments(corpus)).returncode == 0
    ready, arguments = copy_of(corpus.root, tmp_path / "ready"), BY_NAME["run"].arguments(corpus)
    length_s = to_the_end_s(corpus, start(arguments))
    chance, wrong, stopped = random.Random(17), [], 0
    for _ in range(TRIES_OF_RUN):
        copy_of(ready, corpus.root)
        before, after_s = kept(corpus), chance.uniform(0.0, length_s)
        running = start(arguments)
        wait_until_open(corpus, running)
        time.sleep(after_s)
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: the workers get it as well
        _, errors = running.communicate(timeout=LIMIT_S)
        # after its end, the interpreter dies of the signal, which a shell shows as the same number
        code = INTERRUPTED if running.returncode == -signal.SIGINT else running.returncode
        stopped += code == INTERRUPTED
        if found := faults_after(corpus, before, code, errors):
            wrong.append(f"after {after_s:.2f} of {length_s:.2f} s: {found}")
        again = run(*arguments)
        if again.returncode or re.search(r"[1-9]\d* failed", again.stdout):
            wrong.append(f"after {after_s:.2f} of {length_s:.2f} s: the next run: {again.stdout}{again.stderr[-1000:]}")
    assert not wrong, "\n\n".join(wrong)
    assert stopped > TRIES_OF_RUN / 4


def strings(arguments: list[str | Path]) -> list[str]:
    return [str(argument) for argument in arguments]


def faults_after(corpus: Corpus, before: dict[str, set[str]], code: int, errors: str) -> str:
    """Return what is wrong after Ctrl-C, or "". The command may have been done already."""
    found = faults_of(corpus, before)
    if code not in (0, INTERRUPTED):
        found.append(f"exit code {code}")
    if "Traceback" in errors or "Exception ignored" in errors:
        found.append("a traceback")
    return f"{'; '.join(found)}: {errors[-2000:]}" if found else ""


def start(arguments: list[str | Path]) -> "subprocess.Popen[str]":
    """Start a command in a process group of its own, as a terminal does."""
    return subprocess.Popen(
        [*ENTRY_POINT, *map(str, arguments)],
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # in the background of a shell it is ignored
    )


def wait_until_open(corpus: Corpus, running: "subprocess.Popen[str]") -> None:
    """Wait until a command has opened the catalog: before, it is the interpreter that starts."""
    log = corpus.data / "catalog.sqlite-wal"
    while running.poll() is None and not log.exists():
        time.sleep(0.01)


def to_the_end_s(corpus: Corpus, running: "subprocess.Popen[str]") -> float:
    """Return the seconds from opening the catalog to the end."""
    wait_until_open(corpus, running)
    began = time.monotonic()
    assert running.wait(LIMIT_S) == 0
    return time.monotonic() - began
