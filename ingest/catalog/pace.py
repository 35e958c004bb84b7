"""How much there is to fetch and to read, and how fast this catalog's earlier work went."""

from itertools import pairwise
from statistics import median

from ingest.catalog.database import Database
from ingest.catalog.entries import Stage

LATEST = 200  # lines of the ledger that count: the computer or the settings may have changed before
ENOUGH = 20  # of them; fewer say too little
PAUSE = 10  # a gap of so many times the median is a pause between two runs


def to_fetch(database: Database) -> set[str]:
    """The ids of videos whose media must be fetched: their download is due, and there is no video file yet."""
    rows = database.execute(
        "SELECT video_id FROM ledger WHERE stage = 'download' AND state = 'due'"
        " AND NOT EXISTS (SELECT 1 FROM media WHERE media.video_id = ledger.video_id AND kind = 'video')"
    )
    return {row["video_id"] for row in rows}


def with_media(database: Database) -> set[str]:
    """The ids of videos that have a file."""
    return {row["video_id"] for row in database.execute("SELECT DISTINCT video_id FROM media")}


def fetched_bytes(database: Database) -> float | None:
    """The mean size of all files of a video that was downloaded, or None if there are too few."""
    row = database.execute(
        "SELECT sum(bytes) AS bytes, count(DISTINCT video_id) AS videos FROM media WHERE source = 'downloaded'"
    ).fetchone()
    return float(row["bytes"] / row["videos"]) if row["videos"] >= ENOUGH else None


def seconds_per_video(database: Database, stage: Stage) -> float | None:
    """How long a stage took for a video, by the times at which the latest ones were done; None if there are too few."""
    rows = database.execute(
        "SELECT updated_at FROM ledger WHERE stage = ? AND state = 'done' AND tries > 0"
        " ORDER BY updated_at DESC LIMIT ?",
        (stage, LATEST),
    )
    times: list[float] = [row["updated_at"] for row in rows]
    gaps = [later - earlier for later, earlier in pairwise(times)]
    if len(gaps) < ENOUGH:
        return None
    working = [gap for gap in gaps if gap <= PAUSE * max(median(gaps), 0.01)]
    return sum(working) / len(working)
