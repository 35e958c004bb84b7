"""A copy of the catalog at one point in time, for a backup: written while others write, checked when it returns."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest.catalog import sums
from ingest.catalog.database import CatalogError, Database, read_error
from ingest.catalog.migrations import MIGRATIONS

# what a backup counts, so that a restored catalog can be compared with it
_COUNTS = {
    "videos": "SELECT count(*) FROM videos",
    "records": "SELECT count(*) FROM records",
    "comments": "SELECT count(*) FROM comments",
    "texts": "SELECT count(*) FROM texts",
    "texts by hand": "SELECT count(*) FROM texts WHERE engine = 'hand'",
    "list entries": "SELECT count(*) FROM encounters",
    "judgements": "SELECT count(*) FROM judgements",
    "removals": "SELECT count(*) FROM removals",
    "media": "SELECT count(*) FROM media",
}


@dataclass(frozen=True)
class MediaFile:
    """A file that a catalog names; `path` is relative to the data folder."""

    video_id: str
    path: str
    sha256: str
    bytes: int


def write_snapshot(data: Path, target: Path) -> None:
    """Write the catalog of a data folder, as it is at one point in time, into the new file `target`.

    Others can write during it and do not wait: the copy is one read in SQLite's write-ahead log. Videos that are
    removed and not erased yet are left out; that they were removed is kept. The copy has no free pages, where deleted
    texts could remain.

    Raises:
        CatalogError: there is no catalog, or it cannot be read.
    """
    database = Database(data, read_only=True)
    try:
        database.execute("PRAGMA query_only = OFF")  # to write the new file; the catalog itself is opened read-only
        database.execute("VACUUM INTO ?", (str(target),))
    finally:
        database.close()
    with closing(sqlite3.connect(target, isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA journal_mode = DELETE")
        kept = sums.Keeper(db)
        db.execute("BEGIN")
        left_out = db.execute(
            "DELETE FROM videos WHERE id IN (SELECT video_id FROM removals WHERE list = '' AND erased != 1)"
        ).rowcount
        left_out += db.execute(
            "DELETE FROM encounters WHERE (video_id, list, name) IN"
            " (SELECT video_id, list, name FROM removals WHERE list != '' AND erased != 1)"
        ).rowcount
        db.execute("UPDATE removals SET erased = 1 WHERE erased != 1")
        kept.renew()
        db.execute("COMMIT")
        if left_out:
            db.execute("VACUUM")


class Snapshot:
    """A copy of a catalog, opened to read. Its content may be hostile: it is checked and not changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        self._db.execute("PRAGMA trusted_schema = OFF")

    def close(self) -> None:
        self._db.close()

    @property
    def format(self) -> int:
        """How many migrations it has."""
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def counts(self) -> dict[str, int]:
        """How many videos, texts and so on it has."""
        return {name: int(self._db.execute(sql).fetchone()[0]) for name, sql in _COUNTS.items()}

    def ids(self) -> set[str]:
        """The ids of its videos."""
        return {row[0] for row in self._db.execute("SELECT id FROM videos")}

    def media(self) -> Iterator[MediaFile]:
        """The files that it names, in the order of their paths."""
        rows = self._db.execute("SELECT video_id, path, sha256, bytes FROM media ORDER BY path")
        return (MediaFile(*row) for row in rows)

    def check(self) -> None:
        """Check that this is a whole catalog that this program can open.

        Raises:
            CatalogError: it is not.
        """
        try:
            known = 0 < self.format <= len(MIGRATIONS)
            whole = known and [row[0] for row in self._db.execute("PRAGMA integrity_check(1)")] == ["ok"]
            code = self._db.execute("SELECT name FROM sqlite_schema WHERE type IN ('trigger', 'view')").fetchone()
        except sqlite3.Error as error:
            raise read_error(error, self._path) or CatalogError(f"the catalog is damaged ({error})") from error
        if not known:
            raise CatalogError(
                f"the catalog has format {self.format}, and this program knows {len(MIGRATIONS)}: update the program"
            )
        if not whole or code:
            raise CatalogError("the catalog is damaged")


@contextmanager
def opened(path: Path) -> Iterator[Snapshot]:
    """Open a copy of a catalog, and close it at the end.

    Raises:
        CatalogError: it is damaged.
    """
    snapshot = None
    try:
        snapshot = Snapshot(path)
        yield snapshot
    except sqlite3.Error as error:
        raise read_error(error, path) or CatalogError(f"the catalog is damaged ({error})") from error
    finally:
        if snapshot:
            snapshot.close()


def media_size(data: Path) -> tuple[int, int]:
    """How many files the catalog of a data folder names, and how many bytes they have together."""
    database = Database(data, read_only=True)
    try:
        number, size = database.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM media").fetchone()
    finally:
        database.close()
    return number, size
