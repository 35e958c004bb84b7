"""A picture that somebody searches by -> a small copy of it, and the words in it. The file may be hostile."""

import io
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ingest.settings import Settings
from ingest.stages.workers import Worker

LIMIT_S = 60.0
MAX_WORDS = 24
MAX_CHARS = 300  # of all words: some scripts have no spaces, and a question has at most 1,000
CONFIDENT = 0.6  # of a word that is read: a screenshot has signs and small letters all over


@dataclass(frozen=True)
class Screenshot:
    """`webp` is the picture, small; `words` are those in it, without signs that a search would take for operators."""

    webp: bytes
    words: tuple[str, ...]


def read_screenshot(picture: Path | bytes, settings: Settings, worker: Worker | None = None) -> Screenshot:
    """Read a picture, a file or its content, in a separate process: that of `worker`, or one that ends with it.

    Tesseract reads temporary files. None is left, also if the process is killed.

    Raises:
        MediaError: it is no picture, broken, or too large.
        WorkerError: the process died, or took too long.
    """
    own = worker or Worker()
    source = picture if isinstance(picture, bytes) else picture.absolute()
    try:
        with tempfile.TemporaryDirectory(prefix="tiktok-retrieval-", ignore_cleanup_errors=True) as folder:
            return own.run(_read, source, settings, folder, limit_s=LIMIT_S)
    finally:
        if worker is None:
            own.stop()


def _read(picture: Path | bytes, settings: Settings, folder: str) -> Screenshot:
    """Read a picture; `folder` is for temporary files."""
    from ingest.media import open_image
    from ingest.ocr import engine as ocr
    from ingest.ocr.result import OcrError, ReadingError
    from ingest.scenes import LARGEST
    from ingest.stages.showing import webp

    tempfile.tempdir = folder  # of this process, which does nothing else
    image = open_image(io.BytesIO(picture) if isinstance(picture, bytes) else picture)
    try:
        found = ocr.read_image(image, settings.ocr_languages, ocr.available(settings.ocr_engine)).words
    except (OcrError, ReadingError):  # the picture says enough
        found = []
    image.thumbnail(LARGEST)
    return Screenshot(webp(image), words_of(word.text for word in found if word.confidence >= CONFIDENT))


def words_of(read: Iterable[str]) -> tuple[str, ...]:
    """Return the first words that a search can use, each once."""
    words, chars = dict[str, None](), 0
    for word in (one for text in read for one in re.findall(r"\w{2,}", text)):
        if word in words:
            continue
        chars += len(word) + 1
        if len(words) == MAX_WORDS or chars > MAX_CHARS:
            break
        words[word] = None
    return tuple(words)
