"""The project's own commands -> jobs in the background, one at a time: with their progress, their last lines, and Stop.

Each command runs under page/job_process.py, which ends it and all its processes with the job, or with this server.
"""

import atexit
import contextlib
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Literal

from ingest.commands.errors import FAILED
from scraper.errors import UserError

log = logging.getLogger(__name__)

State = Literal["running", "finished", "failed", "stopped"]

MAX_LINES = 200  # kept of a job's output: the end is what matters
MAX_LINE_CHARS = 500
END_S = 12.0  # until the keeper has killed what does not end by itself (GRACE_S), and a little
ROOT = Path(__file__).resolve().parent.parent  # where the packages lie, installed or not
_BAR = re.compile(r"(?P<what>.*?):\s+\d+%\|.*\|\s*(?P<done>\d+)/(?P<total>\d+) \[(?P<times>[^]]*)\]")


class JobError(UserError):
    """A job cannot be started; the message says why and what to do."""


@dataclass(frozen=True)
class Step:
    """One command: what a person reads, and the arguments after `python -m`; its answer may go to a file."""

    title: str
    arguments: tuple[str, ...]
    answer: Path | None = None


@dataclass(frozen=True)
class Progress:
    """How far a command says that it is: `done` of `total`, and its own words about times."""

    what: str
    done: int
    total: int
    times: str = ""


@dataclass
class Job:
    """Commands that run one after another until one fails. `place` is the tab that started them."""

    id: str
    place: str
    title: str
    steps: Sequence[Step]
    state: State = "running"
    step: int = 0  # the one at work, from 0
    message: str = ""  # why it failed
    progress: Progress | None = None
    most_due: int = 0  # of the ledger, while its media are read: what progress is a share of
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_LINES))
    started: float = field(default_factory=time.time)
    ended: float | None = None

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def seconds(self) -> float:
        return (self.ended or time.time()) - self.started


class Jobs:
    """The background jobs of one corpus, one at a time."""

    def __init__(self, data: Path, indexes: Path) -> None:
        self.data, self.indexes = data, indexes
        self.folder = data / "evaluations"  # what measurements leave behind, a folder each by their id
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._latest: dict[str, Job] = {}
        self._stopping = False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        atexit.register(self.close)

    def start(self, place: str, title: str, steps: Callable[[str], Sequence[Step]]) -> Job:
        """Run `steps` of the new job's id in the background.

        Raises:
            JobError: another job is at work.
        """
        with self._lock:
            if self._job and self._job.running:
                raise JobError(f"“{self._job.title}” is at work: wait for it, or stop it in the tab {self._job.place}.")
            job_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{token_hex(4)}"
            job = self._job = self._latest[place] = Job(job_id, place, title, tuple(steps(job_id)))
            self._stopping = False
            self._thread = threading.Thread(target=self._run, args=(job,), name=f"job {title}", daemon=True)
            self._thread.start()
        return job

    def latest(self, place: str) -> Job | None:
        """The last job that a tab started, at work or ended."""
        return self._latest.get(place)

    def stop(self) -> None:
        """Let go of the job at work; it ends within seconds."""
        with self._lock:
            self._stopping = True
            self._let_go()

    def close(self) -> None:
        """Stop, and wait for the end."""
        self.stop()
        if self._thread:
            self._thread.join(END_S)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for the job at work."""
        if self._thread:
            self._thread.join(timeout_s)

    def _let_go(self) -> None:
        if self._process and self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _run(self, job: Job) -> None:
        try:
            for number, step in enumerate(job.steps):
                job.step, job.progress = number, None
                job.lines.append(f"— {step.title}")
                if status := self._command(job, step):
                    self._end(job, "failed", _reason(job.lines, status))
                    return
                if self._stopping:
                    break
            self._end(job, "finished")
        except Exception as error:  # what the machine refuses: no process, no file
            log.exception("a job could not be run")
            self._end(job, "failed", str(error))

    def _end(self, job: Job, state: State, message: str = "") -> None:
        with self._lock:
            job.state = "stopped" if self._stopping else state
            job.message = "" if self._stopping else message
            job.ended, job.progress, self._process = time.time(), None, None

    def _command(self, job: Job, step: Step) -> int:
        """Run one command, reading what it prints; returns its exit status."""
        python = [sys.executable, "-P", "-m"]
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        settings = {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        if step.answer:
            step.answer.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            answer = stack.enter_context(step.answer.open("wb")) if step.answer else None
            with self._lock:
                if self._stopping:
                    return 1
                process = self._process = subprocess.Popen(
                    [*python, "page.job_process", *python, *step.arguments],
                    env=os.environ | settings,
                    stdin=subprocess.PIPE,
                    stdout=answer or subprocess.PIPE,
                    stderr=subprocess.PIPE if answer else subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C in the server's terminal is the server's
                )
            stream = process.stderr if answer else process.stdout
            assert stream is not None and process.stdin is not None
            reader, rest = _Reader(job), b""
            with stream:
                while chunk := os.read(stream.fileno(), 65_536):
                    *lines, rest = re.split(rb"[\r\n]", rest + chunk)
                    for line in lines:
                        reader.line(line)
                    rest = rest[-MAX_LINE_CHARS * 4 :]
                reader.line(rest)
            status = process.wait()
            with self._lock:
                self._let_go()
            # 1 without an error: some items failed, which the lines say. The next command works on the others.
            return 0 if status == FAILED and not reader.error else status


class _Reader:
    """What a command prints -> its job's lines and progress. A traceback belongs into the server's log alone."""

    def __init__(self, job: Job) -> None:
        self.job, self.in_traceback = job, False
        self.error = False  # whether the command ended in an error

    def line(self, raw: bytes) -> None:
        line = raw.decode(errors="replace").rstrip()
        if not line:
            return
        if bar := _BAR.search(line):
            self.job.progress = Progress(bar["what"].strip(), int(bar["done"]), int(bar["total"]), bar["times"])
            return
        if line.startswith("Traceback (most recent call last)"):
            self.in_traceback = self.error = True
        if self.in_traceback:
            log.warning("%s: %s", self.job.title, line)
            if line.startswith((" ", "Traceback")):
                return
            self.in_traceback = False
        self.error = self.error or line.startswith("error: ")
        self.job.lines.append("".join(c if c.isprintable() else " " for c in line[:MAX_LINE_CHARS]))


def _reason(lines: Sequence[str], status: int) -> str:
    """Why a command failed, in its own words."""
    for line in reversed(lines):
        if line.startswith("error: "):
            return line.removeprefix("error: ")
    return f"{lines[-1]} (exit status {status})" if lines else f"exit status {status}"


def typed_path(typed: str, what: str) -> Path:
    """A path that a person typed, which must be there.

    Raises:
        JobError: nothing was typed, or nothing is there.
    """
    typed = typed.strip().strip("\"'")
    if not typed:
        raise JobError(f"Give the path of {what}, on the machine where this page runs.")
    try:
        path = Path(typed).expanduser()
        if path.exists():
            return path.resolve()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, an unknown ~user
        pass
    raise JobError(f"There is no {typed[:200]} on the machine where this page runs: {what} is wanted.")
