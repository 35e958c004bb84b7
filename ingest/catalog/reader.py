"""Rows of the catalog -> entries: a video's record with its texts, media and the states of its stages."""

import json
import logging
import math
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from ingest.catalog import languages
from ingest.catalog.database import CatalogDamaged, CatalogError, Database
from ingest.catalog.entries import Encounter, Entry, Media, Segment, Text, TextKind
from ingest.catalog.ledger import Ledger
from ingest.catalog.migrations import digest
from ingest.catalog.removals import LISTED, REMOVED
from scraper.records import Caption, Comment, Video

log = logging.getLogger(__name__)
# what reading a damaged line may raise: bytes that are not UTF-8, broken JSON, keys that are missing or misspelt
_OF_ENTRY = "('record', 'cover', 'transcript', 'encounters')"  # the parts that `EntryReader.sums` looks at
_CHOSEN = "(SELECT value FROM json_each(?1))"
FEW = 1_000  # videos whose sums are looked up; of more, all sums are read
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, CatalogDamaged)


class BadEntry(CatalogError):
    """What the catalog has of one video is damaged."""

    def __init__(self, video_id: str, why: object) -> None:
        super().__init__(f"video {video_id} is damaged ({why}): run `tiktok-retrieval check --repair`")


class EntryReader:
    """Reads what the catalog knows of each video. Removed videos are left out."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database, self._ledger = database, ledger
        self.bad: dict[str, str] = {}

    def ids(self, *, usable: bool = False, among: Collection[str] | None = None) -> list[str]:
        """All ids in order, or those `among` some. With `usable`, without videos with a text that failed or is due."""
        chosen = "" if among is None else f"id IN {_CHOSEN} AND"
        rows = self._database.execute(
            f"SELECT id FROM videos WHERE {chosen} id NOT IN {REMOVED} AND NOT (?2"
            " AND EXISTS (SELECT 1 FROM ledger LEFT JOIN texts"
            " ON texts.video_id = ledger.video_id AND kind = iif(stage = 'ocr', 'cover', 'transcript')"
            " WHERE ledger.video_id = videos.id AND stage IN ('ocr', 'transcribe') AND state IN ('due', 'failed')"
            " AND texts.text IS NULL)) ORDER BY id",
            (json.dumps(list(among or ())), usable),
        )
        return [row["id"] for row in rows]

    def sums(self, ids: Iterable[str]) -> dict[str, bytes]:
        """For each video, bytes that change when what its entry says of its texts, lists and record does.

        Removed videos have them until they are erased.
        """
        found = dict.fromkeys(ids, b"")
        few = len(found) <= FEW
        only, values = (f" AND {{}} IN {_CHOSEN}", (json.dumps([*found]),)) if few else ("", ())
        for query in (
            "SELECT item, CAST(group_concat(part || ':' || hex(sum)) AS BLOB) FROM (SELECT * FROM sums"
            f" WHERE part IN {_OF_ENTRY}{only.format('item')} ORDER BY item, part) GROUP BY item",
            "SELECT video_id, CAST(group_concat(list || ':' || hex(name) || ':' || erased) AS BLOB) FROM"
            f" (SELECT * FROM removals WHERE list != ''{only.format('video_id')} ORDER BY video_id, list, name)"
            " GROUP BY video_id",
        ):
            for item, value in self._database.execute(query, values):
                if item in found:
                    found[item] += value + b";"
        return found

    def get(self, video_id: str) -> Entry | None:
        """The entry of a video, or None.

        Raises:
            BadEntry: it is damaged.
        """
        return self._where("id NOT IN", video_id)

    def removed(self, video_id: str) -> Entry | None:
        """The entry of a video that is removed and not erased yet, or None."""
        return self._where("id IN", video_id)

    def entries(self, ids: Iterable[str], *, whole: bool = True) -> Iterator[Entry]:
        """The entries of `ids` in their order, without ids that the catalog does not have.

        Args:
            whole: otherwise they have what a list of videos shows: no comments, texts, languages, states and notes.
        """
        for video_id in ids:
            try:
                entry = self._where("id NOT IN", video_id, whole=whole)
            except BadEntry as error:
                self.bad[video_id] = str(error)
                log.warning("left out: %s", error)
                continue
            if entry:
                yield entry

    def _where(self, condition: str, video_id: str, *, whole: bool = True) -> Entry | None:
        with self._database.snapshot():
            try:
                row = self._database.execute(
                    f"SELECT * FROM videos WHERE id = ? AND {condition} {REMOVED}", (video_id,)
                ).fetchone()
                return self._entry(video_id, row, whole=whole) if row else None
            except _DAMAGE as error:
                raise BadEntry(video_id, error) from error

    def _entry(self, video_id: str, row: sqlite3.Row, *, whole: bool) -> Entry:
        record: str = row["record"]
        comments = self._rows("SELECT record FROM comments WHERE video_id = ? ORDER BY position", video_id)
        parts = [record, *(comment["record"] for comment in comments)]
        intact = digest("\n".join(parts)) == row["sha256"]
        read = parts[1:] if whole or not intact else []
        fields = json.loads(record) | {"comments": [json.loads(part) for part in read]}
        if not intact:  # something has changed by itself: is it still a record?
            log.warning("the record of video %s is damaged: run `tiktok-retrieval check --repair`", video_id)
            if Video.model_validate(fields).id != video_id:
                raise ValueError("its id has changed")
        media = [
            self._media(media)
            for media in self._rows("SELECT * FROM media WHERE video_id = ? ORDER BY kind, position", video_id)
        ]
        encounters = [
            Encounter.model_construct(list=row["list"], at=row["at"], name=row["name"])
            for row in self._rows(
                f"SELECT * FROM encounters WHERE video_id = ? AND {LISTED} ORDER BY at, list, name", video_id
            )
        ]
        if not whole:
            return Entry(stored_video(fields), media=media, encounters=encounters)
        states, notes = self._ledger.states(video_id), self._ledger.notes(video_id)
        texts, spoken = self._texts(video_id)
        spoken |= {
            "description": languages.split(row["description_languages"]),
            "comments": languages.split(row["comment_languages"]),
        }
        return Entry(stored_video(fields), texts, media, states, encounters, notes, spoken)

    def media(self) -> Iterator[tuple[str, Media]]:
        """Every file, with the id of its video."""
        for row in self._database.execute(f"SELECT * FROM media WHERE video_id NOT IN {REMOVED}").fetchall():
            yield row["video_id"], self._media(row)

    def _media(self, row: sqlite3.Row) -> Media:
        path = self._database.data / row["path"]
        return Media(row["kind"], row["position"], path, row["sha256"], row["bytes"], row["source"])

    def _texts(self, video_id: str) -> tuple[dict[TextKind, Text], dict[str, tuple[str, ...]]]:
        """The texts that were made from the media of a video, and the languages of each."""
        segments: dict[TextKind, list[Segment]] = {"cover": [], "transcript": []}
        for row in self._rows("SELECT * FROM segments WHERE video_id = ? ORDER BY kind, position", video_id):
            if not (math.isfinite(row["start_s"]) and math.isfinite(row["end_s"])):
                raise ValueError("a time is not a number")
            segments[row["kind"]].append(
                Segment(row["start_s"], row["end_s"], row["text"], row["avg_logprob"], row["no_speech"])
            )
        rows = self._rows("SELECT * FROM texts WHERE video_id = ?", video_id)
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
            for row in rows
        }
        return texts, {row["kind"]: languages.split(row["languages"]) for row in rows}

    def _rows(self, sql: str, video_id: str) -> list[sqlite3.Row]:
        return self._database.execute(sql, (video_id,)).fetchall()


def stored_video(fields: dict[str, Any]) -> Video:
    """A record as it was stored. It was validated then; to validate every value again would slow down reading."""
    fields["comments"] = [Comment.model_construct(**comment) for comment in fields.get("comments", [])]
    fields["captions"] = [Caption.model_construct(**caption) for caption in fields.get("captions", [])]
    return Video.model_construct(**fields)
