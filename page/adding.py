"""Uploaded files, links and server paths -> jobs that run `tiktok-retrieval add`, one after another."""

import json
import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from page.jobs import ADD, PROGRESS, Job, JobError, Jobs, Step
from page.uploads import Uploads
from retrieval.server.problems import Problem

log = logging.getLogger(__name__)
REPORT = "report.json"  # in the folder of an upload: what `add --json` prints
LINKS = "pasted links.txt"
MAX_WAITING = 20
MAX_ENDED = 3  # that are shown


@dataclass
class Addition:
    """What somebody added at once. Its upload holds files and links; `path` is a file or folder of the server."""

    id: str  # of its upload
    title: str
    path: Path | None = None
    job: Job | None = None
    report: dict[str, Any] = field(default_factory=dict)  # as retrieval.corpus.add_report.AddReport

    @property
    def state(self) -> Literal["waiting", "running", "finished", "failed", "stopped"]:
        return self.job.state if self.job else "waiting"


class Additions:
    """The additions of one corpus: those that wait, the running one, and the last that ended."""

    def __init__(self, jobs: Jobs, uploads: Uploads) -> None:
        self._jobs, self._uploads = jobs, uploads
        self._lock = threading.RLock()
        self._waiting: deque[Addition] = deque()
        self._running: Addition | None = None
        self._ended: deque[Addition] = deque(maxlen=MAX_ENDED)
        jobs.on_end = self._job_ended
        uploads.in_use = self.in_use

    def start(self, upload_id: str, title: str, path: Path | None = None) -> Addition:
        """Add what an upload holds, or a file or folder of the server, once the jobs before it have ended.

        Raises:
            Problem: 404, there is no such upload; 409, it is being added; 429, too many wait.
        """
        self._uploads.files(upload_id)
        with self._lock:
            if upload_id in self.in_use():
                raise Problem(409, "These files are being added already.")
            if len(self._waiting) >= MAX_WAITING:
                raise Problem(429, f"{MAX_WAITING} others wait already. Try again when they are done.")
            self._ended = deque((one for one in self._ended if one.id != upload_id), MAX_ENDED)
            addition = Addition(upload_id, title, path)
            self._waiting.append(addition)
            self._start_next()
        return addition

    def path_of(self, upload_id: str) -> Path | None:
        """Return the path of an addition that has ended, or None if it had files."""
        return next((addition.path for addition in self.shown() if addition.id == upload_id), None)

    def stop(self, upload_id: str) -> None:
        """Stop an addition, or let it not begin. Its files stay, so that somebody can go on."""
        with self._lock:
            waiting = [addition for addition in self._waiting if addition.id != upload_id]
            self._waiting = deque(waiting)
            if self._running and self._running.id == upload_id:
                self._jobs.stop()

    def in_use(self) -> set[str]:
        """Return the ids of the uploads that are being added or wait for it."""
        with self._lock:
            return {addition.id for addition in (*self._waiting, *([self._running] if self._running else []))}

    def shown(self) -> list[Addition]:
        """Return the running addition, those that wait, and the last that ended, newest first."""
        with self._lock:
            return [*([self._running] if self._running else []), *self._waiting, *self._ended]

    def _start_next(self) -> None:
        """Start the addition that has waited longest, unless a job is running; the end of that calls this again."""
        if self._running or not self._waiting:
            return
        addition = self._waiting[0]
        try:
            addition.job = self._jobs.start(ADD, addition.title, lambda _: self._steps(addition))
        except JobError:
            return
        self._running = self._waiting.popleft()

    def _steps(self, addition: Addition) -> list[Step]:
        jobs = self._jobs
        source = addition.path or only_folder(self._uploads.files(addition.id))
        folders = ("--data", str(jobs.data.absolute()), "--indexes", str(jobs.indexes.absolute()))
        command = ("retrieval", "add", str(source), *folders, "--json", *PROGRESS)
        return [Step("Add", command, self._report_file(addition))]

    def _report_file(self, addition: Addition) -> Path:
        return self._uploads.folder / addition.id / REPORT

    def _job_ended(self, job: Job) -> None:
        with self._lock:
            addition = self._running
            if addition and addition.job is job:
                try:
                    addition.report = json.loads(self._report_file(addition).read_text(encoding="utf-8"))
                except (OSError, ValueError):
                    log.info("an addition ended without a report")
                # Everything in it was taken, or cannot be: whoever added it has the files. Else somebody may go on.
                if job.state == "finished":
                    self._uploads.delete(addition.id)
                self._ended.appendleft(addition)
                self._running = None
            self._start_next()


def only_folder(files: Path) -> Path:
    """Return the one folder that somebody uploaded, whose layout may matter, or the folder of all files."""
    inside = list(files.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else files
