"""Data folder and index folder -> everything in them that is damaged or missing, and, if asked, repaired."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingest.catalog import CatalogError, definitions
from ingest.catalog.database import FILE_NAME, Database
from ingest.catalog.inspection import RESTORE, Finding, inspect
from ingest.catalog.removals import REMOVED
from ingest.catalog.repair import copy, is_inside, repair
from ingest.progress import Progress, ProgressMode
from retrieval.corpus.check_indexes import check_indexes, repair_cache
from scraper.files import sha256

SETTLED_S = 1.0  # longer than an import needs from a file to its line
INDEX = "index"  # the part of a finding
REPAIR = "`check --repair` deletes what is damaged, and the next build encodes it again"
REBUILD = "run `tiktok-retrieval build`, then `tiktok-retrieval prune`; `rollback` returns to an earlier generation"
IMPORT = "import it again, or run `check --repair` if it was downloaded"


@dataclass
class Report:
    """What was found. `done` says what a repair did, `left` what it could not repair."""

    checked: dict[str, int]  # how many of each kind
    found: list[Finding]
    done: list[str] = field(default_factory=list)
    left: list[Finding] = field(default_factory=list)
    copy: Path | None = None  # of the catalog, taken before the repair


def check(data: Path, indexes: Path, *, mend: bool = False, progress: ProgressMode = "off") -> Report:
    """Check everything, and with `mend` repair what can be repaired.

    Raises:
        CatalogError: there is no catalog, or no room for a copy of it.
    """
    if not (data / FILE_NAME).is_file() and not indexes.is_dir():
        raise CatalogError(f"there is no catalog in {data} and no index in {indexes}: nothing to check")
    report = Report({}, [])
    report.found = _all(data, indexes, report.checked, progress)
    if not mend or not report.found:
        report.left = report.found
        return report
    of_catalog = [one for one in report.found if one.part != INDEX]
    if any(one.part == "schema" for one in of_catalog) and (known := definitions.damaged(data / FILE_NAME)):
        report.copy = copy(data)
        report.done += definitions.write(data / FILE_NAME, known)
        of_catalog = [one for one in _all(data, indexes, report.checked, progress) if one.part != INDEX]
    if of_catalog and not any(one.part == "schema" for one in of_catalog):
        report.copy = report.copy or copy(data)
        report.done += repair(data, of_catalog)
    if any(one.part == INDEX and one.advice == REPAIR for one in report.found):
        kept = repair_cache(indexes)
        report.done.append(f"the vector cache: {kept:,} vectors are kept; the next build encodes the others again")
    report.left = _all(data, indexes, {}, progress)
    return report


def _all(data: Path, indexes: Path, checked: dict[str, int], progress: ProgressMode) -> list[Finding]:
    found: list[Finding] = []
    if (data / FILE_NAME).is_file():
        try:
            database = Database(data, read_only=True)
        except CatalogError as error:
            found.append(Finding("", "schema", f"it cannot be opened ({error})", RESTORE))
        else:
            with closing(database):
                with Progress("catalog", 1, progress, unit="catalogs") as shown, database.snapshot():
                    found += inspect(database.connection)
                    checked |= _counts(database.connection)
                    shown.advance(1)
                found += _files(database, progress)
    else:
        found.append(Finding("", "schema", f"there is none in {data}", RESTORE))
    if any(one.part == "schema" for one in found):  # nothing else of the catalog can be read or repaired
        advice = Finding.advice if definitions.damaged(data / FILE_NAME) else RESTORE
        found = [replace(one, advice=advice) for one in found]
    return found + list(_indexes(indexes, checked))


def _indexes(indexes: Path, checked: dict[str, int]) -> Iterator[Finding]:
    try:
        report = check_indexes(indexes)
    except sqlite3.Error as error:
        yield Finding("", INDEX, f"the vector cache cannot be read ({error})", "check the disk")
        return
    checked |= {"generations": report.generations, "vectors": report.cache.vectors}
    for lines, advice in ((report.of_cache(), REPAIR), (report.of_generations(), REBUILD)):
        for line in lines:
            yield Finding("", INDEX, line.rstrip("."), advice)


def _counts(db: sqlite3.Connection) -> dict[str, int]:
    counts = {}
    for name in ("videos", "records", "texts", "judgements", "media", "sums"):
        try:
            counts["parts" if name == "sums" else name] = int(db.execute(f"SELECT count(*) FROM {name}").fetchone()[0])  # noqa: S608
        except sqlite3.Error:
            counts[name] = 0
    return counts


def _files(database: Database, progress: ProgressMode) -> Iterator[Finding]:
    """Compare each file with its line: is it there, has it the size and the sum?

    An import writes a file before its line, and erasing deletes it before; it hides the video first. So
    what looks wrong is looked at again.
    """
    try:
        rows = database.execute(
            f"SELECT video_id, kind, position FROM media WHERE video_id NOT IN {REMOVED} ORDER BY path"  # noqa: S608
        ).fetchall()
        suspects = []
        with Progress("files", len(rows), progress, unit="files") as shown:
            for row in rows:
                if _of_file(database, row):
                    suspects.append(row)
                shown.advance(1)
        if suspects:
            time.sleep(SETTLED_S)
        for row in suspects:
            if problem := _of_file(database, row):
                yield Finding(row["video_id"], "file", problem, IMPORT)
    except (CatalogError, sqlite3.Error):
        return  # the check of the catalog has named it


def _of_file(database: Database, key: sqlite3.Row) -> str:
    """What is wrong with a file, by its line as it is now; "" if nothing is, or the line is gone."""
    line = database.execute(
        "SELECT kind, path, sha256, bytes FROM media"  # noqa: S608
        f" WHERE video_id = ? AND kind = ? AND position = ? AND video_id NOT IN {REMOVED}",
        tuple(key),
    ).fetchone()
    problem = line and _problem(database.data, line["path"], line["sha256"], line["bytes"])
    return f"its {line['kind']} {line['path']} {problem}" if problem else ""


def _problem(data: Path, path: str, wanted: str, size: int) -> str:
    file = data / path
    try:
        if not is_inside(data, path):
            return "lies outside the data folder"
        if not file.is_file():
            return "is missing"
        if (there := file.stat().st_size) != size:
            return f"has {there} bytes instead of {size}"
        return "" if sha256(file) == wanted else "has changed since it was stored"
    except (OSError, ValueError) as error:
        return f"cannot be read ({error})"
