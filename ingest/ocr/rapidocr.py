"""A picture -> its words by RapidOCR: PP-OCRv6 on onnxruntime, which also reads rotated, outlined, glowing letters.

Its models are in its wheel and passed by path, because without a path it would download them. It knows Latin letters,
Chinese and Japanese, and skips or misreads other scripts.
"""

import base64
import hashlib
import importlib
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ingest.ocr.result import MIN_LINE, Box, OcrError, Reading, ReadingError, Word, letters

HINT = "install it again with `pip install --force-reinstall --no-deps rapidocr==3.10.0`"
MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",  # finds lines
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",  # detects lines that are upside down
    "Rec": "PP-OCRv6_rec_small.onnx",  # reads them
}
MIN_CONFIDENCE = 0.8  # per line; lines below are mostly hallucinations
WIDE = 1.5  # times the height: narrower things are mostly no lines
UNREADABLE = "\N{REPLACEMENT CHARACTER}"
MAX_SIDE = 2000  # px of the longer side, RapidOCR's limit; scaled here to save memory


@dataclass(frozen=True)
class Look:
    """What RapidOCR found on a picture: the lines that it read, and where it found lines that it cannot read."""

    reading: Reading
    unread: tuple[Box, ...]  # lines that it reads without confidence
    strange: tuple[Box, ...]  # lines of which it reads nothing or one letter, as of scripts that it does not know


@cache
def check() -> str:
    """Check that RapidOCR can be imported and that its models are complete, and return its version.

    Raises:
        OcrError: it is not installed, a library that it needs cannot be loaded, or a model is missing or damaged.
    """
    missing = [name for name in ("rapidocr", "onnxruntime") if not find_spec(name)]
    if missing:
        raise OcrError(f"{' and '.join(missing)} not installed: {HINT}")
    version = metadata.version("rapidocr")
    lost = [file for file in MODELS.values() if not (_folder() / file).is_file()]
    if lost:
        raise OcrError(f"rapidocr {version} lacks {', '.join(lost)}: {HINT}")
    if damaged := [file for file in MODELS.values() if _is_damaged(file)]:
        raise OcrError(f"the files {', '.join(damaged)} of rapidocr {version} are damaged: {HINT}")
    try:
        importlib.import_module("rapidocr")
    except Exception as error:  # a system library that OpenCV needs, another version of numpy
        raise OcrError(f"rapidocr {version} cannot be loaded ({error}): {HINT}") from error
    return f"rapidocr {version}"


def _is_damaged(file: str) -> bool:
    """Whether a model differs from what its package lists; False if the package has no list."""
    listed = [path for path in metadata.files("rapidocr") or () if path.name == file and path.hash]
    digest = base64.urlsafe_b64encode(hashlib.sha256((_folder() / file).read_bytes()).digest()).rstrip(b"=").decode()
    return any(path.hash and path.hash.mode == "sha256" and path.hash.value != digest for path in listed)


def read(image: Image.Image) -> Reading:
    """Read an upright RGB picture. Raises ReadingError and OcrError like `look`."""
    return look(image).reading


def look(image: Image.Image) -> Look:
    """Read an upright RGB picture. RapidOCR returns lines: each word has the confidence and box of its line.

    Raises:
        ReadingError: RapidOCR crashes.
        OcrError: it is not installed.
    """
    scale = min(1.0, MAX_SIDE / max(image.size))
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    try:
        found = engine()(np.ascontiguousarray(np.asarray(image)[:, :, ::-1]), text_score=0.0)  # it expects BGR
    except OcrError:
        raise
    except Exception as error:  # of OpenCV, onnxruntime or numpy
        raise ReadingError(f"RapidOCR crashed ({type(error).__name__})") from error
    lines: list[list[Word]] = []
    unread: list[Box] = []
    strange: list[Box] = []
    for text, confidence, corners in zip(
        *((field if field is not None else ()) for field in (found.txts, found.scores, found.boxes)), strict=True
    ):
        (left, top), (right, bottom) = corners.min(axis=0) / scale, corners.max(axis=0) / scale
        box = (round(float(left)), round(float(top)), round(float(right)), round(float(bottom)))
        if confidence >= MIN_CONFIDENCE and text != UNREADABLE:
            lines.append([Word(word, float(confidence), box) for word in text.split()])
        elif letters(text) >= MIN_LINE:
            unread.append(box)
        elif right - left >= WIDE * (bottom - top):
            strange.append(box)
    return Look(Reading.of(lines, "rapidocr"), tuple(unread), tuple(strange))


def _folder() -> Path:
    spec = find_spec("rapidocr")
    if not spec or not spec.origin:
        raise OcrError(f"rapidocr not installed: {HINT}")
    return Path(spec.origin).parent / "models"


@cache
def engine() -> Any:
    """One engine per process, on one thread: the pipeline runs one process per core."""
    check()
    from rapidocr import RapidOCR

    class KeepingEmptyLines(RapidOCR):
        """Lines that RapidOCR finds and reads as "", such as Arabic ones, are UNREADABLE instead of dropped."""

        def recognize_txt(self, *args: Any) -> Any:
            found = super().recognize_txt(*args)
            txts: Any = found.txts and tuple(text.strip() or UNREADABLE for text in found.txts)
            return replace(found, txts=txts)

    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    paths = {f"{part}.model_path": str(_folder() / file) for part, file in MODELS.items()}
    return KeepingEmptyLines(params={"Global.log_level": "critical", **threads, **paths})
