"""The catalog -> what is wrong with it: the file as SQLite sees it, its tables, the sums, and each record."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from ingest.catalog import sums
from ingest.catalog.database import DAMAGE
from ingest.catalog.migrations import digest, migrate
from scraper.records import Video

MAX_PROBLEMS = 100  # of SQLite's own check; a file with more is beyond repair
WHOLE = "the catalog"
PARTS = {
    "record": "its record or its comments",
    "records": "the records that its record was merged from",
    "media": "the list of its files",
    "cover": "its on-screen text",
    "transcript": "its speech",
    "ledger": "the states of its stages",
    "files": "the outcomes of its downloads",
    "encounters": "the lists that it is in",
    "origins": "the files that it was imported from",
    "judgement": "the judgement",
    "removals": "the list of removed videos",
    "problems": "the list of what could not be imported",
    "short links": "the list of short links",
}
Key = tuple[str, str]


@dataclass(frozen=True)
class Finding:
    """Something that is wrong. `part` is one of PARTS, or "structure", "orphans", "schema", "file"."""

    item: str  # the id of a video, the number of a judgement, or ""
    part: str
    problem: str
    advice: str = "`check --repair` repairs it"

    @property
    def name(self) -> str:
        """The item in words."""
        if not self.item:
            return "the index" if self.part == "index" else WHOLE
        return f"{'judgement' if self.part == 'judgement' else 'video'} {self.item}"


NO_SUM = "its sum is missing"
RESTORE = "restore a backup with `tiktok-retrieval restore FILE --data NEW --indexes NEW`"


def inspect(db: sqlite3.Connection) -> list[Finding]:
    """What is wrong with a catalog. Each part of an item is named once."""
    found = [*_structure(db), *_numbers(db), *_schema(db)]
    if any(one.part == "schema" for one in found):
        return found  # the rest asks for tables and columns that may not be there
    parts: dict[Key, Finding] = {}
    unreadable: set[str] = set()
    for table in sums.TABLES:
        try:
            sums.computed(db, [table])
        except DAMAGE as error:
            found.append(
                Finding("", "structure", f"the table {table.name} cannot be read to its end ({error})", RESTORE)
            )
            unreadable.update(table.parts)
    readable = [table for table in sums.TABLES if not unreadable.intersection(table.parts)]
    try:
        parts |= _sums(db, readable)
        if "record" not in unreadable:
            parts |= {key: one for key, one in _records(db).items() if key not in parts}
    except DAMAGE as error:
        found.append(Finding("", "structure", f"the sums cannot be read ({error})"))
    return found + list(parts.values())


def _structure(db: sqlite3.Connection) -> Iterator[Finding]:
    try:
        for (line,) in db.execute(f"PRAGMA integrity_check({MAX_PROBLEMS})"):
            if line != "ok":
                yield Finding("", "structure", " ".join(str(line).split()))
    except DAMAGE as error:
        yield Finding("", "structure", f"SQLite cannot check the file: {error}", RESTORE)
    try:
        orphans = {str(row[0]) for row in db.execute("PRAGMA foreign_key_check")}
    except DAMAGE:
        return
    for table in sorted(orphans):
        yield Finding("", "orphans", f"lines of the table {table} belong to no video")


def _numbers(db: sqlite3.Connection) -> Iterator[Finding]:
    """What is wrong with the numbers of changes: SQLite gives none after its largest."""
    sound = "typeof(seq) = 'integer' AND seq BETWEEN (SELECT ifnull(max(number), 0) FROM changes) AND 1 << 48"
    try:
        wrong = db.execute(f"SELECT 1 FROM sqlite_sequence WHERE name = 'changes' AND NOT ({sound})").fetchone()
    except DAMAGE:  # a finding of the structure or the schema
        return
    if wrong:
        yield Finding("", "structure", "the number of the last change is damaged")


def _schema(db: sqlite3.Connection) -> Iterator[Finding]:
    query = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"
    of_sqlite = "SELECT type, name, tbl_name FROM sqlite_schema WHERE name LIKE 'sqlite_autoindex%'"  # it has no sql
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh, sums.as_bytes(fresh):
        migrate(fresh)
        wanted, own = set(fresh.execute(query).fetchall()), set(fresh.execute(of_sqlite).fetchall())
    try:
        with sums.as_bytes(db):
            there, own_there = set(db.execute(query).fetchall()), set(db.execute(of_sqlite).fetchall())
    except DAMAGE:
        there, own_there = set(), own
    for _, name, _ in sorted(own - own_there):
        yield Finding("", "structure", f"the line of the index {name.decode()} is damaged")
    for _, name, *_ in sorted(wanted - there):
        yield Finding("", "schema", f"the definition of {name.decode()} is damaged", RESTORE)
    for _, name, *_ in sorted(there - wanted, key=str):
        if name not in {one[1] for one in wanted}:
            shown = sums.raw(name).decode(errors="replace")
            yield Finding("", "schema", f"{shown!r} does not belong into a catalog", RESTORE)


def _sums(db: sqlite3.Connection, tables: list[sums.Table]) -> dict[Key, Finding]:
    """The parts that differ from their sums."""
    asked = {part for table in tables for part in table.parts}
    now = sums.computed(db, tables)
    then = {key: value for key, value in sums.stored(db).items() if key[1] in asked or key[1] not in PARTS}
    found = {}
    for key in sorted(now.keys() | then.keys()):
        what = PARTS.get(key[1], f"a part named {key[1]!r}")
        if key not in now:
            found[key] = Finding(*key, f"{what}: it is not there any more, or the line of its sum is damaged")
        elif key not in then:
            found[key] = Finding(*key, f"{what}: {NO_SUM}")
        elif now[key] != then[key]:
            found[key] = Finding(*key, f"{what}: it has changed since the program wrote it")
    return found


def _records(db: sqlite3.Connection) -> dict[Key, Finding]:
    """The records that are damaged according to their own sums, or that are no records."""
    found = {}
    with sums.as_bytes(db):
        for video_id, sha256, record in db.execute("SELECT video_id, sha256, record FROM records"):
            item = sums.raw(video_id).decode(errors="replace")
            if hashed(record) != sha256:
                found[item, "records"] = Finding(item, "records", "one of its records differs from its sum")
        comments: dict[bytes, list[bytes]] = {}
        for video_id, record in db.execute("SELECT video_id, record FROM comments ORDER BY video_id, position"):
            comments.setdefault(video_id, []).append(sums.raw(record))
        for video_id, record, sha256 in db.execute("SELECT id, record, sha256 FROM videos"):
            item = sums.raw(video_id).decode(errors="replace")
            parts = [sums.raw(record), *comments.get(video_id, [])]
            if hashed(b"\n".join(parts)) != sha256 or valid(item, parts) is None:
                found[item, "record"] = Finding(item, "record", f"{PARTS['record']}: damaged")
    return found


def hashed(value: object) -> bytes:
    """The sum of stored bytes, as `digest` makes it of a text."""
    return digest(sums.raw(value).decode("utf-8", "replace")).encode()


def valid(video_id: str, parts: list[bytes]) -> Video | None:
    """The record in `parts` (the record, and each comment), or None if it is damaged or of another video."""
    try:
        fields = json.loads(parts[0])
        if parts[1:]:
            fields["comments"] = [json.loads(part) for part in parts[1:]]
        video = Video.model_validate(fields)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return video if video.id == video_id else None
