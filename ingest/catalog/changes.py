"""Which videos have changed since a server last looked: found without reading the sums of all of them."""

import time
from dataclasses import dataclass

from ingest.catalog.database import Database
from ingest.catalog.removals import HIDDEN, UNDO_S
from ingest.catalog.sums import CHANGES_KEPT, VANISHED


@dataclass(frozen=True)
class Mark:
    """The state of a catalog: its file, the number of its last change, and what is removed."""

    file: tuple[int, int]
    number: int
    removals: frozenset[tuple[str, str, str, int, int]]


class Changes:
    """Marks states of a catalog, and finds what has changed since."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def mark(self) -> Mark:
        """The state now."""
        stat = self._database.path.stat()
        with self._database.snapshot():
            counted = self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'changes'").fetchone()
            removals = self._database.execute(
                f"SELECT video_id, list, name, erased, erased != {HIDDEN} OR removed_at <= ? FROM removals",
                (time.time() - UNDO_S,),
            )
            lines = frozenset(tuple(row) for row in removals)
        return Mark((stat.st_dev, stat.st_ino), counted["seq"] if counted else 0, lines)

    def between(self, before: Mark, now: Mark) -> list[str] | None:
        """The ids of the videos that have changed, gone or come back, in order. Also others, if `now` is not the last.

        None if that is not known: it was long ago, or the file is another one.
        """
        if before.file != now.file or not now.number - CHANGES_KEPT <= before.number <= now.number:
            return None
        rows = self._database.execute("SELECT item FROM changes WHERE number > ?", (before.number,))
        found = {row["item"] for row in rows}
        if VANISHED in found:
            return None
        return sorted(found.union(line[0] for line in before.removals ^ now.removals))
