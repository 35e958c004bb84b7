"""Damaged definitions of tables and indexes -> the ones that this program knows, written in their place.

A definition is a line of SQLite's own table. The content of a table is elsewhere in the file, so a damaged definition
costs nothing if the line still says where that is.
"""

import difflib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ingest.catalog import sums
from ingest.catalog.migrations import migrate

OF_SQLITE = "sqlite_%"  # names of tables and indexes that SQLite makes by itself
ALIKE = 0.9  # share of a damaged definition that is as it was


class Definition(NamedTuple):
    """The line of a table or an index, as bytes: damage need not be text."""

    kind: bytes
    name: bytes
    table: bytes
    sql: bytes


def known() -> list[Definition]:
    """The definitions of a catalog in today's format."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh)
        return list(_read(fresh).values())


def damaged(path: Path) -> dict[int, Definition]:
    """What has to be written into the lines of a catalog's definitions, by the number of the line.

    Empty if nothing is damaged, or if a line is missing or cannot be recognized: then a repair could lose a table.
    """
    try:
        with _opened(path, "ro") as db:
            there, wanted = _read(db), known()
    except sqlite3.Error:
        return {}
    missing = [one for one in wanted if one not in there.values()]
    others = {line: one for line, one in there.items() if one not in wanted}
    found: dict[int, Definition] = {}
    for one in missing:
        best = max(others, key=lambda line: _alike(others[line], one), default=None)
        if best is None or best in found or _alike(others[best], one) < ALIKE:
            return {}
        found[best] = one
    return found if len(found) == len(others) else {}


def write(path: Path, definitions: dict[int, Definition]) -> list[str]:
    """Write what `damaged` has returned. Return what was done, in sentences.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    update = "UPDATE sqlite_schema SET type = ?, name = ?, tbl_name = ?, sql = ? WHERE rowid = ?"
    with _opened(path, "rw") as db:
        db.execute("BEGIN IMMEDIATE")
        version = db.execute("PRAGMA schema_version").fetchone()[0]
        for line, one in definitions.items():
            db.execute(update, (*(part.decode() for part in one), line))
        db.execute(f"PRAGMA schema_version = {version + 1}")  # other processes read the definitions again
        db.execute("COMMIT")
    return [f"the catalog: the definition of {one.name.decode()} is written again" for one in definitions.values()]


@contextmanager
def _opened(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """A connection that works with damaged definitions."""
    address = f"{path.absolute().as_uri()}?mode={mode}"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=60.0)) as db:
        db.execute("PRAGMA writable_schema = ON")
        with suppress(sqlite3.DatabaseError):  # what can be read has been read then, and the next statement works
            db.execute("SELECT 1 FROM sqlite_schema")
        yield db


def _read(db: sqlite3.Connection) -> dict[int, Definition]:
    query = f"SELECT rowid, type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE '{OF_SQLITE}'"
    with sums.as_bytes(db):
        return {line: Definition(*map(sums.raw, parts)) for line, *parts in db.execute(query)}


def _alike(one: Definition, other: Definition) -> float:
    """The share of two definitions that is the same; 0 if it is clearly less than ALIKE, for a long one takes long."""
    first, second = (b"\n".join(of).decode(errors="replace") for of in (one, other))
    compared = difflib.SequenceMatcher(None, first, second, autojunk=False)
    if compared.real_quick_ratio() < ALIKE or compared.quick_ratio() < ALIKE:  # at most these
        return 0.0
    return compared.ratio()
