"""A caption file -> a transcript with times."""

from dataclasses import dataclass
from pathlib import Path

from ingest.catalog import Segment, Text
from ingest.catalog.entries import CAPTIONS
from scraper import captions

TRANSLATED = "MT"  # how the site marks machine-translated captions: they are not what is said


@dataclass(frozen=True)
class CaptionTranscript:
    """A transcript from captions. `damage` says why it is not a full one; "" if it is."""

    text: Text
    damage: str


def transcript(path: Path, language: str, source: str) -> CaptionTranscript:
    """Read a caption file as a transcript.

    Args:
        path: The file.
        language: The language of the captions.
        source: How they were made, as the site says: ASR, MT or creator.

    Raises:
        scraper.captions.CaptionError: the file cannot be read.
    """
    read = captions.parse(path.read_bytes())
    if not read.cues:
        raise captions.CaptionError("the captions contain no words")
    segments = [Segment(cue.start_s, cue.end_s, cue.text) for cue in read.cues]
    said = " ".join(segment.text for segment in segments)
    text = Text(said, CAPTIONS, path.suffix.lstrip(".").lower(), source, language, segments=segments)
    return CaptionTranscript(text, read.damage)
