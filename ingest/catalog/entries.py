"""The types of the catalog: a video's entry, its texts, segments, media, and the states of its stages."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from scraper.records import Encounter as Encounter
from scraper.records import MediaKind as MediaKind
from scraper.records import TextKind as TextKind
from scraper.records import Video

Stage = Literal["download", "ocr", "transcribe"]
State = Literal["due", "done", "failed", "absent"]
FileKind = Literal["cover", "video", "slide", "caption", "page"]  # page: the page of the video, for fresh links
STAGES: tuple[Stage, ...] = ("download", "ocr", "transcribe")
Outcome = Literal["new", "updated", "unchanged"]
TEXT_OF_STAGE: dict[Stage, TextKind] = {"ocr": "cover", "transcribe": "transcript"}
STAGE_OF_TEXT: dict[TextKind, Stage] = {"cover": "ocr", "transcript": "transcribe"}
READ_BY: dict[MediaKind, tuple[Stage, ...]] = {
    "cover": ("ocr",),
    "slide": ("ocr",),
    "video": ("ocr", "transcribe"),
    "caption": (),  # it is text already
}
IMPORTED = "imported"  # the engine of texts that came with a record
CAPTIONS = "captions"  # the engine of transcripts from captions; their model is how the site made them
NO_MEDIA = "no media: the download failed"  # how the error of a stage begins whose video could not be fetched
HAND = "hand"  # the engine of texts that a person wrote or corrected: nothing else replaces them
GIVEN = (IMPORTED, CAPTIONS, HAND)  # engines whose texts no setting changes


@dataclass(frozen=True)
class Segment:
    """Speech, or text on the screen, from one second of the video to another."""

    start_s: float
    end_s: float
    text: str
    avg_logprob: float | None = None  # mean log-probability of its tokens in Whisper
    no_speech: float | None = None  # Whisper's probability that its window has no speech
    language: str = field(default="", compare=False)  # as Whisper has it; the catalog keeps those of the whole text


@dataclass(frozen=True)
class Text:
    """A text made from media (or imported) with its provenance. `text` is None if the media could not be read.

    `segments` are the parts with known times: all of a transcript; of on-screen text, what the video shows.
    `recipe` names engine, model and settings. If it differs from the current one, the text is made again.
    """

    text: str | None
    engine: str
    version: str = ""
    model: str = ""
    language: str = ""
    confidence: float | None = None
    segments: Sequence[Segment] = ()
    recipe: str = ""


@dataclass(frozen=True)
class Media:
    """A file of a video, `path` absolute."""

    kind: MediaKind
    position: int
    path: Path
    sha256: str
    bytes: int
    source: str


@dataclass(frozen=True)
class Entry:
    """Everything that the catalog knows about one video. `encounters` are in order of time, unknown times first.

    `notes` say of stages what they chose to read, or why they found nothing. `languages` has the ISO 639-1 codes of
    description, comments, cover and transcript, the main one first; none if it is uncertain.
    """

    video: Video
    texts: dict[TextKind, Text] = field(default_factory=dict)
    media: list[Media] = field(default_factory=list)
    states: dict[Stage, State] = field(default_factory=dict)
    encounters: list[Encounter] = field(default_factory=list)
    notes: dict[Stage, str] = field(default_factory=dict)
    languages: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def file(self, kind: MediaKind) -> Media | None:
        """The first file of a kind, or None."""
        return next((media for media in self.media if media.kind == kind), None)
