"""A caption file -> a transcript with times."""

from pathlib import Path

from ingest.catalog.entries import CAPTIONS, Segment, Text
from scraper import captions

TRANSLATED = "MT"  # the site's word for captions that a machine translated: not what is said


def transcript(path: Path, language: str, source: str) -> Text:
    """A caption file as a transcript that says where it comes from.

    Raises:
        scraper.captions.CaptionError: nothing in it can be read.
    """
    cues = captions.parse(path.read_bytes())
    if not cues:
        raise captions.CaptionError("the captions hold no words")
    segments = [Segment(cue.start_s, cue.end_s, cue.text) for cue in cues]
    said = " ".join(segment.text for segment in segments)
    return Text(said, CAPTIONS, path.suffix.lstrip("."), source, language, segments=segments)
