"""Names and tags of languages."""

import pytest

from ingest.language_names import code_of, code_of_tag, name_of


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("de", "de"), ("DE", "de"), ("German", "de"), ("deutsch", "de"), ("allemand", "de"), ("Deutsch ", "de"),
        ("eng-US", "en"), ("en_GB", "en"), ("zh-Hant-TW", "zh"), ("cmn", "zh"), ("中文", "zh"), ("日本語", "ja"),
        ("한국어", "ko"), ("русский", "ru"), ("Farsi", "fa"), ("iw", "he"), ("portugues", "pt"), ("Türkçe", "tr"),
        ("Brazilian Portuguese", "pt"), ("castellano", "es"), ("fil", "tl"), ("norsk bokmål", "no"),
    ],
)  # fmt: skip
def test_codes_tags_and_names_in_any_language_mean_a_language(typed: str, code: str) -> None:
    assert code_of(typed) == code


@pytest.mark.parametrize(
    "typed", ["", " ", "xx", "klingon", "und", "mul", "the", "!!", "a" * 5000, "\x00", "\x00\U00010000", "speech"]
)
def test_other_words_mean_none(typed: str) -> None:
    assert code_of(typed) == code_of_tag(typed) == ""


def test_a_language_has_an_english_name() -> None:
    assert [name_of(code) for code in ("de", "zh", "tl", "no")] == ["German", "Chinese", "Filipino", "Norwegian"]


def test_an_unknown_code_is_shown_as_it_is() -> None:
    assert name_of("klingon") == "klingon"
