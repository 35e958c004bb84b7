"""Which of Tesseract's language packs the videos need."""

import shutil

import pytest

from ingest.ocr_packs import advice, command, installed, missing, pack_of

ENGLISH = {"eng", "osd"}


@pytest.mark.parametrize(
    ("code", "pack"),
    [("de", "deu"), ("fr", "fra"), ("el", "ell"), ("fa", "fas"), ("sr", "srp"), ("no", "nor"), ("th", "tha")],
)
def test_a_language_has_a_pack(code: str, pack: str) -> None:
    assert pack_of(code) == pack


def test_videos_in_a_language_need_its_pack() -> None:
    assert missing({"en": 90, "de": 3, "ru": 1}, ENGLISH) == {"deu": "de", "rus": "ru"}


def test_what_is_installed_is_not_asked_for() -> None:
    assert missing({"de": 3, "ru": 1}, ENGLISH | {"deu", "rus"}) == {}


def test_a_pack_for_a_whole_script_serves_its_languages() -> None:
    assert missing({"de": 3, "fr": 2, "ru": 1, "th": 1}, ENGLISH | {"script/Latin", "script/Cyrillic"}) == {"tha": "th"}


def test_one_short_text_is_not_enough_for_a_pack_of_latin_letters() -> None:
    assert missing({"en": 90, "sw": 1}, ENGLISH) == {}


def test_chinese_and_japanese_need_none() -> None:
    assert missing({"zh": 30, "ja": 20}, ENGLISH) == {}


def test_the_advice_names_languages_and_the_command() -> None:
    said = advice({"th": 4, "el": 1})
    assert "Thai (4), Greek (1)" in said and said.endswith("apt-get install tesseract-ocr-tha tesseract-ocr-ell")


def test_packs_that_a_person_chose_are_left_alone() -> None:
    assert advice({"th": 4}, "eng") == ""


def test_the_command_has_debians_names() -> None:
    assert command(["chi_sim", "deu"]) == "apt-get install tesseract-ocr-chi-sim tesseract-ocr-deu"


@pytest.mark.skipif(not shutil.which("tesseract"), reason="Tesseract is not installed")
def test_the_installed_packs_are_known() -> None:
    assert "eng" in installed()
