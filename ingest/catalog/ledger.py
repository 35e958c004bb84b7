"""The ledger: whether each stage of each video is due, done, failed or absent, and the outcome of each download.

A failed line keeps its error and its number of tries. An absent line says that the video has no such media.
"""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence

from ingest.catalog.database import Database
from ingest.catalog.entries import STAGES, FileKind, Stage, State
from ingest.catalog.removals import REMOVED

MAX_ERROR_CHARS = 500  # an error in the ledger is a sentence, not a traceback


class Ledger:
    """What has to be done for each video, and the outcome of each try."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- stages -------------------------------------------------------------------------------------------------

    def due(self, stage: Stage) -> list[str]:
        """The ids whose `stage` is due, in order."""
        rows = self._database.execute(
            f"SELECT video_id FROM ledger WHERE stage = ? AND state = 'due' AND video_id NOT IN {REMOVED}"
            " ORDER BY video_id",
            (stage,),
        )
        return [row["video_id"] for row in rows]

    def states(self, video_id: str) -> dict[Stage, State]:
        """The state of each stage of a video."""
        rows = self._database.execute("SELECT stage, state FROM ledger WHERE video_id = ?", (video_id,))
        return {row["stage"]: row["state"] for row in rows}

    def error(self, video_id: str, stage: Stage) -> str:
        """Why a stage of a video failed; "" if it did not."""
        row = self._database.execute(
            "SELECT error FROM ledger WHERE video_id = ? AND stage = ?", (video_id, stage)
        ).fetchone()
        return row["error"] if row else ""

    def note(self, video_id: str, stage: Stage) -> str | None:
        """Why the text of a stage that is done is empty, or None."""
        row = self._database.execute(
            "SELECT note FROM ledger WHERE video_id = ? AND stage = ?", (video_id, stage)
        ).fetchone()
        return row["note"] if row else None

    def notes(self, video_id: str) -> dict[Stage, str]:
        """Of each stage that has a note: what it chose to read, or why its text is empty."""
        rows = self._database.execute(
            "SELECT stage, note FROM ledger WHERE video_id = ? AND state = 'done' AND note > ''", (video_id,)
        )
        return {row["stage"]: row["note"] for row in rows}

    def expect(self, video_id: str, possible: Mapping[Stage, bool], *, new_links: bool) -> None:
        """Enter the stages of a new or changed record: due if `possible`, absent if not.

        A stage that was absent and is possible now becomes due, and so does a download if the record has `new_links`.
        Other lines stay as they are: a text that is done stays done.
        """
        with self._database.transaction():
            for stage, is_possible in possible.items():
                self._database.execute(
                    "INSERT INTO ledger VALUES (?1, ?2, ?3, 0, '', ?4, NULL) ON CONFLICT DO UPDATE"
                    " SET state = excluded.state, updated_at = excluded.updated_at WHERE excluded.state = 'due'"
                    " AND (state = 'absent' OR (stage = 'download' AND ?5))",
                    (video_id, stage, "due" if is_possible else "absent", time.time(), new_links),
                )

    def set(self, video_id: str, stage: Stage, state: State, error: str = "", note: str | None = None) -> None:
        """Write the state of a stage; "done" and "failed" count as a try. `note`: see `notes`."""
        tried = int(state in ("done", "failed"))
        with self._database.transaction():
            self._database.execute(  # nothing if the video was erased in the meantime
                "INSERT INTO ledger SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM videos WHERE id = ?1)"
                " ON CONFLICT DO UPDATE SET state = excluded.state, tries = tries + excluded.tries,"
                " error = excluded.error, updated_at = excluded.updated_at, note = excluded.note",
                (video_id, stage, state, tried, error[:MAX_ERROR_CHARS], time.time(), note),
            )

    def retry(self, stage: Stage | None = None, ids: Sequence[str] = (), error: str = "") -> int:
        """Make failed lines due again: of one stage or all, of some ids or all, whose error contains `error`."""
        with self._database.transaction():
            return self._database.execute(
                "UPDATE ledger SET state = 'due' WHERE state = 'failed' AND instr(error, ?1)"
                " AND (?2 IS NULL OR stage = ?2) AND (?3 IS NULL OR video_id IN (SELECT value FROM json_each(?3)))",
                (error, stage, json.dumps(list(ids)) if ids else None),
            ).rowcount

    def failures(self, stage: Stage | None = None) -> list[dict[str, object]]:
        """Every failed line with its error, number of tries and time."""
        rows = self._database.execute(
            "SELECT video_id, stage, error, tries, updated_at FROM ledger WHERE state = 'failed'"
            f" AND video_id NOT IN {REMOVED}"
            " AND (?1 IS NULL OR stage = ?1) ORDER BY stage, video_id",
            (stage,),
        )
        return [dict(row) for row in rows]

    def stage_counts(self) -> dict[str, dict[str, object]]:
        """Per stage how many lines are due, done, failed and absent, and its ten commonest errors and notes."""
        stages: dict[str, dict[str, object]] = {
            stage: {"due": 0, "done": 0, "failed": 0, "absent": 0, "errors": {}, "notes": {}} for stage in STAGES
        }
        for row in self._database.execute(
            f"SELECT stage, state, count(*) AS n FROM ledger WHERE video_id NOT IN {REMOVED} GROUP BY stage, state"
        ):
            if row["stage"] in stages:  # else its name is damaged
                stages[row["stage"]][row["state"]] = row["n"]
        for stage in STAGES:
            stages[stage]["errors"] = _counts(
                self._database.execute(
                    "SELECT error, count(*) FROM ledger WHERE stage = ? AND state = 'failed'"
                    f" AND video_id NOT IN {REMOVED} GROUP BY error ORDER BY count(*) DESC, error LIMIT 10",
                    (stage,),
                )
            )
            stages[stage]["notes"] = _counts(
                self._database.execute(
                    "SELECT note, count(*) FROM ledger WHERE stage = ? AND state = 'done' AND note > ''"
                    f" AND video_id NOT IN {REMOVED} GROUP BY note ORDER BY count(*) DESC, note LIMIT 10",
                    (stage,),
                )
            )
        return stages

    # -- files --------------------------------------------------------------------------------------------------

    def put_file(self, video_id: str, kind: FileKind, position: int, code: str = "", error: str = "") -> None:
        """Enter the outcome of a download: the code and the sentence of its failure, or "" if it succeeded."""
        state = "failed" if code else "done"
        with self._database.transaction():
            self._database.execute(  # nothing if the video was erased in the meantime
                "INSERT INTO files SELECT ?1, ?2, ?3, ?4, 1, ?5, ?6, ?7"
                " WHERE EXISTS (SELECT 1 FROM videos WHERE id = ?1) ON CONFLICT DO UPDATE SET state = excluded.state,"
                " tries = tries + 1, word = excluded.word, error = excluded.error, updated_at = excluded.updated_at",
                (video_id, kind, position, state, code, error[:MAX_ERROR_CHARS], time.time()),
            )

    def drop_file(self, video_id: str, kind: FileKind, position: int) -> None:
        """Remove the line of a file that no longer matters."""
        with self._database.transaction():
            self._database.execute(
                "DELETE FROM files WHERE video_id = ? AND kind = ? AND position = ?", (video_id, kind, position)
            )

    def files(self, video_id: str | None = None) -> list[dict[str, object]]:
        """The line of every file that was requested, of one video or all.

        The keys are video_id, kind, position, state, tries, code, error and updated_at (unix seconds). The column of
        the code is called `word`; that key is there as well.
        """
        rows = self._database.execute(
            "SELECT *, word AS code FROM files WHERE (?1 IS NULL OR video_id = ?1)"
            f" AND video_id NOT IN {REMOVED} ORDER BY video_id, kind, position",
            (video_id,),
        )
        return [dict(row) for row in rows]

    def file_counts(self) -> dict[str, dict[str, int]]:
        """Per kind of file how many were fetched ("done"), and how many failed with which code."""
        counts: dict[str, dict[str, int]] = {}
        for row in self._database.execute(
            "SELECT kind, iif(state = 'done', 'done', word) AS outcome, count(*) AS n FROM files"
            f" WHERE video_id NOT IN {REMOVED} GROUP BY 1, 2 ORDER BY 1, 2"
        ):
            counts.setdefault(row["kind"], {})[row["outcome"]] = row["n"]
        return counts


def _counts(rows: sqlite3.Cursor) -> dict[str, int]:
    return {row[0]: row[1] for row in rows}
