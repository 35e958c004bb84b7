"""What videos show, as small pictures with their seconds: one SQLite file next to the catalog, with its own ledger.

Everything in it can be made again from the media, so the file may be deleted at any time, and a damaged one is made
again. It exists only if a vision model was chosen once: nobody else pays for it.
"""

import contextlib
import hashlib
import json
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from ingest.catalog.entries import Media
from ingest.catalog.media_damage import damage
from scraper.files import make_private_file

log = logging.getLogger(__name__)

FILE_NAME = "pictures.sqlite"
FORMAT = 2
BUSY_TIMEOUT_S = 60.0
MAX_ERROR_CHARS = 500
Kind = Literal["cover", "slide", "video"]

_TABLES = """
CREATE TABLE looked (
    video_id TEXT PRIMARY KEY,
    inputs TEXT NOT NULL,            -- the sha256 of the media that the pictures are made from
    recipe TEXT NOT NULL,            -- how: another one makes them again
    error TEXT NOT NULL,             -- "" if all could be read
    tries INTEGER NOT NULL,
    updated_at REAL NOT NULL,
    length_s REAL,                   -- of the video; NULL for a photo post
    hashes BLOB NOT NULL,            -- of its frames, see ingest/copies.py; empty if nothing is known
    compared INTEGER NOT NULL        -- whether its copies are among `copies`
) STRICT, WITHOUT ROWID;
CREATE INDEX looked_by_length ON looked (length_s);
CREATE INDEX looked_to_compare ON looked (length_s, video_id) WHERE NOT compared;
CREATE TABLE copies (                -- two videos that show the same
    first TEXT NOT NULL REFERENCES looked ON DELETE CASCADE,
    second TEXT NOT NULL REFERENCES looked ON DELETE CASCADE,
    mirrored INTEGER NOT NULL,
    PRIMARY KEY (first, second)
) STRICT, WITHOUT ROWID;
CREATE INDEX copies_by_second ON copies (second);
CREATE TABLE pictures (
    video_id TEXT NOT NULL REFERENCES looked ON DELETE CASCADE,
    position INTEGER NOT NULL,       -- from 0, in the order in which they are shown
    kind TEXT NOT NULL CHECK (kind IN ('cover', 'slide', 'video')),
    start_s REAL,                    -- when a video shows it; NULL for covers and slides
    end_s REAL,
    sha256 TEXT NOT NULL,            -- of `webp`
    webp BLOB NOT NULL,
    PRIMARY KEY (video_id, position)
) STRICT;
CREATE INDEX pictures_by_content ON pictures (sha256);
"""


@dataclass(frozen=True)
class Shown:
    """One picture of a video. `start_s` and `end_s` are None for covers and slides."""

    kind: Kind
    start_s: float | None
    end_s: float | None
    sha256: str


@dataclass(frozen=True)
class NewPicture:
    """A picture to store, as WebP."""

    kind: Kind
    start_s: float | None
    end_s: float | None
    webp: bytes


@dataclass(frozen=True)
class Fingerprint:
    """By what copies of a video are recognised: its length, None for a photo post, and the hashes of its frames or
    slides (`ingest.copies`)."""

    length_s: float | None
    hashes: bytes


UNKNOWN = Fingerprint(None, b"")


class PictureStore:
    """The pictures of the videos in a data folder. Open one per thread and close it (or use `with`).

    Args:
        create: create the file if it does not exist. Otherwise a missing file is a store without pictures.
    """

    def __init__(self, data: Path, *, create: bool = False) -> None:
        self.path = data / FILE_NAME
        self._db: sqlite3.Connection | None = None
        if create or self.path.is_file():
            self._db = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._db:
            self._db.close()
            self._db = None

    @property
    def exists(self) -> bool:
        return self._db is not None

    # -- read ---------------------------------------------------------------------------------------------------

    def known(self) -> dict[str, tuple[str, str, str]]:
        """Return (inputs, recipe, error) of each video that was looked at."""
        rows = self._rows("SELECT video_id, inputs, recipe, error FROM looked")
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    def shown(self, ids: Collection[str] | None = None) -> dict[str, list[Shown]]:
        """Return the pictures of videos, of all or of `ids`, in order."""
        wanted = None if ids is None else json.dumps(sorted(ids))
        found: dict[str, list[Shown]] = {}
        for video_id, *row in self._rows(
            "SELECT video_id, kind, start_s, end_s, sha256 FROM pictures"
            " WHERE ?1 IS NULL OR video_id IN (SELECT value FROM json_each(?1)) ORDER BY video_id, position",
            wanted,
        ):
            found.setdefault(video_id, []).append(Shown(*row))
        return found

    def webp(self, sha256: str) -> bytes | None:
        """Return a picture by its content, or None if it is not there. A damaged one is made again by the next run."""
        rows = self._rows("SELECT video_id, webp FROM pictures WHERE sha256 = ?", sha256)
        for video_id, webp in rows:
            if hashlib.sha256(webp).hexdigest() == sha256:
                return bytes(webp)
            log.warning("a picture of video %s is damaged: `tiktok-retrieval pictures` makes it again", video_id)
            with contextlib.suppress(sqlite3.Error):
                self.forget([video_id])
        return None

    def not_compared(self, most: int = -1) -> list[tuple[str, Fingerprint]]:
        """Return the videos that were not compared with the others yet: photo posts first, then the shortest.

        Args:
            most: how many of them; by default all.
        """
        rows = self._rows(
            "SELECT video_id, length_s, hashes FROM looked WHERE NOT compared ORDER BY length_s, video_id LIMIT ?", most
        )
        return [(row[0], Fingerprint(*row[1:])) for row in rows]

    def fingerprints(self, lengths_s: tuple[float, float] | None) -> list[tuple[str, Fingerprint]]:
        """Return the fingerprints of all videos of a length between two, the shortest first; of photo posts if None."""
        which = "length_s BETWEEN ? AND ?" if lengths_s else "length_s IS NULL"
        rows = self._rows(
            f"SELECT video_id, length_s, hashes FROM looked WHERE {which} AND hashes > x'' ORDER BY length_s",
            *(lengths_s or ()),
        )
        return [(row[0], Fingerprint(*row[1:])) for row in rows]

    def copies(self) -> list[tuple[str, str, bool]]:
        """Return pairs of videos that show the same, the smaller id first, and whether one is mirrored. Not every such
        pair is there, but all videos that show the same are connected by some (`ingest.stages.copies`)."""
        rows = self._rows("SELECT first, second, mirrored FROM copies ORDER BY first, second")
        return [(first, second, bool(mirrored)) for first, second, mirrored in rows]

    def stage_counts(self, media: Iterable[tuple[str, Media]]) -> dict[str, object]:
        """Return how many videos are due, done and failed, and the ten commonest errors, as the ledger does of a stage.

        Args:
            media: all files, with the ids of their videos. One that has only damaged files is not due. A changed one
                is due as well, but not counted.
        """
        known = dict(self._rows("SELECT video_id, recipe = '' OR error > '' FROM looked"))
        with_media = set[str]()
        for video_id, file in media:
            if file.kind in get_args(Kind) and video_id not in with_media and (video_id in known or not damage(file)):
                with_media.add(video_id)
        failed = dict(self._rows("SELECT video_id, error FROM looked WHERE error > '' AND recipe > ''"))
        of = [video_id for video_id in with_media if video_id in known]
        errors = Counter(failed[video_id] for video_id in of if video_id in failed)
        done = sum(not known[video_id] for video_id in of)
        count = errors.total()
        states = {"due": len(with_media) - done - count, "done": done, "failed": count, "absent": 0}
        return {**states, "errors": dict(errors.most_common(10)), "notes": {}}

    def failures(self) -> list[dict[str, object]]:
        """Return every failed video with its error, number of tries and time, as the ledger does."""
        rows = self._rows(
            "SELECT video_id, error, tries, updated_at FROM looked WHERE error > '' AND recipe > '' ORDER BY video_id"
        )
        names = ("video_id", "stage", "error", "tries", "updated_at")
        return [dict(zip(names, (row[0], "pictures", *row[1:]), strict=True)) for row in rows]

    # -- write --------------------------------------------------------------------------------------------------

    def put(
        self,
        video_id: str,
        inputs: str,
        recipe: str,
        pictures: Sequence[NewPicture],
        error: str = "",
        fingerprint: Fingerprint = UNKNOWN,
    ) -> None:
        """Store what was found of a video, in place of what was there, in one transaction."""
        db = self._writable()
        with db:
            db.execute("BEGIN IMMEDIATE")
            [tries] = db.execute("SELECT max(tries) FROM looked WHERE video_id = ?", (video_id,)).fetchone()
            _delete(db, [video_id])
            db.execute(
                "INSERT INTO looked VALUES (?, ?, ?, ?, ?, ?, ?, ?, FALSE)",
                (
                    *(video_id, inputs, recipe, error[:MAX_ERROR_CHARS], (tries or 0) + 1, time.time()),
                    *(fingerprint.length_s, fingerprint.hashes),
                ),
            )
            db.executemany(
                "INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (video_id, n, one.kind, one.start_s, one.end_s, hashlib.sha256(one.webp).hexdigest(), one.webp)
                    for n, one in enumerate(pictures)
                ),
            )

    def put_copies(self, compared: Iterable[tuple[str, Fingerprint]], pairs: Iterable[tuple[str, str, bool]]) -> None:
        """Store that videos were compared with all others, and the pairs that show the same, in one transaction.

        One that was in a pair with a video that was erased since is not compared yet.

        Args:
            compared: the videos, with the fingerprints that were compared: they may have others by now.
            pairs: the smaller id first, the other one, and whether one is mirrored.
        """
        with self._writable() as db:
            db.execute("BEGIN IMMEDIATE")
            alone = set[str]()
            for first, second, mirrored in pairs:
                ids = (first, second)
                [there] = db.execute("SELECT count(*) FROM looked WHERE video_id IN (?, ?)", ids).fetchone()
                if there == len(ids):
                    db.execute("INSERT OR IGNORE INTO copies VALUES (?, ?, ?)", (*ids, mirrored))
                else:
                    alone.update(ids)
            db.executemany(
                "UPDATE looked SET compared = TRUE WHERE video_id = ? AND hashes = ?",
                [(video_id, one.hashes) for video_id, one in compared if video_id not in alone],
            )

    def retry(self, ids: Collection[str] = (), error: str = "") -> int:
        """Make failed videos due again: some or all, whose error contains `error`. Return how many."""
        if not self._db:
            return 0
        return self._db.execute(
            "UPDATE looked SET recipe = '' WHERE error > '' AND recipe > '' AND instr(error, ?1)"
            " AND (?2 IS NULL OR video_id IN (SELECT value FROM json_each(?2)))",
            (error, json.dumps(sorted(ids)) if ids else None),
        ).rowcount

    def forget(self, ids: Iterable[str]) -> int:
        """Delete the pictures of videos, and leave nothing of them in the file. Return of how many there were any."""
        if not self._db:
            return 0
        self._db.execute("PRAGMA secure_delete = ON")
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            deleted = _delete(self._db, ids)
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return deleted

    # -- the file -----------------------------------------------------------------------------------------------

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._db.execute(sql, values).fetchall() if self._db else []

    def _writable(self) -> sqlite3.Connection:
        if not self._db:
            self._db = self._open()
        return self._db

    def _open(self) -> sqlite3.Connection:
        make_private_file(self.path)
        for again in (True, False):
            db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            try:
                db.execute("PRAGMA foreign_keys = ON")
                db.execute("PRAGMA journal_mode = WAL")
                self._create(db)
                return db
            except sqlite3.OperationalError:
                db.close()
                raise
            except sqlite3.DatabaseError as error:
                db.close()
                if not again:
                    raise
                log.warning("%s is damaged and made again (%s)", self.path, error)
                for suffix in ("", "-wal", "-shm"):
                    self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        raise AssertionError("a new file is opened or raises")

    def _create(self, db: sqlite3.Connection) -> None:
        """Create the tables, also in place of those of another format."""
        if db.execute("PRAGMA user_version").fetchone()[0] == FORMAT:
            return
        with db:
            db.execute("BEGIN IMMEDIATE")
            if db.execute("PRAGMA user_version").fetchone()[0] != FORMAT:  # no other process has done it since
                for table in ("copies", "pictures", "looked"):
                    db.execute(f"DROP TABLE IF EXISTS {table}")
                for statement in filter(str.strip, _TABLES.split(";\n")):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {FORMAT}")


def _delete(db: sqlite3.Connection, ids: Iterable[str]) -> int:
    """Delete what is known of videos. Those that they connected with others are compared again."""
    deleted = 0
    for video_id in ids:
        db.execute(
            "UPDATE looked SET compared = FALSE WHERE video_id IN"
            " (SELECT second FROM copies WHERE first = ?1 UNION SELECT first FROM copies WHERE second = ?1)",
            (video_id,),
        )
        deleted += db.execute("DELETE FROM looked WHERE video_id = ?", (video_id,)).rowcount
    return deleted
