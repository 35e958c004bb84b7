"""A cover or slide -> the text written on it, through Tesseract.

Captions on covers are white letters over a busy picture, which Tesseract alone does not find. So each image is read
twice, once as it is and once with everything that is not white taken away, and the reading that holds more counts.
On 19 real covers transcribed by hand that lifts the share of words found from 0.40 to 0.81, with 94 % of words right.
"""

from dataclasses import dataclass
from pathlib import Path

import pytesseract
from PIL import Image, ImageChops, ImageOps

from ingest.media import open_image

ENGINE = "tesseract"
MIN_SIDE, MAX_SIDE = 1280, 2560  # px of the longer side; letters under about 20 px are misread, above 100 px are slow
WHITE_FROM = 200  # of 255 in the darkest channel: captions stay, skin and walls go (180 and 230 are worse)
MIN_CONFIDENCE = 70.0  # of 100 per word; below lies mostly foliage and fabric read as letters
PASS_LIMIT_S = 30.0  # for one run of Tesseract; a cover takes about one second
IMAGE_LIMIT_S = 2 * PASS_LIMIT_S + 30.0  # for one image in all, opening it included
FULL_PAGE, SPARSE = 3, 11  # Tesseract's page segmentation modes: lay out a page, or find text anywhere


class OcrError(Exception):
    """Tesseract cannot be used at all; the message says what to install."""


class ReadingError(Exception):
    """Tesseract did not get through one image; one sentence for the ledger."""


@dataclass(frozen=True)
class Reading:
    """The text of an image, a line a line, "" where there is none; `confidence` 0 to 1, None without text."""

    text: str
    confidence: float | None


def check(languages: str) -> str:
    """The version of Tesseract, once it is sure that it can read `languages` (packs joined by "+").

    Raises:
        OcrError: Tesseract or a language pack is not installed.
    """
    try:
        version = str(pytesseract.get_tesseract_version())
        installed = pytesseract.get_languages()
    except (pytesseract.TesseractNotFoundError, SystemExit, OSError) as error:
        raise OcrError("Tesseract is not installed: `apt-get install tesseract-ocr` brings it") from error
    missing = [name for name in languages.split("+") if name not in installed]
    if missing:
        packages = " ".join(f"tesseract-ocr-{name.lower().replace('_', '-')}" for name in missing)
        raise OcrError(
            f"Tesseract has no language {', '.join(map(repr, missing))}: `apt-get install {packages}` may bring it; "
            f"installed are {', '.join(sorted(installed))}"
        )
    return version


def read_cover(path: Path, languages: str) -> Reading:
    """The text of an image file.

    Raises:
        MediaError: the file cannot be read.
        ReadingError: Tesseract takes too long over it, or breaks down.
    """
    image = open_image(path)
    longer = max(image.size)
    scale = min(max(longer, MIN_SIDE), MAX_SIDE) / longer
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image = image.resize(size, Image.Resampling.LANCZOS)
    readings = [
        _words(_only_white(image), languages, SPARSE),
        _words(ImageOps.grayscale(image), languages, FULL_PAGE),
    ]
    words = max(readings, key=lambda words: sum(word.confidence * len(word.text) for word in words))
    lines: dict[tuple[int, ...], list[str]] = {}
    for word in words:
        lines.setdefault(word.line, []).append(word.text)
    letters = sum(len(word.text) for word in words)
    confidence = sum(word.confidence * len(word.text) for word in words) / letters / 100 if letters else None
    return Reading("\n".join(" ".join(line) for line in lines.values()), confidence)


@dataclass(frozen=True)
class _Word:
    text: str
    confidence: float  # 0 to 100
    line: tuple[int, ...]  # block, paragraph, line


def _words(image: Image.Image, languages: str, mode: int) -> list[_Word]:
    try:
        found = pytesseract.image_to_data(
            image,
            lang=languages,
            config=f"--psm {mode}",
            timeout=PASS_LIMIT_S,
            output_type=pytesseract.Output.DICT,
        )
    except pytesseract.TesseractError as error:  # its message names temporary files: no two would be equal
        raise ReadingError(f"Tesseract broke down over it (exit code {error.status})") from error
    except RuntimeError as error:  # so pytesseract says that the time is up
        raise ReadingError(f"Tesseract took longer than {PASS_LIMIT_S:.0f} s") from error
    lines = zip(found["block_num"], found["par_num"], found["line_num"], strict=True)
    return [
        _Word(text.strip(), float(confidence), line)
        for text, confidence, line in zip(found["text"], found["conf"], lines, strict=True)
        if float(confidence) >= MIN_CONFIDENCE and any(map(str.isalnum, text))
    ]


def _only_white(image: Image.Image) -> Image.Image:
    """Black where the image is white, white elsewhere."""
    red, green, blue = image.split()
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    return darkest.point([255] * WHITE_FROM + [0] * (256 - WHITE_FROM))
