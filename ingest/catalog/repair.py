"""Damage in the catalog -> what can be made again is due again, and the rest is kept as it reads now.

A copy of the catalog is taken first: nothing that is replaced is lost. What a person made is never replaced.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import cast

from ingest.catalog import sums
from ingest.catalog.database import FILE_NAME, CatalogError, Database
from ingest.catalog.entries import READ_BY, STAGE_OF_TEXT, TextKind
from ingest.catalog.inspection import NO_SUM, Finding, hashed, inspect, valid
from ingest.catalog.migrations import digest
from ingest.catalog.store import Catalog
from scraper.errors import UserError
from scraper.files import make_private_file, replace_atomically, sha256
from scraper.records import Video

log = logging.getLogger(__name__)

COPY = "catalog.before-repair-{}.sqlite"
UNKNOWN = "\ufffd"  # what stands for bytes that are no text
DAMAGED = ".damaged"  # how the name of a file ends that was moved out of the way
MADE = ("whisper", "tesseract", "rapidocr", "auto")  # engines whose texts can be made again
# names that are damaged -> the one that they were: they differ in length
_NAMES = (
    ("texts", "kind", ("cover", "transcript")),
    ("segments", "kind", ("cover", "transcript")),
    ("ledger", "stage", ("download", "ocr", "transcribe")),
    ("ledger", "state", ("due", "done", "failed", "absent")),
)
_OF_VIDEOS = [table.name for table in sums.TABLES if table.item == "video_id" or table.name == "judgements"]


def copy(data: Path) -> Path:
    """Copy a catalog page by page, damage and all. Return the path of the copy.

    Raises:
        CatalogError: there is no room for it.
    """
    target = data / COPY.format(time.strftime("%Y%m%d-%H%M%S"))
    try:
        with replace_atomically(target) as part:
            make_private_file(part)
            with closing(sqlite3.connect(data / FILE_NAME)) as db, closing(sqlite3.connect(part)) as other:
                db.backup(other)
    except (sqlite3.Error, OSError) as error:
        raise CatalogError(f"{data / FILE_NAME} cannot be copied, so nothing was repaired ({error})") from error
    return target


def repair(data: Path, findings: Iterable[Finding]) -> list[str]:
    """Repair what `inspect` has found. Return what was done, in sentences. Take a `copy` before.

    Raises:
        CatalogError: the catalog cannot be opened for writing.
    """
    findings = list(findings)
    done: list[str] = []
    if any(one.part in ("structure", "orphans") for one in findings):
        with closing(sqlite3.connect(data / FILE_NAME, isolation_level=None, timeout=60.0)) as db:
            done += _repair_structure(db)
        with closing(Database(data, read_only=True)) as database:
            findings = [one for one in findings if one.part == "file"] + inspect(database.connection)
    with Catalog(data) as catalog:
        for one in findings:
            if one.part in ("structure", "orphans", "schema"):
                continue
            try:
                with catalog.transaction():
                    did = f"{one.name}: {_action(one)(catalog, one)}"
                    sums.renew(catalog.database.connection, (one.item, one.part))
                    if one.part in sums.NOTED:
                        sums.note(catalog.database.connection, one.item)
                done.append(did)
            except (sqlite3.Error, UserError, ValueError, OSError) as error:
                done.append(f"{one.name}: not repaired ({error})")
        # also sums of no part, and of an item whose name is damaged
        if any((one.part not in sums.PARTS and one.part != "file") or UNKNOWN in one.item for one in findings):
            try:
                with catalog.transaction():
                    sums.fill(catalog.database.connection)
            except (sqlite3.Error, UserError, ValueError) as error:
                done.append(f"the catalog: not repaired ({error})")
    return done


def _action(one: Finding) -> Callable[[Catalog, Finding], str]:
    if one.problem.endswith(NO_SUM):  # the line of the sum is damaged, not what it is about
        return _keep
    return _REPAIRS.get(one.part, _keep)


def _repair_structure(db: sqlite3.Connection) -> list[str]:
    """Repair indexes and names, and delete lines that belong to no video."""
    done: list[str] = []
    for name, statement in (
        ("indexes are written again", "REINDEX"),
        ("the list of tables and indexes is written again", "VACUUM"),
        *(
            (f"damaged names in {table}.{column} are corrected", _corrected(table, column, names))
            for table, column, names in _NAMES
        ),
    ):
        try:
            if db.execute(statement).rowcount:
                done.append(f"the catalog: {name}")
        except (sqlite3.Error, UnicodeDecodeError) as error:
            done.append(f"the catalog: not so: {name} ({error})")
    try:
        sums.number_again(db)
    except sqlite3.Error as error:
        done.append(f"the catalog: changes are not numbered again ({error})")
    db.execute("PRAGMA foreign_keys = OFF")
    try:
        lost = [
            row[0]
            for row in db.execute("SELECT DISTINCT video_id FROM records WHERE video_id NOT IN (SELECT id FROM videos)")
        ]
        for video_id in lost:  # its line comes back; `_record` fills it
            db.execute("INSERT INTO videos VALUES (?, '', '', 0, 0, '', '')", (video_id,))
            done.append(f"video {video_id}: its line is made again from its records")
    except (sqlite3.Error, UnicodeDecodeError) as error:
        done.append(f"the catalog: lost videos could not be looked for ({error})")
    for table in sums.TABLES:
        if table.name not in _OF_VIDEOS:
            continue
        orphans = f"FROM {table.name} WHERE video_id NOT IN (SELECT id FROM videos)"
        try:
            with sums.as_bytes(db):
                rows = db.execute(f"SELECT * {orphans}").fetchall()
            for row in rows:
                done.append(f"deleted from {table.name}, as it belongs to no video (the copy has it): {str(row)[:300]}")
            db.execute(f"DELETE {orphans}")
        except (sqlite3.Error, UnicodeDecodeError) as error:
            done.append(f"the catalog: lines of {table.name} that belong to no video are left ({error})")
    return done


def _corrected(table: str, column: str, names: tuple[str, ...]) -> str:
    """SQL that replaces each damaged name by the one of its length; of two, by the first that shares a letter."""
    known = ", ".join(f"'{name}'" for name in names)
    of = " ".join(f"WHEN {len(name)} THEN '{name}'" for name in names)
    return (
        f"UPDATE OR IGNORE {table} SET {column} = CASE length(CAST({column} AS BLOB)) {of} ELSE '{names[0]}' END"
        f" WHERE {column} NOT IN ({known})"
    )


# -- parts: each returns what was done ------------------------------------------------------------------------------


def _keep(catalog: Catalog, one: Finding) -> str:
    return "kept as it reads now; compare it with a backup if it matters"


def _judgement(catalog: Catalog, one: Finding) -> str:
    with sums.as_bytes(catalog.database.connection):
        row = catalog.database.connection.execute(
            "SELECT query, video_id FROM judgements WHERE id = ?", (one.item,)
        ).fetchone()
    if row is None:
        return "it is gone: judge the video again, or restore a backup"
    query, video_id = (sums.raw(value).decode(errors="replace") for value in row)
    catalog.database.connection.execute("UPDATE judgements SET query = ? WHERE id = ?", (query, one.item))
    return f"kept as it reads now: {query!r} is video {video_id}. Correct it if it is wrong"


def _record(catalog: Catalog, one: Finding) -> str:
    db = catalog.database.connection
    with sums.as_bytes(db):
        current = db.execute("SELECT record, sha256 FROM videos WHERE id = ?", (one.item,)).fetchone()
        comments = db.execute(
            "SELECT record FROM comments WHERE video_id = ? ORDER BY position", (one.item,)
        ).fetchall()
        rows = db.execute("SELECT sha256, record FROM records WHERE video_id = ?", (one.item,)).fetchall()
    if current is None:
        return "it is gone: import it again, or restore a backup"
    parts = [sums.raw(current[0]), *(sums.raw(row[0]) for row in comments)]
    now = valid(one.item, parts)
    whole = now if now and hashed(b"\n".join(parts)) == current[1] else None
    bad = [key for key, record in rows if hashed(record) != key or valid(one.item, [sums.raw(record)]) is None]
    db.executemany(
        "DELETE FROM records WHERE video_id = ? AND CAST(sha256 AS BLOB) = ?", [(one.item, key) for key in bad]
    )
    if len(bad) < len(rows):
        if whole and bad:
            return f"{len(bad)} of its {len(rows)} records was damaged and is left out; the copy has it"
        catalog.merge_again(one.item)
        return "merged again from its other records"
    video = whole or now or Video(id=one.item)
    _only_record(db, video)
    catalog.merge_again(one.item)
    if whole:
        return "its record is kept; what it was merged from was damaged"
    if now:
        return "kept as it reads now: no other record of it is left. Import it again to be sure"
    return "its record is lost (the copy has what is left of it); texts, files and judgements stay. Import it again"


def _only_record(db: sqlite3.Connection, video: Video) -> None:
    record = video.model_dump_json(exclude_defaults=True)
    now = time.time()
    values = (video.id, digest(record), record, video.scraped_at or 0.0, now)
    db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)", values)


def _text(catalog: Catalog, one: Finding) -> str:
    db, kind = catalog.database.connection, cast(TextKind, one.part)
    stage = STAGE_OF_TEXT[kind]
    kinds = [of for of, stages in READ_BY.items() if stage in stages]
    readable = db.execute(
        f"SELECT 1 FROM media WHERE video_id = ? AND kind IN ({', '.join('?' * len(kinds))})", (one.item, *kinds)
    ).fetchone()
    with sums.as_bytes(db):
        row = db.execute("SELECT engine FROM texts WHERE video_id = ? AND kind = ?", (one.item, kind)).fetchone()
    if row is not None and (sums.raw(row[0]).decode(errors="replace") not in MADE or not readable):
        _decodable(db, one.item, kind)
        return f"{kind} text kept as it reads now: it was written by hand or imported. Correct it with `edit`"
    db.execute("DELETE FROM texts WHERE video_id = ? AND kind = ?", (one.item, kind))
    db.execute("DELETE FROM segments WHERE video_id = ? AND kind = ?", (one.item, kind))
    if readable:
        catalog.ledger.set(one.item, stage, "due")
        return f"its {kind} text is made again by `tiktok-retrieval run`"
    return f"its {kind} text is gone: restore a backup"


def _decodable(db: sqlite3.Connection, video_id: str, kind: str) -> None:
    """Replace bytes that are no text, so that the text can be read."""
    for table, key in (("texts", "kind"), ("segments", "position")):
        with sums.as_bytes(db):
            rows = db.execute(
                f"SELECT {key}, text FROM {table} WHERE video_id = ? AND kind = ?", (video_id, kind)
            ).fetchall()
        for at, text in rows:
            if text is not None:
                shown = sums.raw(text).decode(errors="replace")
                where = f"UPDATE {table} SET text = ? WHERE video_id = ? AND kind = ?"
                more = ("" if table == "texts" else " AND position = ?", () if table == "texts" else (at,))
                db.execute(where + more[0], (shown, video_id, kind, *more[1]))


def _media(catalog: Catalog, one: Finding) -> str:
    """Enter the files of a video again; those that are not there are downloaded again."""
    db = catalog.database.connection
    rows = db.execute("SELECT kind, position, path FROM media WHERE video_id = ?", (one.item,)).fetchall()
    missing = 0
    for kind, position, path in rows:
        file = catalog.data / path
        key = (one.item, kind, position)
        where = "WHERE video_id = ? AND kind = ? AND position = ?"
        if is_inside(catalog.data, path) and file.is_file():
            values = (sha256(file), file.stat().st_size, *key)
            db.execute(f"UPDATE media SET sha256 = ?, bytes = ? {where}", values)
        else:
            db.execute(f"DELETE FROM media {where}", key)
            missing += 1
    if missing:
        catalog.ledger.set(one.item, "download", "due")
        return f"{missing} files are missing: they are downloaded again by `tiktok-retrieval run`"
    return "its files are entered again as they are"


def _file(catalog: Catalog, one: Finding) -> str:
    """Make the files due that are missing or differ from their sums."""
    db = catalog.database.connection
    video_id = one.item
    if catalog.ledger.states(video_id).get("download") in (None, "absent"):
        return "its file cannot be downloaded: import it again"
    for kind, position, path, wanted in db.execute(
        "SELECT kind, position, path, sha256 FROM media WHERE video_id = ?", (video_id,)
    ).fetchall():
        file = catalog.data / path
        if is_inside(catalog.data, path) and file.is_file():
            if sha256(file) == wanted:
                continue
            file.replace(file.with_name(file.name + DAMAGED))
        db.execute("DELETE FROM media WHERE video_id = ? AND kind = ? AND position = ?", (video_id, kind, position))
    catalog.ledger.set(video_id, "download", "due")
    return f"its file is downloaded again by `tiktok-retrieval run`; a damaged one is kept, named *{DAMAGED}"


def _short_links(catalog: Catalog, one: Finding) -> str:
    catalog.database.connection.execute("DELETE FROM short_links")
    return "short links are looked up again when they are met"


def _problems(catalog: Catalog, one: Finding) -> str:
    catalog.database.connection.execute("DELETE FROM problems")
    return "the next import lists its problems again"


def is_inside(data: Path, path: str) -> bool:
    """Whether a stored path stays in the folder of the media."""
    return (data / path).resolve().is_relative_to((data / "media").resolve())


_REPAIRS: dict[str, Callable[[Catalog, Finding], str]] = {
    "record": _record,
    "records": _record,
    "cover": _text,
    "transcript": _text,
    "media": _media,
    "file": _file,
    "judgement": _judgement,
    "short links": _short_links,
    "problems": _problems,
}
