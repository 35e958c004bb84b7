"""Scraped records -> rows of the catalog: every record of a video is kept, and merged into the one that counts."""

import json
import time
from typing import Any

from ingest.catalog import languages
from ingest.catalog.database import Database
from ingest.catalog.entries import Outcome
from ingest.catalog.ledger import Ledger
from ingest.catalog.merge import merge
from ingest.catalog.migrations import digest
from ingest.catalog.reader import stored_video
from ingest.catalog.removals import REMOVED
from scraper.records import Video

MAX_RECORDS = 20  # kept of one video; a hostile file could hold thousands
CLOCK_SKEW_S = 86_400.0  # how far another computer's clock may be ahead; a later record has no known time
# scrapes of the same second are ordered by their content, so that the same one wins in any order of import
_NEWEST_FIRST = "ORDER BY scraped_at DESC, iif(scraped_at, 0, met_at) DESC, sha256 DESC"


class Records:
    """The records of each video, and what they merge into."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database, self._ledger = database, ledger

    def put(self, video: Video) -> Outcome:
        """Store a record and merge it with the older ones of the same video. A removed video stays as it is."""
        if video.scraped_at and video.scraped_at > time.time() + CLOCK_SKEW_S:
            video = video.model_copy(update={"scraped_at": None})  # it would win for ever
        with self._database.transaction():
            if self._database.execute(f"SELECT 1 WHERE ? IN {REMOVED}", (video.id,)).fetchone():
                return "unchanged"  # also if it was erased while its page was read
            old = self._database.execute("SELECT record FROM videos WHERE id = ?", (video.id,)).fetchone()
            if not old:  # the row that `records` refers to; `_put_merged` fills it
                self._database.execute("INSERT INTO videos VALUES (?, '', '', 0, 0, '', '')", (video.id,))
            if not self._put_record(video):
                return "unchanged"
            if not self._put_merged(merge(self.of(video.id)), _fields(old["record"]) if old else {}):
                return "unchanged"
        return "updated" if old else "new"

    def of(self, video_id: str) -> list[Video]:
        """Every record kept of a video, newest first."""
        rows = self._database.execute(
            f"SELECT record FROM records WHERE video_id = ? {_NEWEST_FIRST}",
            (video_id,),
        )
        return [stored_video(fields) for row in rows if (fields := _fields(row["record"]))]

    def merge_again(self, video_id: str) -> None:
        """Merge the records of a video again, whatever its line holds. Its links do not count as new ones."""
        merged = merge(self.of(video_id))
        with self._database.transaction():
            self._database.execute("UPDATE videos SET sha256 = '' WHERE id = ?", (video_id,))
            self._put_merged(merged, json.loads(merged.model_dump_json()))

    def _put_record(self, video: Video) -> bool:
        """Keep a record as it came. Return whether it is a new one.

        Beyond MAX_RECORDS the two oldest are merged, so that nothing is lost that only they have.
        """
        record = video.model_dump_json(exclude_defaults=True)
        is_new = self._database.execute(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (video.id, digest(record), record, video.scraped_at or 0.0, time.time()),
        ).rowcount
        if not is_new:
            return False
        rows = self._database.execute(
            f"SELECT * FROM records WHERE video_id = ? {_NEWEST_FIRST}",
            (video.id,),
        ).fetchall()
        if len(rows) > MAX_RECORDS:
            oldest = [stored_video(fields) for row in rows[-2:] if (fields := _fields(row["record"]))]
            merged = merge(oldest or [video]).model_dump_json(exclude_defaults=True)
            self._database.executemany(
                "DELETE FROM records WHERE video_id = ? AND sha256 = ?",
                [(video.id, row["sha256"]) for row in rows[-2:]],
            )
            self._database.execute(
                "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)",
                (video.id, digest(merged), merged, rows[-2]["scraped_at"], rows[-2]["met_at"]),
            )
        return True

    def _put_merged(self, video: Video, old: dict[str, Any]) -> bool:
        """Store a merged record with its comments and stages. Return whether it differs from the stored one."""
        record = video.model_dump_json(exclude={"comments"}, exclude_defaults=True)
        comments = [comment.model_dump_json(exclude_defaults=True) for comment in video.comments]
        merged = digest("\n".join([record, *comments]))
        changed = self._database.execute(
            "UPDATE videos SET record = ?, sha256 = ?, scraped_at = ?, imported_at = ? WHERE id = ? AND sha256 != ?",
            (record, merged, video.scraped_at or 0.0, time.time(), video.id, merged),
        ).rowcount
        if not changed:
            return False
        self._database.execute(
            "UPDATE videos SET description_languages = ?, comment_languages = ? WHERE id = ?",
            (languages.of_description(record), languages.of_comments(comments), video.id),
        )
        self._database.execute("DELETE FROM comments WHERE video_id = ?", (video.id,))
        self._database.executemany(
            "INSERT INTO comments VALUES (?, ?, ?)", ((video.id, n, c) for n, c in enumerate(comments))
        )
        moving, still = bool(video.video_sources), bool(video.cover_sources or video.slide_sources)
        linked = video.has_page and not (moving or video.slide_sources)  # the page gives the links that are missing
        self._ledger.expect(
            video.id,
            {
                "download": moving or still or linked or bool(video.captions),
                "ocr": moving or still or linked,
                "transcribe": moving or linked or bool(video.captions),
            },
            new_links=bool(_links(json.loads(record)) - _links(old)),
        )
        return True


def _fields(record: str) -> dict[str, Any]:
    """The fields of a stored record; none if it is damaged."""
    try:
        fields = json.loads(record)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) and "id" in fields else {}


def _links(record: dict[str, Any]) -> set[str]:
    links = {link for name in ("video_sources", "cover_sources", "slide_sources") for link in record.get(name, [])}
    return links | {track.get("url", "") for track in record.get("captions", [])}
