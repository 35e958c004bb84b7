"""The types of the catalog: a video's entry, its texts, segments, media, and the states of its stages."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from scraper.records import MediaKind as MediaKind
from scraper.records import TextKind as TextKind
from scraper.records import Video

Stage = Literal["download", "ocr", "transcribe"]
State = Literal["due", "done", "failed", "absent"]
FileKind = Literal["cover", "video", "slide", "caption", "page"]  # page: the video's own page, asked for fresh links
STAGES: tuple[Stage, ...] = ("download", "ocr", "transcribe")


Outcome = Literal["new", "updated", "unchanged"]
TEXT_OF_STAGE: dict[Stage, TextKind] = {"ocr": "cover", "transcribe": "transcript"}
STAGE_OF_TEXT: dict[TextKind, Stage] = {"cover": "ocr", "transcript": "transcribe"}
READ_BY: dict[MediaKind, tuple[Stage, ...]] = {
    "cover": ("ocr",),
    "slide": ("ocr",),
    "video": ("ocr", "transcribe"),
    "caption": (),  # it is a text already
}
IMPORTED = "imported"  # the engine name of texts that came with a record instead of being made here
CAPTIONS = "captions"  # of transcripts that came as captions; their model is the site's word for how they were made
HAND = "hand"  # of texts that a person wrote or corrected: nothing else replaces them
GIVEN = (IMPORTED, CAPTIONS, HAND)  # engines whose texts no setting changes


@dataclass(frozen=True)
class Segment:
    """What is said, or stands on the screen, from one second of the video's own timeline to another."""

    start_s: float
    end_s: float
    text: str
    avg_logprob: float | None = None  # mean log-probability of its tokens, as Whisper gives them
    no_speech: float | None = None  # Whisper's probability that nobody speaks in its window


@dataclass(frozen=True)
class Text:
    """A text made from media (or imported) with where it comes from. `text` None: the media could not be read.

    `segments` are the parts whose times are known: of a transcript all, of a cover's text what the video shows.
    `recipe` names engine, model and settings: where it is not today's, the text is to be made anew.
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
    """All that the catalogue knows of one video."""

    video: Video
    texts: dict[TextKind, Text] = field(default_factory=dict)
    media: list[Media] = field(default_factory=list)
    states: dict[Stage, State] = field(default_factory=dict)

    def file(self, kind: MediaKind) -> Media | None:
        """The first file of a kind, or None."""
        return next((media for media in self.media if media.kind == kind), None)
