"""A backup -> a corpus in two empty folders. All of it is unpacked and checked before any of it takes its place.

The files are unpacked into a folder `.restoring` in each of the two. A folder that still has it was not restored to the
end: the next restore empties it and begins again. The catalog takes its place last, because it makes a folder a corpus.
"""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from filelock import FileLock, Timeout

from ingest.catalog import CatalogError
from ingest.catalog.database import FILE_NAME
from ingest.catalog.snapshot import opened
from ingest.progress import Progress, ProgressMode
from retrieval.corpus import archive as form
from retrieval.corpus.archive import BackupError, Manifest, copy_member, open_archive
from retrieval.errors import GenerationError, UnreadableNow
from retrieval.index.generation import Generation
from retrieval.index.layout import CURRENT, generations_folder, segments_folder
from retrieval.index.seen_part import FOLDER as SEEN
from scraper import files
from scraper.disk import size_of
from scraper.errors import Locked

RESTORING = ".restoring"
LOCK = ".restoring.lock"


@dataclass(frozen=True)
class Restored:
    """A corpus that was restored. `notes` says what a person has to do."""

    data: Path
    indexes: Path
    manifest: Manifest
    notes: list[str] = field(default_factory=list)


def restore(file: Path, data: Path, indexes: Path, *, progress: ProgressMode = "off") -> Restored:
    """Restore a backup into two folders that are empty or do not exist.

    If anything fails, nothing of it is left behind.

    Raises:
        BackupError: a folder is not empty, there is too little space, or the backup is damaged or refused.
        Locked: another restore into the same folder is running.
    """
    data, indexes = data.absolute(), indexes.absolute()
    if data.resolve() == indexes.resolve():
        raise BackupError("the data folder and the index folder must be two folders: give --data and --indexes")
    with open_archive(file) as (archive, manifest):
        _check_empty(data, indexes)
        _check_space(manifest, data, indexes)
        with _own_folders(data, indexes):
            _unpack(archive, manifest, data, indexes, progress)
            _check_catalog(manifest, data / RESTORING / FILE_NAME)
            notes = _check_generation(manifest, indexes / RESTORING)
            _publish(data, indexes)
    return Restored(data, indexes, manifest, notes)


def _check_empty(data: Path, indexes: Path) -> None:
    """Refuse folders that hold anything but what a restore that was killed left there."""
    unfinished = not (data / FILE_NAME).exists()
    for folder, option in ((data, "--data"), (indexes, "--indexes")):
        if folder.exists() and not folder.is_dir():
            raise BackupError(f"{folder} is not a folder: choose another with {option}")
        kept = {path.name for path in folder.iterdir()} - {LOCK} if folder.is_dir() else set()
        if kept and not (unfinished and RESTORING in kept):
            raise BackupError(
                f"{folder} is not empty: a backup is restored into an empty folder; name one with {option}"
            )


def _check_space(manifest: Manifest, data: Path, indexes: Path) -> None:
    for folder, prefix in ((data, "data/"), (indexes, "indexes/")):
        needed = sum(member.bytes for name, member in manifest.members.items() if name.startswith(prefix))
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free
        if needed > free:
            raise BackupError(f"{folder} needs {size_of(needed)}, and {size_of(free)} are free there")


@contextlib.contextmanager
def _own_folders(data: Path, indexes: Path) -> Iterator[None]:
    """Create the two folders, empty them, and hold a lock. If the block raises, leave nothing behind."""
    missing = [path for folder in (data, indexes) for path in (folder, *folder.parents) if not path.exists()]
    for folder in (data, indexes):
        files.make_private(folder)
    try:
        with FileLock(data / LOCK, timeout=0):
            _check_empty(data, indexes)  # again, now that no other restore runs
            for folder in (data, indexes):
                _empty(folder)
                files.make_private(folder / RESTORING)
            try:
                yield
            except BaseException:
                for folder in (data, indexes):
                    _empty(folder)
                (data / LOCK).unlink(missing_ok=True)
                for path in sorted(set(missing), key=lambda path: len(path.parts), reverse=True):
                    with contextlib.suppress(OSError):
                        path.rmdir()
                raise
            (data / LOCK).unlink(missing_ok=True)
    except Timeout as error:
        raise Locked(f"another restore into {data} is running") from error


def _empty(folder: Path) -> None:
    """Delete what is in a folder, and last the mark that it is not finished."""
    entries = [path for path in folder.iterdir() if path.name != LOCK] if folder.is_dir() else []
    for path in sorted(entries, key=lambda path: path.name == RESTORING):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _unpack(archive: ZipFile, manifest: Manifest, data: Path, indexes: Path, progress: ProgressMode) -> None:
    members = Progress("restore", len(manifest.members), progress, unit="files").track(manifest.members.items())
    for name, member in members:
        root, *rest = PurePosixPath(name).parts  # every name was checked when the archive was opened
        target = (data if root == "data" else indexes).joinpath(RESTORING, *rest)
        files.make_private(target.parent)
        with open(target, "xb", opener=files.private) as file:
            copy_member(archive, name, member, file)
        files.fsync(target)


def _check_catalog(manifest: Manifest, catalog: Path) -> None:
    try:
        with opened(catalog) as snapshot:
            snapshot.check()
            if snapshot.format == manifest.catalog_format and snapshot.counts() != manifest.counts:
                raise BackupError("the backup is damaged: its catalog has other counts than its manifest says")
            if any(not form.MEDIA.fullmatch(f"data/{file.path}") for file in snapshot.media()):
                raise BackupError("the backup is refused: its catalog names files outside of the media folder")
    except CatalogError as error:
        raise BackupError(f"the backup cannot be restored: {error}") from error


def _check_generation(manifest: Manifest, folder: Path) -> list[str]:
    """Make the restored generation the current one if this program can read it. Return what is to do otherwise."""
    if manifest.generation is None:
        return ["the backup has no index: build one with `tiktok-retrieval build`"]
    try:
        generation = Generation(generations_folder(folder) / manifest.generation, again=True)  # mapped files as well
    except UnreadableNow:
        raise
    except GenerationError:
        shutil.rmtree(generations_folder(folder))
        shutil.rmtree(segments_folder(folder), ignore_errors=True)
        shutil.rmtree(folder / SEEN, ignore_errors=True)
        return ["this program cannot read the index in the backup: build it again with `tiktok-retrieval build`"]
    named = {entry.name for entry in generation.manifest.segments}
    for path in segments_folder(folder).iterdir():
        if path.name not in named:  # nobody has checked it, and a build would take it over
            shutil.rmtree(path)
    (folder / CURRENT).write_text(f"{manifest.generation}\n", encoding="utf-8")
    files.fsync(folder / CURRENT)
    return []


def _publish(data: Path, indexes: Path) -> None:
    """Move what was unpacked into its place: the indexes, the media, and last the catalog."""
    for folder in (indexes, data):
        for path in (folder / RESTORING).rglob("*"):
            if path.is_dir():
                files.fsync(path)
        for path in sorted((folder / RESTORING).iterdir(), key=lambda path: path.name in (CURRENT, FILE_NAME)):
            path.rename(folder / path.name)
        files.fsync(folder)
    for folder in (data, indexes):
        (folder / RESTORING).rmdir()
        files.fsync(folder)
