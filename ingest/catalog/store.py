"""The catalogue: one SQLite file that holds records, comments, media, texts with provenance, segments and the ledger.

A text that is NULL could not be read; an empty one means that nothing was there. The ledger says for each video and
stage whether it is due, done, failed (with the error and the number of tries) or absent (the video has no such media).
Every change of one item is one transaction, so a killed process loses at most the item it was at.
"""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ingest.catalog.database import CatalogError
from ingest.catalog.entries import (
    GIVEN,
    HAND,
    IMPORTED,
    READ_BY,
    STAGE_OF_TEXT,
    STAGES,
    TEXT_OF_STAGE,
    Entry,
    Media,
    MediaKind,
    Outcome,
    Segment,
    Stage,
    State,
    Text,
    TextKind,
)
from ingest.catalog.ledger import Ledger
from ingest.catalog.merge import merge
from ingest.catalog.migrations import digest
from scraper.files import sha256
from scraper.records import Caption, Comment, Video

__all__ = ["STAGES", "Catalog", "CatalogError", "Entry", "Media", "Segment", "Stage", "State", "Text"]

MAX_RECORDS = 20  # kept of one video; a hostile file could hold thousands
CLOCK_SKEW_S = 86_400.0  # by which another computer's clock may be ahead; a record from later has no known time


class Catalog(Ledger):
    """The catalogue in a data folder; open one per thread, close it (or use `with`).

    Raises:
        CatalogError: there is none and `create` is false, it is broken, or a newer program made it.
    """

    # -- records ------------------------------------------------------------------------------------------------

    def put_video(self, video: Video) -> Outcome:
        """Store a record. Records of one video merge field by field, the newest non-empty value first; texts and media
        already there stay.

        Stages that the merged record makes possible become due; those it has nothing for are absent.
        """
        if video.scraped_at and video.scraped_at > time.time() + CLOCK_SKEW_S:
            video = video.model_copy(update={"scraped_at": None})  # it would win for ever
        with self.transaction():
            old = self._db.execute("SELECT record FROM videos WHERE id = ?", (video.id,)).fetchone()
            if not old:  # what `records` refers to; `_put_merged` fills it
                self._db.execute("INSERT INTO videos VALUES (?, '', '', 0, 0)", (video.id,))
            if not self._put_record(video):
                return "unchanged"
            if not self._put_merged(merge(self.records(video.id)), json.loads(old["record"]) if old else {}):
                return "unchanged"
        return "updated" if old else "new"

    def _put_record(self, video: Video) -> bool:
        """Keep a record as it came; returns whether it is one that was not known.

        Beyond MAX_RECORDS the two oldest become one, so that nothing is lost that only they have.
        """
        record = video.model_dump_json(exclude_defaults=True)
        fresh = self._db.execute(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (video.id, digest(record), record, video.scraped_at or 0.0, time.time()),
        ).rowcount
        if not fresh:
            return False
        rows = self._db.execute(
            f"SELECT * FROM records WHERE video_id = ? {_NEWEST_FIRST}",  # noqa: S608
            (video.id,),
        ).fetchall()
        if len(rows) > MAX_RECORDS:
            old = merge([_video(json.loads(row["record"])) for row in rows[-2:]]).model_dump_json(exclude_defaults=True)
            self._db.executemany(
                "DELETE FROM records WHERE video_id = ? AND sha256 = ?",
                [(video.id, row["sha256"]) for row in rows[-2:]],
            )
            self._db.execute(
                "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)",
                (video.id, digest(old), old, rows[-2]["scraped_at"], rows[-2]["met_at"]),
            )
        return True

    def records(self, video_id: str) -> list[Video]:
        """Every record kept of a video, newest first: what its entry was merged from."""
        rows = self._db.execute(f"SELECT record FROM records WHERE video_id = ? {_NEWEST_FIRST}", (video_id,))  # noqa: S608
        return [_video(json.loads(row["record"])) for row in rows]

    def _put_merged(self, video: Video, old: dict[str, Any]) -> bool:
        """Make a merged record what is known of its video; returns whether it is another than `old`."""
        record = video.model_dump_json(exclude={"comments"}, exclude_defaults=True)
        comments = [comment.model_dump_json(exclude_defaults=True) for comment in video.comments]
        merged = digest("\n".join([record, *comments]))
        now = time.time()
        changed = self._db.execute(
            "UPDATE videos SET record = ?, sha256 = ?, scraped_at = ?, imported_at = ? WHERE id = ? AND sha256 != ?",
            (record, merged, video.scraped_at or 0.0, now, video.id, merged),
        ).rowcount
        if not changed:
            return False
        self._db.execute("DELETE FROM comments WHERE video_id = ?", (video.id,))
        self._db.executemany(
            "INSERT INTO comments VALUES (?, ?, ?)", ((video.id, n, c) for n, c in enumerate(comments))
        )
        moving, still = bool(video.video_sources), bool(video.cover_sources or video.slide_sources)
        linked = video.has_page and not (moving or video.slide_sources)  # the rest is to be had from its page
        came = _links(json.loads(record)) - _links(old)
        wanted: dict[Stage, bool] = {
            "download": moving or still or linked or bool(video.captions),
            "ocr": moving or still or linked,
            "transcribe": moving or linked or bool(video.captions),
        }
        for stage, possible in wanted.items():
            # what was absent has a new chance, and so has a download where links are new; texts that are done stay done
            self._db.execute(
                "INSERT INTO ledger VALUES (?1, ?2, ?3, 0, '', ?4) ON CONFLICT DO UPDATE"
                " SET state = excluded.state, updated_at = excluded.updated_at WHERE excluded.state = 'due'"
                " AND (state = 'absent' OR (stage = 'download' AND ?5))",
                (video.id, stage, "due" if possible else "absent", now, bool(came)),
            )
        return True

    def ids(self, *, usable: bool = False) -> list[str]:
        """All ids in order; `usable` leaves out those that lack a text which failed or is still to be made."""
        rows = self._db.execute(
            "SELECT id FROM videos WHERE NOT (? AND EXISTS (SELECT 1 FROM ledger LEFT JOIN texts"
            " ON texts.video_id = ledger.video_id AND kind = iif(stage = 'ocr', 'cover', 'transcript')"
            " WHERE ledger.video_id = videos.id AND stage IN ('ocr', 'transcribe') AND state IN ('due', 'failed')"
            " AND texts.text IS NULL)) ORDER BY id",
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
        fields = json.loads(record) | {"comments": [json.loads(row["record"]) for row in comments]}
        segments: dict[TextKind, list[Segment]] = {"cover": [], "transcript": []}
        for row in rows("SELECT * FROM segments WHERE video_id = ? ORDER BY kind, position"):
            segments[row["kind"]].append(
                Segment(row["start_s"], row["end_s"], row["text"], row["avg_logprob"], row["no_speech"])
            )
        texts: dict[TextKind, Text] = {
            row["kind"]: Text(
                row["text"],
                row["engine"],
                row["version"],
                row["model"],
                row["language"],
                row["confidence"],
                segments[row["kind"]],
                row["recipe"],
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
        return Entry(_video(fields), texts, media, states)

    # -- media and texts ----------------------------------------------------------------------------------------

    def media_folder(self, video_id: str) -> Path:
        """The folder of a video's files, made where missing; ids are spread over a hundred folders.

        Raises:
            CatalogError: the id is no plain digits, or a folder is a link, so it could lead out of the data folder.
        """
        if not (video_id.isascii() and video_id.isdigit()):
            raise CatalogError(f"{video_id!r} is no video id: ids are digits only")
        folder = self.data
        for part in ("media", video_id[-2:], video_id):
            folder = folder / part
            if folder.is_symlink():
                raise CatalogError(
                    f"{folder} is a link: files are written into the data folder only; move it as a whole"
                )
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def put_media(self, video_id: str, kind: MediaKind, path: Path, source: str, *, position: int = 0) -> bool:
        """Enter a file that lies in the data folder; texts that its content can give become due.

        Returns whether the file is new or its content changed. Texts that were imported stay.
        """
        relative = path.resolve().relative_to(self.data.resolve()).as_posix()
        content = sha256(path)
        key = (video_id, kind, position)
        with self.transaction():
            old = self._db.execute(
                "SELECT sha256 FROM media WHERE video_id = ? AND kind = ? AND position = ?", key
            ).fetchone()
            self._db.execute(
                "INSERT OR REPLACE INTO media VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, relative, content, path.stat().st_size, source, time.time()),
            )
            if source != "downloaded":
                self.drop_file(*key)
            if old and old["sha256"] == content:
                return False
            for stage in READ_BY[kind]:
                text = self._db.execute(
                    "SELECT text, engine FROM texts WHERE video_id = ? AND kind = ?", (video_id, TEXT_OF_STAGE[stage])
                ).fetchone()
                if not (text and text["text"] is not None and text["engine"] in GIVEN):
                    self._set(video_id, stage, "due")
        return True

    def put_text(self, video_id: str, kind: TextKind, text: Text) -> None:
        """Store a text with its segments, and close its ledger line as done unless `text.text` is None (see `fail`).

        What a person wrote is only replaced by a person.
        """
        with self.transaction():
            old = self._db.execute(
                "SELECT engine FROM texts WHERE video_id = ? AND kind = ?", (video_id, kind)
            ).fetchone()
            if old and old["engine"] == HAND != text.engine:
                self._set(video_id, STAGE_OF_TEXT[kind], "done")
                return
            self._db.execute(
                "INSERT OR REPLACE INTO texts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                ),
            )
            self._db.execute("DELETE FROM segments WHERE video_id = ? AND kind = ?", (video_id, kind))
            self._db.executemany(
                "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (video_id, kind, n, s.start_s, s.end_s, s.text, s.avg_logprob, s.no_speech)
                    for n, s in enumerate(text.segments)
                ),
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

    def outdated(self, stage: Stage, recipes: Sequence[str]) -> list[str]:
        """The ids whose text of a stage was made, or tried, here by none of `recipes`.

        Their lines stay as they are until the text is made anew: a setting that is taken back costs nothing.
        """
        rows = self._db.execute(
            "SELECT video_id FROM ledger JOIN texts USING (video_id)"
            " WHERE stage = ? AND kind = ? AND state IN ('done', 'failed')"
            " AND recipe NOT IN (SELECT value FROM json_each(?)) AND engine NOT IN (SELECT value FROM json_each(?))",
            (stage, TEXT_OF_STAGE[stage], json.dumps(recipes), json.dumps(GIVEN)),
        )
        return [row["video_id"] for row in rows]

    def forget_text(self, video_id: str, kind: TextKind) -> bool:
        """Drop a text, whoever made it, and make its stage due; returns whether there was one."""
        with self.transaction():
            dropped = self._db.execute("DELETE FROM texts WHERE video_id = ? AND kind = ?", (video_id, kind)).rowcount
            self._db.execute("DELETE FROM segments WHERE video_id = ? AND kind = ?", (video_id, kind))
            if dropped:
                self._set(video_id, STAGE_OF_TEXT[kind], "due")
        return bool(dropped)

    def fail(self, video_id: str, stage: Stage, error: str, text: Text | None = None) -> None:
        """Close a ledger line as failed and count the try; `text` (its text None) records which engine tried."""
        with self.transaction():
            if text is not None:
                self.put_text(video_id, TEXT_OF_STAGE[stage], text)
            self._set(video_id, stage, "failed", error)

    def status(self) -> dict[str, object]:
        """Counts for people and programs: videos, usable ones, media, ledger states and errors per stage, downloads."""
        media = self._db.execute("SELECT kind, count(DISTINCT video_id) AS n FROM media GROUP BY kind")
        return {
            "videos": len(self.ids()),
            "usable": len(self.ids(usable=True)),
            "media": {row["kind"]: row["n"] for row in media},
            "stages": self.stage_counts(),
            "files": self.file_counts(),
        }


# scrapes of the same second go by their content, so that the same one wins in whichever order they come
_NEWEST_FIRST = "ORDER BY scraped_at DESC, iif(scraped_at, 0, met_at) DESC, sha256 DESC"


def _links(record: dict[str, Any]) -> set[str]:
    links = {link for name in ("video_sources", "cover_sources", "slide_sources") for link in record.get(name, [])}
    return links | {track.get("url", "") for track in record.get("captions", [])}


def _video(fields: dict[str, Any]) -> Video:
    """A record as it was stored, validated then: reading a corpus back costs no second validation of every value."""
    fields["comments"] = [Comment.model_construct(**comment) for comment in fields.get("comments", [])]
    fields["captions"] = [Caption.model_construct(**caption) for caption in fields.get("captions", [])]
    return Video.model_construct(**fields)
