"""Correction of words that are in no text."""

import pytest

from retrieval.index.bm25f import KeywordIndex
from retrieval.index.phrases import PhraseIndex
from retrieval.search.spelling import Correction, Speller

TEXTS = [
    "he pushed the porcelain teapot off the shelf",
    "jujutsu kaisen, the best fights",
    "Voronoi diagram explained",
    "a cake for the bake off, crème brûlée next",
    "make the fights count",
    "take care of the shelf",
    "my cute fight with a cast iron pan",
    "привет всем",
]


@pytest.fixture(scope="module")
def speller() -> Speller:
    return speller_of(TEXTS)


def speller_of(texts: list[str]) -> Speller:
    phrases = PhraseIndex.of([{"transcript": [text]} for text in texts], ["transcript"])
    return Speller(phrases, KeywordIndex.of("stems", [{"transcript": text} for text in texts], ["transcript"]))


@pytest.mark.parametrize(
    ("typed", "used"),
    [
        ("porcelan", "porcelain"),  # left out
        ("porcellain", "porcelain"),  # added
        ("porcelaim", "porcelain"),  # changed
        ("porcealin", "porcelain"),  # swapped
        ("Yorcelain", "porcelain"),  # the first letter
        ("voroni diagram", "voronoi diagram"),
        ("jujutsukaisen", "jujutsu kaisen"),  # two words as one
        ("a tea pott", "a tea pott"),  # two errors
        ("vorno i diagram", "vorno i diagram"),
        ("porce lain", "porcelain"),  # one word as two
        ("creme brulée", "creme brulée"),  # accents are no errors
        ("cremme brulwe", "crème brûlée"),
        ("призет", "привет"),
        ("PUSHNIG the 2022 teapots", "PUSHNIG the 2022 teapots"),
        ("teh tea", "teh tea"),  # too short
    ],
)
def test_a_word_with_one_error_is_corrected(speller: Speller, typed: str, used: str) -> None:
    assert speller.correct(typed)[0] == used


def test_the_neighbour_that_fits_the_other_words_is_preferred(speller: Speller) -> None:
    assert speller.nearest("bakee", ["off", "brulee"]) == "bake"
    assert speller.correct("kake for the bake")[0] == "cake for the bake"
    assert speller.correct("kake care of the shelf")[0] == "take care of the shelf"


def test_another_form_of_a_known_word_is_not_corrected(speller: Speller) -> None:
    for form in ("pushing", "teapots", "caked", "brules"):
        assert speller.correct(form) == (form, [])


def test_a_correction_has_the_typed_and_the_used_word(speller: Speller) -> None:
    text, corrections = speller.correct("a Porcelan, teapott!")
    assert text == "a porcelain, teapot!"
    assert corrections == [Correction("Porcelan", "porcelain"), Correction("teapott", "teapot")]


def test_literal_words_are_not_corrected(speller: Speller) -> None:
    assert speller.correct("porcelan teapott", {"porcelan"}) == ("porcelan teapot", [Correction("teapott", "teapot")])


def test_known_words_and_numbers_are_not_corrected(speller: Speller) -> None:
    for text in ("he pushed the teapot", "2023 12345", "🍣 !!", "", "x" * 1000):
        assert speller.correct(text) == (text, [])
