"""Which videos have changed since a server last looked: found without reading the sums of all of them."""

import time
from dataclasses import dataclass

from ingest.catalog.database import Database
from ingest.catalog.removals import HIDDEN, UNDO_S
from ingest.catalog.sums import CHANGES_KEPT, VANISHED


@dataclass(frozen=True)
class Mark:
    """The state of a catalog.

    Attributes:
        file: its device and inode.
        number: of the last change.
        removals: what is removed: the video, the list and its name or "", the state, and whether it is final.
    """

    file: tuple[int, int]
    number: int
    removals: frozenset[tuple[str, str, str, int, int]]


class Changes:
    """Marks states of a catalog, and finds what has changed since."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def mark(self) -> Mark:
        """The state now."""
        return self.since(None)[0]

    def since(self, before: Mark | None) -> tuple[Mark, list[str] | None]:
        """The state now, and the ids of the videos that have changed, gone or come back since another state, in order.

        None if these are not known: it was too many changes ago, or the file is another one.
        """
        stat = self._database.path.stat()
        with self._database.snapshot():
            counted = self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'changes'").fetchone()
            removals = self._database.execute(
                f"SELECT video_id, list, name, erased, erased != {HIDDEN} OR removed_at <= ? FROM removals",
                (time.time() - UNDO_S,),
            )
            lines = frozenset(tuple(row) for row in removals)
            number = before.number if before else 0
            rows = self._database.execute("SELECT item FROM changes WHERE number > ?", (number,))
            found = {row["item"] for row in rows}
        now = Mark((stat.st_dev, stat.st_ino), counted["seq"] if counted else 0, lines)
        if before is None or before.file != now.file or not now.number - CHANGES_KEPT <= before.number <= now.number:
            return now, None
        found |= {line[0] for line in before.removals ^ now.removals}
        return now, None if VANISHED in found or len(found) > CHANGES_KEPT else sorted(found)
