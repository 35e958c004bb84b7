"""What a person removed. It is hidden at once, erased when the time to undo is over, and not imported again.

A line of `removals` with an empty `list` removes a video. Any other line ends its membership of that list. Every part
of the catalog that reads leaves removed videos out. Only this module sees them.
"""

import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.catalog.database import Database
from ingest.catalog.functions import functions
from scraper.local_ids import local_id
from scraper.records import ListKind

UNDO_S = 30.0  # how long a removal can be undone
HIDDEN, ERASED, ERASING = 0, 1, 2  # the states of a line; one that is being erased cannot be undone
REMOVED = "(SELECT video_id FROM removals WHERE list = '')"  # as in: WHERE id NOT IN REMOVED
# encounters whose list a person has not removed, as in: SELECT ... FROM encounters WHERE LISTED
LISTED = (
    "NOT EXISTS (SELECT 1 FROM removals AS ended WHERE ended.video_id = encounters.video_id"
    " AND ended.list = encounters.list AND ended.name = encounters.name)"
)
_CHOSEN = "(SELECT value FROM json_each(?))"
_ERASING = f"(SELECT video_id FROM removals WHERE list = '' AND erased = {ERASING})"
# sources of records that a person did not collect or save: data exports, and pages read while downloading
_OF_EXPORTS = ("data export", "yt-dlp")


@dataclass(frozen=True)
class Removal:
    """A removed video, or one of its memberships that ended."""

    video_id: str
    list: str  # "" if the video itself is removed
    name: str  # of a collection
    removed_at: float  # unix seconds
    state: int  # HIDDEN, ERASED or ERASING

    @property
    def undo_until(self) -> float:
        """The unix time until which it can be undone."""
        return self.removed_at + UNDO_S


def stored_path(path: Path) -> str:
    """A path as the catalog keeps it: absolute, and bytes that are not UTF-8 as \\udcXX."""
    return os.path.normpath(path.absolute()).encode(errors="backslashreplace").decode()


def _casefold(text: object) -> str:
    return str(text or "").casefold()


class Removals:
    """The removals in a catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- what can be removed ------------------------------------------------------------------------------------

    def known(self, ids: Iterable[str]) -> list[str]:
        """Those of `ids` that are videos of the catalog and not removed yet."""
        return self._ids(f"SELECT id FROM videos WHERE id IN {_CHOSEN}", json.dumps(list(ids)))

    def of_creator(self, username: str) -> list[str]:
        """The videos of a creator by the name of their account, ignoring case."""
        wanted = username.removeprefix("@").casefold()
        with functions(self._database.connection, casefold=_casefold):
            return self._ids(
                "SELECT id FROM videos WHERE json_valid(record)"
                " AND casefold(json_extract(record, '$.creator_username')) = ?",
                wanted,
            )

    def of_source(self, source: Path) -> tuple[list[str], int]:
        """The videos imported from a file, or from the files in a folder, and from nowhere else.

        Also return how many came from other files as well.
        """
        path = stored_path(source)
        folder = f"{path.rstrip(os.sep)}{os.sep}"
        inside = "path = ?1 OR substr(path, 1, length(?2)) = ?2"
        met = set(self._ids(f"SELECT video_id AS id FROM origins WHERE {inside}", path, folder))
        others = set(self._ids(f"SELECT video_id AS id FROM origins WHERE NOT ({inside})", path, folder))
        return sorted(met - others), len(met & others)

    def of_list(self, kind: ListKind, name: str = "") -> list[str]:
        """The videos in a list, or in a collection of that name."""
        in_list = f"list = ?1 AND (name = ?2 OR ?2 = '') AND {LISTED}"
        return self._ids(f"SELECT video_id AS id FROM encounters WHERE {in_list}", kind, name)

    def only_in_list(self, kind: ListKind, name: str = "") -> list[str]:
        """The videos that only this list has: they are in no other, and nobody collected them or saved their files."""
        others = f"SELECT video_id FROM encounters WHERE NOT (list = ?1 AND (name = ?2 OR ?2 = '')) AND {LISTED}"
        collected = (
            "SELECT video_id FROM records WHERE NOT json_valid(record)"
            " OR coalesce(json_extract(record, '$.source'), '') NOT IN (?3, ?4)"
        )
        saved = "SELECT video_id FROM media WHERE source = 'imported'"
        by_yt_dlp = "SELECT video_id FROM origins WHERE path LIKE '%.info.json'"
        return self._ids(
            "SELECT DISTINCT video_id AS id FROM encounters WHERE list = ?1 AND (name = ?2 OR ?2 = '')"
            + "".join(f" AND video_id NOT IN ({part})" for part in (others, collected, saved, by_yt_dlp)),
            kind,
            name,
            *_OF_EXPORTS,
        )

    def collections(self) -> list[str]:
        """The names of all collections."""
        rows = self._database.execute("SELECT DISTINCT name FROM encounters WHERE list = 'collection' ORDER BY name")
        return [row["name"] for row in rows]

    # -- removing and undoing -----------------------------------------------------------------------------------

    def hide(self, ids: Iterable[str]) -> None:
        """Remove videos. They are hidden from now on, and can come back for UNDO_S seconds."""
        self._add((video_id, "", "") for video_id in ids)

    def end(self, kind: ListKind, name: str = "") -> list[str]:
        """End the membership of all videos of a list. Return the videos that were in it."""
        rows = self._database.execute(
            "SELECT DISTINCT video_id, list, name FROM encounters"
            f" WHERE list = ?1 AND (name = ?2 OR ?2 = '') AND {LISTED}",
            (kind, name),
        ).fetchall()
        self._add(tuple(row) for row in rows)
        return sorted({row["video_id"] for row in rows})

    def _add(self, lines: Iterable[tuple[str, ...]]) -> None:
        now = time.time()
        with self._database.transaction():
            self._database.executemany(
                f"INSERT INTO removals VALUES (?, ?, ?, ?, {HIDDEN}) ON CONFLICT DO UPDATE"
                f" SET removed_at = excluded.removed_at, erased = {HIDDEN} WHERE erased = {ERASED}",
                [(*line, now) for line in lines],
            )

    def undo(self, ids: Iterable[str] | None = None) -> list[str]:
        """Bring back `ids`, or everything, if the time to undo is not over. Return the ids that are back."""
        with self._database.transaction():
            rows = self._database.execute(
                f"DELETE FROM removals WHERE erased = {HIDDEN} AND removed_at > ?1 - {UNDO_S}"
                " AND (?2 IS NULL OR video_id IN (SELECT value FROM json_each(?2))) RETURNING video_id",
                (time.time(), None if ids is None else json.dumps(list(ids))),
            ).fetchall()
        return sorted({row["video_id"] for row in rows})

    def of(self, video_id: str) -> Removal | None:
        """The removal of a video, or None."""
        row = self._database.execute("SELECT * FROM removals WHERE video_id = ? AND list = ''", (video_id,)).fetchone()
        return Removal(*row) if row else None

    def hidden(self) -> frozenset[str]:
        """The ids of all removed videos, erased or not. No answer may have one of them."""
        return frozenset(row["video_id"] for row in self._database.execute(REMOVED[1:-1]))

    def final(self) -> frozenset[str]:
        """The ids of removed videos that cannot come back: those that are erased, or being erased."""
        rows = self._database.execute(
            f"SELECT video_id FROM removals WHERE list = '' AND (erased != {HIDDEN} OR removed_at <= ? - {UNDO_S})",
            (time.time(),),
        )
        return frozenset(row["video_id"] for row in rows)

    def again(self, ids: Iterable[str]) -> None:
        """Let removed videos and ended memberships be imported again."""
        with self._database.transaction():
            self._database.execute(
                f"DELETE FROM removals WHERE erased != {ERASING} AND video_id IN {_CHOSEN}", (json.dumps(list(ids)),)
            )

    def ended(self, video_id: str) -> set[tuple[str, str]]:
        """The lists (and names of collections) that a video is no longer in, because a person removed the list."""
        rows = self._database.execute("SELECT list, name FROM removals WHERE video_id = ? AND list != ''", (video_id,))
        return {(row["list"], row["name"]) for row in rows}

    # -- erasing ------------------------------------------------------------------------------------------------

    def next_due(self) -> float | None:
        """The unix time at which something must be erased, 0 if erasing has begun; None if nothing is waiting."""
        row = self._database.execute(
            f"SELECT min(iif(erased = {ERASING}, 0, removed_at + {UNDO_S})) AS at"
            f" FROM removals WHERE erased != {ERASED}"
        ).fetchone()
        return None if row["at"] is None else float(row["at"])

    def unfinished(self, ids: Iterable[str]) -> list[str]:
        """Those of `ids` of which something is left to erase."""
        rows = self._database.execute(
            f"SELECT DISTINCT video_id FROM removals WHERE erased != {ERASED} AND video_id IN {_CHOSEN}",
            (json.dumps(list(ids)),),
        )
        return [row["video_id"] for row in rows]

    def claim(self, ids: Iterable[str] | None = None) -> list[Removal]:
        """Begin to erase what cannot be undone any more, and `ids` at once. Return everything that is being erased."""
        with self._database.transaction():
            self._database.execute(
                f"UPDATE removals SET erased = {ERASING} WHERE erased = {HIDDEN}"
                f" AND (removed_at <= ? - {UNDO_S} OR video_id IN {_CHOSEN})",
                (time.time(), json.dumps(list(ids or ()))),
            )
            rows = self._database.execute(f"SELECT * FROM removals WHERE erased = {ERASING}").fetchall()
        return [Removal(*row) for row in rows]

    def media_paths(self, ids: Iterable[str]) -> list[str]:
        """The paths of the files of removed videos, relative to the data folder."""
        rows = self._database.execute(f"SELECT path FROM media WHERE video_id IN {_CHOSEN}", (json.dumps(list(ids)),))
        return [row["path"] for row in rows]

    def origins(self, ids: Iterable[str]) -> list[str]:
        """The files that removed videos were imported from, and no other video."""
        rows = self._database.execute(
            f"SELECT DISTINCT path FROM origins WHERE video_id IN {_CHOSEN}"
            " AND path NOT IN (SELECT path FROM origins WHERE video_id NOT IN (SELECT value FROM json_each(?1)))",
            (json.dumps(list(ids)),),
        )
        return [row["path"] for row in rows]

    def erase(self) -> None:
        """Delete the rows of everything that is being erased, and overwrite them in the file."""
        self._database.execute("PRAGMA secure_delete = ON")
        with self._database.transaction(), functions(self._database.connection, local_id=local_id):
            for table, column in (("short_links", "target"), ("problems", "file"), ("problems", "reason")):
                self._database.execute(
                    f"DELETE FROM {table} WHERE EXISTS (SELECT 1 FROM removals AS gone WHERE gone.list = ''"
                    f" AND gone.erased = {ERASING} AND instr({table}.{column}, gone.video_id))"
                )
            self._database.execute(  # so that the same file stays away under other names, with and without an id
                "INSERT INTO removals SELECT DISTINCT local_id(sha256), '', '', ?, ? FROM media"
                f" WHERE source = 'imported' AND kind IN ('video', 'slide') AND video_id IN {_ERASING}"
                " ON CONFLICT DO NOTHING",
                (time.time(), ERASED),
            )
            self._database.execute(f"DELETE FROM videos WHERE id IN {_ERASING}")  # the other tables follow
            self._database.execute(
                "DELETE FROM encounters WHERE EXISTS (SELECT 1 FROM removals AS gone WHERE"
                " gone.video_id = encounters.video_id AND gone.list = encounters.list AND gone.name = encounters.name"
                f" AND erased = {ERASING})"
            )

    def finish(self, removals: Sequence[Removal]) -> None:
        """Write that nothing is left of these."""
        with self._database.transaction():
            self._database.executemany(
                f"UPDATE removals SET erased = {ERASED} WHERE video_id = ? AND list = ? AND name = ?"
                f" AND erased = {ERASING}",
                [(removal.video_id, removal.list, removal.name) for removal in removals],
            )

    def _ids(self, sql: str, *values: str) -> list[str]:
        rows = self._database.execute(f"SELECT DISTINCT id FROM ({sql}) WHERE id NOT IN {REMOVED} ORDER BY id", values)
        return [row["id"] for row in rows]
