"""A picture -> the text written on it, through Tesseract, RapidOCR, or RapidOCR where Tesseract is unsure.

How well each reads, and how fast, is measured by `benchmarks/ocr.py`; docs/explanation/ocr.md has the figures.
"""

from pathlib import Path
from typing import get_args

from PIL import Image

from ingest.media import open_image
from ingest.ocr import tesseract
from ingest.ocr.result import OcrError, Reading, ReadingError, Word, weight
from ingest.settings import Engine

__all__ = [
    "ENGINE",
    "IMAGE_LIMIT_S",
    "Engine",
    "OcrError",
    "Reading",
    "ReadingError",
    "Word",
    "check",
    "read_cover",
    "read_image",
]

ENGINE: Engine = "tesseract"  # what every system has a package of; "auto" reads more, if the extra is there
SURE = 0.95  # confidence from which "auto" takes Tesseract's word: RapidOCR reads the other four in ten
IMAGE_LIMIT_S = tesseract.READ_LIMIT_S + 30.0  # for one image in all, opening it and RapidOCR included


def check(languages: str, engine: Engine = ENGINE) -> str:
    """The versions of what `engine` reads with, once it is sure that it can read `languages`.

    `languages` are Tesseract's packs joined by "+" ("eng+deu"), or "auto" for all that are installed, a script at a
    time; RapidOCR reads Latin letters, Chinese and Japanese whatever they say.

    Raises:
        OcrError: there is no such engine; Tesseract, a language pack, or the extra for RapidOCR is not installed.
    """
    if engine not in get_args(Engine):
        raise OcrError(f"there is no OCR engine {engine!r}; there are {', '.join(get_args(Engine))}")
    versions = [tesseract.check(languages)] if engine != "rapidocr" else []
    if engine != "tesseract":
        from ingest.ocr import rapidocr

        versions.append(rapidocr.check())
    return ", ".join(versions)


def read_cover(path: Path, languages: str, engine: Engine = ENGINE) -> Reading:
    """The text of an image file.

    Raises:
        MediaError: the file cannot be read.
        ReadingError: the engine takes too long over it, or breaks down.
    """
    return read_image(open_image(path), languages, engine)


def read_image(image: Image.Image, languages: str, engine: Engine = ENGINE) -> Reading:
    """The text of an upright RGB picture; raises ReadingError as `read_cover` does."""
    first = tesseract.read(image, languages) if engine != "rapidocr" else None
    if first and (engine == "tesseract" or (first.confidence or 0.0) >= SURE):
        return first
    from ingest.ocr import rapidocr

    second = rapidocr.read(image)
    return second if first is None else max(second, first, key=lambda reading: weight(reading.words))
