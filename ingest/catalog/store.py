"""The catalog: one SQLite file that holds records, comments, media, texts with provenance, segments and the ledger.

A text that is NULL could not be read; an empty one means that nothing was there. The ledger says for each video and
stage whether it is due, done, failed (with the error and the number of tries) or absent (the video has no such media).
Every change of one item is one transaction, so a killed process loses at most the item it was working on.
"""

import contextlib
import json
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from ingest.catalog import languages
from ingest.catalog.browse import CatalogBrowser
from ingest.catalog.changes import Changes
from ingest.catalog.database import BUSY_TIMEOUT_S, CatalogError, Database, cause_of
from ingest.catalog.entries import (
    CAPTIONS,
    GIVEN,
    HAND,
    IMPORTED,
    READ_BY,
    STAGE_OF_TEXT,
    TEXT_OF_STAGE,
    Encounter,
    Entry,
    Media,
    MediaKind,
    Outcome,
    Stage,
    Text,
    TextKind,
)
from ingest.catalog.import_notes import ImportNotes
from ingest.catalog.judgements import Judgements
from ingest.catalog.ledger import Ledger
from ingest.catalog.reader import EntryReader
from ingest.catalog.records import Records
from ingest.catalog.removals import REMOVED, Removals, stored_path
from ingest.catalog.rename import move, with_content
from scraper.disk import explain
from scraper.files import make_private, sha256
from scraper.records import Video


class Catalog:
    """The catalog in a data folder. Open one per thread and close it (or use `with`).

    Its parts share one connection: `ledger`, `judgements`, `removals`, `changes`, `import_notes` and `browser`. Changes
    that touch several tables are methods of the catalog itself. Videos that are removed do not exist for any part but
    `removals`.

    Args:
        data: The data folder.
        create: Create the folder and the file if they do not exist.
        busy_s: How many seconds to wait for another process that is writing.
        read_only: Change nothing, so that a full disk or a read-only mount is no obstacle.

    Raises:
        CatalogError: there is no catalog and `create` is false, it is broken, or a newer program made it.
    """

    def __init__(
        self, data: Path, *, create: bool = False, busy_s: float = BUSY_TIMEOUT_S, read_only: bool = False
    ) -> None:
        self.database = Database(data, create=create, busy_s=busy_s, read_only=read_only)
        self.data, self.path = data, self.database.path
        self.ledger = Ledger(self.database)
        self.judgements = Judgements(self.database)
        self.removals = Removals(self.database)
        self.changes = Changes(self.database)
        self.import_notes = ImportNotes(self.database)
        self._reader = EntryReader(self.database, self.ledger)
        self._records = Records(self.database, self.ledger)
        self.browser = CatalogBrowser(self.database)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if isinstance(error, OSError | sqlite3.OperationalError) and (known := explain(error, self.data)):
            raise known from error
        if type(error) is sqlite3.DatabaseError and (damage := cause_of(error, self.path)) is not error:
            raise damage from error

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Write all or nothing; other processes see it at the end. An inner transaction can fail alone."""
        return self.database.transaction()

    # -- records and entries ------------------------------------------------------------------------------------

    def put_video(self, video: Video) -> Outcome:
        """Store a record. Records of one video merge field by field, the newest non-empty value first.

        Texts and media that are there already stay. Stages that the merged record makes possible become due; the
        others are absent.
        """
        return self._records.put(video)

    def with_content(self, sha256: str) -> str | None:
        """The id of the video whose video file has this content, or None."""
        return with_content(self.database, sha256)

    def rename(self, old: str, video: Video) -> None:
        """Store `video` and move everything that hangs on the id `old` to it; `old` is gone then."""
        with self.transaction():
            self.put_video(video)
            folder = self.media_folder(video.id).relative_to(self.data).as_posix()
            move(self.database, old, video.id, folder)

    def put_encounters(self, video_id: str, encounters: Iterable[Encounter]) -> int:
        """Store when and in which lists a person met a video. Return how many are new."""
        with self.transaction():
            ended = self.removals.ended(video_id)
            return self.database.executemany(
                "INSERT INTO encounters VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [(video_id, met.list, met.name, met.at) for met in encounters if (met.list, met.name) not in ended],
            ).rowcount

    def put_origin(self, video_id: str, path: Path) -> None:
        """Store that a video was imported from a file."""
        with self.transaction():
            self.database.execute(
                "INSERT INTO origins VALUES (?, ?) ON CONFLICT DO NOTHING", (video_id, stored_path(path))
            )

    def records(self, video_id: str) -> list[Video]:
        """Every record kept of a video, newest first: its entry is merged from them."""
        return self._records.of(video_id)

    def merge_again(self, video_id: str) -> None:
        """Merge the records of a video again. What was done for it stays."""
        self._records.merge_again(video_id)

    def ids(self, *, usable: bool = False, among: Collection[str] | None = None) -> list[str]:
        """All ids in order, or those `among` some. With `usable`, without videos with a text that failed or is due."""
        return self._reader.ids(usable=usable, among=among)

    def sums(self, ids: Iterable[str]) -> dict[str, bytes]:
        """For each video, bytes that change when what its entry says of its texts, lists and record does."""
        return self._reader.sums(ids)

    def get(self, video_id: str) -> Entry | None:
        """The entry of a video, or None.

        Raises:
            BadEntry: it is damaged.
        """
        return self._reader.get(video_id)

    def removed(self, video_id: str) -> Entry | None:
        """The entry of a video that is removed and not erased yet, or None."""
        return self._reader.removed(video_id)

    def entries(self, ids: Iterable[str], *, whole: bool = True) -> Iterator[Entry]:
        """The entries of `ids` in their order, without ids that the catalog does not have, and without `bad` ones.

        Args:
            whole: otherwise they have what a list of videos shows: no comments, texts, languages, states and notes.
        """
        return self._reader.entries(ids, whole=whole)

    @property
    def bad(self) -> dict[str, str]:
        """What `entries` has left out because it is damaged: why, by id."""
        return self._reader.bad

    # -- media and texts ----------------------------------------------------------------------------------------

    def media_folder(self, video_id: str) -> Path:
        """The folder of a video's files, created if missing. Ids are spread over a hundred folders.

        Raises:
            CatalogError: the id is not all digits, or a folder is a link and could lead out of the data folder.
        """
        if not (video_id.isascii() and video_id.isdigit()):
            raise CatalogError(f"{video_id!r} is not a video id: ids are digits only")
        folder = self.data
        for part in ("media", video_id[-2:], video_id):
            folder = folder / part
            if folder.is_symlink():
                raise CatalogError(
                    f"{folder} is a link: files are written into the data folder only; move it as a whole"
                )
            make_private(folder)
        return folder

    def media(self) -> Iterator[tuple[str, Media]]:
        """Every file, with the id of its video."""
        return self._reader.media()

    def put_media(self, video_id: str, kind: MediaKind, path: Path, source: str, *, position: int = 0) -> bool:
        """Enter a file of the data folder. The stages that read it become due.

        Return whether the file is new or its content changed. Texts that were imported stay. The file of a video that
        was erased in the meantime is deleted.
        """
        relative = path.resolve().relative_to(self.data.resolve()).as_posix()
        content = sha256(path)
        key = (video_id, kind, position)
        with self.transaction():
            if not self._has(video_id):
                path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    path.parent.rmdir()
                return False
            old = self.database.execute(
                "SELECT sha256 FROM media WHERE video_id = ? AND kind = ? AND position = ?", key
            ).fetchone()
            self.database.execute(
                "INSERT OR REPLACE INTO media VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, relative, content, path.stat().st_size, source, time.time()),
            )
            if source != "downloaded":
                self.ledger.drop_file(*key)
            if old and old["sha256"] == content:
                return False
            for stage in READ_BY[kind]:
                text = self.database.execute(
                    "SELECT text, engine FROM texts WHERE video_id = ? AND kind = ?", (video_id, TEXT_OF_STAGE[stage])
                ).fetchone()
                if not (text and text["text"] is not None and text["engine"] in GIVEN):
                    self.ledger.set(video_id, stage, "due")
        return True

    def put_text(self, video_id: str, kind: TextKind, text: Text, note: str | None = None) -> None:
        """Store a text with its segments. Its stage is done then, unless `text.text` is None (see `fail`).

        Only a person replaces what a person wrote. `note` goes into the ledger: what was chosen to be read, or why
        nothing was found.
        """
        with self.transaction():
            old = self.database.execute(
                "SELECT engine FROM texts WHERE video_id = ? AND kind = ?", (video_id, kind)
            ).fetchone()
            if old and old["engine"] == HAND != text.engine:
                self.ledger.set(video_id, STAGE_OF_TEXT[kind], "done")
                return
            if not self._has(video_id):
                return  # it was erased in the meantime
            self.database.execute(
                "INSERT OR REPLACE INTO texts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                    text.recipe,
                    languages.of_text(text, kind),
                ),
            )
            self.database.execute("DELETE FROM segments WHERE video_id = ? AND kind = ?", (video_id, kind))
            self.database.executemany(
                "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (video_id, kind, n, s.start_s, s.end_s, s.text, s.avg_logprob, s.no_speech)
                    for n, s in enumerate(text.segments)
                ),
            )
            if text.text is not None:
                self.ledger.set(video_id, STAGE_OF_TEXT[kind], "done", note=note)

    def put_captions(self, video_id: str, text: Text, damage: str) -> None:
        """Store a transcript from captions. With `damage`, its stage is due: Whisper may read more."""
        with self.transaction():
            self.put_text(video_id, "transcript", text)
            entry = self.get(video_id)
            if damage and entry and entry.texts["transcript"].engine == CAPTIONS:
                self.ledger.set(video_id, "transcribe", "due", damage)

    def import_text(self, video_id: str, kind: TextKind, text: str | None) -> bool:
        """Store a text that came with the corpus, unless one was made here already. Return whether it changed."""
        with self.transaction():
            old = self.database.execute(
                "SELECT text, engine FROM texts WHERE video_id = ? AND kind = ?", (video_id, kind)
            ).fetchone()
            if old and old["text"] is not None and (old["engine"] != IMPORTED or text in (None, old["text"])):
                return False
            if old and old["text"] is None and text is None:
                return False
            self.put_text(video_id, kind, Text(text, IMPORTED))
            if text is None:
                self.ledger.set(video_id, STAGE_OF_TEXT[kind], "failed", "unreadable where the text was imported from")
        return True

    def outdated(self, stage: Stage, recipes: Sequence[str]) -> list[str]:
        """The ids whose text of a stage was made, or tried, here with none of `recipes`.

        Also those whose text is empty without a note that says why: an earlier version looked at less of a file.
        Their lines stay as they are until the text is made again, so a setting can be undone at no cost.
        """
        rows = self.database.execute(
            "SELECT video_id FROM ledger JOIN texts USING (video_id)"
            f" WHERE video_id NOT IN {REMOVED} AND stage = ? AND kind = ? AND state IN ('done', 'failed')"
            " AND (recipe NOT IN (SELECT value FROM json_each(?)) OR (text = '' AND note IS NULL))"
            " AND engine NOT IN (SELECT value FROM json_each(?))",
            (stage, TEXT_OF_STAGE[stage], json.dumps(recipes), json.dumps(GIVEN)),
        )
        return [row["video_id"] for row in rows]

    def forget_text(self, video_id: str, kind: TextKind) -> bool:
        """Drop a text, whoever made it, and make its stage due. Return whether there was one."""
        with self.transaction():
            dropped = self.database.execute(
                "DELETE FROM texts WHERE video_id = ? AND kind = ?", (video_id, kind)
            ).rowcount
            self.database.execute("DELETE FROM segments WHERE video_id = ? AND kind = ?", (video_id, kind))
            if dropped:
                self.ledger.set(video_id, STAGE_OF_TEXT[kind], "due")
        return bool(dropped)

    def fail(self, video_id: str, stage: Stage, error: str, text: Text | None = None) -> None:
        """Write that a stage failed and count the try. `text` (its text None) records which engine tried."""
        with self.transaction():
            if text is not None:
                self.put_text(video_id, TEXT_OF_STAGE[stage], text)
            self.ledger.set(video_id, stage, "failed", error)

    def _has(self, video_id: str) -> bool:
        return bool(self.database.execute("SELECT 1 FROM videos WHERE id = ?", (video_id,)).fetchone())

    def status(self) -> dict[str, object]:
        """Counts for people and programs: videos, usable ones, media, ledger states and errors per stage, downloads."""
        media = self.database.execute(
            f"SELECT kind, count(DISTINCT video_id) AS n FROM media WHERE video_id NOT IN {REMOVED} GROUP BY kind"
        )
        return {
            "videos": len(self.ids()),
            "usable": len(self.ids(usable=True)),
            "media": {row["kind"]: row["n"] for row in media},
            "stages": self.ledger.stage_counts(),
            "files": self.ledger.file_counts(),
        }
