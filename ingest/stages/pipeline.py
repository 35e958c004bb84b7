"""Run a stage over the videos that are due. Worker processes read their media; this one writes item by item.

Each outcome is one transaction, so whatever ends a run (Ctrl-C, kill, a full disk) affects only the items in work. The
next run takes what is still due.
"""

import contextlib
import sqlite3
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager

from filelock import FileLock, Timeout

from ingest.catalog import Catalog, Stage
from ingest.catalog.database import is_busy
from ingest.catalog.entries import READ_BY
from ingest.catalog.media_damage import damage
from ingest.cluster.connection import Cluster
from ingest.models.device import DeviceError
from ingest.models.weights import WeightsError
from ingest.ocr.result import OcrError
from ingest.progress import Progress, ProgressMode
from ingest.settings import Settings
from ingest.stages import ocr, transcribe
from ingest.stages.download import download_due
from ingest.stages.media_files import request_damaged
from ingest.stages.stage_run import StageReport, StageRun
from scraper import refresh
from scraper.disk import DiskError, explain
from scraper.errors import Locked, UserError
from scraper.failures import FAILURES


class StageError(UserError):
    """A stage had to stop. The message says what to do. Finished items stay."""


def run_stage(
    catalog: Catalog,
    stage: Stage,
    settings: Settings,
    *,
    ids: Sequence[str] | None = None,
    progress: ProgressMode | Progress = "off",
    processes: int | None = None,
    batch: int | None = None,
    report: StageReport | None = None,
    cluster: Cluster | None = None,
) -> StageReport:
    """Process everything that is due in a stage, also texts made here with another engine, model or setting.

    Args:
        ids: Process only these videos, in this order.
        progress: How to show progress on stderr, or the progress of which this run is a part.
        processes: How many processes read media; by default one per core, of all nodes if there is a cluster.
        batch: How many windows Whisper transcribes at once.
        report: A report to fill. It is complete even if an error ends the run.
        cluster: Whose nodes read media. Downloads stay here: the site sees one polite client.

    Raises:
        Locked: another run of this stage is active, or another process is writing to the catalog.
        StageError: what the stage needs (Tesseract, weights, disk space) is missing.
        ClusterError: the cluster is lost, or none of its nodes can read.
    """
    recipes = {"ocr": ocr.recipes, "transcribe": transcribe.recipes}.get(stage, lambda _: ())(settings)
    report = report or StageReport(stage)
    with _only_run(catalog, stage):
        outdated, without_files = _outdated(catalog, stage, recipes)
        if not isinstance(progress, Progress) and progress != "off":
            made = f"{stage}: {{}} texts were made with other settings and "
            if outdated:
                print(made.format(len(outdated)) + "are made again", file=sys.stderr)
            if without_files:
                print(made.format(without_files) + "stay: the files they were made from are gone", file=sys.stderr)
        if stage == "download" and (damaged := request_damaged(catalog)) and progress != "off":
            print(f"download: the files of {damaged} videos in the data folder are damaged", file=sys.stderr)
        wanted = {*catalog.ledger.due(stage), *outdated}
        due = sorted(wanted) if ids is None else [video_id for video_id in ids if video_id in wanted]
        started = time.monotonic()
        try:
            with _progress(progress, stage, len(due)) as shown:
                run = StageRun(catalog, report, shown, due, recipes[0] if recipes else "")
                _process(run, settings, processes, batch, cluster)
        finally:
            report.seconds = time.monotonic() - started
    return report


def _outdated(catalog: Catalog, stage: Stage, recipes: Sequence[str]) -> tuple[list[str], int]:
    """Return the videos whose text was made with other settings and can be made again, and how many cannot be."""
    if not recipes or not (ids := catalog.outdated(stage, recipes)):
        return [], 0
    again = []
    for entry in catalog.entries(ids):
        files = [media for media in entry.media if stage in READ_BY[media.kind]]
        if files and not any(damage(media) for media in files):
            again.append(entry.video.id)
    return again, len(ids) - len(again)


def check_tools(stages: Collection[Stage], settings: Settings) -> None:
    """Check that everything is there that stages need.

    Raises:
        StageError: something is missing; the message names all of it.
    """
    errors: list[str] = []
    if "download" in stages and not refresh.available():
        errors.append(FAILURES["noytdlp"])
    checks: dict[Stage, Callable[[Settings], None]] = {"ocr": ocr.check_tools, "transcribe": transcribe.check_tools}
    for stage, check in checks.items():
        if stage in stages:
            try:
                check(settings)
            except (OcrError, WeightsError, DeviceError) as error:
                errors.append(str(error))
    if errors:
        raise StageError("; ".join(errors))


def _progress(progress: ProgressMode | Progress, stage: Stage, due: int) -> AbstractContextManager[Progress]:
    if not isinstance(progress, Progress):
        return Progress(stage, due, progress, unit="videos")
    if due:
        progress.step(stage)
    return contextlib.nullcontext(progress)


def _process(
    run: StageRun, settings: Settings, processes: int | None, batch: int | None, cluster: Cluster | None
) -> None:
    try:
        if run.stage == "download":
            if run.due:
                check_tools(["download"], settings)
            download_due(run, settings)
        elif run.stage == "ocr":
            ocr.ocr_due(run, settings, processes, cluster)
        else:
            transcribe.transcribe_due(run, settings, processes, batch, cluster)
    except (OcrError, WeightsError, DeviceError) as error:
        raise StageError(str(error)) from error
    except sqlite3.OperationalError as error:
        if is_busy(error):
            raise Locked(f"another process is writing to {run.catalog.path}: try again later") from error
        raise _stopped(run, error) from error
    except (OSError, DiskError) as error:
        raise _stopped(run, error) from error


def _stopped(run: StageRun, error: Exception) -> StageError:
    explained = error if isinstance(error, DiskError) else explain(error, run.catalog.path)
    return StageError(f"`{run.stage}` had to stop: {explained or f'{error}. Finished items are kept.'}")


@contextlib.contextmanager
def _only_run(catalog: Catalog, stage: Stage) -> Iterator[None]:
    """Hold the lock of a stage. The operating system releases it when the process ends, however it ends."""
    lock = FileLock(catalog.data / f".{stage}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise Locked(f"another `{stage}` is running in {catalog.data}: wait until it is done, or stop it") from error
    try:
        yield
    finally:
        lock.release()
