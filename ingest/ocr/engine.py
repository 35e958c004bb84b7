"""A picture -> the text on it, by Tesseract, by RapidOCR, or by RapidOCR if Tesseract is not confident.

`benchmarks/ocr.py` measures their accuracy and speed; docs/explanation/ocr.md has the figures.
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

ENGINE: Engine = "tesseract"  # every system has a package of it; "auto" reads more, but needs an extra
CONFIDENT = 0.95  # from which "auto" accepts Tesseract's reading: RapidOCR reads the other four in ten pictures
IMAGE_LIMIT_S = tesseract.READ_LIMIT_S + 30.0  # for one image, with opening it and RapidOCR


def check(languages: str, engine: Engine = ENGINE) -> str:
    """Check that `engine` can read `languages`, and return its versions.

    `languages` are Tesseract's packs joined by "+" ("eng+deu"), or "auto" for all installed ones, one script at a time.
    RapidOCR always reads Latin letters, Chinese and Japanese.

    Raises:
        OcrError: the engine does not exist; Tesseract, a language pack, or the extra for RapidOCR is not installed.
    """
    if engine not in get_args(Engine):
        raise OcrError(f"unknown OCR engine {engine!r}; choose one of {', '.join(get_args(Engine))}")
    versions = [tesseract.check(languages)] if engine != "rapidocr" else []
    if engine != "tesseract":
        from ingest.ocr import rapidocr

        versions.append(rapidocr.check())
    return ", ".join(versions)


def read_cover(path: Path, languages: str, engine: Engine = ENGINE) -> Reading:
    """Read the text of an image file.

    Raises:
        MediaError: the file cannot be read.
        ReadingError: the engine takes too long, or crashes.
    """
    return read_image(open_image(path), languages, engine)


def read_image(image: Image.Image, languages: str, engine: Engine = ENGINE) -> Reading:
    """Read the text of an upright RGB picture. Raises ReadingError like `read_cover`."""
    first = tesseract.read(image, languages) if engine != "rapidocr" else None
    if first and (engine == "tesseract" or (first.confidence or 0.0) >= CONFIDENT):
        return first
    from ingest.ocr import rapidocr

    second = rapidocr.read(image)
    return second if first is None else max(second, first, key=lambda reading: weight(reading.words))
