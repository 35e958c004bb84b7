"""Files that a crash cannot leave half-written: checksums, flushing to disk, atomic replacement."""

import contextlib
import functools
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FICLONE = 0x40049409  # of Linux; Python 3.11 has no name for it
COPY_BYTES = 1 << 20
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600  # Windows ignores both


class ChangedError(ValueError):
    """A file was changed while it was read."""


PRIVATE = ("catalog.sqlite", "media", "vectors.sqlite", "generations")  # what a corpus consists of


def sha256(path: Path) -> str:
    """Return the sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_sha256(path: Path) -> str:
    """As `sha256`, but a file that has not changed since is read only once."""
    state = path.stat()
    return _known_sha256(path, state.st_ino, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=10_000)
def _known_sha256(path: Path, *_state: int) -> str:
    return sha256(path)


def copy(source: Path, target: Path) -> None:
    """Copy the content of a file to `target` and flush it to disk. Where the file system can, both share their blocks
    until one of them is changed.

    Raises:
        OSError: a file cannot be read or written.
        ChangedError: another program changed the source during the copy.
    """
    with source.open("rb") as read, target.open("wb") as written:
        before = os.fstat(read.fileno())
        if not _cloned(read.fileno(), written.fileno()):
            shutil.copyfileobj(read, written, COPY_BYTES)
        written.flush()
        os.fsync(written.fileno())
        after = os.fstat(read.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ChangedError("another program is writing the file: import it again when that is done")


def _cloned(source: int, target: int) -> bool:
    """Let an open file share the blocks of another, as Btrfs, XFS and others can. Return whether that worked."""
    if fcntl is None:
        return False
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError:
        return False
    return True


def fsync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_private(folder: Path) -> None:
    """Create a folder that only its owner can look into, and flush its entry. One that exists stays as it is."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(_PRIVATE_FOLDER, parents=True, exist_ok=True)
    for path in missing:
        with contextlib.suppress(PermissionError):  # a folder of somebody else that cannot be listed
            fsync(path.parent)


def private(path: str, flags: int) -> int:
    """Open a file, as `opener` of open(). If it is created, only its owner can read it."""
    return os.open(path, flags, _PRIVATE_FILE)


def make_private_file(path: Path) -> None:
    """Create an empty file that only its owner can read, unless it exists."""
    open(path, "ab", opener=private).close()


def open_to_others(*folders: Path) -> str:
    """Return a line about those folders of a corpus that all users of this machine can read; empty if there is none."""
    found = []
    for folder in folders:
        with contextlib.suppress(OSError):
            path = folder.resolve(strict=True)
            reached = all(one.stat().st_mode & stat.S_IXOTH for one in path.parents)
            if os.name == "posix" and reached and _is_open(path) and any(_is_open(path / name) for name in PRIVATE):
                found.append(str(folder))
    if not found:
        return ""
    return f"note: other users of this machine can read {' and '.join(found)}: `chmod 700 {' '.join(found)}` ends that"


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & (stat.S_IROTH | stat.S_IXOTH))


@contextlib.contextmanager
def replace_atomically(target: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `target`; what is written there becomes `target` when the block ends.

    A reader sees the old content or the new one, also after a crash. If the block raises, `target` stays as it was and
    the temporary file is removed. A killed process may leave one: see `remove_leftovers`.
    """
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        fsync(part)
        part.replace(target)
        fsync(target.parent)
    finally:
        part.unlink(missing_ok=True)


def remove_leftovers(target: Path) -> None:
    """Remove temporary files of killed processes in the folder of `target`. No other process may be writing it."""
    for part in target.parent.glob(f".{target.name}.*.part"):
        part.unlink(missing_ok=True)
