"""A caption file -> a transcript with times."""

from pathlib import Path

from ingest.catalog import Segment, Text
from ingest.catalog.entries import CAPTIONS
from scraper import captions

TRANSLATED = "MT"  # how the site marks machine-translated captions: they are not what is said


def transcript(path: Path, language: str, source: str) -> Text:
    """Read a caption file as a transcript.

    Args:
        path: The file.
        language: The language of the captions.
        source: How they were made, as the site says: ASR, MT or creator.

    Raises:
        scraper.captions.CaptionError: the file cannot be read.
    """
    cues = captions.parse(path.read_bytes())
    if not cues:
        raise captions.CaptionError("the captions contain no words")
    segments = [Segment(cue.start_s, cue.end_s, cue.text) for cue in cues]
    said = " ".join(segment.text for segment in segments)
    return Text(said, CAPTIONS, path.suffix.lstrip("."), source, language, segments=segments)
