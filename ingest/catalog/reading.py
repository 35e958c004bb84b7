"""Open the file of a catalog to read it, also where nothing can be written: on a full disk, or on a read-only mount.

A file with a write-ahead log is read through shared memory, which SQLite keeps in a file next to it. Where that file
cannot be made, no other process can be writing, so the catalog is read without it.
"""

import atexit
import shutil
import sqlite3
import tempfile
import threading
from pathlib import Path

READ_TIMEOUT_S = 60.0
_NO_WRITING = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)
_copies: dict[tuple[object, ...], Path] = {}  # by path, times and sizes: only the latest is kept
_copying = threading.Lock()


def connect(path: Path) -> sqlite3.Connection:
    """Connect to a catalog that this connection cannot change.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    try:
        return _opened(path, "mode=ro")
    except sqlite3.OperationalError as error:
        if (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF not in _NO_WRITING or not path.is_file():
            raise
        log = path.with_name(f"{path.name}-wal")
        if not log.is_file() or not log.stat().st_size:
            return _opened(path, "mode=ro&immutable=1")
        try:
            return _opened(_copied(path, log), "mode=ro")
        except OSError:
            raise error from None


def _opened(path: Path, options: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}", uri=True, timeout=READ_TIMEOUT_S, isolation_level=None
    )
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _copied(path: Path, log: Path) -> Path:
    """Copy a catalog whose log holds changes to where SQLite can merge them, unless the copy of it is there already."""
    state = [(str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in (path, log)]
    with _copying:
        if tuple(state) not in _copies:
            folder = Path(tempfile.mkdtemp(prefix="tiktok-retrieval-"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            for file in (path, log):
                shutil.copyfile(file, folder / file.name)
            for old in _copies.values():
                shutil.rmtree(old.parent, ignore_errors=True)
            _copies.clear()
            _copies[tuple(state)] = folder / path.name
        return _copies[tuple(state)]
