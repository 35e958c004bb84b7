"""The SQLite file of the vector cache: its table, what a sound row is, checking the file, and rebuilding it.

A file of an earlier version has no checksums. It gets the column when it is opened, and a vector gets its checksum when
a build first uses it and finds it to be of the right size and length.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.catalog import reading
from retrieval.embedding.unit import unit_length
from scraper import files

BUSY_S = 60.0
BATCH = 500
COLUMNS = "encoder, text_sha256, vector, checksum"
Row = tuple[bytes, bytes, bytes, bytes | None]  # encoder, sha256 of the text, vector, checksum

# A row that is longer than a quarter of a page gets pages of its own: with SQLite's 4,096 bytes, a vector of 256
# dimensions took 4.6 KB.
PAGE_BYTES = 16_384

SUMS = b":token sums"  # after the key of an encoder, in rows that have the parts of a vector instead of the vector

_TABLE = (
    "CREATE TABLE IF NOT EXISTS vectors (encoder TEXT NOT NULL, text_sha256 BLOB NOT NULL, vector BLOB NOT NULL,"
    " checksum BLOB, PRIMARY KEY (encoder, text_sha256)) STRICT, WITHOUT ROWID"
)
_COLUMNS = [("encoder", "TEXT", 1), ("text_sha256", "BLOB", 2), ("vector", "BLOB", 0), ("checksum", "BLOB", 0)]
# SQLITE_ERROR: the statements here are right, so the table is not.
_DAMAGE = (
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_TOOBIG,
)
# Python cannot decode SQLite's message if it quotes a damaged name.
ERRORS = (sqlite3.Error, UnicodeDecodeError)
_MAGIC = b"SQLite format 3\0"
_VERSIONS = b"\x01\x02"  # of the file format, for writing and for reading: a rollback journal or a write-ahead log


class DamagedCache(sqlite3.DatabaseError):
    """The file is a database, but not a vector cache."""


@dataclass(frozen=True)
class CacheReport:
    """What a check of the cache has found.

    Attributes:
        vectors: how many can be read, damaged ones included.
        damaged: how many of them have the wrong size, length or checksum.
        unsealed: how many have no checksum yet.
        unreadable: what is wrong with the file itself; empty if nothing is.
    """

    vectors: int = 0
    damaged: int = 0
    unsealed: int = 0
    unreadable: str = ""

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damaged and not self.unreadable


def text_key(text: str) -> bytes:
    """Return what identifies a text in the cache: its sha256."""
    return hashlib.sha256(text.encode()).digest()


def checksum(encoder: bytes, key: bytes, vector: bytes) -> bytes:
    """Return the checksum of a row: it covers what the vector belongs to as well."""
    return hashlib.blake2b(encoder + b"\0" + key + vector, digest_size=16).digest()


def sound(rows: Sequence[Row], dimension: int | None = None) -> list[bool]:
    """Return which rows have a vector of the right size and of length 1, and the right checksum if they have one. Of
    token sums, only the checksum counts."""
    found = [_intact(row, dimension) for row in rows]
    by_size: dict[int, list[int]] = {}
    for number, row in enumerate(rows):
        if found[number] and not row[0].endswith(SUMS):
            by_size.setdefault(len(row[2]), []).append(number)
    for size, numbers in by_size.items():
        vectors = np.frombuffer(b"".join(rows[number][2] for number in numbers), np.float32).reshape(-1, size // 4)
        for number, right in zip(numbers, unit_length(vectors).tolist(), strict=True):
            found[number] = right
    return found


def _intact(row: Row, dimension: int | None) -> bool:
    encoder, key, vector, stored = row
    if not (isinstance(encoder, bytes) and isinstance(key, bytes) and isinstance(vector, bytes)):
        return False  # a flipped bit in the row's header
    if encoder.endswith(SUMS):
        return stored == checksum(encoder, key, vector)
    if not vector or len(vector) % 4 or (dimension and len(vector) != 4 * dimension):
        return False
    return stored is None or stored == checksum(encoder, key, vector)


def open_cache(path: Path) -> sqlite3.Connection:
    """Open the cache for reading and writing; make it, or add what an earlier version did not have.

    Raises:
        sqlite3.Error: it cannot be opened. `is_damage` says whether it must be made anew.
    """
    _check_header(path)
    files.make_private_file(path)
    db = sqlite3.connect(path, timeout=BUSY_S)
    try:
        db.text_factory = bytes  # a damaged text must not be an error of its own
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(_TABLE)
        if b"checksum" not in {row[1] for row in db.execute("PRAGMA table_info(vectors)")}:
            with suppress(sqlite3.OperationalError):  # another process was faster
                db.execute("ALTER TABLE vectors ADD COLUMN checksum BLOB")
        _check_schema(db)
    except BaseException:
        db.close()
        raise
    return db


def is_damage(error: Exception) -> bool:
    """Return whether one of `ERRORS` says that the content of the file is damaged, and not that the disk is full."""
    return (
        isinstance(error, (DamagedCache, UnicodeDecodeError))
        or (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGE
    )


def verify(path: Path) -> CacheReport:
    """Check the file and every vector in it. Nothing is changed.

    Raises:
        sqlite3.Error: the file cannot be read, for a reason other than its content.
    """
    if not path.is_file() or not path.stat().st_size:
        return CacheReport()
    vectors = damaged = unsealed = 0
    unreadable = ""
    try:
        _check_header(path)
        with closing(_open_to_read(path)) as db:
            if (found := db.execute("PRAGMA integrity_check(1)").fetchone()[0]) != b"ok":
                unreadable = found.decode(errors="replace").splitlines()[-1]
            for rows in _batches(db.execute(_all_rows(db))):
                vectors += len(rows)
                damaged += sound(rows).count(False)
                unsealed += sum(row[3] is None for row in rows)
    except ERRORS as error:
        if not is_damage(error):
            raise
        unreadable = unreadable or str(error)
    return CacheReport(vectors, damaged, unsealed, unreadable)


def rebuild(path: Path) -> int:
    """Rebuild the file from the rows that can be read and are sound. Return how many these are.

    The caller holds the lock of the index folder, if other processes may write the cache.
    """
    files.remove_leftovers(path)
    kept = 0
    with files.replace_atomically(path) as part:
        with closing(sqlite3.connect(part)) as new:
            new.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            new.execute(_TABLE)
            for rows in _batches(_readable(path)):
                good = [row for row, right in zip(rows, sound(rows), strict=True) if right]
                with new:
                    kept += store(new, [(encoder, key, vector) for encoder, key, vector, _ in good])
        for suffix in ("-wal", "-shm"):  # they belong to the damaged file
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    return kept


def store(db: sqlite3.Connection, rows: Iterable[tuple[bytes, bytes, bytes]]) -> int:
    """Store vectors with their checksums, by encoder and key. Return how many."""
    return db.executemany(
        "INSERT OR REPLACE INTO vectors VALUES (CAST(? AS TEXT), ?, ?, ?)",
        [(encoder, key, vector, checksum(encoder, key, vector)) for encoder, key, vector in rows],
    ).rowcount


def encoders(db: sqlite3.Connection) -> Iterator[bytes]:
    """Yield the keys of all encoders in the cache."""
    found = b""
    while row := db.execute("SELECT encoder FROM vectors WHERE encoder > CAST(? AS TEXT) LIMIT 1", (found,)).fetchone():
        found = row[0]
        yield found


def _check_header(path: Path) -> None:
    """Check the first bytes, of which SQLite would make a file that it cannot write."""
    try:
        with path.open("rb") as file:
            header = file.read(20)
    except FileNotFoundError:
        return
    if header and (header[:16] != _MAGIC or len(header) < 20 or any(one not in _VERSIONS for one in header[18:20])):
        raise DamagedCache("its header is damaged")


def _check_schema(db: sqlite3.Connection) -> None:
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema") if not row[0].startswith(b"sqlite_")]
    columns = [
        (name.decode(errors="replace"), kind.decode(errors="replace"), key)
        for _, name, kind, _, _, key in db.execute("PRAGMA table_info(vectors)")
    ]
    if tables != [b"vectors"] or columns != _COLUMNS:
        raise DamagedCache("its table is damaged")


def _open_to_read(path: Path) -> sqlite3.Connection:
    db = reading.connect(path)  # also where nothing can be written
    db.text_factory = bytes
    return db


def _all_rows(db: sqlite3.Connection) -> str:
    names = {row[1] for row in db.execute("PRAGMA table_info(vectors)")}
    if not {b"encoder", b"text_sha256", b"vector"} <= names:
        raise DamagedCache("its table is damaged")
    return f"SELECT encoder, text_sha256, vector, {'checksum' if b'checksum' in names else 'NULL'} FROM vectors"  # noqa: S608


def _readable(path: Path) -> Iterator[Row]:
    """Yield what can be read of a damaged file: a damaged page costs the rows on it, or those below it."""
    with suppress(*ERRORS), closing(_open_to_read(path)) as db:
        rows = _all_rows(db)
        named: list[bytes] = []
        with suppress(*ERRORS):
            named.extend(encoders(db))
        for encoder in named:
            for first in range(256):
                for order in ("ASC", "DESC"):  # from the other end, if a page between is damaged
                    try:
                        yield from db.execute(
                            f"{rows} WHERE encoder = CAST(? AS TEXT) AND text_sha256 BETWEEN ? AND ?"
                            f" ORDER BY text_sha256 {order}",
                            (encoder, bytes([first]), bytes([first]) + b"\xff" * 32),
                        )
                        break
                    except ERRORS:
                        continue


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
