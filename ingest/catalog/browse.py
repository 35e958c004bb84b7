"""The catalog -> what a person browses: its videos, and counts of its content."""

import re
from collections import Counter
from dataclasses import dataclass, field

from ingest.catalog import languages
from ingest.catalog.database import Database
from ingest.catalog.entries import STAGES
from ingest.catalog.listed import ListedVideo, listed_videos
from ingest.catalog.removals import REMOVED

EXAMPLES = 50  # of one group
MAX_GROUPS = 12  # per stage; nobody reads more
MAX_LANGUAGES = 30
# details that differ between failures with the same cause: links, names in quotes, paths and numbers, except codes
_DETAILS = re.compile(
    r"""https?://\S+|'[^']*'|"[^"]*"|(?:/[^\s/:<>]+){2,}|(?<!\d)(?<!HTTP )(?<!HTTP Error )\d[\d.,]*"""
)


@dataclass
class FailureGroup:
    """Items of a stage that failed with the same error: how many, and some as (video id, error in full)."""

    stage: str
    error: str  # without the details that differ; of a file, the code of its failure
    count: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)


class CatalogBrowser:
    """Lists and counts for people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def listed(self) -> list[ListedVideo]:
        """Return all videos in the order of their ids, as a list shows them."""
        return list(listed_videos(self._database))

    def coverage(self) -> dict[str, int]:
        """How many videos have a record, comments, a file of each kind, a transcript, and words on the screen."""
        one = self._database.execute(
            f"SELECT (SELECT count(*) FROM videos WHERE id NOT IN {REMOVED}) AS videos,"
            f" (SELECT count(DISTINCT video_id) FROM comments WHERE video_id NOT IN {REMOVED}) AS comments,"
            " (SELECT count(*) FROM texts WHERE kind = 'transcript' AND text != ''"
            f" AND video_id NOT IN {REMOVED}) AS transcript,"
            " (SELECT count(*) FROM texts WHERE kind = 'cover' AND text != ''"
            f" AND video_id NOT IN {REMOVED}) AS words"
        ).fetchone()
        media = self._database.execute(
            f"SELECT kind, count(DISTINCT video_id) AS n FROM media WHERE video_id NOT IN {REMOVED} GROUP BY kind"
        )
        return {name: one[name] for name in one.keys()} | {row["kind"]: row["n"] for row in media}  # noqa: SIM118

    def languages(self) -> dict[str, int]:
        """The number of videos by language (ISO 639-1), the most frequent first. A video may have several."""
        rows = self._database.execute(
            "SELECT description_languages AS description, comment_languages AS comments,"
            " (SELECT languages FROM texts WHERE video_id = id AND kind = 'transcript') AS transcript,"
            " (SELECT languages FROM texts WHERE video_id = id AND kind = 'cover') AS cover"
            f" FROM videos WHERE id NOT IN {REMOVED}"
        )
        counts = Counter(
            code
            for row in rows
            for code in languages.of_video({name: languages.split(row[name] or "") for name in row.keys()})  # noqa: SIM118
        )
        return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:MAX_LANGUAGES])

    def failure_groups(self) -> list[FailureGroup]:
        """Why items failed: of each stage, and of each kind of file, the commonest errors first."""
        groups: dict[tuple[str, str], FailureGroup] = {}
        for row in self._database.execute(
            f"SELECT stage, video_id, error FROM ledger WHERE state = 'failed' AND video_id NOT IN {REMOVED}"
        ):
            _add(groups, row["stage"], _DETAILS.sub("…", row["error"])[:200], row["video_id"], row["error"])
        for row in self._database.execute(
            f"SELECT kind, video_id, word, error FROM files WHERE state = 'failed' AND video_id NOT IN {REMOVED}"
        ):
            _add(groups, f"{row['kind']} file", row["word"], row["video_id"], row["error"])
        shown: list[FailureGroup] = []
        for stage in dict.fromkeys([*STAGES, *(of for of, _ in groups)]):
            of_stage = [group for group in groups.values() if group.stage == stage]
            shown += sorted(of_stage, key=lambda group: (-group.count, group.error))[:MAX_GROUPS]
        return shown


def _add(groups: dict[tuple[str, str], FailureGroup], stage: str, error: str, video_id: str, in_full: str) -> None:
    group = groups.setdefault((stage, error), FailureGroup(stage, error))
    group.count += 1
    if len(group.examples) < EXAMPLES:
        group.examples.append((video_id, in_full))
