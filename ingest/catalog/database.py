"""The SQLite file of the catalog: open it, migrate it, and write to it in transactions."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.catalog import sums
from ingest.catalog.migrations import MIGRATIONS, NewerFormat, migrate, version
from scraper.errors import Locked, UserError
from scraper.files import make_private, make_private_file, replace_atomically

FILE_NAME = "catalog.sqlite"
BUSY_TIMEOUT_S = 60.0  # how long one process waits for another's transaction; each lasts milliseconds


class CatalogError(UserError):
    """The catalog cannot be used. The message says what to do."""


COPY_NAME = "catalog.before-format-{}.sqlite"  # of an existing catalog, taken before it is migrated to that format
COPIES = COPY_NAME.format("*")
COMPACT_S = 60.0  # how long to wait for readers, which keep what was overwritten in the write-ahead log


class CatalogLocked(CatalogError, Locked):
    """Another process has been writing to the catalog for too long."""


def is_busy(error: sqlite3.Error) -> bool:
    """Whether a statement failed because another process is writing."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Database:
    """The connection that all parts of a catalog share. Open one per thread and close it.

    Args:
        data: The folder of the file.
        create: Create the file if it does not exist.
        busy_s: How many seconds to wait for another process that is writing.

    Raises:
        CatalogError: the file does not exist and `create` is false, it is broken, or a newer program made it.
    """

    def __init__(self, data: Path, *, create: bool = False, busy_s: float = BUSY_TIMEOUT_S) -> None:
        self.data = data
        self.path = data / FILE_NAME
        if not create and not self.path.is_file():
            raise CatalogError(f"no catalog in {data}: create one with `tiktok-retrieval import SOURCE --data {data}`")
        try:
            make_private(data)
            if create:
                make_private_file(self.path)
            self.connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            self.connection.row_factory = sqlite3.Row
            self.connection.execute("PRAGMA foreign_keys = ON")
            self.connection.execute("PRAGMA journal_mode = WAL")
            self._copy_before_migration()
            migrate(self.connection)
            self.connection.execute(f"PRAGMA busy_timeout = {int(busy_s * 1000)}")
        except NewerFormat as error:
            raise CatalogError(f"a newer version of this program made {self.path} ({error}): update it") from None
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.Error) and is_busy(error):
                raise CatalogLocked(f"another process is writing to {self.path}: try again later") from error
            raise CatalogError(f"{self.path} cannot be opened as a catalog: {error}") from error
        self.execute, self.executemany = self.connection.execute, self.connection.executemany
        self._sums: sums.Keeper | None = None

    def close(self) -> None:
        """Close the file. The last process to close it merges the write-ahead log."""
        self.connection.close()

    def _copy_before_migration(self) -> None:
        """Copy an existing catalog that is about to be migrated. Only the newest such copy is kept.

        Raises:
            sqlite3.Error: there is no room for it.
        """
        if not 0 < version(self.connection) < len(MIGRATIONS):
            return
        target = self.path.with_name(COPY_NAME.format(len(MIGRATIONS)))
        with replace_atomically(target) as part:
            make_private_file(part)
            self.connection.execute("VACUUM INTO ?", (str(part),))
        for other in set(self.data.glob(COPIES)) - {target}:
            other.unlink(missing_ok=True)

    def compact(self) -> None:
        """Rewrite the whole file, so that nothing deleted is left in free pages or in the write-ahead log.

        Raises:
            CatalogLocked: other processes read or write without pause.
        """
        deadline = time.monotonic() + COMPACT_S
        try:
            self.execute("VACUUM")
            while self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > deadline:
                    raise CatalogLocked(f"other processes read {self.path} without pause: try again later")
                time.sleep(0.1)
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            raise CatalogLocked(f"another process is writing to {self.path}: try again later") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all or nothing; other processes see it at the end. An inner transaction can fail alone."""
        nested = self.connection.in_transaction
        kept = self._sums = self._sums or sums.Keeper(self.connection)
        self.execute("SAVEPOINT nested" if nested else "BEGIN IMMEDIATE")
        try:
            yield
            if not nested:
                kept.renew()
        except BaseException:
            if not nested:
                kept.forget()
            if self.connection.in_transaction:  # SQLite ends the transaction on some errors, such as a full disk
                self.execute("ROLLBACK TO nested" if nested else "ROLLBACK")
                if nested:
                    self.execute("RELEASE nested")
            raise
        self.execute("RELEASE nested" if nested else "COMMIT")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several reads that see one state, whatever other processes write at the same time."""
        if self.connection.in_transaction:
            yield
            return
        self.execute("BEGIN")
        try:
            yield
        finally:
            self.execute("COMMIT")
