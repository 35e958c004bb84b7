"""Relevance judgements ("this is the video that I meant") in the catalog."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ingest.catalog.database import CatalogError, CatalogLocked, Database, is_busy
from ingest.catalog.removals import REMOVED
from scraper.disk import explain
from scraper.errors import UserError


class NoSuchVideo(UserError):
    """A judgement is about a video that the catalog does not have."""


@dataclass(frozen=True)
class Judgement:
    """`query` was about this video, at `time_s` if a timestamp was meant; `generation` is the index that answered."""

    id: int
    query: str
    video_id: str
    time_s: float | None
    generation: str
    made_at: float


class Judgements:
    """The judgements in a catalog. To write one raises CatalogError if another process is writing for too long."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with self._database.transaction():
                yield
        except sqlite3.DatabaseError as error:
            if is_busy(error):
                raise CatalogLocked(
                    "the judgement could not be saved: another process is writing. Try again"
                ) from error
            reason = explain(error, self._database.data) or f"{error}: is the disk full? Make room and try again"
            raise CatalogError(f"the judgement could not be saved: {reason}") from error

    def add(self, query: str, video_id: str, time_s: float | None = None, generation: str = "") -> Judgement:
        """Save a judgement. If there is one of this query and video, update its timestamp and generation.

        Raises:
            NoSuchVideo: the catalog does not have the video.
        """
        query = " ".join(query.split())
        with self._writing():
            if not self._database.execute(
                f"SELECT 1 FROM videos WHERE id = ? AND id NOT IN {REMOVED}", (video_id,)
            ).fetchone():
                raise NoSuchVideo("there is no video with this id in the catalog")
            row = self._database.execute(
                "INSERT INTO judgements (query, video_id, time_s, generation, made_at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (query, video_id) DO UPDATE SET time_s = excluded.time_s,"
                " generation = excluded.generation, made_at = excluded.made_at RETURNING *",
                (query, video_id, time_s, generation, time.time()),
            ).fetchone()
        return Judgement(**dict(row))

    def delete(self, number: int) -> bool:
        """Delete a judgement. Return whether there was one."""
        with self._writing():
            return self._database.execute("DELETE FROM judgements WHERE id = ?", (number,)).rowcount > 0

    def all(self, limit: int = -1, offset: int = 0) -> list[Judgement]:
        """Judgements, newest first."""
        rows = self._database.execute(
            f"SELECT * FROM judgements WHERE video_id NOT IN {REMOVED} ORDER BY id DESC LIMIT ? OFFSET ?",
            (limit, offset),
        )
        return [Judgement(**dict(row)) for row in rows]

    def count(self) -> int:
        """How many judgements there are."""
        counted = self._database.execute(f"SELECT count(*) FROM judgements WHERE video_id NOT IN {REMOVED}")
        return int(counted.fetchone()[0])

    def of(self, query: str) -> dict[str, int]:
        """The videos that a query was judged to be about, with the ids of the judgements."""
        query = " ".join(query.split())
        return dict(
            tuple(row)
            for row in self._database.execute(
                f"SELECT video_id, id FROM judgements WHERE query = ? AND video_id NOT IN {REMOVED}", (query,)
            )
        )
