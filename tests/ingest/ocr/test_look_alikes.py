"""Words whose letters look alike in several scripts -> the script of the text around them."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest.ocr import engine, tesseract
from ingest.ocr.look_alikes import doubtful, in_one_script, script_of
from ingest.ocr.result import Reading, Word

FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf")
fonts = pytest.mark.skipif(not FONT.exists(), reason="the font DejaVu Sans is not installed (fonts-dejavu-core)")
russian = pytest.mark.skipif(
    not tesseract.has("auto", "Cyrillic"), reason="Tesseract's pack `rus` is not installed (tesseract-ocr-rus)"
)


def reading(*lines: str) -> Reading:
    rows = [[Word(word, 0.99, (0, 50 * n, 100, 50 * n + 30)) for word in line.split()] for n, line in enumerate(lines)]
    return Reading.of(rows, "rapidocr")


def drawn(text: str) -> Image.Image:
    image = Image.new("RGB", (405, 300), "#2b4a5c")
    ImageDraw.Draw(image).multiline_text((20, 60), text, "white", ImageFont.truetype(str(FONT), 40), spacing=12)
    return image


@pytest.mark.parametrize(
    ("text", "script"),
    [("скоро новое видео #cat", "Cyrillic"), ("new video", "Latin"), ("καλημέρα", "Greek"), ("日本語", ""), ("5!", "")],
)
def test_a_text_has_the_script_of_most_letters(text: str, script: str) -> None:
    assert script_of(text) == script


@pytest.mark.parametrize(
    ("text", "is_doubtful"),
    [
        ("CKOPO", True),
        ("CAKE", True),
        ("ΣYNTAΓH", True),
        ("καλó ταξδι", True),
        ("garden", False),
        ("5 O", False),
        ("日本語の本", False),
    ],
)
def test_a_line_without_a_clearly_latin_letter_could_be_of_another_script(text: str, is_doubtful: bool) -> None:
    assert doubtful(reading(text).words) is is_doubtful


def test_a_word_follows_the_clear_letters_of_its_line_and_then_of_the_picture() -> None:
    assert in_one_script(reading("CKOPO", "новое видео", "AVATAR")).text == "СКОРО\nновое видео\nAVATAR"
    assert in_one_script(reading("САКЕ", "made today")).text == "CAKE\nmade today"


def test_a_word_of_two_scripts_is_written_in_one() -> None:
    assert in_one_script(reading("KAΛHMEPA", "видеo")).text == "ΚΑΛΗΜΕΡΑ\nвидео"


def test_formulas_and_clear_words_stay_as_they_are() -> None:
    texts = ["ΔT = 5 K", "π × r × home", "ρ = m / V", "χ 2 test", "AVATAR\nVIDEO", "日本語 CAKE", "CAKE", "TIME π"]
    assert [in_one_script(reading(*text.split("\n"))).text for text in texts] == texts


def test_no_word_becomes_one_of_two_scripts() -> None:
    assert in_one_script(reading("я и ты ZOOM MAMA")).text == "я и ты ZOOM МАМА"
    assert in_one_script(reading("Ω COPE", "ΣΔΩ")).text == "Ω COPE\nΣΔΩ"


def test_the_description_decides_where_the_picture_does_not() -> None:
    assert in_one_script(reading("CKOPO"), "Cyrillic").text == "СКОРО"
    assert in_one_script(reading("ТОР"), "Latin").text == "TOP"
    assert in_one_script(reading("iPhone 15 Pro", "CAKE"), "Cyrillic").text == "iPhone 15 Pro\nCAKE"
    assert in_one_script(reading("CAKE"), "Cyrillic", decided=True).text == "CAKE"


@fonts
def test_capitals_on_a_cover_with_a_russian_description_are_cyrillic_without_a_pack() -> None:
    assert engine.read_image(drawn("СКОРО"), "eng", script="Cyrillic").text == "СКОРО"
    assert engine.read_image(drawn("СКОРО"), "eng").text == "CKOPO"


@fonts
@russian
def test_a_russian_pack_is_asked_about_letters_that_look_latin() -> None:
    assert engine.read_image(drawn("МОСКВА\nНАСТРОЙКА"), "auto").text == "МОСКВА\nНАСТРОЙКА"
    assert engine.read_image(drawn("CAKE"), "auto", script="Cyrillic").text == "CAKE"
