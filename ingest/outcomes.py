"""What became of the items of one run of a stage: into the ledger, a report and a progress bar, item by item."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

from tqdm import tqdm

from ingest.catalog import TEXT_OF_STAGE, Catalog, Entry, Stage, Text

LINE_EVERY_S = 30.0  # between progress lines where no terminal shows a bar
FRAME = "frame"  # the source of a cover that was taken from the video
GONE = (
    "the file is gone from the data folder: `python -m ingest retry` and `run` fetch it again; "
    "where there is no link to it, import it again first"
)


@dataclass
class StageReport:
    """What a run of a stage did; `waiting` items stay due, for their download is to come or came in the meantime."""

    stage: Stage
    done: int = 0
    failed: int = 0
    absent: int = 0
    waiting: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class StageRun:
    """One run over what is due; each outcome is written at once, in a transaction of its own."""

    def __init__(self, catalog: Catalog, stage: Stage, progress: bool) -> None:
        self.catalog, self.stage = catalog, stage
        self.report = StageReport(stage)
        self.due = catalog.due(stage)
        self._read: dict[str, frozenset[str]] = {}  # of each item at work: the digests of the files it is made from
        terminal = sys.stderr.isatty()
        self._lines = progress and not terminal and bool(self.due)
        self._bar = tqdm(total=len(self.due), desc=stage, unit="video", disable=not (progress and terminal))
        self._line_at = time.monotonic() + LINE_EVERY_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        if self._lines:
            self._line()

    def entries(self) -> Iterator[tuple[str, Entry]]:
        for entry in self.catalog.entries(self.due):
            self._read[entry.video.id] = self._files(entry)
            yield entry.video.id, entry

    def text(self, video_id: str, text: Text) -> None:
        self._close(video_id, "done", lambda: self.catalog.put_text(video_id, TEXT_OF_STAGE[self.stage], text))

    def done(self, video_id: str) -> None:
        self._close(video_id, "done", lambda: self.catalog.finish(video_id, self.stage, "done"))

    def absent(self, video_id: str) -> None:
        self._close(video_id, "absent", lambda: self.catalog.finish(video_id, self.stage, "absent"))

    def fail(self, video_id: str, error: str, text: Text | None = None) -> None:
        self._close(video_id, "failed", lambda: self.catalog.fail(video_id, self.stage, error, text))

    def fetch_again(self, video_id: str) -> None:
        """Make the download of a video due, whose files have disappeared, and leave it due here."""
        with self.catalog.transaction():
            self.catalog.fail(video_id, "download", GONE)
            self.catalog.retry("download", [video_id])
        self._count("waiting")

    def no_media(self, video_id: str, entry: Entry, engine: Text) -> None:
        """Close, or leave due, the line of a video that has no file for this stage."""
        if entry.states.get("download") == "due":
            self._count("waiting")
        elif entry.states.get("download") == "failed":
            self.fail(video_id, f"no media: the download failed ({self.catalog.error(video_id, 'download')})", engine)
        else:
            self.absent(video_id)

    def _close(self, video_id: str, outcome: str, write: Callable[[], None]) -> None:
        """Write an outcome, unless another process has replaced the files it is made from: then it stays due."""
        with self.catalog.transaction():
            entry = self.catalog.get(video_id)
            current = entry is not None and self._files(entry) == self._read.pop(video_id)
            if current:
                write()
        self._count(outcome if current else "waiting")

    def _files(self, entry: Entry) -> frozenset[str]:
        """The digests of what this stage reads: the pictures if there are any, else the video."""
        moving = frozenset(media.sha256 for media in entry.media if media.kind == "video")
        still = frozenset(
            media.sha256 for media in entry.media if media.kind in ("cover", "slide") and media.source != FRAME
        )
        return {"download": frozenset[str](), "ocr": still or moving, "transcribe": moving}[self.stage]

    def _count(self, outcome: str) -> None:
        setattr(self.report, outcome, getattr(self.report, outcome) + 1)
        self._bar.update()
        self._bar.set_postfix(failed=self.report.failed, refresh=False)
        if self._lines and time.monotonic() > self._line_at:
            self._line()

    def _line(self) -> None:
        report, self._line_at = self.report, time.monotonic() + LINE_EVERY_S
        parts = [f"{n} {what}" for what, n in report.as_dict().items() if what != "stage" and n]
        print(f"{self.stage}: {', '.join(parts) or 'nothing yet'}, of {len(self.due)} due", file=sys.stderr, flush=True)
