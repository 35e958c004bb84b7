"""The SQLite file of the catalog: open it, migrate it, and write to it in transactions."""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

from ingest.catalog import reading, sums
from ingest.catalog.migrations import MIGRATIONS, NewerFormat, migrate, version
from scraper.disk import explain, read_through
from scraper.errors import Locked, UserError
from scraper.files import make_private, make_private_file, replace_atomically

FILE_NAME = "catalog.sqlite"
BUSY_TIMEOUT_S = 60.0  # how long one process waits for another's transaction; each lasts milliseconds


class CatalogError(UserError):
    """The catalog cannot be used. The message says what to do."""


COPY_NAME = "catalog.before-format-{}.sqlite"  # of an existing catalog, taken before it is migrated to that format
COPIES = "catalog.before-*.sqlite"  # also those that `check --repair` takes
COMPACT_S = 60.0  # how long to wait for readers, which keep what was overwritten in the write-ahead log


class CatalogDamaged(CatalogError):
    """SQLite cannot read a part of the catalog."""

    def __init__(self, error: object) -> None:
        super().__init__(f"the catalog is damaged ({error}): `tiktok-retrieval check` says what, and how to repair it")


class CatalogLocked(CatalogError, Locked):
    """Another process has been writing to the catalog for too long."""


def is_busy(error: sqlite3.Error) -> bool:
    """Whether a statement failed because another process is writing."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class _Row(sqlite3.Row):
    """A row that says in plain words that it lacks a column: the name of one may be damaged."""

    def __getitem__(self, key: Any) -> Any:
        try:
            return super().__getitem__(key)
        except IndexError:
            raise CatalogDamaged(f"a table has no column {key}") from None


# damaged bytes in a text, or in a definition that SQLite quotes in its message, are a UnicodeDecodeError
DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)


class _Cursor(sqlite3.Cursor):
    """A cursor that says in plain words that the file `path` is damaged."""

    path: Path

    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        try:
            return super().execute(sql, parameters)
        except DAMAGE as error:
            raise cause_of(error, self.path) from error

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Self:
        try:
            return super().executemany(sql, parameters)
        except DAMAGE as error:
            raise cause_of(error, self.path) from error

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except DAMAGE as error:
            raise cause_of(error, self.path) from error

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except DAMAGE as error:
            raise cause_of(error, self.path) from error

    def fetchall(self) -> list[Any]:
        try:
            return super().fetchall()
        except DAMAGE as error:
            raise cause_of(error, self.path) from error


def cause_of(error: Exception, path: Path) -> Exception:
    """The error that says in plain words what is wrong with the file `path`, or the error itself."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if (
        code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        or isinstance(error, UnicodeDecodeError)
        or "Could not decode" in str(error)
        or str(error).startswith(("no such table", "no such column"))  # its name is damaged
    ):
        return read_error(error, path) or CatalogDamaged(error)
    return error


def read_error(damage: Exception, path: Path) -> CatalogError | None:
    """The error of the disk that SQLite takes for damage: some of them have the same code."""
    try:
        read_through(path)
    except OSError as error:
        return CatalogError(str(explain(error, path) or f"{path} cannot be read: {error}"))
    if getattr(damage, "sqlite_errorcode", None) == sqlite3.SQLITE_CORRUPT and _is_whole(path):
        return CatalogError(f"the disk reports an error for {path}, which can be read now: run the command again")
    return None


def _is_whole(path: Path) -> bool:
    try:
        with closing(reading.connect(path)) as db:
            db.execute("PRAGMA trusted_schema = OFF")  # it may be a file from elsewhere
            return bool(db.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",))
    except DAMAGE:
        return False


class Database:
    """The connection that all parts of a catalog share. Open one per thread and close it.

    Args:
        data: The folder of the file.
        create: Create the file if it does not exist.
        busy_s: How many seconds to wait for another process that is writing.
        read_only: Change nothing. Then a full disk or a read-only mount is no obstacle. Only a catalog of an older
            format is migrated first.

    Raises:
        CatalogError: the file does not exist and `create` is false, it is broken, or a newer program made it.
    """

    def __init__(
        self, data: Path, *, create: bool = False, busy_s: float = BUSY_TIMEOUT_S, read_only: bool = False
    ) -> None:
        self.data = data
        self.path = data / FILE_NAME
        if not create and not self.path.is_file():
            raise CatalogError(f"no catalog in {data}: create one with `tiktok-retrieval import SOURCE --data {data}`")
        self._sums: sums.Keeper | None = None
        try:
            if read_only:
                self.connection = self._to_read()
            else:
                make_private(data)
                if create:
                    make_private_file(self.path)
                self.connection = self._to_write(busy_s)
            self.connection.row_factory = _Row
        except NewerFormat as error:
            raise CatalogError(f"a newer version of this program made {self.path} ({error}): update it") from None
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            if isinstance(error, sqlite3.Error) and is_busy(error):
                raise CatalogLocked(f"another process is writing to {self.path}: try again later") from error
            raise CatalogError(f"{self.path} cannot be opened as a catalog: {explain(error, data) or error}") from error

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        """Run a statement.

        Raises:
            CatalogDamaged: SQLite cannot read a part of the file.
        """
        return self._cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any]) -> sqlite3.Cursor:
        """Run a statement with each of `parameters`."""
        return self._cursor().executemany(sql, parameters)

    def _cursor(self) -> _Cursor:
        cursor = self.connection.cursor(_Cursor)
        cursor.path = self.path
        return cursor

    def _to_write(self, busy_s: float) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA journal_mode = WAL")
            self._copy_before_migration(connection)
            migrate(connection)
            connection.execute(f"PRAGMA busy_timeout = {int(busy_s * 1000)}")
        except BaseException:
            connection.close()  # or its locks would stay
            raise
        return connection

    def _to_read(self) -> sqlite3.Connection:
        connection = reading.connect(self.path)
        try:
            if version(connection) < len(MIGRATIONS):
                connection.close()
                self._migrate_to_read()
                connection = reading.connect(self.path)
            if version(connection) > len(MIGRATIONS):
                raise NewerFormat(f"format {version(connection)}, this one knows {len(MIGRATIONS)}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate_to_read(self) -> None:
        try:
            self._to_write(BUSY_TIMEOUT_S).close()
        except (sqlite3.Error, OSError) as error:
            raise CatalogError(
                f"{self.path} has the format of an older version of this program, and cannot be migrated ({error}):"
                " make room, or copy the data folder to a place where it can be written, and open it once there"
            ) from error

    def close(self) -> None:
        """Close the file. The last process to close it merges the write-ahead log."""
        self.connection.close()

    def _copy_before_migration(self, connection: sqlite3.Connection) -> None:
        """Copy an existing catalog that is about to be migrated. Only the newest such copy is kept.

        Raises:
            sqlite3.Error: there is no room for it.
        """
        if not 0 < version(connection) < len(MIGRATIONS):
            return
        target = self.path.with_name(COPY_NAME.format(len(MIGRATIONS)))
        with replace_atomically(target) as part:
            make_private_file(part)
            connection.execute("VACUUM INTO ?", (str(part),))
        for other in set(self.data.glob(COPY_NAME.format("*"))) - {target}:
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
            if self.connection.in_transaction:  # some errors end it
                self.execute("ROLLBACK")  # nothing was written; a damaged file refuses to commit
