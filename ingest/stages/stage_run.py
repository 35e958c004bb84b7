"""Write the outcome of each item of a stage: to the ledger, and into a report of the run."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ingest.catalog import Catalog, Entry, Media, Stage, Text
from ingest.catalog.entries import CAPTIONS, GIVEN, HAND, NO_MEDIA, TEXT_OF_STAGE
from ingest.catalog.ledger import MAX_ERROR_CHARS
from ingest.catalog.media_damage import damage
from ingest.progress import Progress
from ingest.stages.media_files import DAMAGED, FRAME, GONE, is_damaged, missing
from ingest.stages.workers import WorkerError
from scraper.disk import concerns_all, explain

Outcome = Literal["done", "failed", "absent", "waiting"]


@dataclass
class StageReport:
    """What a run of a stage did. Items that are `waiting` stay due: their download is still to come, or came during
    the run."""

    stage: Stage
    done: int = 0
    failed: int = 0
    absent: int = 0
    waiting: int = 0
    seconds: float = field(default=0.0, compare=False)
    media_seconds: float = field(default=0.0, compare=False)  # of transcribed audio
    failures: list[dict[str, str]] = field(default_factory=list, compare=False)  # video_id and error of each

    def count(self, outcome: Outcome) -> None:
        """Add one item."""
        match outcome:
            case "done":
                self.done += 1
            case "failed":
                self.failed += 1
            case "absent":
                self.absent += 1
            case "waiting":
                self.waiting += 1

    def as_dict(self) -> dict[str, Any]:
        """Counts, seconds and failures. For audio also the real-time factor: seconds of work per second of audio."""
        factor = {"real_time_factor": round(self.seconds / self.media_seconds, 4)} if self.media_seconds else {}
        return asdict(self) | {"seconds": round(self.seconds, 3)} | factor


class StageRun:
    """Writes what a stage has made of each item that is due, each in one transaction."""

    def __init__(
        self, catalog: Catalog, report: StageReport, progress: Progress, due: Sequence[str], recipe: str = ""
    ) -> None:
        """`recipe` names what today's texts are made with (see `Text`)."""
        self.catalog, self.stage, self.report, self.due, self.recipe = catalog, report.stage, report, due, recipe
        self._progress = progress
        self._inputs: dict[str, frozenset[str]] = {}  # of each item in work: the digests of the files it is made from

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Begin each item that is due, and yield its id and entry."""
        for entry in self.catalog.entries(self.due):
            self._inputs[entry.video.id] = self._files(entry)
            yield entry.video.id, entry

    def say(self, text: str) -> None:
        """Show a sentence about the run, as far as progress is shown."""
        self._progress.say(f"{self.stage}: {text}")

    # -- outcomes -----------------------------------------------------------------------------------------------

    def text(self, video_id: str, text: Text, note: str = "") -> None:
        """The stage has made a text. Damaged captions stay if it found no words.

        `note` says what it chose to read, or why the text is empty.
        """

        def write() -> None:
            if text.text or not self._has_captions(video_id):
                self.catalog.put_text(video_id, TEXT_OF_STAGE[self.stage], text, note or None)
            else:
                self.catalog.ledger.set(video_id, self.stage, "done", note=note or None)

        self._close(video_id, "done", write)

    def done(self, video_id: str) -> None:
        """The stage is done and makes no text."""
        self._close(video_id, "done", lambda: self.catalog.ledger.set(video_id, self.stage, "done"))

    def absent(self, video_id: str) -> None:
        """The video has no such media."""

        def write() -> None:
            old = self._text(video_id)
            if old and old.engine not in GIVEN:  # made from a file that another one has replaced
                self.catalog.forget_text(video_id, TEXT_OF_STAGE[self.stage])
            self.catalog.ledger.set(video_id, self.stage, "absent")

        self._close(video_id, "absent", write)

    def fail(self, video_id: str, error: str, text: Text | None = None) -> None:
        """The stage failed. `text` is what could be read all the same, or names the engine that tried.

        An earlier text stays if nothing could be read now. Its recipe is today's, so that it is not tried again and
        again.
        """

        def write() -> None:
            made, old = text, self._text(video_id)
            if old and old.text and not (text and text.text):
                made = None if old.engine in GIVEN else replace(old, recipe=self.recipe)
            self.catalog.fail(video_id, self.stage, error, made)

        if self._close(video_id, "failed", write) == "failed":
            self.report.failures.append({"video_id": video_id, "error": error[:MAX_ERROR_CHARS]})

    def unreadable(self, video_id: str, error: Exception, engine: Text) -> None:
        """The media could not be read. `engine` names what tried, as a text of None.

        Raises:
            DiskError: every other item would meet the same.
        """
        from ingest.media import MediaError, NoStream

        if isinstance(error, NoStream):
            self.absent(video_id)
        elif isinstance(error, MediaError | WorkerError):
            self.fail(video_id, str(error), engine)
        else:
            self.unforeseen(video_id, error, engine)

    def unforeseen(self, video_id: str, error: Exception, engine: Text | None = None) -> None:
        """Let only this item fail after an error that a hostile file causes in a library, or one place of the disk.

        Raises:
            DiskError: every other item would meet the same.
        """
        if known := concerns_all(error, self.catalog.data):
            raise known from error
        reason = explain(error, self.catalog.data) or f"{type(error).__name__}: {error}"
        self.fail(video_id, str(reason), engine)

    def no_media(self, video_id: str, entry: Entry, engine: Text) -> None:
        """The video has no file for this stage: wait for its download, or say why there is none."""
        if entry.states.get("download") == "due":
            self._count("waiting")
        elif entry.states.get("download") == "failed":
            error = self.catalog.ledger.error(video_id, "download")
            self.fail(video_id, f"{NO_MEDIA} ({error})", engine)
        else:
            self.absent(video_id)

    def needs_redownload(self, entry: Entry, needed: Sequence[Media]) -> bool:
        """Whether some of `needed` are gone or damaged but have links; their download is due then."""
        lost = {(media.kind, media.position): media for media in needed if damage(media)}
        again = entry.states.get("download") != "failed" and any(key in lost for key in missing(entry))
        if again:
            with self.catalog.transaction():
                reason = DAMAGED if any(map(is_damaged, lost.values())) else GONE
                self.catalog.fail(entry.video.id, "download", reason)
                self.catalog.ledger.retry("download", [entry.video.id])
            self._count("waiting")
        return again

    # -- inputs -------------------------------------------------------------------------------------------------

    def is_current(self, video_id: str) -> bool:
        """Whether the files (or links) that an item is made from are the same as when it was begun."""
        entry = self.catalog.get(video_id)
        return entry is not None and self._files(entry) == self._inputs[video_id]

    def rebaseline(self, video_id: str) -> None:
        """Take the files (or links) of an item as they are now: this run has changed them."""
        if entry := self.catalog.get(video_id):
            self._inputs[video_id] = self._files(entry)

    def _close(self, video_id: str, outcome: Outcome, write: Callable[[], None]) -> Outcome:
        """Write an outcome and return it.

        If another process has replaced the files that the item is made from, it stays due. If a person has written
        the text during the run, it is done.
        """
        with self.catalog.transaction():
            current = self.is_current(video_id)
            del self._inputs[video_id]
            text = self._text(video_id)
            if not current:
                outcome = "waiting"
            elif text and text.engine == HAND:
                outcome = "done"
                self.catalog.ledger.set(video_id, self.stage, "done")
            else:
                write()
        self._count(outcome)
        return outcome

    def _has_captions(self, video_id: str) -> bool:
        """Whether the text that this stage makes is there from captions: damaged ones, or the stage would be done."""
        text = self._text(video_id)
        return text is not None and text.engine == CAPTIONS and bool(text.text)

    def _text(self, video_id: str) -> Text | None:
        """The current text of a video that this stage makes."""
        entry, kind = self.catalog.get(video_id), TEXT_OF_STAGE.get(self.stage)
        return entry.texts.get(kind) if entry and kind else None

    def _files(self, entry: Entry) -> frozenset[str]:
        """The digests of the files that this stage reads; for a download, the links."""
        video = entry.video
        links = [*video.video_sources, *video.cover_sources, *video.slide_sources, *(c.url for c in video.captions)]
        moving = frozenset(media.sha256 for media in entry.media if media.kind == "video")
        still = frozenset(
            media.sha256 for media in entry.media if media.kind in ("cover", "slide") and media.source != FRAME
        )
        return {"download": frozenset(links), "ocr": still | moving, "transcribe": moving}[self.stage]

    def _count(self, outcome: Outcome) -> None:
        self.report.count(outcome)
        self._progress.advance(outcome=outcome)
