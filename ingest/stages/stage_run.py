"""What became of the items of one run of a stage: into the ledger and a report, item by item."""

import errno
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from ingest.catalog import Catalog, Stage
from ingest.catalog.entries import GIVEN, HAND, TEXT_OF_STAGE, Entry, Media, Text
from ingest.catalog.ledger import MAX_ERROR_CHARS
from ingest.progress import Progress, ProgressMode
from ingest.stages.media_files import FRAME, GONE, missing
from ingest.stages.workers import WorkerError

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)  # what no other item would escape


@dataclass
class StageReport:
    """What a run of a stage did; `waiting` items stay due, for their download is to come or came in the meantime."""

    stage: Stage
    done: int = 0
    failed: int = 0
    absent: int = 0
    waiting: int = 0
    seconds: float = field(default=0.0, compare=False)
    media_seconds: float = field(default=0.0, compare=False)  # of sound that was listened to
    failures: list[dict[str, str]] = field(default_factory=list, compare=False)  # video_id and error of each

    def as_dict(self) -> dict[str, Any]:
        """Counts, seconds, failures, and of sound the real-time factor: seconds of work a second of it."""
        factor = {"real_time_factor": round(self.seconds / self.media_seconds, 4)} if self.media_seconds else {}
        return asdict(self) | {"seconds": round(self.seconds, 3)} | factor


class StageRun:
    """One run over what is due; each outcome is written at once, in a transaction of its own."""

    def __init__(
        self, catalog: Catalog, report: StageReport, progress: ProgressMode = "off", recipes: Sequence[str] = ()
    ) -> None:
        """`recipes` name what today's texts are made with (see `Text`), the fullest first; others are due again."""
        self.catalog, self.stage, self.report = catalog, report.stage, report
        self.recipe = recipes[0] if recipes else ""
        self._started = time.monotonic()
        outdated = catalog.outdated(self.stage, recipes) if recipes else []
        if outdated and progress != "off":
            print(f"{self.stage}: {len(outdated)} texts were made in another way and are made anew", file=sys.stderr)
        self.due = sorted({*catalog.ledger.due(self.stage), *outdated})
        self._read: dict[str, frozenset[str]] = {}  # of each item at work: the digests of the files it is made from
        self._progress = Progress(self.stage, len(self.due), progress, unit="videos")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.report.seconds = time.monotonic() - self._started
        self._progress.__exit__(*error)

    def entries(self) -> Iterator[tuple[str, Entry]]:
        for entry in self.catalog.entries(self.due):
            self._read[entry.video.id] = self._files(entry)
            yield entry.video.id, entry

    def text(self, video_id: str, text: Text) -> None:
        self._close(video_id, "done", lambda: self.catalog.put_text(video_id, TEXT_OF_STAGE[self.stage], text))

    def done(self, video_id: str) -> None:
        self._close(video_id, "done", lambda: self.catalog.ledger.set(video_id, self.stage, "done"))

    def absent(self, video_id: str) -> None:
        def write() -> None:
            old = self._text(video_id)
            if old and old.engine not in GIVEN:  # of a file that another has replaced
                self.catalog.forget_text(video_id, TEXT_OF_STAGE[self.stage])
            self.catalog.ledger.set(video_id, self.stage, "absent")

        self._close(video_id, "absent", write)

    def fail(self, video_id: str, error: str, text: Text | None = None) -> None:
        if self._close(video_id, "failed", lambda: self.catalog.fail(video_id, self.stage, error, text)) == "failed":
            self.report.failures.append({"video_id": video_id, "error": error[:MAX_ERROR_CHARS]})

    def unreadable(self, video_id: str, error: Exception, engine: Text) -> None:
        """Close the line of a video whose media could not be read; `engine` is what tried, as a text of None.

        Raises:
            OSError: it is not the media's fault but the disk's.
        """
        from ingest.media import MediaError, NoStream

        if isinstance(error, NoStream):
            self.absent(video_id)
        elif isinstance(error, OSError) and error.errno in DISK:
            raise error
        elif isinstance(error, MediaError | WorkerError):
            self.fail(video_id, str(error), engine)
        else:  # what a hostile file brings out in a library: its own item's failure, and named as it is
            self.fail(video_id, f"{type(error).__name__}: {error}", engine)

    def needs_redownload(self, entry: Entry, needed: list[Media]) -> bool:
        """Whether the download has to bring some of `needed` again, which are gone from the disk but have links."""
        lost = {(media.kind, media.position) for media in needed if not media.path.is_file()}
        comes = entry.states.get("download") != "failed" and any(place in lost for place in missing(entry))
        if comes:
            self.fetch_again(entry.video.id)
        return comes

    def count_media(self, seconds: float) -> None:
        """Count sound that is listened to."""
        self.report.media_seconds += seconds

    def fetch_again(self, video_id: str) -> None:
        """Make the download of a video due, whose files have disappeared, and leave it due here."""
        with self.catalog.transaction():
            self.catalog.fail(video_id, "download", GONE)
            self.catalog.ledger.retry("download", [video_id])
        self._count("waiting")

    def no_media(self, video_id: str, entry: Entry, engine: Text) -> None:
        """Close, or leave due, the line of a video that has no file for this stage."""
        if entry.states.get("download") == "due":
            self._count("waiting")
        elif entry.states.get("download") == "failed":
            self.fail(
                video_id, f"no media: the download failed ({self.catalog.ledger.error(video_id, 'download')})", engine
            )
        else:
            self.absent(video_id)

    def _close(self, video_id: str, outcome: str, write: Callable[[], None]) -> str:
        """Write an outcome, unless another process has replaced the files it is made from: then it stays due; or a
        person has written the text meanwhile: then it is done. Returns what it came to."""
        with self.catalog.transaction():
            current = self.is_current(video_id)
            del self._read[video_id]
            text = self._text(video_id)
            if not current:
                outcome = "waiting"
            elif text and text.engine == HAND:
                self.catalog.ledger.set(video_id, self.stage, outcome := "done")
            else:
                write()
        self._count(outcome)
        return outcome

    def _text(self, video_id: str) -> Text | None:
        """The text of a video that this stage is for, as it is now."""
        entry, kind = self.catalog.get(video_id), TEXT_OF_STAGE.get(self.stage)
        return entry.texts.get(kind) if entry and kind else None

    def is_current(self, video_id: str) -> bool:
        """Whether what an item is made from is still what it was when it was begun."""
        entry = self.catalog.get(video_id)
        return entry is not None and self._files(entry) == self._read[video_id]

    def rebaseline(self, video_id: str) -> None:
        """Take what an item is made from as it is now: this run has changed it itself."""
        if entry := self.catalog.get(video_id):
            self._read[video_id] = self._files(entry)

    def _files(self, entry: Entry) -> frozenset[str]:
        """The digests of what this stage reads; of a download, the links."""
        video = entry.video
        links = [*video.video_sources, *video.cover_sources, *video.slide_sources, *(c.url for c in video.captions)]
        moving = frozenset(media.sha256 for media in entry.media if media.kind == "video")
        still = frozenset(
            media.sha256 for media in entry.media if media.kind in ("cover", "slide") and media.source != FRAME
        )
        return {"download": frozenset(links), "ocr": still | moving, "transcribe": moving}[self.stage]

    def _count(self, outcome: str) -> None:
        setattr(self.report, outcome, getattr(self.report, outcome) + 1)
        self._progress.advance(outcome=outcome)
