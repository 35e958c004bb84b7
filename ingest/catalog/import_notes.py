"""What imports remember: what could not be imported, so that it is reported as new once, and where short links lead."""

import json
import time
from collections.abc import Collection, Iterable, Mapping

from ingest.catalog.database import Database

MAX_PROBLEMS = 10_000  # kept of one import; a hostile file could have a million


class ImportNotes:
    """The notes of imports in a catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_problems(self, problems: Iterable[tuple[str, int | None, str]], within: Collection[str]) -> int:
        """Store the problems (file, index, reason) that an import of the paths `within` has met, in place of those that
        were known of these paths. Return how many are new."""
        met = {(file, -1 if index is None else index, reason) for file, index, reason in problems}
        with self._database.transaction():
            rows = self._database.execute(
                "SELECT file, place, reason FROM problems WHERE EXISTS"
                " (SELECT 1 FROM json_each(?) WHERE substr(file, 1, length(value)) = value)",
                (json.dumps(list(within)),),
            )
            known = {(row["file"], row["place"], row["reason"]) for row in rows}
            self._database.executemany(
                "DELETE FROM problems WHERE file = ? AND place = ? AND reason = ?", list(known - met)
            )
            self._database.executemany(
                "INSERT INTO problems VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [(*one, time.time()) for one in sorted(met - known)[:MAX_PROBLEMS]],
            )
        return len(met - known)

    def problems(self) -> list[dict[str, object]]:
        """What could not be imported: file, index in it (None: the file as a whole) and reason."""
        rows = self._database.execute("SELECT * FROM problems ORDER BY file, place, reason")
        return [
            {"file": row["file"], "index": None if row["place"] < 0 else row["place"], "reason": row["reason"]}
            for row in rows
        ]

    def short_links(self) -> dict[str, str]:
        """The address that each known short link leads to; "" if it leads to no video."""
        return {row["link"]: row["target"] for row in self._database.execute("SELECT * FROM short_links")}

    def put_short_links(self, targets: Mapping[str, str]) -> None:
        """Store where short links lead."""
        with self._database.transaction():
            self._database.executemany("INSERT OR REPLACE INTO short_links VALUES (?, ?)", list(targets.items()))
