"""Pictures -> text through the real RapidOCR, and through Tesseract with it."""

import socket
import sys
from collections.abc import Iterator
from difflib import SequenceMatcher
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest.media import open_image
from ingest.ocr import rapidocr, tesseract
from ingest.ocr.engine import OcrError, Reading, ReadingError, Word, check, missing, read_cover, read_image
from ingest.ocr.layout import combined
from ingest.ocr.rapidocr import MODELS

real = find_spec("rapidocr")
SAMPLE = Path(__file__).resolve().parents[3] / "data" / "sample"
installed = pytest.mark.skipif(
    any(not find_spec(name) for name in ("rapidocr", "onnxruntime")),
    reason="the package `rapidocr` is not installed",
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


@pytest.fixture(autouse=True)
def checked_anew() -> Iterator[None]:
    rapidocr.check.cache_clear()
    yield
    rapidocr.check.cache_clear()


def test_a_missing_package_is_named_with_its_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rapidocr, "find_spec", lambda name: None)
    with pytest.raises(OcrError, match=r"not installed: install it again with `pip install .* rapidocr=="):
        check("eng", "rapidocr")


def test_auto_works_without_rapidocr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rapidocr, "find_spec", lambda name: None)
    assert check("eng", "auto") == check("eng", "tesseract")
    assert read_image(card("apples are sweet"), "eng", "auto").engine == "tesseract"
    assert "not installed" in missing()


def test_a_failing_import_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    monkeypatch.setattr(rapidocr, "find_spec", lambda name: real)
    with pytest.raises(OcrError, match="cannot be loaded"):
        rapidocr.check()


def test_a_damaged_model_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in MODELS.values():
        (tmp_path / name).write_bytes((rapidocr._folder() / name).read_bytes())
    raw = bytearray((tmp_path / MODELS["Cls"]).read_bytes())
    raw[1000] ^= 1
    (tmp_path / MODELS["Cls"]).write_bytes(raw)
    monkeypatch.setattr(rapidocr, "_folder", lambda: tmp_path)
    with pytest.raises(OcrError, match=f"{MODELS['Cls']} .* damaged"):
        rapidocr.check()


@installed
def test_the_version_names_both_engines() -> None:
    tesseract, rapidocr = check("eng", "auto").split(", ")
    assert tesseract == check("eng", "tesseract")
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
    small, large = (rapidocr.read(sticker("GARDEN", 0, size)).words[0].box for size in ((405, 720), (1215, 2160)))
    assert max(abs(side / 3 - other) for side, other in zip(large, small, strict=True)) <= 8


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
def test_auto_asks_tesseract_only_where_rapidocr_is_not_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Image.Image] = []
    real = tesseract.read

    def watched(image: Image.Image, languages: str, *args: object, **options: object) -> Reading:
        asked.append(image)
        return real(image, languages, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(tesseract, "read", watched)
    assert read_image(card("apples are sweet\nbread is warm"), "eng", "auto").engine == "rapidocr"
    assert not asked
    read_image(card("applesaresweetandgood"), "eng", "auto")
    assert len(asked) == 1


@installed
def test_a_line_of_which_rapidocr_reads_nothing_is_known() -> None:
    arabic = SAMPLE / "coverphotos" / "9000000000000000037.jpg"
    assert rapidocr.look(open_image(arabic)).strange
    assert not rapidocr.look(card("")).strange


@installed
def test_auto_reads_what_tesseract_alone_does_not() -> None:
    picture = sticker("NINE BRAINS", 12)
    assert "NINE BRAINS" not in read_image(picture, "eng", "tesseract").text
    assert "BRAINS" in read_image(picture, "eng", "auto").text


@installed
@pytest.mark.skipif("ara" not in tesseract.packs("auto"), reason="Tesseract's pack `ara` is not installed")
def test_arabic_letters_are_not_read_as_latin_ones() -> None:
    assert read_cover(SAMPLE / "coverphotos" / "9000000000000000037.jpg", "auto", "auto").text == "ثلاث غليات"


def word(text: str, left: int, right: int, top: int = 0, confidence: float = 0.9) -> Word:
    return Word(text, confidence, (left, top, right, top + 20))


def test_a_line_of_two_readings_is_the_one_with_clearly_more_weight() -> None:
    first = Reading.of([[word("good", 0, 100), word("morning", 0, 100)], [word("xx", 0, 200, 50)]], "rapidocr")
    second = Reading.of([[word("go0d", 0, 40), word("m", 45, 60)], [word("вечер", 0, 200, 50)]], "tesseract")
    assert combined(first, second).text == "good morning\nвечер"


def test_lines_that_only_one_reading_has_are_kept_in_order() -> None:
    first = Reading.of([[word("one", 0, 50)], [word("three", 0, 50, 100)]], "rapidocr")
    second = Reading.of([[word("two", 0, 50, 50)]], "tesseract")
    assert combined(first, second).text == "one\ntwo\nthree"


def test_spaces_that_one_reading_lost_come_from_the_other() -> None:
    first = Reading.of([[word("ONEONION", 0, 100, confidence=0.99)]], "rapidocr")
    second = Reading.of([[word("ONE", 0, 40), word("ONION", 45, 100)]], "tesseract")
    assert combined(first, second).text == "ONE ONION"


def test_words_belong_to_the_line_that_covers_most_of_them() -> None:
    """Boxes of turned lines overlap."""
    turned = Word("swimminggoggles", 0.99, (27, 47, 335, 118)), Word("VSONE", 0.95, (43, 90, 312, 157))
    upright = [Word("vs", 0.96, (59, 107, 90, 130)), Word("ONE", 0.96, (100, 107, 172, 138))]
    first, second = Reading.of([[one] for one in turned], "rapidocr"), Reading.of([upright], "tesseract")
    assert combined(first, second).text == "swimminggoggles\nvs ONE"
