"""Erase removed videos: from generations and the vector cache, media, reports, copies, and the catalog, in this order.

Each step can be repeated. The catalog knows until the last one what is being erased, so that the next process finishes
what a killed one has begun. docs/how-to/remove-videos.md has the order for people.
"""

import contextlib
import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from ingest.catalog import Catalog
from ingest.catalog.database import COPIES, FILE_NAME, is_busy
from ingest.catalog.picture_store import PictureStore
from ingest.catalog.removals import Removal
from retrieval.corpus import thumbnails
from retrieval.corpus.erase_indexes import erase_from_indexes, having
from scraper.errors import Locked
from scraper.files import fsync

log = logging.getLogger(__name__)

EVALUATIONS = "evaluations"  # the results of measurements from the page; each names the videos that it ranked
UPLOADS = "uploads"  # what the page received; after an addition that was stopped, the files are still there
LOCK = ".removal.lock"
WAIT_S = 600.0  # for a build that is running, or a process that writes to the catalog
RETRY_S = 0.5


@dataclass
class Erased:
    """What an erasure has done. Names of generations and files are those that were deleted."""

    videos: list[str] = field(default_factory=list)
    memberships: int = 0
    generations: list[str] = field(default_factory=list)
    new_generation: str = ""
    left_out: int = 0  # videos that the new generation lacks because their texts cannot be encoded now
    reports: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)

    @property
    def anything(self) -> bool:
        """Whether there was anything to erase."""
        return bool(self.videos or self.memberships or self.generations)


def erase(data: Path, indexes: Path, now: Collection[str] = ()) -> Erased:
    """Erase everything whose time to undo is over, and the removed videos `now` at once.

    Raises:
        Locked: another process builds an index, or uses the catalog, for longer than WAIT_S.
    """
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            return _erase(data, indexes, now)
        except (Locked, sqlite3.OperationalError) as error:
            busy = isinstance(error, Locked) or is_busy(error)
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)


def finish(data: Path, indexes: Path) -> Erased:
    """Erase what is due, also what a killed process has left. Nothing is loaded if there is nothing."""
    if not (data / FILE_NAME).is_file():
        return Erased()
    with Catalog(data, read_only=True) as catalog:
        due, removed = catalog.removals.next_due(), catalog.removals.final()
    if (due is not None and due <= time.time()) or having(indexes, removed):
        return erase(data, indexes)
    return Erased()


def _erase(data: Path, indexes: Path, now: Collection[str]) -> Erased:
    with _only_eraser(data), Catalog(data) as catalog:
        removals = catalog.removals.claim(now)
        videos = sorted({removal.video_id for removal in removals if not removal.list})
        changed = {removal.video_id for removal in removals}
        erased = Erased(videos, sum(bool(removal.list) for removal in removals))
        gone = erase_from_indexes(catalog, indexes, changed, videos)
        erased.generations, erased.new_generation = gone.generations, gone.new_generation
        erased.left_out = gone.left_out
        if not removals:
            return erased
        _erase_media(catalog, videos)
        _erase_reports(data, videos, erased)
        _erase_copies(data, erased)
        _erase_rows(catalog, removals)
    return erased


@contextlib.contextmanager
def _only_eraser(data: Path) -> Iterator[None]:
    """Hold the lock of erasing.

    Raises:
        Locked: another process or thread holds it.
    """
    try:
        with FileLock(data / LOCK, timeout=0):
            yield
    except Timeout as error:
        raise Locked(f"another process erases videos in {data}: wait until it is done") from error


# -- the data folder -------------------------------------------------------------------------------------------------


def _erase_media(catalog: Catalog, videos: Sequence[str]) -> None:
    """Delete the files of videos and the folders that are empty then, also what the page has kept of an upload that was
    stopped. Files outside of the data folder stay."""
    root = catalog.data.resolve()
    media = [(catalog.data / relative, root) for relative in catalog.removals.media_paths(videos)]
    uploaded = [(Path(path), root / UPLOADS) for path in catalog.removals.origins(videos)]
    changed = set()
    for path, inside in (*media, *uploaded):
        if path.resolve().is_relative_to(inside):
            path.unlink(missing_ok=True)
            changed.add(path.parent)
    with PictureStore(catalog.data) as store:
        store.forget(videos)
    for video in videos:
        folder = catalog.data / "media" / video[-2:] / video
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
        changed.add(thumbnails.erase(catalog.data, video))
        with contextlib.suppress(OSError):  # other videos are in it, or there is none
            folder.parent.rmdir()
        changed |= {folder.parent, folder.parent.parent}
    for folder in changed:  # or a power cut brings the files back, after the catalog has forgotten them
        if folder.is_dir():
            fsync(folder)


def _erase_reports(data: Path, videos: Sequence[str], erased: Erased) -> None:
    """Delete the results of measurements that name a video. They quote it, and a part of a report would mislead."""
    wanted = [video.encode() for video in videos]
    folder = data / EVALUATIONS
    for job in sorted(folder.iterdir()) if folder.is_dir() else ():
        if job.is_dir() and not job.is_symlink() and any(_mentions(path, wanted) for path in _files_below(job)):
            shutil.rmtree(job)
            erased.reports.append(job.name)


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and its sub-folders. `Path.rglob` passes over those that it may not read."""

    def fail(error: OSError) -> None:
        raise error

    for root, _, names in os.walk(folder, onerror=fail):
        yield from map(Path(root).joinpath, names)


def _mentions(path: Path, wanted: Sequence[bytes]) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    content = path.read_bytes()
    return any(one in content for one in wanted)


def _erase_copies(data: Path, erased: Erased) -> None:
    """Delete copies of the catalog that were made before migrations: they have the removed videos."""
    for copy in sorted(data.glob(COPIES)):
        copy.unlink(missing_ok=True)
        erased.copies.append(copy.name)


def _erase_rows(catalog: Catalog, removals: Sequence[Removal]) -> None:
    catalog.removals.erase()
    catalog.database.compact()
    catalog.removals.finish(removals)
