"""The most frequent words of 20 languages are never corrected, whatever words the texts have."""

import pytest
import wordfreq

from ingest.text.known_words import frequencies
from ingest.text.words import words
from retrieval.search.spelling import Speller
from tests.retrieval.search.test_spelling import speller_of

LANGUAGES = (
    *("ar", "bg", "cs", "da", "de", "el", "en", "es", "fi", "fr", "he", "hi"),
    *("hu", "id", "it", "ko", "nl", "pl", "pt", "ru", "sv", "tr", "uk", "vi"),
)


def tempting(frequent: list[str]) -> Speller:
    """Return a speller of texts that have none of these words, but each with its last letter missing."""
    have = set(frequent)
    return speller_of([word[:-1] for word in frequent if len(word) > 3 and word[:-1] not in have])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.heavy)])
def test_the_most_frequent_words_of_a_language_are_not_corrected(language: str, count: int) -> None:
    frequent = wordfreq.top_n_list(language, count)
    speller = tempting(frequent)
    assert {word: speller.correct(word)[0] for word in frequent if speller.correct(word)[0] != word} == {}


def test_a_tempting_text_does_correct_what_is_no_word() -> None:
    assert tempting(["qwertzx"]).correct("qwertzx")[0] == "qwertz"


def test_a_word_is_known_in_its_languages_and_without_its_accents() -> None:
    assert {"de", "sv"} <= frequencies("hört").keys() and "de" in frequencies("HORT")
    assert "es" in frequencies("abuelo") and "fr" in frequencies("heure") and "ru" in frequencies("бабушка")
    assert not frequencies("sourdogh") and not frequencies("猫") and not frequencies("🐙") and not frequencies("")
    assert frequencies("the")["en"] > frequencies("porcelain")["en"]


def test_a_word_with_an_apostrophe_is_as_frequent_as_it_is_written_correctly() -> None:
    isn_t, aujourd_hui = (word.letters for word in words("isn't aujourd'hui"))
    assert frequencies(isn_t)["en"] > 5 and frequencies(aujourd_hui)["fr"] > 5
