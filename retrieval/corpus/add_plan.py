"""What an `add` has to fetch and to read: which videos in which order, about how long it takes, and how much disk."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.catalog import STAGES, Catalog, Stage
from ingest.catalog.pace import fetched_bytes, seconds_per_video, to_fetch, with_media
from ingest.stages.workers import cores
from retrieval.corpus.words import count_of, duration
from scraper.disk import size_of
from scraper.errors import UserError

# For a catalog without a history. A page takes yt-dlp 3 s, two are read at once, and there is a pause; then the files.
FETCH_S = 2.5
OCR_CORE_S = 3.5  # of one core: 8 frames and a cover, each a third of a second, and decoding
SPEECH_CORE_S = 12.0  # of one core: half a minute of speech through whisper-base
FETCH_BYTES = 3_000_000  # of a video of half a minute with its cover
SPARE_BYTES = 200_000_000  # of disk to leave free; the index of 1,500 videos takes 20 MB


@dataclass(frozen=True)
class Plan:
    """The videos in work, in order, and those of them to fetch. `left` are not fetched in this run."""

    work: list[str]
    fetch: list[str]
    left: frozenset[str]
    due: dict[Stage, int]  # how many items of each stage are in `work`
    seconds: float
    bytes: int

    def sentence(self) -> str:
        """The plan for a person."""
        parts = [f"{count_of(len(self.fetch))} to fetch ({size_of(self.bytes)})"] if self.fetch else []
        if here := len(self.work) - len(self.fetch):
            parts.append(f"{count_of(here)} to read")
        return f"{' and '.join(parts)}: about {duration(self.seconds)} on this machine."

    def check_disk(self, data: Path) -> None:
        """Raise UserError if the disk is too small."""
        free = shutil.disk_usage(data).free
        if self.fetch and free < self.bytes + SPARE_BYTES:
            raise UserError(
                f"the disk of {data} has {size_of(free)} free, but the videos take about {size_of(self.bytes)}:"
                " free some space, or fetch fewer with --fetch-limit"
            )


def plan(catalog: Catalog, ids: Sequence[str], *, fetch_limit: int | None) -> Plan:
    """Plan the work on `ids`, fetching at most `fetch_limit` videos."""
    due = {stage: set(catalog.ledger.due(stage)) for stage in STAGES}
    waiting = to_fetch(catalog.database)
    wanted = [video_id for video_id in ids if any(video_id in of_stage for of_stage in due.values())]
    fetch = [video_id for video_id in wanted if video_id in waiting]
    left = frozenset(fetch if fetch_limit == 0 else fetch[fetch_limit:] if fetch_limit is not None else ())
    if left:
        have = with_media(catalog.database)
        wanted = [video_id for video_id in wanted if video_id not in left or video_id in have]
        fetch = [video_id for video_id in fetch if video_id not in left]
    counts = {stage: len(of_stage.intersection(wanted)) for stage, of_stage in due.items()}
    counts["download"] -= len(left.intersection(wanted))
    speeds: dict[Stage, float] = {
        "download": FETCH_S,
        "ocr": OCR_CORE_S / cores(),
        "transcribe": SPEECH_CORE_S / cores(),
    }
    seconds = len(fetch) * (seconds_per_video(catalog.database, "download") or speeds["download"])
    for stage in ("ocr", "transcribe"):
        seconds += counts[stage] * (seconds_per_video(catalog.database, stage) or speeds[stage])
    return Plan(
        wanted, fetch, left, counts, seconds, round(len(fetch) * (fetched_bytes(catalog.database) or FETCH_BYTES))
    )
