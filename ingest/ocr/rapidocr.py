"""A picture -> its words through RapidOCR: PP-OCRv6 on onnxruntime, which also reads turned, outlined, glowing letters.

An extra. Its models lie inside its wheel and are handed over by path: without one it would look for them on the net.
It knows Latin letters, Chinese and Japanese; what is in another script it leaves out or misreads.
"""

from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ingest.ocr.result import OcrError, Reading, ReadingError, Word

HINT = '`pip install "tiktok-retrieval[rapidocr]"` brings it'
MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",  # finds lines
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",  # tells those upside down
    "Rec": "PP-OCRv6_rec_small.onnx",  # reads them
}
MIN_CONFIDENCE = 0.8  # per line; what lies below is mostly made up
MAX_SIDE = 2000  # px of the longer side, RapidOCR's own limit; scaled here, so that it never holds a larger one


def check() -> str:
    """The version of RapidOCR, once it is sure that it and its models are there.

    Raises:
        OcrError: the extra is not installed, or in a version with other models.
    """
    missing = [name for name in ("rapidocr", "onnxruntime") if not find_spec(name)]
    if missing:
        raise OcrError(f"{' and '.join(missing)} not installed: {HINT}")
    lost = [file for file in MODELS.values() if not (_folder() / file).is_file()]
    if lost:
        raise OcrError(f"rapidocr {metadata.version('rapidocr')} comes without {', '.join(lost)}: {HINT}")
    return f"rapidocr {metadata.version('rapidocr')}"


def read(image: Image.Image) -> Reading:
    """The text of an upright RGB picture. RapidOCR knows no words: each has the confidence and box of its line.

    Raises:
        ReadingError: RapidOCR breaks down over it.
        OcrError: it is not installed.
    """
    scale = min(1.0, MAX_SIDE / max(image.size))
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    try:
        found = _engine()(np.ascontiguousarray(np.asarray(image)[:, :, ::-1]))  # it takes arrays as BGR
    except OcrError:
        raise
    except Exception as error:  # of OpenCV, onnxruntime, numpy: each has its own
        raise ReadingError(f"RapidOCR broke down over it ({type(error).__name__})") from error
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
def _engine() -> Any:
    """One engine a process, on one thread: the pipeline runs a process a core."""
    check()
    from rapidocr import RapidOCR

    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    paths = {f"{part}.model_path": str(_folder() / file) for part, file in MODELS.items()}
    return RapidOCR(params={"Global.log_level": "critical", **threads, **paths})
