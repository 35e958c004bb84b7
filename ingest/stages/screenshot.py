"""A picture that somebody searches by -> a small copy of it, and the words in it. The file may be hostile."""

import re
from dataclasses import dataclass
from pathlib import Path

from ingest.settings import Settings
from ingest.stages.workers import Worker

LIMIT_S = 60.0
MAX_WORDS = 24
CONFIDENT = 0.6  # of a word that is read: a screenshot has signs and small letters all over


@dataclass(frozen=True)
class Screenshot:
    """`webp` is the picture, small; `words` are those in it, without signs that a search would take for operators."""

    webp: bytes
    words: str


def read_screenshot(path: Path, settings: Settings) -> Screenshot:
    """Read a picture in a separate process.

    Raises:
        MediaError: it is no picture, broken, or too large.
        WorkerError: the process died, or took too long.
    """
    worker = Worker()
    try:
        return worker.run(_read, path.absolute(), settings, limit_s=LIMIT_S)
    finally:
        worker.stop()


def _read(path: Path, settings: Settings) -> Screenshot:
    from ingest.media import open_image
    from ingest.ocr import engine as ocr
    from ingest.ocr.result import OcrError, ReadingError
    from ingest.scenes import LARGEST
    from ingest.stages.pictures import webp

    image = open_image(path)
    try:
        found = ocr.read_image(image, settings.ocr_languages, ocr.available(settings.ocr_engine)).words
    except (OcrError, ReadingError):  # the picture says enough
        found = []
    words = [one for word in found if word.confidence >= CONFIDENT for one in re.findall(r"\w{2,}", word.text)]
    image.thumbnail(LARGEST)
    return Screenshot(webp(image), " ".join(words[:MAX_WORDS]))
