"""The catalogue: one SQLite file that holds records, comments, media, texts with provenance, segments and the ledger.

A text that is NULL could not be read; an empty one means that nothing was there. The ledger says for each video and
stage whether it is due, done, failed (with the error and the number of tries) or absent (the video has no such media).
Every change of one item is one transaction, so a killed process loses at most the item it was at.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from ingest.schema import NewerFormat, migrate
from scraper.records import Caption, Comment, Video

FILE_NAME = "catalog.sqlite"
BUSY_TIMEOUT_S = 60.0  # how long one process waits for another's transaction; each lasts milliseconds
MAX_ERROR_CHARS = 500  # an error in the ledger is a sentence, not a traceback

Stage = Literal["download", "ocr", "transcribe"]
State = Literal["due", "done", "failed", "absent"]
TextKind = Literal["cover", "transcript"]
MediaKind = Literal["cover", "video", "slide"]
Outcome = Literal["new", "updated", "unchanged", "older"]

STAGES: tuple[Stage, ...] = ("download", "ocr", "transcribe")
TEXT_OF_STAGE: dict[Stage, TextKind] = {"ocr": "cover", "transcribe": "transcript"}
STAGE_OF_TEXT: dict[TextKind, Stage] = {"cover": "ocr", "transcript": "transcribe"}
IMPORTED = "imported"  # the engine name of texts that came with a record instead of being made here


class CatalogError(Exception):
    """The catalogue cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Segment:
    """A stretch of speech: seconds on the video's own timeline, and what was said."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class Text:
    """A text made from media (or imported) with where it comes from. `text` None: the media could not be read."""

    text: str | None
    engine: str
    version: str = ""
    model: str = ""
    language: str = ""
    confidence: float | None = None
    segments: Sequence[Segment] = ()


@dataclass(frozen=True)
class Media:
    """A file of a video, `path` absolute."""

    kind: MediaKind
    position: int
    path: Path
    sha256: str
    bytes: int
    source: str


@dataclass(frozen=True)
class Entry:
    """All that the catalogue knows of one video."""

    video: Video
    texts: dict[TextKind, Text] = field(default_factory=dict)
    media: list[Media] = field(default_factory=list)
    states: dict[Stage, State] = field(default_factory=dict)

    def file(self, kind: MediaKind) -> Media | None:
        """The first file of a kind, or None."""
        return next((media for media in self.media if media.kind == kind), None)


class Catalog:
    """The catalogue in a data folder; open one per thread, close it (or use `with`).

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

    # -- records ------------------------------------------------------------------------------------------------

    def put_video(self, video: Video) -> Outcome:
        """Store a record; the newest scrape wins, texts and media already there stay.

        Stages that the record makes possible become due; those it has nothing for are absent.
        """
        record = video.model_dump_json(exclude={"comments"}, exclude_defaults=True)
        comments = [comment.model_dump_json(exclude_defaults=True) for comment in video.comments]
        digest = hashlib.sha256("\n".join([record, *comments]).encode()).hexdigest()
        scraped_at, now = video.scraped_at or 0.0, time.time()
        with self.transaction():
            old = self._db.execute("SELECT sha256, scraped_at FROM videos WHERE id = ?", (video.id,)).fetchone()
            if old and old["sha256"] == digest:
                return "unchanged"
            # of two different ones at the same second the same one wins each time, in whichever order they come
            if old and (old["scraped_at"], old["sha256"]) > (scraped_at, digest if scraped_at else old["sha256"]):
                return "older"
            self._db.execute(
                "INSERT INTO videos VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record,"
                " sha256 = excluded.sha256, scraped_at = excluded.scraped_at, imported_at = excluded.imported_at",
                (video.id, record, digest, scraped_at, now),
            )
            self._db.execute("DELETE FROM comments WHERE video_id = ?", (video.id,))
            self._db.executemany(
                "INSERT INTO comments VALUES (?, ?, ?)", ((video.id, n, c) for n, c in enumerate(comments))
            )
            moving, still = bool(video.video_sources), bool(video.cover_sources or video.slide_sources)
            wanted: dict[Stage, bool] = {
                "download": moving or still,
                "ocr": moving or still,
                "transcribe": moving or bool(video.captions),
            }
            for stage, possible in wanted.items():
                # what was absent, or failed to come by its old links, has a new chance; what is done stays done
                self._db.execute(
                    "INSERT INTO ledger VALUES (?, ?, ?, 0, '', ?) ON CONFLICT DO UPDATE"
                    " SET state = excluded.state, updated_at = excluded.updated_at WHERE excluded.state = 'due'"
                    " AND (state = 'absent' OR (state = 'failed' AND stage = 'download'))",
                    (video.id, stage, "due" if possible else "absent", now),
                )
        return "updated" if old else "new"

    def ids(self, *, usable: bool = False) -> list[str]:
        """All ids in order; `usable` leaves out those with a text that failed or is still to be made."""
        rows = self._db.execute(
            "SELECT id FROM videos WHERE NOT (? AND EXISTS (SELECT 1 FROM ledger WHERE video_id = videos.id"
            " AND stage IN ('ocr', 'transcribe') AND state IN ('due', 'failed'))) ORDER BY id",
            (usable,),
        )
        return [row["id"] for row in rows]

    def get(self, video_id: str) -> Entry | None:
        """The entry of a video, or None."""
        with self._snapshot():
            row = self._db.execute("SELECT record FROM videos WHERE id = ?", (video_id,)).fetchone()
            return self._entry(video_id, row["record"]) if row else None

    def entries(self, ids: Iterable[str]) -> Iterator[Entry]:
        """The entries of `ids` in their order; ids that are not there are passed over."""
        for video_id in ids:
            if entry := self.get(video_id):
                yield entry

    def _entry(self, video_id: str, record: str) -> Entry:
        def rows(sql: str) -> list[sqlite3.Row]:
            return self._db.execute(sql, (video_id,)).fetchall()

        comments = rows("SELECT record FROM comments WHERE video_id = ? ORDER BY position")
        # already validated when it was stored: reading a corpus back costs no second validation of every value
        fields = json.loads(record)
        fields["captions"] = [Caption.model_construct(**caption) for caption in fields.get("captions", [])]
        video = Video.model_construct(
            **fields, comments=[Comment.model_construct(**json.loads(row["record"])) for row in comments]
        )
        segments = [
            Segment(row["start_s"], row["end_s"], row["text"])
            for row in rows("SELECT start_s, end_s, text FROM segments WHERE video_id = ? ORDER BY position")
        ]
        texts: dict[TextKind, Text] = {
            row["kind"]: Text(
                row["text"],
                row["engine"],
                row["version"],
                row["model"],
                row["language"],
                row["confidence"],
                segments if row["kind"] == "transcript" else (),
            )
            for row in rows("SELECT * FROM texts WHERE video_id = ?")
        }
        media = [
            Media(
                row["kind"],
                row["position"],
                self.data / row["path"],
                row["sha256"],
                row["bytes"],
                row["source"],
            )
            for row in rows("SELECT * FROM media WHERE video_id = ? ORDER BY kind, position")
        ]
        states: dict[Stage, State] = {
            row["stage"]: row["state"] for row in rows("SELECT stage, state FROM ledger WHERE video_id = ?")
        }
        return Entry(video, texts, media, states)

    # -- media and texts ----------------------------------------------------------------------------------------

    def media_folder(self, video_id: str) -> Path:
        """The folder of a video's files, made where missing; ids are spread over a hundred folders.

        Raises:
            CatalogError: the id is no plain digits, so it could lead out of the data folder.
        """
        if not (video_id.isascii() and video_id.isdigit()):
            raise CatalogError(f"{video_id!r} is no video id: ids are digits only")
        folder = self.data / "media" / video_id[-2:] / video_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def put_media(self, video_id: str, kind: MediaKind, path: Path, source: str, *, position: int = 0) -> bool:
        """Enter a file that lies in the data folder; texts that its content can give become due.

        Returns whether the file is new or its content changed. Texts that were imported stay.
        """
        relative = path.resolve().relative_to(self.data.resolve()).as_posix()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        key = (video_id, kind, position)
        with self.transaction():
            old = self._db.execute(
                "SELECT sha256 FROM media WHERE video_id = ? AND kind = ? AND position = ?", key
            ).fetchone()
            self._db.execute(
                "INSERT OR REPLACE INTO media VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, relative, digest, path.stat().st_size, source, time.time()),
            )
            if old and old["sha256"] == digest:
                return False
            stages: list[Stage] = ["transcribe", "ocr"] if kind == "video" else ["ocr"]
            for stage in stages:
                text = self._db.execute(
                    "SELECT text IS NOT NULL AND engine = ? AS kept FROM texts WHERE video_id = ? AND kind = ?",
                    (IMPORTED, video_id, TEXT_OF_STAGE[stage]),
                ).fetchone()
                if not (text and text["kept"]):
                    self._set(video_id, stage, "due")
        return True

    def put_text(self, video_id: str, kind: TextKind, text: Text) -> None:
        """Store a text with its segments, and close its ledger line as done unless `text.text` is None (see `fail`)."""
        with self.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO texts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    video_id,
                    kind,
                    text.text,
                    text.language,
                    text.engine,
                    text.version,
                    text.model,
                    text.confidence,
                    time.time(),
                ),
            )
            if kind == "transcript":
                self._db.execute("DELETE FROM segments WHERE video_id = ?", (video_id,))
                self._db.executemany(
                    "INSERT INTO segments VALUES (?, ?, ?, ?, ?)",
                    ((video_id, n, s.start_s, s.end_s, s.text) for n, s in enumerate(text.segments)),
                )
            if text.text is not None:
                self._set(video_id, STAGE_OF_TEXT[kind], "done")

    def import_text(self, video_id: str, kind: TextKind, text: str | None) -> bool:
        """Take a text that came with the corpus, unless one was made here already. Returns whether it changed."""
        with self.transaction():
            old = self._db.execute(
                "SELECT text, engine FROM texts WHERE video_id = ? AND kind = ?", (video_id, kind)
            ).fetchone()
            if old and old["text"] is not None and (old["engine"] != IMPORTED or text in (None, old["text"])):
                return False
            if old and old["text"] is None and text is None:
                return False
            self.put_text(video_id, kind, Text(text, IMPORTED))
            if text is None:
                self._set(video_id, STAGE_OF_TEXT[kind], "failed", "unreadable where the text was imported from")
        return True

    # -- the ledger ---------------------------------------------------------------------------------------------

    def due(self, stage: Stage) -> list[str]:
        """The ids whose `stage` is due, in order."""
        rows = self._db.execute(
            "SELECT video_id FROM ledger WHERE stage = ? AND state = 'due' ORDER BY video_id", (stage,)
        )
        return [row["video_id"] for row in rows]

    def error(self, video_id: str, stage: Stage) -> str:
        """Why a stage of a video failed; "" where it did not."""
        row = self._db.execute(
            "SELECT error FROM ledger WHERE video_id = ? AND stage = ?", (video_id, stage)
        ).fetchone()
        return row["error"] if row else ""

    def finish(self, video_id: str, stage: Stage, state: Literal["done", "absent"]) -> None:
        """Close a ledger line that needs no text: a download that came, or media that do not exist."""
        with self.transaction():
            self._set(video_id, stage, state)

    def fail(self, video_id: str, stage: Stage, error: str, text: Text | None = None) -> None:
        """Close a ledger line as failed and count the try; `text` (its text None) records which engine tried."""
        with self.transaction():
            if text is not None:
                self.put_text(video_id, TEXT_OF_STAGE[stage], text)
            self._set(video_id, stage, "failed", error)

    def _set(self, video_id: str, stage: Stage, state: State, error: str = "") -> None:
        tried = int(state in ("done", "failed"))
        self._db.execute(
            "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state,"
            " tries = tries + excluded.tries, error = excluded.error, updated_at = excluded.updated_at",
            (video_id, stage, state, tried, error[:MAX_ERROR_CHARS], time.time()),
        )

    def retry(self, stage: Stage | None = None, ids: Sequence[str] = (), error: str = "") -> int:
        """Make failed lines due again: of one stage or all, of some ids or all, whose error contains `error`."""
        with self.transaction():
            return self._db.execute(
                "UPDATE ledger SET state = 'due' WHERE state = 'failed' AND instr(error, ?1)"
                " AND (?2 IS NULL OR stage = ?2) AND (?3 IS NULL OR video_id IN (SELECT value FROM json_each(?3)))",
                (error, stage, json.dumps(list(ids)) if ids else None),
            ).rowcount

    def status(self) -> dict[str, object]:
        """Counts for people and programs: videos, usable ones, ledger states and the commonest errors per stage."""
        stages: dict[str, dict[str, object]] = {
            stage: {"due": 0, "done": 0, "failed": 0, "absent": 0, "errors": {}} for stage in STAGES
        }
        for row in self._db.execute("SELECT stage, state, count(*) AS n FROM ledger GROUP BY stage, state"):
            stages[row["stage"]][row["state"]] = row["n"]
        for stage in STAGES:
            errors = self._db.execute(
                "SELECT error, count(*) AS n FROM ledger WHERE stage = ? AND state = 'failed'"
                " GROUP BY error ORDER BY n DESC, error LIMIT 10",
                (stage,),
            )
            stages[stage]["errors"] = {row["error"]: row["n"] for row in errors}
        media = self._db.execute("SELECT kind, count(DISTINCT video_id) AS n FROM media GROUP BY kind")
        return {
            "videos": len(self.ids()),
            "usable": len(self.ids(usable=True)),
            "media": {row["kind"]: row["n"] for row in media},
            "stages": stages,
        }

    def failures(self, stage: Stage | None = None) -> list[dict[str, object]]:
        """Every failed line with its error, number of tries and time."""
        rows = self._db.execute(
            "SELECT video_id, stage, error, tries, updated_at FROM ledger WHERE state = 'failed'"
            " AND (?1 IS NULL OR stage = ?1) ORDER BY stage, video_id",
            (stage,),
        )
        return [dict(row) for row in rows]
