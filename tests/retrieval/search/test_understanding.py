"""A question of which nothing was understood has no good match, and the answer says why."""

from pathlib import Path

import pytest

from retrieval.index.builder import build
from retrieval.index.documents import Document
from retrieval.index.generation import open_current
from retrieval.search.searcher import Searcher
from tests.retrieval.fake_encoder import FakeEncoder

ENGLISH = FakeEncoder("sentence-transformers/all-MiniLM-L6-v2", dimension=48)
EVERY = FakeEncoder("intfloat/multilingual-e5-small", dimension=64)
NOT = "The question was not understood: "


@pytest.fixture(scope="module")
def both(documents: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    folder: Path = tmp_path_factory.mktemp("both")
    build(documents, folder, ENGLISH, EVERY)
    return Searcher(open_current(folder), ENGLISH, EVERY)


def problem(searcher: Searcher, question: str) -> str:
    """Return why a question was not understood; "" if it was. Then its answer may be good."""
    answer = searcher.search(question)
    found = next((note for note in answer.notes if note.startswith(NOT)), "")
    if found:
        assert not answer.good and answer.confidence == 0 and not any(hit.good for hit in answer.hits)
    return found


@pytest.mark.parametrize("question", ["xqzt wvbnq", "12345678", "qqqqqqqq"])
def test_words_of_no_language_are_not_understood(both: Searcher, question: str) -> None:
    assert "no language is known to have them" in problem(both, question)


@pytest.mark.parametrize("question", ["🦚", "🦚 🪗 !!"])
def test_emoji_that_no_video_has_are_not_understood(both: Searcher, question: str) -> None:
    assert "no video has 🦚" in problem(both, question)


@pytest.mark.parametrize("question", ["?!", "...", "#️⃣"])
def test_signs_are_no_words(both: Searcher, question: str) -> None:
    assert "no words" in problem(both, question)


@pytest.mark.parametrize(
    "question",
    [
        *("axolotl", "capybara"),  # rare
        *("Katzenvideo", "Geburtstagskuchen", "kissavideo", "verjaardagstaart"),  # compounds
        *("고양이가", "자전거로", "kedilerimiz", "süteményeket", "בחתולים", "قططنا"),  # with endings, prefixes
        *("הַכֶּלֶב", "كَلْبٌ", "we've", "пам'яті", "rock'n'roll"),  # with signs that the lists lack
    ],
)
def test_a_right_word_that_no_list_of_frequent_words_has_is_understood(both: Searcher, question: str) -> None:
    assert problem(both, question) == ""


@pytest.mark.parametrize(
    "question", ["teapot", "xqzt teapot", "Pinguine auf dem Eis", "пингвины на льду", "นกเพนกวินบนน้ำแข็ง", "企鹅"]
)
def test_a_known_word_or_a_language_that_an_encoder_reads_is_understood(both: Searcher, question: str) -> None:
    assert problem(both, question) == ""


def test_an_index_whose_only_encoder_reads_english_says_so(searcher: Searcher) -> None:
    said = problem(searcher, "пингвины катаются по льду")
    assert "does not read Russian" in said and "multilingual" in said


def test_words_that_a_video_has_are_understood_without_such_an_encoder(searcher: Searcher) -> None:
    assert problem(searcher, "回転寿司") == ""


def test_in_keyword_mode_a_question_without_known_words_is_not_understood(both: Searcher) -> None:
    answer = both.search("пингвины катаются по льду", mode="keyword")
    assert not answer.good and any("no model" in note for note in answer.notes)
