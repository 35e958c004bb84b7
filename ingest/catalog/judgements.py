"""What people said of answers ("this is the one") -> rows of the catalogue, and from there a query file."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest.catalog.database import BUSY_TIMEOUT_S, CatalogError, Database
from scraper.errors import UserError


class NoSuchVideo(UserError):
    """A judgement is about a video that the catalogue does not have."""


@dataclass(frozen=True)
class Judgement:
    """That `query` was about this video, at `time_s` if a moment was meant, as answered by a generation."""

    id: int
    query: str
    video_id: str
    time_s: float | None
    generation: str
    made_at: float


class Judgements(Database):
    """The judgements in a catalogue; open one per thread, close it (or use `with`).

    Raises:
        CatalogError: as the catalogue; or another process has been writing for longer than `busy_s` seconds.
    """

    def __init__(self, data: Path, *, busy_s: float = BUSY_TIMEOUT_S) -> None:
        super().__init__(data)
        self._db.execute(f"PRAGMA busy_timeout = {int(busy_s * 1000)}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            with super().transaction():
                yield
        except sqlite3.OperationalError as error:
            raise CatalogError(f"this cannot be kept just now ({error}): try again in a moment") from error

    def add(self, query: str, video_id: str, time_s: float | None = None, generation: str = "") -> Judgement:
        """Keep a judgement; said again of the same question and video, it is the old one with its new moment.

        Raises:
            NoSuchVideo: the catalogue does not have the video.
        """
        query = " ".join(query.split())
        with self.transaction():
            if not self._db.execute("SELECT 1 FROM videos WHERE id = ?", (video_id,)).fetchone():
                raise NoSuchVideo("there is no video with this id in the catalogue")
            row = self._db.execute(
                "INSERT INTO judgements (query, video_id, time_s, generation, made_at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (query, video_id) DO UPDATE SET time_s = excluded.time_s,"
                " generation = excluded.generation, made_at = excluded.made_at RETURNING *",
                (query, video_id, time_s, generation, time.time()),
            ).fetchone()
        return Judgement(**dict(row))

    def delete(self, number: int) -> bool:
        """Forget a judgement; returns whether there was one."""
        with self.transaction():
            return self._db.execute("DELETE FROM judgements WHERE id = ?", (number,)).rowcount > 0

    def all(self, limit: int = -1, offset: int = 0) -> list[Judgement]:
        """Judgements, newest first."""
        rows = self._db.execute("SELECT * FROM judgements ORDER BY id DESC LIMIT ? OFFSET ?", (limit, offset))
        return [Judgement(**dict(row)) for row in rows]

    def count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM judgements").fetchone()[0])

    def of(self, query: str) -> dict[str, int]:
        """The videos that a question was said to be about, with the judgements' numbers."""
        query = " ".join(query.split())
        return dict(
            tuple(row) for row in self._db.execute("SELECT video_id, id FROM judgements WHERE query = ?", (query,))
        )
