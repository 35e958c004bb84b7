"""Runs a stage over the videos that are due: worker processes read their media, the catalogue takes item by item.

Each outcome is one transaction made when the item is finished, so whatever ends a run (Ctrl-C, kill, a full disk) costs
the items at work and no others; the next run takes what is still due.
"""

import contextlib
import sqlite3
from collections.abc import Iterator

from filelock import FileLock, Timeout

from ingest.catalog import Catalog, Stage
from ingest.models.device import DeviceError
from ingest.models.weights import WeightsError
from ingest.ocr.result import OcrError
from ingest.progress import ProgressMode
from ingest.settings import Settings
from ingest.stages import ocr, transcribe
from ingest.stages.download import download
from ingest.stages.stage_run import StageReport, StageRun
from ingest.stages.workers import cores
from scraper.errors import UserError


class StageError(UserError):
    """A stage cannot go on at all; the message says what to do. What is finished stays."""


def run_stage(
    catalog: Catalog,
    stage: Stage,
    settings: Settings,
    *,
    progress: ProgressMode = "off",
    processes: int | None = None,
    batch: int | None = None,
    report: StageReport | None = None,
) -> StageReport:
    """Work off what is due in a stage. `processes` read media (all cores), `batch` windows go through Whisper at once.

    Texts that were made here with another engine, model or setting are due again.
    A `report` of one's own holds what was done even where something ends the run.

    Raises:
        StageError: another run is at this stage, or what the stage needs (Tesseract, weights) is not there.
    """
    recipes = {"ocr": ocr.recipes, "transcribe": transcribe.recipes}.get(stage, lambda _: ())(settings)
    report = report or StageReport(stage)
    with _only_run(catalog, stage), StageRun(catalog, report, progress, recipes) as run:
        _work(run, settings, processes or cores(), batch)
    return report


def _work(run: StageRun, settings: Settings, processes: int, batch: int | None) -> None:
    try:
        if run.stage == "download":
            download(run, settings)
        elif run.stage == "ocr":
            ocr.read_pictures(run, settings, processes)
        else:
            transcribe.transcribe_due(run, settings, processes, batch)
    except (OcrError, WeightsError, DeviceError) as error:
        raise StageError(str(error)) from error
    except sqlite3.OperationalError as error:
        raise StageError(f"{run.catalog.path} cannot be written: {error}. What is finished stays") from error
    except OSError as error:
        raise StageError(f"`{run.stage}` had to stop: {error}. What is finished stays") from error


@contextlib.contextmanager
def _only_run(catalog: Catalog, stage: Stage) -> Iterator[None]:
    """The operating system holds the lock for the process and lets it go when the process ends, however it ends."""
    lock = FileLock(catalog.data / f".{stage}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise StageError(f"another `{stage}` is at work on {catalog.data}: wait for it, or stop it") from error
    try:
        yield
    finally:
        lock.release()
