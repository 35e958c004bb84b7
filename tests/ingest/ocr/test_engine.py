"""Pictures -> text through the real Tesseract."""

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytesseract
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from ingest.media import MediaError, open_image
from ingest.ocr import engine, tesseract
from ingest.ocr.engine import IMAGE_LIMIT_S, OcrError, Reading, ReadingError, Word
from ingest.stages.workers import WorkerError, each
from tests.broken_files import broken_pictures
from tests.ingest import media_samples

read_cover = partial(engine.read_cover, engine="tesseract")
read_image = partial(engine.read_image, engine="tesseract")
check = partial(engine.check, engine="tesseract")


@pytest.fixture(autouse=True)
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_THREAD_LIMIT", "1")


def ground(size: tuple[int, int] = (405, 720)) -> Image.Image:
    """A busy, colourful picture, much as foliage and faces are: dark and bright blots of all sizes."""
    dice = random.Random(7)
    image = Image.new("RGB", size)
    draw = ImageDraw.Draw(image)
    for _ in range(900):
        x, y, r = dice.randrange(size[0]), dice.randrange(size[1]), dice.randrange(4, 40)
        colour = dice.randrange(40, 190), dice.randrange(40, 190), dice.randrange(20, 160)
        draw.ellipse([x - r, y - r, x + r, y + r], fill=colour)
    return image.filter(ImageFilter.GaussianBlur(2))


def written(
    image: Image.Image,
    text: str,
    fill: str,
    at: tuple[int, int] = (30, 80),
    size: float = 30,
    outline: str | None = None,
) -> Image.Image:
    font = ImageFont.load_default(size=size)
    ImageDraw.Draw(image).multiline_text(
        at, text, fill, font, spacing=size / 3, stroke_width=2 if outline else 0, stroke_fill=outline
    )
    return image


def noise() -> Image.Image:
    grain = np.random.default_rng(3).normal(128, 90, (720, 405)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(grain).convert("RGB")


def likeness(reading: Reading, text: str) -> float:
    return SequenceMatcher(None, reading.text, text).ratio()


# -- what is read -------------------------------------------------------------------------------------------------


def test_white_captions_on_a_picture_are_read_line_by_line(tmp_path: Path) -> None:
    reading = read_cover(media_samples.cover(tmp_path / "cover.png", "How to bake\nsourdough"), "eng")
    assert reading.text.splitlines() == ["How to bake", "sourdough"]
    assert reading.confidence is not None
    assert 0.7 <= reading.confidence <= 1
    assert [text for text, _ in reading.lines] == ["How to bake", "sourdough"]
    assert min(confidence for _, confidence in reading.lines) <= reading.confidence


def test_dark_print_on_white_is_read() -> None:
    page = written(Image.new("RGB", (405, 720), "white"), "the middle child\nlives out of\na backpack", "black")
    assert read_image(page, "eng").text.splitlines() == ["the middle child", "lives out of", "a backpack"]


def test_white_letters_with_a_black_outline_are_read_on_a_busy_background() -> None:
    caption = "when nobody is\nwatching the oven\nfor one minute"
    assert likeness(read_image(written(ground(), caption, "white", outline="black"), "eng"), caption) > 0.9


def test_light_print_on_a_dark_card_is_read() -> None:
    image = ground()
    ImageDraw.Draw(image).rectangle([15, 60, 390, 190], fill="#17171c")
    assert read_image(written(image, "my first\nsourdough", "#e8e8f0"), "eng").text == "my first\nsourdough"


def test_dark_letters_on_a_coloured_card_are_read_beside_brighter_parts() -> None:
    image = ground()
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, 300, 405, 720], fill="#f4f4f4")
    draw.rectangle([15, 60, 390, 190], fill="#2e6e62")
    assert "heute von" in read_image(written(image, "heute von\nGleis sieben", "#10201c"), "eng").text


def test_small_print_is_read() -> None:
    page = written(Image.new("RGB", (300, 200), "white"), "add two spoons of flour", "black", size=13)
    assert read_image(page, "eng").text == "add two spoons of flour"


def test_captions_of_both_kinds_on_one_picture_are_both_read() -> None:
    image = written(ground(), "look what happened\nto my garden", "white", outline="black")
    ImageDraw.Draw(image).rectangle([20, 400, 385, 470], fill="white")
    text = read_image(written(image, "reply to comment", "black", at=(40, 415)), "eng").text
    assert text.splitlines() == ["look what happened", "to my garden", "reply to comment"]


def test_a_line_in_two_styles_is_one_line() -> None:
    image = written(ground(), "summer", "white", outline="black", at=(30, 80), size=36)
    ImageDraw.Draw(image).rectangle([176, 70, 380, 130], fill="white")
    assert read_image(written(image, "kitchen", "black", at=(186, 80), size=36), "eng").text == "summer kitchen"


def test_columns_are_read_one_after_the_other() -> None:
    page = Image.new("RGB", (1000, 700), "white")
    left = ["apples are sweet", "bread is warm", "cheese is old", "dates are dry", "eggs are round", "figs are soft"]
    right = ["grapes are blue", "honey is gold", "ice is very cold", "juice is fresh", "kale is green", "leek is long"]
    written(written(page, "\n".join(left), "black", size=34), "\n".join(right), "black", at=(560, 80), size=34)
    assert read_image(page, "eng").text.splitlines() == left + right


def test_a_picture_is_rotated_by_its_exif_data(tmp_path: Path) -> None:
    page = written(Image.new("RGB", (405, 300), "white"), "this way up\nplease", "black")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right
    page.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    assert read_cover(tmp_path / "turned.jpg", "eng").text == "this way up\nplease"


def test_words_have_boxes_in_pixels_of_the_original_picture() -> None:
    page = written(Image.new("RGB", (405, 720), "white"), "garden", "black", at=(120, 500))
    (word,) = read_image(page, "eng").words
    drawn = ImageDraw.Draw(page).textbbox((120, 500), "garden", ImageFont.load_default(size=30))
    assert word.text == "garden"
    assert max(abs(found - true) for found, true in zip(word.box, drawn, strict=True)) <= 6


# -- what is not there --------------------------------------------------------------------------------------------


def test_a_picture_without_words_is_empty_not_unreadable(tmp_path: Path) -> None:
    reading = read_cover(media_samples.cover(tmp_path / "cover.png", ""), "eng")
    assert (reading.text, reading.confidence, reading.lines) == ("", None, [])


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The options of every run of Tesseract from here on."""
    seen: list[str] = []
    run = pytesseract.image_to_data

    def counted(*args: Any, **options: Any) -> Any:
        seen.append(options["config"])
        return run(*args, **options)

    monkeypatch.setattr(pytesseract, "image_to_data", counted)
    return seen


def test_noise_gives_next_to_nothing_and_skips_the_slow_pass_for_white_letters(runs: list[str]) -> None:
    assert len(read_image(noise(), "eng").text) <= 8
    assert len(runs) == 2


def test_a_busy_picture_gives_no_words_and_a_confident_reading_needs_no_third_pass(runs: list[str]) -> None:
    assert read_image(ground(), "eng").text == ""
    assert len(runs) == 3
    runs.clear()
    read_image(written(Image.new("RGB", (405, 720), "white"), "the middle child\nlives in a backpack", "black"), "eng")
    assert len(runs) == 2


def test_a_single_letter_is_ignored() -> None:
    word, letter = Word("garden", 0.9, (0, 0, 90, 30)), Word("O", 0.95, (0, 90, 30, 120))
    assert Reading.of([[word], [letter]], "tesseract").text == "garden"


def test_a_single_pixel_is_empty(tmp_path: Path) -> None:
    assert read_cover(media_samples.cover(tmp_path / "dot.png", "", (1, 1)), "eng").text == ""


@pytest.mark.parametrize("size", [(4000, 1), (1, 4000)])
def test_a_picture_of_one_line_of_pixels_is_empty(size: tuple[int, int]) -> None:
    assert read_image(Image.new("RGB", size, "white"), "eng").text == ""


# -- what cannot be read ------------------------------------------------------------------------------------------


def bomb(path: Path) -> Path:
    """A PNG of a few bytes that claims 60,000 by 60,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(bytes(1000))), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def test_a_corrupt_cover_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    with pytest.raises(MediaError):
        read_cover(tmp_path / "cover.jpg", "eng")


def test_a_decompression_bomb_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MediaError):
        read_cover(bomb(tmp_path / "bomb.png"), "eng")


def test_a_cut_picture_is_an_error(tmp_path: Path) -> None:
    whole = media_samples.cover(tmp_path / "cover.png", "How to bake").read_bytes()
    (tmp_path / "cover.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError):
        read_cover(tmp_path / "cover.png", "eng")


def test_a_format_that_is_not_on_the_list_is_an_error(tmp_path: Path) -> None:
    media_samples.cover(tmp_path / "cover.png", "How to bake")
    Image.open(tmp_path / "cover.png").save(tmp_path / "cover.eps")
    (tmp_path / "cover.eps").rename(tmp_path / "cover.jpg")  # Ghostscript would run its content
    with pytest.raises(MediaError):
        read_cover(tmp_path / "cover.jpg", "eng")


def test_a_picture_that_takes_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tesseract, "PASS_LIMIT_S", 0.02)
    with pytest.raises(ReadingError, match="longer than"):
        read_image(ground(), "eng")


# -- engines and languages ----------------------------------------------------------------------------------------


@pytest.fixture
def packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for language packs that Tesseract uses instead of the installed ones."""
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    tesseract.packs.cache_clear()
    yield tmp_path
    tesseract.packs.cache_clear()


def test_tesseract_without_language_packs_is_an_error(packs: Path) -> None:
    with pytest.raises(OcrError, match="tesseract-ocr-eng"):
        check("auto")


def test_a_missing_language_is_named_with_its_package() -> None:
    with pytest.raises(OcrError, match="tesseract-ocr-xx-yyy"):
        check("eng+xx_YYY")


def test_missing_tesseract_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytesseract.pytesseract.tesseract_cmd", "no-such-tesseract")
    with pytest.raises(OcrError, match="apt-get install tesseract-ocr"):
        check("eng")


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(OcrError, match="tesseract, rapidocr, auto"):
        engine.check("eng", "tesserract")  # type: ignore[arg-type]


def test_the_version_names_tesseract_and_its_packs() -> None:
    assert check("eng") == f"{pytesseract.get_tesseract_version()} eng"


def test_auto_takes_one_latin_pack_and_the_packs_of_every_other_script(packs: Path) -> None:
    for name in ("eng", "deu", "rus", "ukr", "jpn", "osd"):
        (packs / f"{name}.traineddata").touch()
    assert tesseract.packs("auto") == ("eng", "rus+ukr", "jpn")


def test_auto_takes_the_latin_pack_of_the_language_if_it_is_installed(packs: Path) -> None:
    for name in ("eng", "deu", "rus"):
        (packs / f"{name}.traineddata").touch()
    found = {language: tesseract.packs("auto", language) for language in ("de", "en", "fr", "ru", "")}
    assert found == {"de": ("deu", "rus"), **dict.fromkeys(("en", "fr", "ru", ""), ("eng", "rus"))}


def test_auto_prefers_the_pack_for_all_latin_languages(packs: Path) -> None:
    for name in ("eng", "Latin", "deu"):
        (packs / f"{name}.traineddata").touch()
    assert tesseract.packs("auto") == tesseract.packs("auto", "de") == ("Latin",)


def test_named_packs_are_used_unchanged(packs: Path) -> None:
    for name in ("eng", "deu"):
        (packs / f"{name}.traineddata").touch()
    assert tesseract.packs("deu+eng") == ("deu+eng",)


@pytest.mark.skipif("ara" not in pytesseract.get_languages(), reason="tesseract-ocr-ara is not installed")
@pytest.mark.parametrize("text", ["حرف العين", "letter of the day"])
def test_auto_reads_pictures_in_either_script(text: str) -> None:
    fonts = [
        path for path in Path("/usr/share/fonts").rglob("*.ttf") if "Arabic" in path.name or "DejaVuSans." in path.name
    ]
    if not fonts:
        pytest.skip("no font with Arabic letters (fonts-noto-core, fonts-dejavu-core)")
    page = Image.new("RGB", (405, 300), "white")
    font = ImageFont.truetype(str(fonts[0]), 36)
    ImageDraw.Draw(page).text((60, 80), text, "black", font)
    assert likeness(read_image(page, "auto"), text) > 0.9


# -- real and hostile pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "gif", "bmp", "jpg", "jp2", "ppm", "avif"])
def test_a_printed_page_is_read_in_every_file_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"page.{suffix}"
    written(Image.new("RGB", (405, 300), "white"), "the quick brown dog\njumped over the fox", "black").save(path)
    assert "quick brown dog" in read_cover(path, "eng").text


@pytest.mark.research_data("printed pages that come with pytesseract")
def test_printed_pages_of_every_file_format_are_read(shared_data: Path) -> None:
    for name in ("test.png", "test.webp", "test.tiff", "test.gif", "test.bmp", "test.jpeg2000", "test.ppm"):
        assert "quick brown dog" in read_cover(shared_data / "ocr" / "pytesseract" / name, "eng").text, name


@pytest.mark.heavy
@pytest.mark.research_data("real covers")
def test_real_covers_give_their_captions(shared_data: Path) -> None:
    covers = sorted((shared_data / "tiktok" / "coverphotos").iterdir())
    texts = [read_cover(path, "eng").text for path in covers]
    assert len(texts) == 19
    assert sum(len(text) > 20 for text in texts) >= 14  # 17 of them carry words


def english(path: Path) -> Reading:
    return read_cover(path, "eng")


def opens(path: Path) -> Reading:
    open_image(path)
    return Reading.of((), "tesseract")


def check_hostile(pictures: list[Path], job: Callable[[Path], Reading] = english) -> None:
    outcomes = list(each(job, ((path.name, path) for path in pictures), processes=2, limit_s=lambda _: IMAGE_LIMIT_S))
    assert len(outcomes) == len(pictures)
    unforeseen = [
        (name, outcome)
        for name, outcome in outcomes
        if not isinstance(outcome, Reading | MediaError | ReadingError | WorkerError)
    ]
    assert not unforeseen
    assert sum(isinstance(outcome, WorkerError) for _, outcome in outcomes) <= 3  # a decoder that crashes, at most


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.heavy)])
def test_hostile_pictures_are_read_or_refused_without_a_crash(step: int, tmp_path: Path) -> None:
    """All are opened. The engines get pixels only, so a few of each kind are enough for them."""
    for name, content in broken_pictures().items():
        (tmp_path / name).write_bytes(content)
    check_hostile(sorted(tmp_path.iterdir()), opens)
    check_hostile(sorted(tmp_path.iterdir())[::step])


@pytest.mark.heavy
@pytest.mark.research_data("a published collection of hostile pictures")
@pytest.mark.timeout(3000)
def test_published_hostile_pictures_are_read_or_refused_without_a_crash(shared_data: Path) -> None:
    pictures = [path for path in sorted((shared_data / "hostile" / "pillow").rglob("*")) if path.is_file()]
    assert len(pictures) > 500
    check_hostile(pictures)
