"""A picture -> its words by RapidOCR: PP-OCRv6 on onnxruntime, which also reads rotated, outlined, glowing letters.

An extra. Its models are in its wheel and passed by path, because without a path it would download them. It knows Latin
letters, Chinese and Japanese, and skips or misreads other scripts.
"""

from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ingest.ocr.result import OcrError, Reading, ReadingError, Word

HINT = 'install it with `pip install "tiktok-retrieval[rapidocr]"`'
MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",  # finds lines
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",  # detects lines that are upside down
    "Rec": "PP-OCRv6_rec_small.onnx",  # reads them
}
MIN_CONFIDENCE = 0.8  # per line; lines below are mostly hallucinations
MAX_SIDE = 2000  # px of the longer side, RapidOCR's limit; scaled here to save memory


def check() -> str:
    """Check that RapidOCR and its models are installed, and return its version.

    Raises:
        OcrError: the extra is not installed, or its version has other models.
    """
    missing = [name for name in ("rapidocr", "onnxruntime") if not find_spec(name)]
    if missing:
        raise OcrError(f"{' and '.join(missing)} not installed: {HINT}")
    lost = [file for file in MODELS.values() if not (_folder() / file).is_file()]
    if lost:
        raise OcrError(f"rapidocr {metadata.version('rapidocr')} lacks {', '.join(lost)}: {HINT}")
    return f"rapidocr {metadata.version('rapidocr')}"


def read(image: Image.Image) -> Reading:
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
        found = engine()(np.ascontiguousarray(np.asarray(image)[:, :, ::-1]))  # it expects BGR
    except OcrError:
        raise
    except Exception as error:  # of OpenCV, onnxruntime or numpy
        raise ReadingError(f"RapidOCR crashed ({type(error).__name__})") from error
    lines = []
    for text, confidence, corners in zip(
        *((field if field is not None else ()) for field in (found.txts, found.scores, found.boxes)), strict=True
    ):
        (left, top), (right, bottom) = corners.min(axis=0) / scale, corners.max(axis=0) / scale
        box = (round(float(left)), round(float(top)), round(float(right)), round(float(bottom)))
        if confidence >= MIN_CONFIDENCE:
            lines.append([Word(word, float(confidence), box) for word in text.split()])
    return Reading.of(lines, "rapidocr")


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

    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    paths = {f"{part}.model_path": str(_folder() / file) for part, file in MODELS.items()}
    return RapidOCR(params={"Global.log_level": "critical", **threads, **paths})
