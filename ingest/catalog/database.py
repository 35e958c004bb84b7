"""The file behind the catalogue: opened, migrated, and written in transactions."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from ingest.catalog.migrations import NewerFormat, migrate
from scraper.errors import UserError

FILE_NAME = "catalog.sqlite"
BUSY_TIMEOUT_S = 60.0  # how long one process waits for another's transaction; each lasts milliseconds


class CatalogError(UserError):
    """The catalogue cannot be used; the message says what to do."""


class Database:
    """The SQLite file in a data folder; open one per thread, close it (or use `with`).

    Raises:
        CatalogError: there is none and `create` is false, it is broken, or a newer program made it.
    """

    def __init__(self, data: Path, *, create: bool = False) -> None:
        self.data = data
        self.path = data / FILE_NAME
        if not create and not self.path.is_file():
            raise CatalogError(f"no catalogue in {data}: make one with `python -m ingest import SOURCE --data {data}`")
        try:
            data.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.execute("PRAGMA journal_mode = WAL")
            migrate(self._db)
        except NewerFormat as error:
            raise CatalogError(
                f"{self.path} was made by a newer version of this program ({error}): update it"
            ) from None
        except (sqlite3.Error, OSError) as error:
            raise CatalogError(f"{self.path} cannot be opened as a catalogue: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the write-ahead log is folded in when the last process closes it."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, seen by other processes at its end; one inside another is undone by itself."""
        nested = self._db.in_transaction
        self._db.execute("SAVEPOINT nested" if nested else "BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if nested:
                self._db.execute("ROLLBACK TO nested")
                self._db.execute("RELEASE nested")
            elif self._db.in_transaction:  # SQLite ends it by itself when the disk is full
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("RELEASE nested" if nested else "COMMIT")

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Several reads that see one state, whatever other processes write meanwhile."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")
