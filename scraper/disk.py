"""Errors of the disk -> what has happened, where, and what to do.

The operating system, SQLite and FAISS report one cause in different ways, and one way stands for different causes:
SQLite reports "disk I/O error" or "unable to open database file" on some full disks.
"""

import errno
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from pathlib import Path

from scraper.errors import UserError

MUCH_BYTES = 10**9
FILES_OF_SQLITE = 4  # a database, its log, the log's index, and the folder while it is synced
READ_BYTES = 1 << 20
LITTLE_BYTES = 1_000_000  # so much is free on a full disk: SQLite cannot begin to write


class Cause(Enum):
    """Why a file cannot be read or written."""

    FULL = "the disk is full"
    READ_ONLY = "the folder is read-only"
    NO_PERMISSION = "there is no permission"
    TOO_MANY_FILES = "too many files are open"
    BROKEN = "the disk reports an error"


_OF_ERRNO = {
    errno.ENOSPC: Cause.FULL,
    errno.EDQUOT: Cause.FULL,
    errno.EROFS: Cause.READ_ONLY,
    errno.EACCES: Cause.NO_PERMISSION,
    errno.EPERM: Cause.NO_PERMISSION,
    errno.EMFILE: Cause.TOO_MANY_FILES,
    errno.ENFILE: Cause.TOO_MANY_FILES,
    errno.EIO: Cause.BROKEN,
}
_OF_SQLITE = {
    sqlite3.SQLITE_FULL: Cause.FULL,
    sqlite3.SQLITE_READONLY: Cause.READ_ONLY,
    sqlite3.SQLITE_PERM: Cause.NO_PERMISSION,
    sqlite3.SQLITE_IOERR: Cause.BROKEN,
    sqlite3.SQLITE_CANTOPEN: Cause.BROKEN,
}
_OF_ALL = (Cause.FULL, Cause.READ_ONLY, Cause.TOO_MANY_FILES)  # each file that is written meets these
_NO_ERRNO = re.compile(r"\d+ requested and \d+ written")  # NumPy drops the cause of a write that failed


class DiskError(UserError):
    """A file cannot be read or written; `cause` says why, the message also where and what to do."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause


def explain(error: BaseException, where: Path | None = None) -> DiskError | None:
    """Return an error of the disk in plain words, or None for any other error.

    Args:
        where: the file or folder that was read or written, if it is known. The error's own file name comes first.
    """
    cause = _cause(error)
    if cause is None:
        return None
    if isinstance(error, OSError) and isinstance(error.filename, str) and error.filename:
        where = Path(error.filename)
    if cause is Cause.BROKEN and where is not None:
        cause = _behind(where)
    if where is not None and isinstance(error, sqlite3.Error) and cause is Cause.READ_ONLY and _writable(where):
        cause = _behind(where)  # SQLite opens a file to read it if it cannot open it to write, whatever the reason
    return DiskError(cause, _message(cause, where, error))


def concerns_all(error: BaseException, folder: Path) -> DiskError | None:
    """Return an error of the disk that every other item meets as well, or None: only this item is affected.

    A disk may also fail at one place, and one file may be without permission. Whether more than that is wrong shows
    when a small file is written.

    Args:
        folder: the folder that all items are written to.
    """
    known = error if isinstance(error, DiskError) else explain(error, folder)
    return known if known and (known.cause in _OF_ALL or not _takes_a_file(folder)) else None


@contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Raise errors of the disk as DiskError. Other errors pass.

    Args:
        where: the file or folder that is read or written.
    """
    try:
        yield
    except (sqlite3.Error, OSError, RuntimeError) as error:
        if (explained := explain(error, where)) is None:
            raise
        raise explained from error


def read_through(database: Path) -> None:
    """Read all of a SQLite database: SQLite reports some errors of the disk as damage of the file.

    Raises:
        OSError: a part of it cannot be read.
    """
    log = database.with_name(f"{database.name}-wal")
    for part in (database, log):
        with suppress(FileNotFoundError), part.open("rb") as file:
            while file.read(READ_BYTES):
                pass


def check_free(folder: Path, needed: int, what: str) -> None:
    """Check the free space before something large is written.

    Args:
        needed: bytes.
        what: what needs them, as the subject of a sentence: "the new index".

    Raises:
        DiskError: there is less.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskError(
            Cause.FULL,
            f"{what} needs {size_of(needed)} in {folder}, and {size_of(free)} are free: make room on this disk",
        )


def _cause(error: BaseException) -> Cause | None:
    if isinstance(error, sqlite3.Error):
        return _OF_SQLITE.get((getattr(error, "sqlite_errorcode", None) or 0) & 0xFF)
    if isinstance(error, OSError):
        return _OF_ERRNO.get(error.errno or 0) or (Cause.BROKEN if _NO_ERRNO.search(str(error)) else None)
    if isinstance(error, RuntimeError):  # FAISS: "write error in ...: 0 != 1 (No space left on device)"
        return next((cause for number, cause in _OF_ERRNO.items() if os.strerror(number) in str(error)), None)
    return None


def _behind(where: Path) -> Cause:
    """The cause of an error that does not tell its own, from the state of the disk."""
    folder = _existing(where)
    try:
        _open_several()
        if shutil.disk_usage(folder).free < LITTLE_BYTES:
            return Cause.FULL
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return Cause.READ_ONLY
    except OSError as error:
        return _OF_ERRNO.get(error.errno or 0, Cause.BROKEN)
    except AttributeError:  # Windows has no statvfs
        pass
    if not os.access(folder, os.W_OK) or (os.path.lexists(where) and not os.access(where, os.R_OK)):
        return Cause.NO_PERMISSION
    return Cause.BROKEN


def _open_several() -> None:
    """Open as many files as SQLite does at once: it has closed its own when it reports an error."""
    with ExitStack() as opened:
        for _ in range(FILES_OF_SQLITE):
            opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))


def _writable(where: Path) -> bool:
    files = where.glob("*.sqlite*") if _is_folder(where) else [where]
    return all(os.access(file, os.W_OK) for file in (_existing(where), *files))


def _takes_a_file(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    return True


def _existing(where: Path) -> Path:
    """The nearest folder that exists."""
    return next((folder for folder in (where, *where.absolute().parents) if _is_folder(folder)), Path())


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # there is no permission to look into the folder above it
        return False


def _message(cause: Cause, where: Path | None, error: BaseException) -> str:
    folder = _existing(where) if where else "the output"
    if cause is Cause.FULL:
        free = _free(folder) if isinstance(folder, Path) else MUCH_BYTES
        left = "" if free >= MUCH_BYTES else f" ({size_of(free)} are free)"  # a quota may be used up
        return (
            f"the disk of {folder} is full{left}: make room on it, then run the command again."
            " What was stored before is kept"
        )
    if cause is Cause.READ_ONLY:
        return f"{folder} is read-only: nothing can be written there"
    if cause is Cause.NO_PERMISSION:
        return f"{where or folder} cannot be read or written: this user has no permission"
    if cause is Cause.TOO_MANY_FILES:
        return "too many files are open at once: raise the limit with `ulimit -n 4096`, then run the command again"
    detail = error.strerror if isinstance(error, OSError) and error.strerror else error
    return f"the disk reports an error for {where or folder} ({detail}): check the disk. What was stored before is kept"


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def size_of(count: float) -> str:
    """Return a number of bytes for a person: 3.1 GB."""
    units = ["bytes", "kB", "MB", "GB"]
    while count >= 1000 and len(units) > 1:
        count, units = count / 1000, units[1:]
    return f"{count:.1f} {units[0]}" if units[0] in ("MB", "GB") and count < 10 else f"{count:.0f} {units[0]}"
