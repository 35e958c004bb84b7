"""The pictures stage: covers, slides and videos -> small pictures of what they show, for search by vision.

It runs only if a vision model is chosen. What it makes depends on no model: another model uses the same pictures.
"""

import contextlib
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ingest.catalog import Catalog, Entry
from ingest.catalog.picture_store import PictureStore
from ingest.progress import Progress, ProgressMode
from ingest.stages.showing import RECIPE, Showing, Shown, due, files_of, look_at
from ingest.stages.workers import WorkerError, cores, each
from scraper.disk import concerns_all, explain
from scraper.errors import Locked, UserError

DECODE_LIMIT_S = 240.0  # as for text; see ingest/stages/ocr.py
PICTURE_LIMIT_S = 10.0


@dataclass
class PicturesReport:
    """What a run did. `waiting` are videos whose media are not there yet."""

    done: int = 0
    failed: int = 0
    waiting: int = 0
    pictures: int = 0
    seconds: float = field(default=0.0, compare=False)
    failures: list[dict[str, str]] = field(default_factory=list, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return self.__dict__ | {"seconds": round(self.seconds, 3)}


def run_pictures(
    catalog: Catalog,
    *,
    ids: Sequence[str] | None = None,
    progress: ProgressMode | Progress = "off",
    processes: int | None = None,
    retry_failed: bool = False,
) -> PicturesReport:
    """Make the pictures of every video whose media have none yet, or have changed since.

    Args:
        ids: Process only these videos, in this order.
        retry_failed: Also try those again that failed.

    Raises:
        Locked: another run of this stage is active.
        UserError: the disk is full or cannot be written.
    """
    from ingest.stages.copies import compare

    report, started = PicturesReport(), time.monotonic()
    with _only_run(catalog), PictureStore(catalog.data, create=True) as store:
        known = store.known()
        store.forget(set(known).difference(catalog.ids()))
        entries = catalog.entries(catalog.ids() if ids is None else ids)
        wanted = list(_due(entries, known, report, retry_failed))
        shown = progress
        if not isinstance(shown, Progress):
            shown = Progress("pictures", len(wanted), shown, unit="videos")
        try:
            with contextlib.nullcontext() if shown is progress else shown:
                if shown is progress and wanted:
                    shown.step("pictures")
                _process(store, wanted, catalog.data, report, shown, processes or cores())
                compare(store)
        finally:
            report.seconds = time.monotonic() - started
    return report


def _due(
    entries: Iterator[Entry], known: dict[str, tuple[str, str, str]], report: PicturesReport, retry_failed: bool
) -> Iterator[tuple[str, Showing]]:
    """Yield the videos that are due."""
    for entry in entries:
        if not files_of(entry):
            report.waiting += entry.states.get("download") == "due"
        elif showing := due(entry, known, retry_failed):
            yield entry.video.id, showing


def _process(
    store: PictureStore,
    wanted: Collection[tuple[str, Showing]],
    data: Path,
    report: PicturesReport,
    shown: Progress,
    processes: int,
) -> None:
    def limit_s(showing: Showing) -> float:
        return PICTURE_LIMIT_S * len(showing.stills) + (DECODE_LIMIT_S if showing.video else 0.0)

    jobs = (((video_id, showing.inputs), showing) for video_id, showing in wanted)
    for (video_id, inputs), result in each(look_at, jobs, processes=processes, limit_s=limit_s):
        if isinstance(result, Exception):
            if known := concerns_all(result, data):
                raise known from result
            plain = isinstance(result, WorkerError | UserError)
            reason = str(result) if plain else explain(result, data) or f"{type(result).__name__}: {result}"
            result = Shown([], str(reason))
        store.put(video_id, inputs, RECIPE, result.pictures, result.errors, result.fingerprint)
        report.pictures += len(result.pictures)
        if result.errors:
            report.failed += 1
            report.failures.append({"video_id": video_id, "error": result.errors})
        else:
            report.done += 1
        shown.advance(outcome="failed" if result.errors else "done")


@contextlib.contextmanager
def _only_run(catalog: Catalog) -> Iterator[None]:
    try:
        with FileLock(catalog.data / ".pictures.lock", timeout=0):
            yield
    except Timeout as error:
        raise Locked(f"another `pictures` is running in {catalog.data}: wait until it is done, or stop it") from error


def sentence(report: PicturesReport) -> str:
    """What a run did, for people."""
    waiting = f", {report.waiting} waiting for their download" if report.waiting else ""
    return f"pictures: {report.pictures} of {report.done + report.failed} videos, {report.failed} failed{waiting}"
