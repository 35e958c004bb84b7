"""Conditions and notes, on a small generation with an encoder that needs no weights."""

import pytest

from retrieval.index.builder import build
from retrieval.index.documents import Document
from retrieval.index.generation import open_current
from retrieval.search.answer import Answer
from retrieval.search.filter_values import filters
from retrieval.search.searcher import Searcher
from tests.retrieval.fake_encoder import FakeEncoder


@pytest.fixture(scope="module")
def searcher(documents: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    folder = tmp_path_factory.mktemp("filters")
    encoder = FakeEncoder()
    build(documents, folder, encoder)
    return Searcher(open_current(folder), encoder)


def ids(answer: Answer) -> list[str]:
    return sorted(hit.id for hit in answer.hits)


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ('"no your other LEFT" caravan', ["70006"]),
        ('"your left"', []),
        ('"off the shelf" -dog', ["70001"]),
        ('"what plant is that it"', []),  # two comments
        ("teapot -justice", ["70002", "70003", "70004", "70005", "70006"]),
        ("the -teapot", ["70002", "70003", "70004", "70005", "70006"]),
        ("by:@Whiskers.Daily cat", ["70001"]),
        ("@whiskersdaily", ["70001"]),
        ("sea -@harbour.physics", ["70001", "70002", "70003", "70005", "70006"]),
        ("tag:KnockingThingsOver cat", ["70001"]),
        ("#KnockingThingsOver", ["70001"]),
        ("@whiskers.daily -dog #knockingthingsover", ["70001"]),
        ("cat after:2021 before:2022 #tea @nobody", ["70001"]),
        ("comments:left", ["70006"]),
        ("said:left", ["70006"]),
        ("written:left", []),
        ("onscreen:audacity", ["70001"]),
        ('said:"feed the starter"', ["70002"]),
        ("by:gnome plant", ["70003"]),
        ("lang:en", ["70001", "70002"]),
        ("lang:EN-gb bread", ["70001", "70002"]),
        ("lang:English", ["70001", "70002"]),
        ("lang:englisch", ["70001", "70002"]),
        ("lang:日本語", ["70005"]),
        ('lang:"American English" teapot', ["70001", "70002"]),
        ("-lang:en", ["70005"]),
        ("after:2022", ["70002", "70003", "70005"]),
        ("before:2022 cat", ["70001"]),
        ("after:2022-03 before:2022-04", ["70003"]),
        ("after:2022-03-16", ["70005"]),
        ("ete", ["70001", "70002", "70003", "70004", "70005", "70006"]),
        ('"Été"', ["70005"]),
        ('"寿司に"', ["70005"]),
    ],
)
def test_only_videos_that_meet_all_conditions_are_found(searcher: Searcher, question: str, found: list[str]) -> None:
    answer = searcher.search(question)
    assert ids(answer) == found and answer.total == len(found)
    assert found or answer.notes


def test_conditions_do_not_change_scores(searcher: Searcher) -> None:
    plain = {hit.id: hit.score for hit in searcher.search("the moon pulls").hits}
    narrowed = searcher.search("the moon pulls", filters=filters(after="2022"))
    assert {hit.id: hit.score for hit in narrowed.hits} == {hit.id: plain[hit.id] for hit in narrowed.hits}
    assert [hit.rank for hit in narrowed.hits] == [1, 2, 3]


def test_pages_of_a_filtered_answer_have_no_gap(searcher: Searcher) -> None:
    whole = [hit.id for hit in searcher.search("the -teapot").hits]
    assert [hit.id for start in (0, 2, 4) for hit in searcher.search("the -teapot", 2, offset=start).hits] == whole


def test_conditions_without_text_give_the_newest_videos_first(searcher: Searcher) -> None:
    answer = searcher.search("-teapot")
    assert [hit.id for hit in answer.hits] == ["70005", "70003", "70002", "70004", "70006"]
    assert answer.text == "" and {hit.score for hit in answer.hits} == {0.0}
    assert [hit.rank for hit in searcher.search("-teapot", 2, offset=3).hits] == [4, 5]


def test_filters_without_a_question_find_videos(searcher: Searcher) -> None:
    answer = searcher.search("", filters=filters(creator="@bread.bench"))
    assert ids(answer) == ["70002"] and answer.conditions[0].describe() == "by @bread.bench"


@pytest.mark.parametrize("mode", ["hybrid", "dense", "keyword"])
def test_phrases_are_marked_where_they_occur(searcher: Searcher, mode: str) -> None:
    answer = searcher.search('"left no" caravan', mode=mode)  # type: ignore[arg-type]
    [hit] = answer.hits
    assert sum(reason.contribution for reason in hit.explanation) == pytest.approx(hit.score)
    said = next(reason for reason in hit.explanation if reason.field == "transcript")
    assert said.passage == "Left. No, your other left."
    assert [said.passage[start:end] for start, end in said.matches][:2] == ["Left", "No"]


def test_common_words_are_marked_when_quoted(searcher: Searcher) -> None:
    [hit] = searcher.search('"off the" teapot').hits
    said = next(reason for reason in hit.explanation if (reason.field, reason.retriever) == ("transcript", "keyword"))
    assert {"off", "the"} <= {said.passage[start:end] for start, end in said.matches}


@pytest.mark.parametrize(
    ("question", "note"),
    [
        ("by:@whiskers.dayly cat", "There is no video by @whiskers.dayly. Did you mean @whiskers.daily?"),
        ("#knockingthingover", "Did you mean #knockingthingsover?"),
        ('"porcelan teapot"', "Did you mean porcelain?"),
        (
            "lang:klingon",
            "There is no video in the language klingon. The languages here are English (2), Japanese (1).",
        ),
        ("lang:fr", "There is no video in French. The languages here are English (2), Japanese (1)."),
        ("after:2022", "2 videos without a known date are left out."),
        ("lang:en", "3 videos without a known language are left out."),
        ("after:2030", "There is no video posted on 2030-01-01 or later."),
        (
            "#knockingthingsover after:2022",
            "No video meets all of these conditions together: with #knockingthingsover, posted on 2022-01-01",
        ),
        ("cat before:2022-99", "before:2022-99 is not a date"),
        ("porcelan", 'Searched for "porcelain" instead of "porcelan"'),
    ],
)
def test_notes_explain_what_was_not_found_left_out_or_corrected(searcher: Searcher, question: str, note: str) -> None:
    assert any(note in said for said in searcher.search(question).notes)


def test_a_misspelt_word_gives_the_same_hits_as_the_correct_one(searcher: Searcher) -> None:
    right, misspelt = searcher.search("porcelain"), searcher.search("porcelin")
    assert misspelt.text == "porcelain" and misspelt.query == "porcelin"
    assert misspelt.hits == right.hits
    assert searcher.search("porcelin", exact=True).text == "porcelin"


def test_a_frequent_word_that_no_text_has_is_not_corrected(searcher: Searcher) -> None:
    answer = searcher.search("boat shelf", mode="dense")  # one letter from "goat" in no text, and a word
    assert answer.hits == searcher.search("boat shelf", mode="dense").hits and answer.notes == []
    kept = searcher.rank("teapod shelf", mode="dense")
    assert kept.query == "teapot shelf"


def test_quoted_words_are_searched_for_as_they_are(searcher: Searcher) -> None:
    answer = searcher.search('"porcelin"')
    assert answer.text == '"porcelin"' and answer.hits == []
