"""The commands of the project -> jobs in the background, one at a time, with progress, last lines and Stop.

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

from pydantic import BaseModel, ConfigDict, ValidationError

from ingest.commands.errors import FAILED
from ingest.commands.output import printable
from scraper.errors import UserError
from scraper.files import make_private

log = logging.getLogger(__name__)

State = Literal["running", "finished", "failed", "stopped"]

MAX_LINES = 200  # of a job's output; the last ones are kept
MAX_LINE_CHARS = 500
END_S = 12.0  # a little longer than job_process.GRACE_S, after which the command is killed
ROOT = Path(__file__).resolve().parent.parent  # the folder of the packages, installed or not
ADD = "Add"  # in place of a tab: these jobs are started from every tab
PROGRESS = ("--progress", "json")  # options of a command whose progress a job shows


class JobError(UserError):
    """A job cannot be started."""


@dataclass(frozen=True)
class Step:
    """One command: its title, the arguments after `python -m`, and the file for its standard output, if any.

    What takes a second or two is `work` instead, a function that runs in this process and cannot be stopped.
    """

    title: str
    arguments: tuple[str, ...] = ()
    answer: Path | None = None
    work: Callable[[], None] | None = None


class Progress(BaseModel):
    """How far a command is: `done` items of `total`, which is None if unknown. `failed` of the done ones failed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    done: int
    total: int | None
    failed: int


@dataclass
class Job:
    """Commands that run one after another until one fails. `tab` is the tab that started them."""

    id: str
    tab: str
    title: str
    steps: Sequence[Step]
    state: State = "running"
    step: int = 0  # the number of the current one, from 0
    message: str = ""  # why it failed
    progress: Progress | None = None
    counted_since: float = field(default_factory=time.time)  # when the progress began to count from 0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_LINES))
    started: float = field(default_factory=time.time)
    ended: float | None = None

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def seconds(self) -> float:
        return (self.ended or time.time()) - self.started

    @property
    def seconds_left(self) -> float | None:
        """How long the counted items will take, or None if that cannot be known."""
        shown = self.progress
        if not self.running or shown is None or not shown.total or not 0 < shown.done <= shown.total:
            return None
        return (time.time() - self.counted_since) / shown.done * (shown.total - shown.done)


class Jobs:
    """The background jobs of one corpus, one at a time."""

    def __init__(self, data: Path, indexes: Path) -> None:
        self.data, self.indexes = data, indexes
        self.folder = data / "evaluations"  # results of measurements, in a folder named by the id of their job
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._latest: dict[str, Job] = {}
        self._stopping = False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self.on_end: Callable[[Job], None] = lambda job: None
        atexit.register(self.close)

    def start(self, tab: str, title: str, steps: Callable[[str], Sequence[Step]]) -> Job:
        """Start a job in the background; `steps` returns its steps by its id.

        Raises:
            JobError: another job is running.
        """
        with self._lock:
            if self._job and self._job.running:
                where = "under “Add videos”" if self._job.tab == ADD else f"in the tab {self._job.tab}"
                raise JobError(f"“{self._job.title}” is running. Wait for it, or stop it {where}.")
            job_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{token_hex(4)}"
            job = self._job = self._latest[tab] = Job(job_id, tab, title, tuple(steps(job_id)))
            self._stopping = False
            self._thread = threading.Thread(target=self._run, args=(job,), name=f"job {title}", daemon=True)
            self._thread.start()
        return job

    def latest(self, tab: str) -> Job | None:
        """Return the last job that a tab started, running or ended."""
        return self._latest.get(tab)

    def stop(self) -> None:
        """Stop the running job. It ends within seconds."""
        with self._lock:
            self._stopping = True
            self._close_pipe()

    def close(self) -> None:
        """Stop the running job and wait for its end. Nothing follows it."""
        self.on_end = lambda job: None
        self.stop()
        if self._thread:
            self._thread.join(END_S)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for the end of the running job."""
        if self._thread:
            self._thread.join(timeout_s)

    def _close_pipe(self) -> None:
        if self._process and self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _run(self, job: Job) -> None:
        try:
            for number, step in enumerate(job.steps):
                job.step, job.progress = number, None
                job.lines.append(f"— {step.title}")
                if step.work:
                    step.work()
                elif status := self._command(job, step):
                    self._end(job, "failed", _reason(job.lines, status))
                    return
                if self._stopping:
                    break
            self._end(job, "finished")
        except UserError as error:
            self._end(job, "failed", str(error))
        except Exception as error:  # such as no more processes, or a full disk
            log.exception("a job could not be run")
            self._end(job, "failed", str(error))

    def _end(self, job: Job, state: State, message: str = "") -> None:
        with self._lock:
            job.state = "stopped" if self._stopping else state
            job.message = "" if self._stopping else message
            job.ended, job.progress, self._process = time.time(), None, None
        self.on_end(job)

    def _command(self, job: Job, step: Step) -> int:
        """Run one command and read its output; return its exit status."""
        python = [sys.executable, "-P", "-m"]
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        settings = {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        if step.answer:
            make_private(step.answer.parent)
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
                    start_new_session=True,  # Ctrl-C in the terminal is for the server alone
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
                self._close_pipe()
            # 1 without an error: some items failed, which the lines say. The next command works on the others.
            return 0 if status == FAILED and not reader.error else status


class _Reader:
    """The output of a command -> the lines and progress of its job. A traceback goes to the log of the server."""

    def __init__(self, job: Job) -> None:
        self.job, self.in_traceback = job, False
        self.error = False  # whether the command ended in an error

    def line(self, raw: bytes) -> None:
        line = raw.decode(errors="replace").rstrip()
        if not line:
            return
        if progress := _progress(line):
            before = self.job.progress
            if before is None or progress.total != before.total or progress.done < before.done:
                self.job.counted_since = time.time()
            self.job.progress = progress
            return
        if line.startswith("Traceback (most recent call last)"):
            self.in_traceback = self.error = True
        if self.in_traceback:
            log.warning("%s: %s", self.job.title, line)
            if line.startswith((" ", "Traceback")):
                return
            self.in_traceback = False
        self.error = self.error or line.startswith("error: ")
        self.job.lines.append(printable(line[:MAX_LINE_CHARS]))


def _progress(line: str) -> Progress | None:
    """Return what a line of `--progress json` says (ingest/progress.py), or None if it is any other line."""
    try:
        return Progress.model_validate_json(line) if line.startswith("{") else None
    except ValidationError:
        return None


def _reason(lines: Sequence[str], status: int) -> str:
    """Return the error message of a command, or its last line."""
    for line in reversed(lines):
        if line.startswith("error: "):
            return line.removeprefix("error: ")
    return f"{lines[-1]} (exit status {status})" if lines else f"exit status {status}"


def typed_path(typed: str, what: str) -> Path:
    """Return the path that somebody typed.

    Raises:
        JobError: nothing was typed, or the path does not exist.
    """
    typed = typed.strip().strip("\"'")
    if not typed:
        raise JobError(f"Give the path of {what} on the machine that runs this page.")
    try:
        path = Path(typed).expanduser()
        if path.exists():
            return path.resolve()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, an unknown ~user
        pass
    raise JobError(f"There is no {typed[:200]} on the machine that runs this page. Give the path of {what}.")
