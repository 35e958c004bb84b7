"""The ledger: whether each stage of each video is due, done, failed or absent, and how each file's download went.

A failed line keeps its error and its number of tries; an absent one says that the video has no such media.
"""

import json
import sqlite3
import time
from collections.abc import Sequence
from typing import Literal

from ingest.catalog.database import Database
from ingest.catalog.entries import STAGES, FileKind, Stage, State

MAX_ERROR_CHARS = 500  # an error in the ledger is a sentence, not a traceback


class Ledger(Database):
    """What is to be done and what became of it."""

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

    def put_file(self, video_id: str, kind: FileKind, position: int, word: str = "", error: str = "") -> None:
        """Enter what one try to download a file came to: `word` and sentence of its failure, or "" where it came."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO files VALUES (?, ?, ?, ?, 1, ?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state,"
                " tries = tries + 1, word = excluded.word, error = excluded.error, updated_at = excluded.updated_at",
                (
                    video_id,
                    kind,
                    position,
                    "failed" if word else "done",
                    word,
                    error[:MAX_ERROR_CHARS],
                    time.time(),
                ),
            )

    def drop_file(self, video_id: str, kind: FileKind, position: int) -> None:
        """Forget what became of a file that no longer matters."""
        with self.transaction():
            self._db.execute(
                "DELETE FROM files WHERE video_id = ? AND kind = ? AND position = ?", (video_id, kind, position)
            )

    def file_lines(self, video_id: str | None = None) -> list[dict[str, object]]:
        """The line of every file that was asked for, of one video or all: video_id, kind, position, state, tries,
        word, error, updated_at (unix seconds)."""
        rows = self._db.execute(
            "SELECT * FROM files WHERE ?1 IS NULL OR video_id = ?1 ORDER BY video_id, kind, position", (video_id,)
        )
        return [dict(row) for row in rows]

    def failures(self, stage: Stage | None = None) -> list[dict[str, object]]:
        """Every failed line with its error, number of tries and time."""
        rows = self._db.execute(
            "SELECT video_id, stage, error, tries, updated_at FROM ledger WHERE state = 'failed'"
            " AND (?1 IS NULL OR stage = ?1) ORDER BY stage, video_id",
            (stage,),
        )
        return [dict(row) for row in rows]

    def stage_counts(self) -> dict[str, dict[str, object]]:
        """Per stage how many lines are due, done, failed and absent, and its ten commonest errors."""
        stages: dict[str, dict[str, object]] = {
            stage: {"due": 0, "done": 0, "failed": 0, "absent": 0, "errors": {}} for stage in STAGES
        }
        for row in self._db.execute("SELECT stage, state, count(*) AS n FROM ledger GROUP BY stage, state"):
            stages[row["stage"]][row["state"]] = row["n"]
        for stage in STAGES:
            stages[stage]["errors"] = _counts(
                self._db.execute(
                    "SELECT error, count(*) FROM ledger WHERE stage = ? AND state = 'failed'"
                    " GROUP BY error ORDER BY count(*) DESC, error LIMIT 10",
                    (stage,),
                )
            )
        return stages

    def file_counts(self) -> dict[str, dict[str, int]]:
        """Per kind of file how many were fetched ("done") and how many failed with which word."""
        counts: dict[str, dict[str, int]] = {}
        for row in self._db.execute(
            "SELECT kind, iif(state = 'done', 'done', word) AS what, count(*) AS n FROM files"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        ):
            counts.setdefault(row["kind"], {})[row["what"]] = row["n"]
        return counts


def _counts(rows: sqlite3.Cursor) -> dict[str, int]:
    return {row[0]: row[1] for row in rows}
