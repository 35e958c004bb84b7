"""A sum of every part of the catalog, so that `check` finds what has changed by itself.

The table `sums` has one line for each part of an item: of a video its record with the comments, each text with its
segments, its media and so on; of a judgement the judgement. Temporary triggers note which parts a transaction changes.
The sums of these are computed again before it ends. So no writer has to think of them, and no trigger is in the file.
The table `changes` numbers the videos that have changed last, in the same way.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

Key = tuple[str, str]  # (item, part); the item is the id of a video, the number of a judgement, or "" for a whole table
SUM_BYTES = 16
CHANGES_KEPT = 1_000  # videos that `changes` names: the last that have changed, which is more than a server indexes
VANISHED = ""  # in `changes`: a video is gone that nobody removed, or all sums are new


class Table(NamedTuple):
    """A table, and the part of which item each of its lines belongs to."""

    name: str
    parts: tuple[str, ...]  # several: the column `kind` says which
    item: str = "video_id"  # as SQL, with {} for the line
    order: str = ""  # of the lines of one item

    def part_sql(self, line: str) -> str:
        return f"'{self.parts[0]}'" if len(self.parts) == 1 else f"{line}.kind"

    def item_sql(self, line: str) -> str:
        return self.item.format(line) if "{}" in self.item or "'" in self.item else f"{line}.{self.item}"


_KINDS = ("cover", "transcript")
TABLES = (
    Table("videos", ("record",), "id", "id"),
    Table("comments", ("record",), order="position"),
    Table("records", ("records",), order="sha256"),
    Table("media", ("media",), order="kind, position"),
    Table("texts", _KINDS, order="kind"),
    Table("segments", _KINDS, order="kind, position"),
    Table("ledger", ("ledger",), order="stage"),
    Table("files", ("files",), order="kind, position"),
    Table("encounters", ("encounters",), order="list, name, at"),
    Table("origins", ("origins",), order="path"),
    Table("judgements", ("judgement",), "CAST({}.id AS TEXT)", "id"),
    Table("removals", ("removals",), "''", "video_id, list, name"),  # no line of an erased video but its own
    Table("problems", ("problems",), "''", "file, place, reason"),
    Table("short_links", ("short links",), "''", "link"),
)
# the parts whose changes are numbered, because they decide whether and how a video is indexed: `media` as well, for a
# video with a damaged line of it cannot be read
NOTED = ("record", "cover", "transcript", "encounters", "ledger", "media")
PARTS = {part for table in TABLES for part in table.parts}


def computed(db: sqlite3.Connection, tables: Iterable[Table] = TABLES) -> dict[Key, bytes]:
    """The sum of every part of every item, from the tables as they are now.

    Raises:
        sqlite3.Error: a table cannot be read.
    """
    hashes: dict[Key, hashlib.blake2b] = {}
    with as_bytes(db):
        for table in tables:
            for item, part, *row in db.execute(_select(table) + f" ORDER BY {table.item_sql('t')}, {table.order}"):
                key = (_text(item), _text(part))
                if key not in hashes:
                    hashes[key] = hashlib.blake2b(digest_size=SUM_BYTES)
                hashes[key].update(_encoded(table, row))
    return {key: value.digest() for key, value in hashes.items()}


def stored(db: sqlite3.Connection) -> dict[Key, bytes]:
    """The sums that the catalog has."""
    with as_bytes(db):
        return {(_text(item), _text(part)): value for item, part, value in db.execute("SELECT * FROM sums")}


def fill(db: sqlite3.Connection) -> None:
    """Compute the sums of a catalog that has none yet, or whose format has changed."""
    db.execute("DELETE FROM sums")
    db.executemany("INSERT INTO sums VALUES (?, ?, ?)", ((*key, value) for key, value in computed(db).items()))
    _number(db, VANISHED)


def renew(db: sqlite3.Connection, key: Key) -> None:
    """Compute the sum of one part again."""
    found, value = False, hashlib.blake2b(digest_size=SUM_BYTES)
    with as_bytes(db):
        for table in TABLES:
            if key[1] in table.parts:
                where = f" WHERE {table.item_sql('t')} = ? AND {table.part_sql('t')} = ? ORDER BY {table.order}"
                for _, _, *row in db.execute(_select(table) + where, key):
                    found = True
                    value.update(_encoded(table, row))
    if found:
        db.execute("INSERT OR REPLACE INTO sums VALUES (?, ?, ?)", (*key, value.digest()))
    else:
        db.execute("DELETE FROM sums WHERE item = ? AND part = ?", key)


class Keeper:
    """Keeps the sums of a connection's changes. Call `renew` before a transaction ends.

    The changed parts are noted in a temporary table, not by a function of Python: what is undone undoes its note, and
    SQLite reports Ctrl-C in a function as an error of the statement.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute("CREATE TEMP TABLE changed (item, part)")
        for statement in _triggers():
            db.execute(statement)

    def renew(self) -> None:
        """Compute the sums of all that has changed."""
        with as_bytes(self._db):
            changed = self._db.execute("SELECT DISTINCT item, part FROM temp.changed ORDER BY item, part").fetchall()
        for item, part in changed:
            renew(self._db, (_text(item), _text(part)))
        for item in dict.fromkeys(_text(item) for item, part in changed if _text(part) in NOTED):
            note(self._db, item)
        self._db.execute(
            "DELETE FROM changes WHERE number <= (SELECT seq FROM sqlite_sequence WHERE name = 'changes') - ?",
            (CHANGES_KEPT,),
        )
        self._db.execute("DELETE FROM temp.changed")


def note(db: sqlite3.Connection, video_id: str) -> None:
    """Number the change of a video. Of one that is erased, nothing stays: `removals` has its id."""
    if db.execute("SELECT 1 FROM videos WHERE id = ?", (video_id,)).fetchone():
        _number(db, video_id)
        return
    db.execute("DELETE FROM changes WHERE item = ?", (video_id,))
    if not db.execute("SELECT 1 FROM removals WHERE video_id = ? AND list = ''", (video_id,)).fetchone():
        _number(db, VANISHED)


def number_again(db: sqlite3.Connection) -> None:
    """Forget what has changed and its numbers, so that all videos are looked at."""
    db.execute("DELETE FROM changes")
    db.execute("DELETE FROM sqlite_sequence WHERE name = 'changes'")
    _number(db, VANISHED)


def _number(db: sqlite3.Connection, item: str) -> None:
    db.execute("INSERT OR REPLACE INTO changes (item) VALUES (?)", (item,))


def _triggers() -> Iterator[str]:
    for table in TABLES:
        for event, lines in (("INSERT", ("NEW",)), ("UPDATE", ("OLD", "NEW")), ("DELETE", ("OLD",))):
            notes = "".join(
                f" INSERT INTO changed VALUES ({table.item_sql(line)}, {table.part_sql(line)});" for line in lines
            )
            yield f"CREATE TEMP TRIGGER {table.name}_{event} AFTER {event} ON main.{table.name} BEGIN{notes} END"


def _select(table: Table) -> str:
    return f"SELECT {table.item_sql('t')}, {table.part_sql('t')}, t.* FROM {table.name} AS t"


def _encoded(table: Table, row: list[object]) -> bytes:
    """A line as bytes that no other line has: `repr` writes out what each value is and where it ends."""
    return f"{table.name}{row!r}\n".encode()


def raw(value: object) -> bytes:
    """A value as bytes: where a text is expected, damage may have made a number or nothing of it."""
    return value if isinstance(value, bytes) else str(value).encode()


def _text(value: object) -> str:
    return raw(value).decode(errors="replace")


@contextmanager
def as_bytes(db: sqlite3.Connection) -> Iterator[None]:
    """Read texts as bytes: a damaged one need not be UTF-8."""
    before: Callable[[bytes], object] = db.text_factory
    row_factory, db.row_factory = db.row_factory, None
    db.text_factory = bytes
    try:
        yield
    finally:
        db.text_factory, db.row_factory = before, row_factory
