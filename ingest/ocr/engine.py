"""A picture -> the text on it, by RapidOCR and by Tesseract where RapidOCR is not sure, or by one of them.

`benchmarks/ocr.py` measures their accuracy and speed; docs/explanation/ocr.md has the figures.
"""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from PIL import Image

from ingest.media import open_image
from ingest.ocr import tesseract
from ingest.ocr.layout import combined
from ingest.ocr.look_alikes import doubtful, in_one_script
from ingest.ocr.result import Box, OcrError, Reading, ReadingError, Word
from ingest.settings import Engine

if TYPE_CHECKING:
    from ingest.ocr.rapidocr import Look

__all__ = [
    "ENGINE",
    "IMAGE_LIMIT_S",
    "Engine",
    "OcrError",
    "Reading",
    "ReadingError",
    "Word",
    "available",
    "check",
    "missing",
    "read_cover",
    "read_image",
]

ENGINE: Engine = "auto"  # finds the most words, and costs less than Tesseract alone on covers
SURE = 0.93  # confidence of RapidOCR's reading below which Tesseract reads the picture as well
UNREAD = 0.1  # share of the area of lines from which those that RapidOCR cannot read matter
OTHERS = tuple(tesseract.PACKS_OF)  # scripts with letters that look like Latin ones
LONG_WORD = 15  # letters: longer words are mostly several without the spaces between them
IMAGE_LIMIT_S = tesseract.READ_LIMIT_S + 30.0  # for one image, with opening it and RapidOCR


def available(engine: Engine = ENGINE) -> Engine:
    """Return the engine that can be used here: "tesseract" for "auto" if RapidOCR cannot be used."""
    return "tesseract" if engine == "auto" and missing() else engine


def missing() -> str:
    """Return why RapidOCR cannot be used; "" if it can."""
    from ingest.ocr import rapidocr

    try:
        rapidocr.check()
    except OcrError as error:
        return str(error)
    return ""


def check(languages: str, engine: Engine = ENGINE) -> str:
    """Check that `engine` can read `languages`, and return its versions.

    `languages` are Tesseract's packs joined by "+" ("eng+deu"), or "auto" for all installed ones, one script at a time.
    RapidOCR always reads Latin letters, Chinese and Japanese. "auto" works without it.

    Raises:
        OcrError: the engine does not exist; Tesseract, a language pack, or the RapidOCR that was asked for is missing.
    """
    if engine not in get_args(Engine):
        raise OcrError(f"unknown OCR engine {engine!r}; choose one of {', '.join(get_args(Engine))}")
    versions = [tesseract.check(languages)] if engine != "rapidocr" else []
    if available(engine) != "tesseract":
        from ingest.ocr import rapidocr

        versions.append(rapidocr.check())
    return ", ".join(versions)


def read_cover(path: Path, languages: str, engine: Engine = ENGINE, script: str = "", language: str = "") -> Reading:
    """Read the text of an image file, like `read_image`.

    Raises:
        MediaError: the file cannot be read.
        ReadingError: the engine takes too long, or crashes.
    """
    return read_image(open_image(path), languages, engine, script, language)


def read_image(
    image: Image.Image, languages: str, engine: Engine = ENGINE, script: str = "", language: str = ""
) -> Reading:
    """Read the text of an upright RGB picture. Raises ReadingError like `read_cover`.

    `script` is that of the video's description (see `look_alikes.script_of`). It decides where the picture does not.
    `language` is the video's (ISO 639-1), whose pack Tesseract uses with "auto" if it is installed.
    """
    engine = available(engine)
    decided = engine != "rapidocr" and tesseract.has(languages, script)
    return in_one_script(_read(image, languages, engine, script, language), script, decided=decided)


def _read(image: Image.Image, languages: str, engine: Engine, script: str, language: str) -> Reading:
    if engine == "tesseract":
        return tesseract.read(image, languages, script=script, language=language)
    from ingest.ocr import rapidocr

    if engine == "rapidocr":
        return rapidocr.read(image)
    try:
        look = rapidocr.look(image)
    except ReadingError as error:
        warnings.warn(f"{error}: only Tesseract reads such a picture", stacklevel=1)  # shown once per process
        return tesseract.read(image, languages, script=script, language=language)
    if is_sure(look, languages):
        return look.reading
    try:
        other = tesseract.read(image, languages, skip=tesseract.RAPIDOCR_KNOWS, script=script, language=language)
    except ReadingError:
        return look.reading
    return combined(look.reading, other) if look.reading.rows else other


def is_sure(look: "Look", languages: str) -> bool:
    """Whether Tesseract would hardly add anything: RapidOCR has read every line that it found, and with confidence."""
    words = look.reading.words
    unread = look.unread + (look.strange if tesseract.other_scripts(languages) else ())
    if not words:
        return not unread
    if any(doubtful(row) for row in look.reading.rows) and tesseract.has(languages, *OTHERS):
        return False
    return (
        (look.reading.confidence or 0.0) >= SURE
        and _area(unread) < UNREAD * _area({word.box for word in words})
        and not any(len(word.text) >= LONG_WORD and word.text.isalpha() for word in words)
    )


def _area(boxes: Iterable[Box]) -> int:
    return sum((right - left) * (bottom - top) for left, top, right, bottom in boxes)
