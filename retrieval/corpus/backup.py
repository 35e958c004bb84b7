"""A corpus in use -> one file: the catalog at one point in time, the current generation, the settings, the media."""

import contextlib
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from ingest.catalog.database import FILE_NAME
from ingest.catalog.snapshot import MediaFile, media_size, opened, write_snapshot
from ingest.progress import Progress, ProgressMode
from ingest.settings import APP_NAME
from retrieval.corpus import archive as form
from retrieval.corpus.archive import BackupError, Manifest, Member, add_member, copy_member, new_archive, open_archive
from retrieval.errors import GenerationError
from retrieval.index.arrays import SUFFIX
from retrieval.index.generation import read_manifest, size_on_disk
from retrieval.index.layout import current_name, generations_folder, segments_folder
from retrieval.index.manifest import MANIFEST, SEGMENT, segment_manifest
from retrieval.index.manifest import Manifest as GenerationManifest
from retrieval.index.seen_part import FOLDER as SEEN
from retrieval.index.segment import ids_in
from retrieval.index.tuned import TUNED
from scraper import files
from scraper.disk import size_of
from scraper.errors import Locked

GENERATION_TRIES = 5  # a build and a prune between two of them are rare


@dataclass(frozen=True)
class Sizes:
    """The bytes of a corpus before it is packed."""

    catalog: int
    index: int
    media: int
    media_files: int


@dataclass(frozen=True)
class Backup:
    """A backup that was written. `left_out` names media that were asked for and could not be included."""

    file: Path
    bytes: int
    manifest: Manifest
    left_out: list[str]
    notes: list[str]


def sizes(data: Path, indexes: Path) -> Sizes:
    """Return how large a corpus is.

    Raises:
        CatalogError: there is no catalog.
    """
    number, media = media_size(data)
    index = 0
    with contextlib.suppress(GenerationError, OSError):
        folder = generations_folder(indexes) / current_name(indexes)
        index = size_on_disk(folder)
    return Sizes(sum(path.stat().st_size for path in data.glob(f"{FILE_NAME}*")), index, media, number)


def back_up(
    data: Path,
    indexes: Path,
    file: Path,
    *,
    media: bool = False,
    replace: bool = False,
    progress: ProgressMode = "off",
) -> Backup:
    """Write a corpus into one file. Others can search and write during it, and do not wait.

    The file is written under another name, read back and checked, and then given its name.

    Args:
        media: whether to include the videos and pictures.
        replace: whether an existing file may be replaced.

    Raises:
        BackupError: the file exists, or there is too little space for it.
        CatalogError: there is no catalog, or it cannot be read.
        Locked: another backup is being written to the same file.
    """
    file = file.absolute()
    if file.is_dir():
        raise BackupError(f"{file} is a folder: name a file in it, such as {file / 'backup.zip'}")
    if file.exists() and not replace:
        raise BackupError(f"{file} exists: choose another name, or replace it with --replace")
    if not file.parent.is_dir():
        raise BackupError(f"there is no folder {file.parent}: create it first")
    _check_space(sizes(data, indexes), file.parent, media)
    with _only_one(file):
        files.remove_leftovers(file)
        with files.replace_atomically(file) as part, _temporary(part.with_name(f"{part.stem}.catalog.part")) as copy:
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # what a person watched is private
            manifest, left_out, notes = _write(part, copy, data, indexes, media, progress)
            _verify(part, progress)
        return Backup(file, file.stat().st_size, manifest, left_out, notes)


def _check_space(size: Sizes, folder: Path, media: bool) -> None:
    needed = 2 * size.catalog + size.index + (size.media if media else 0)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BackupError(
            f"the backup needs up to {size_of(needed)}, and {folder} has {size_of(free)} free"
            + (": choose another folder, or leave out the media" if media else ": choose another folder")
        )


@contextlib.contextmanager
def _only_one(file: Path) -> Iterator[None]:
    lock = file.with_name(f".{file.name}.lock")
    try:
        with FileLock(lock, timeout=0):
            yield
            lock.unlink(missing_ok=True)
    except Timeout as error:
        raise Locked(f"another backup to {file} is running: wait until it is done") from error


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    try:
        yield path
    finally:
        for leftover in (path, path.with_name(f"{path.name}-journal")):
            leftover.unlink(missing_ok=True)


def _write(
    part: Path, copy: Path, data: Path, indexes: Path, media: bool, progress: ProgressMode
) -> tuple[Manifest, list[str], list[str]]:
    members: dict[str, Member] = {}
    left_out: list[str] = []
    notes: list[str] = []
    with contextlib.ExitStack() as stack, new_archive(part) as archive:
        # The generation is opened before the catalog is copied: a video that is in it is also in the catalog, unless
        # it was removed. Open files stay readable when the generation is pruned.
        generation = _open_generation(indexes, stack)
        write_snapshot(data, copy)
        copy.chmod(0o600)
        snapshot = stack.enter_context(opened(copy))
        counts = snapshot.counts()
        if generation and (gone := generation.ids - snapshot.ids()):
            notes.append(
                f"the index is left out, because it still has removed videos ({len(gone)}): build it after restoring"
            )
            generation = None
        total = 1 + (len(generation.files) if generation else 0) + (counts["media"] if media else 0)
        with Progress("backup", total, progress, unit="files") as shown:
            for path, name in (
                (copy, form.CATALOG),
                (data / "examples.json", form.EXAMPLES),
                (indexes / TUNED, form.WEIGHTS),
            ):
                with contextlib.suppress(FileNotFoundError), path.open("rb") as source:
                    members[name] = add_member(archive, name, source, packed=True)
            shown.advance()
            if generation:
                for file_name, opened_file in generation.files.items():
                    name = f"indexes/{file_name}"
                    members[name] = add_member(archive, name, opened_file, packed=True)
                    shown.advance()
            for file in snapshot.media() if media else ():
                added = _add_media(archive, data, file)
                if isinstance(added, Member):
                    members[f"data/{file.path}"] = added
                else:
                    left_out.append(f"{file.path} {added}")
                shown.advance(outcome="done" if isinstance(added, Member) else "failed")
        manifest = Manifest(
            format=form.FORMAT,
            program=APP_NAME,
            version=_version(),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            catalog_format=snapshot.format,
            counts=counts,
            generation=generation.manifest.name if generation else None,
            encoder=generation.manifest.encoder if generation else None,
            media=media,
            members=members,
        )
        add_member(archive, form.MANIFEST, BytesIO(manifest.model_dump_json(indent=1).encode()), packed=True)
    return manifest, left_out, notes


@dataclass(frozen=True)
class _Opened:
    """A generation, and its files and those of its segments by their path in the index folder, open to read."""

    manifest: GenerationManifest
    files: dict[str, IO[bytes]]
    ids: set[str]


def _open_generation(indexes: Path, stack: contextlib.ExitStack) -> _Opened | None:
    """Open the files of the current generation, or return None if there is none that can be used."""
    for _ in range(GENERATION_TRIES):
        with contextlib.suppress(FileNotFoundError, GenerationError), contextlib.ExitStack() as opening:
            folder = generations_folder(indexes) / current_name(indexes)
            manifest = read_manifest(indexes, folder.name)
            paths = [folder / name for name in (*manifest.files, MANIFEST)]
            ids: set[str] = set()
            for entry in manifest.segments:
                segment = segments_folder(indexes) / entry.name
                paths += [segment / name for name in (*segment_manifest(segment, entry).files, SEGMENT)]
                if (listed := ids_in(segment)) is None:
                    raise GenerationError(f"{segment} is damaged")  # it may have removed videos
                ids |= listed
            paths += [indexes / SEEN / f"{entry.name}{SUFFIX}" for entry in manifest.seen]
            found: dict[str, IO[bytes]] = {
                path.relative_to(indexes).as_posix(): opening.enter_context(path.open("rb")) for path in paths
            }
            stack.push(opening.pop_all())
            return _Opened(manifest, found, ids)
    return None


def _add_media(archive: zipfile.ZipFile, data: Path, file: MediaFile) -> Member | str:
    """Add a file as the copied catalog knows it, or return why it cannot be added."""
    name, path = f"data/{file.path}", data / file.path
    if not form.MEDIA.fullmatch(name) or not path.resolve().is_relative_to((data / "media").resolve()):
        return "lies outside of the media folder"
    try:
        with path.open("rb") as source:
            if file_digest(source, "sha256").hexdigest() != file.sha256:
                return "is another file than the catalog says"
            source.seek(0)
            member = add_member(archive, name, source, packed=False)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if member.sha256 != file.sha256:
        raise BackupError(f"{path} was changed while it was read: make the backup again")
    return member


def _verify(part: Path, progress: ProgressMode) -> None:
    with open_archive(part) as (archive, manifest):
        for name, member in Progress("verify", len(manifest.members), progress, unit="files").track(
            manifest.members.items()
        ):
            copy_member(archive, name, member, None)


def _version() -> str:
    try:
        return version(APP_NAME)
    except PackageNotFoundError:  # run from a source tree that is not installed
        return ""
