"""The catalogue -> what a person browses: its videos page by page, and what stands in it, counted in SQL."""

import re
from dataclasses import dataclass, field

from ingest.catalog.entries import STAGES, Entry, Stage
from ingest.catalog.store import Catalog

EXAMPLES = 3  # of one reason: enough to look one up
MAX_REASONS = 12  # a stage; beyond that it is no longer read
MAX_LANGUAGES = 30
# what tells one item's failure from another's of the same reason: numbers, names in quotes, links and paths
_OWN = re.compile(r"""https?://\S+|'[^']*'|"[^"]*"|(?:/[^\s/:<>]+){2,}|\d[\d.,]*""")


@dataclass
class Reason:
    """Why items of a stage failed: how many for the same reason, and some of them as (video id, error in full)."""

    stage: str
    word: str
    count: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)


class CatalogBrowser(Catalog):
    """The catalogue, for reading; open one per thread, close it (or use `with`)."""

    def page(self, words: str = "", offset: int = 0, limit: int = 25) -> tuple[list[Entry], int]:
        """Videos whose id, creator or description hold `words`, newest first, and how many there are in all.

        The site's ids grow with time, so their order is that of posting.
        """
        self._db.create_function("holds", 5, _holds, deterministic=True)
        chosen = (
            "FROM videos WHERE ?1 = '' OR holds(?1, id, json_extract(record, '$.creator_username'),"
            " json_extract(record, '$.creator_nickname'), json_extract(record, '$.description'))"
        )
        words = " ".join(words.split()).removeprefix("@").casefold()
        with self._snapshot():
            total = int(self._db.execute(f"SELECT count(*) {chosen}", (words,)).fetchone()[0])
            rows = self._db.execute(
                f"SELECT id {chosen} ORDER BY length(id) DESC, id DESC LIMIT ?2 OFFSET ?3",
                (words, limit, offset),
            ).fetchall()
            return list(self.entries(row["id"] for row in rows)), total

    def due_counts(self) -> dict[Stage, int]:
        """How many videos are due at each stage."""
        counts: dict[Stage, int] = dict.fromkeys(STAGES, 0)
        for row in self._db.execute("SELECT stage, count(*) AS n FROM ledger WHERE state = 'due' GROUP BY stage"):
            counts[row["stage"]] = row["n"]
        return counts

    def coverage(self) -> dict[str, int]:
        """How many videos have a record, a file of each kind, and words of each kind."""
        one = self._db.execute(
            "SELECT (SELECT count(*) FROM videos) AS videos,"
            " (SELECT count(DISTINCT video_id) FROM comments) AS comments,"
            " (SELECT count(*) FROM texts WHERE kind = 'transcript' AND text != '') AS transcript,"
            " (SELECT count(*) FROM texts WHERE kind = 'cover' AND text != '') AS words"
        ).fetchone()
        media = self._db.execute("SELECT kind, count(DISTINCT video_id) AS n FROM media GROUP BY kind")
        return {name: one[name] for name in one.keys()} | {row["kind"]: row["n"] for row in media}  # noqa: SIM118

    def languages(self) -> dict[str, int]:
        """How many videos are spoken in each language, the commonest first; "" where it is not known."""
        rows = self._db.execute(
            "SELECT language, count(*) AS n FROM texts WHERE kind = 'transcript' AND text != ''"
            " GROUP BY language ORDER BY n DESC, language LIMIT ?",
            (MAX_LANGUAGES,),
        )
        return {row["language"]: row["n"] for row in rows}

    def reasons(self) -> list[Reason]:
        """Why items failed: of each stage, and of each kind of file, the commonest reasons first."""
        found: dict[tuple[str, str], Reason] = {}
        for row in self._db.execute("SELECT stage, video_id, error FROM ledger WHERE state = 'failed'"):
            _add(found, row["stage"], _OWN.sub("…", row["error"])[:200], row["video_id"], row["error"])
        for row in self._db.execute("SELECT kind, video_id, word, error FROM files WHERE state = 'failed'"):
            _add(found, f"{row['kind']} file", row["word"], row["video_id"], row["error"])
        kept: list[Reason] = []
        for stage in dict.fromkeys([*STAGES, *(of for of, _ in found)]):
            of_stage = [reason for reason in found.values() if reason.stage == stage]
            kept += sorted(of_stage, key=lambda reason: (-reason.count, reason.word))[:MAX_REASONS]
        return kept


def _add(found: dict[tuple[str, str], Reason], stage: str, word: str, video_id: str, error: str) -> None:
    reason = found.setdefault((stage, word), Reason(stage, word))
    reason.count += 1
    if len(reason.examples) < EXAMPLES:
        reason.examples.append((video_id, error))


def _holds(words: str, *texts: str | None) -> bool:
    return any(words in text.casefold() for text in texts if text)
