"""What an `add` came to: how many of its videos can be found, and why the others cannot."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ingest.catalog import STAGES, Catalog
from ingest.catalog.entries import NO_MEDIA
from retrieval.errors import GenerationError
from retrieval.index.documents import OVERVIEW
from retrieval.index.generation import videos_with
from retrieval.index.layout import current_name, generations_folder
from scraper.parse import Problem, Skipped

GONE = ("removed", "private")  # codes of a page that no retry is expected to bring back


@dataclass
class AddReport:
    """Counts are in videos. A video counts once: as searchable, else as gone, else as failed, else as due."""

    videos: int = 0
    new: int = 0
    searchable: int = 0
    gone: int = 0  # from the site: removed or private
    failed: int = 0  # for another reason, which `retry` may solve
    due: int = 0  # neither fetched nor read yet
    incomplete: int = 0  # searchable, but without all that could be read of them
    removed: int = 0  # records of videos that a person removed earlier; they stay away
    new_failures: set[str] = field(default_factory=set)  # the ids of videos that failed in this run
    new_problems: int = 0  # those of `problems` that no earlier run has met
    stopped: str = ""  # why the run ended early
    generation: str = ""
    problems: list[Problem] = field(default_factory=list)  # files and records that could not be imported
    skipped: list[Skipped] = field(default_factory=list)  # entries that are no videos
    failures: list[dict[str, str]] = field(default_factory=list)  # video_id, link, stage and error of each

    @property
    def complete(self) -> bool:
        """Whether nothing failed in this run."""
        return not (self.new_failures or self.new_problems or self.stopped)

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON."""
        return asdict(self) | {"new_failures": len(self.new_failures), "summary": self.summary()}

    def summary(self) -> str:
        """The report in one sentence."""
        parts = [f"{self.searchable} searchable"]
        if self.incomplete:
            parts[0] += f" ({self.incomplete} of them not completely read)"
        parts += [f"{self.gone} gone from the site"] if self.gone else []
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.due} not fetched yet"] if self.due else []
        files = len({problem.file for problem in self.problems})
        if len(self.problems) > files:
            parts.append(f"{len(self.problems)} records unreadable")
        elif files:
            parts.append(f"{files} {'file' if files == 1 else 'files'} unreadable")
        see = "; see `tiktok-retrieval status --failures`" if self.failures or self.problems else ""
        return f"{self.videos} {'video' if self.videos == 1 else 'videos'}: {', '.join(parts)}{see}"


def summarize(catalog: Catalog, indexes: Path, ids: Collection[str], report: AddReport) -> AddReport:
    """Complete a report with what became of each of `ids`."""
    indexed = indexed_ids(indexes)
    pages = {str(line["video_id"]): line for line in catalog.ledger.files() if line["kind"] == "page"}
    due = {video_id for stage in STAGES for video_id in catalog.ledger.due(stage)}
    failures: dict[str, list[dict[str, str]]] = {}
    for line in catalog.ledger.failures():
        if line["video_id"] in ids and not str(line["error"]).startswith(NO_MEDIA):
            failures.setdefault(str(line["video_id"]), []).append(
                {"video_id": str(line["video_id"]), "stage": str(line["stage"]), "error": str(line["error"])}
            )
    report.videos = len(ids)
    for video_id in sorted(ids):
        found = failures.get(video_id, [])
        if found and (entry := catalog.get(video_id)):
            report.failures += [line | {"link": entry.video.permalink} for line in found]
        if video_id in indexed:
            report.searchable += 1
            report.incomplete += bool(found or video_id in due)
        elif video_id in pages and pages[video_id]["code"] in GONE:
            report.gone += 1
        elif found:
            report.failed += 1
        else:
            report.due += video_id in due
    return report


def indexed_ids(indexes: Path) -> set[str]:
    """Return the ids of the videos in the current generation that have a text, not only a list and a time."""
    try:
        return videos_with(OVERVIEW, generations_folder(indexes) / current_name(indexes))
    except GenerationError:
        return set()
