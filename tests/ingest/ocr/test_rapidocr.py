"""Pictures -> text through the real RapidOCR, and through Tesseract with it."""

import socket
from collections.abc import Iterator
from difflib import SequenceMatcher
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest.ocr import rapidocr
from ingest.ocr.engine import Engine, OcrError, ReadingError, check, read_image
from ingest.ocr.rapidocr import MODELS

ENGINES: tuple[Engine, ...] = ("rapidocr", "auto")
installed = pytest.mark.skipif(
    any(not find_spec(name) for name in ("rapidocr", "onnxruntime")),
    reason="the extra `rapidocr` is not installed",
)


def sticker(text: str, degrees: float, size: tuple[int, int] = (405, 720)) -> Image.Image:
    """Yellow letters with a red edge, turned, on a striped ground."""
    image = Image.new("RGB", size)
    draw = ImageDraw.Draw(image)
    for y in range(0, size[1], 24):
        draw.rectangle([0, y, size[0], y + 12], fill=(60, 110, 130))
    layer = Image.new("RGBA", size, (0, 0, 0, 0))
    font = ImageFont.load_default(size=size[0] / 9)
    ImageDraw.Draw(layer).text(
        (size[0] / 2, size[1] / 2), text, "#ffe14d", font, anchor="mm", stroke_width=3, stroke_fill="#a01030"
    )
    layer = layer.rotate(degrees, Image.Resampling.BICUBIC)
    image.paste(layer, (0, 0), layer)
    return image


def card(text: str) -> Image.Image:
    page = Image.new("RGB", (405, 300), "white")
    ImageDraw.Draw(page).multiline_text((30, 60), text, "black", ImageFont.load_default(size=30), spacing=12)
    return page


def test_a_missing_extra_is_named_with_its_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rapidocr, "find_spec", lambda name: None)
    for engine in ENGINES:
        with pytest.raises(OcrError, match=r"pip install .tiktok-retrieval\[rapidocr\]"):
            check("eng", engine)


@installed
def test_the_version_names_both_engines() -> None:
    tesseract, rapidocr = check("eng", "auto").split(", ")
    assert tesseract == check("eng")
    assert rapidocr == check("eng", "rapidocr")
    assert rapidocr.startswith("rapidocr 3")


@installed
def test_missing_models_of_a_version_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "Rec", "PP-OCRv99_rec.onnx")
    with pytest.raises(OcrError, match="PP-OCRv99_rec"):
        rapidocr.check()


@installed
def test_rotated_and_outlined_letters_are_read() -> None:
    reading = rapidocr.read(sticker("NINE BRAINS", 12))
    assert SequenceMatcher(None, reading.text, "NINE BRAINS").ratio() > 0.9
    assert reading.engine == "rapidocr"
    assert (reading.confidence or 0) >= rapidocr.MIN_CONFIDENCE


@installed
def test_lines_and_word_boxes_are_kept() -> None:
    reading = rapidocr.read(card("apples are sweet\nbread is warm"))
    assert reading.text.splitlines() == ["apples are sweet", "bread is warm"]
    assert [word.text for word in reading.words] == reading.text.split()
    top, bottom = reading.words[0].box, reading.words[-1].box
    assert abs(top[0] - 30) <= 8
    assert top[3] <= bottom[1] + 8 <= 160


@installed
def test_boxes_are_in_pixels_of_the_original_picture_also_for_large_ones() -> None:
    small, large = (rapidocr.read(sticker("GARDEN", 0, size)).words[0].box for size in ((405, 720), (2430, 4320)))
    assert max(abs(side / 6 - other) for side, other in zip(large, small, strict=True)) <= 8


@installed
@pytest.mark.parametrize("picture", [Image.new("RGB", (405, 720), "#335577"), Image.new("RGB", (1, 1)), card("")])
def test_a_picture_without_words_is_empty(picture: Image.Image) -> None:
    reading = rapidocr.read(picture)
    assert (reading.text, reading.confidence, reading.lines) == ("", None, [])


@installed
def test_noise_gives_next_to_nothing() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (720, 405, 3), dtype=np.uint8)
    assert len(rapidocr.read(Image.fromarray(noise)).text) <= 8


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Every attempt to reach another machine, which fails."""
    attempts: list[Any] = []

    def refuse(*where: Any, **more: Any) -> Any:
        attempts.append(where)
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    rapidocr.engine.cache_clear()
    yield attempts
    rapidocr.engine.cache_clear()


@installed
def test_models_come_from_the_disk_without_network_access(no_network: list[Any]) -> None:
    assert rapidocr.read(card("apples are sweet")).text == "apples are sweet"
    assert no_network == []


@installed
def test_an_internal_crash_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rapidocr.engine(), "text_rec", None, raising=False)
    monkeypatch.setattr(rapidocr.engine(), "_load_rec_model", lambda: None)
    with pytest.raises(ReadingError, match="RapidOCR crashed"):
        rapidocr.read(card("apples are sweet"))


@installed
def test_auto_accepts_confident_readings_of_tesseract() -> None:
    assert read_image(card("apples are sweet\nbread is warm"), "eng", "auto").engine == "tesseract"


@installed
def test_auto_uses_rapidocr_if_tesseract_reads_nothing() -> None:
    picture = sticker("NINE BRAINS", 12)
    assert "NINE BRAINS" not in read_image(picture, "eng").text
    reading = read_image(picture, "eng", "auto")
    assert reading.engine == "rapidocr"
    assert "BRAINS" in reading.text
