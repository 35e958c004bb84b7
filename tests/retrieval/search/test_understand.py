"""What people paste excludes nothing: tags, names, quotes and dashes of a title are read with what the videos have."""

import pytest

from retrieval.search import understand as module
from retrieval.search.searcher import Searcher


def first(searcher: Searcher, typed: str) -> str:
    return searcher.search(typed).hits[0].id


@pytest.mark.parametrize(
    "pasted",
    [
        "He pushed the porcelain teapot off the shelf #shorts #fyp",
        "He pushed the porcelain teapot off the shelf 😂 @some.other.account #cats",
        "“He pushed him” porcelain teapot off the shelf #catfail",
        '"the porcelain teapot fell" from the shelf',
        'porcelain teapot "off the shelf',
        "Look at him go - porcelain teapot, shelf",
    ],
)
def test_the_signs_of_a_pasted_title_exclude_nothing(searcher: Searcher, pasted: str) -> None:
    answer = searcher.search(pasted)
    assert answer.hits[0].id == "70001"
    assert answer.total == len(searcher.generation.ids) and not answer.conditions


def test_a_preferred_tag_or_creator_counts_as_much_as_another_word(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagged = {hit.id: hit for hit in searcher.search("#knockingthingsover tides").hits}
    for hit in tagged.values():
        assert sum(reason.contribution for reason in hit.explanation) == pytest.approx(hit.score)
    described = next(r for r in tagged["70001"].explanation if (r.field, r.retriever) == ("description", "keyword"))
    assert described.passage == "my cat #knockingthingsover"
    assert first(searcher, "video @harbour.physics") == "70004"
    monkeypatch.setattr(module, "PREFERENCE", 0.0)
    words = {hit.id: hit.score for hit in searcher.search("#knockingthingsover tides").hits}
    assert words["70001"] - words["70004"] < tagged["70001"].score - tagged["70004"].score


def test_a_field_that_is_switched_off_is_not_preferred(searcher: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    def scores() -> dict[str, float]:
        found = searcher.search("#knockingthingsover tides", weights={"description": 0.0, "overview": 0.0}).hits
        return {hit.id: hit.score for hit in found}

    usual = scores()
    monkeypatch.setattr(module, "PREFERENCE", 0.0)
    assert scores() == usual


@pytest.mark.parametrize(
    ("typed", "note"),
    [
        (
            "cat @whiskers.daily #knockingthingsover",
            "Videos by @whiskers.daily or with #knockingthingsover count more."
            " To see no others, write by:@whiskers.daily tag:knockingthingsover.",
        ),
        (
            "@whiskers.dayly cat #knockingthingover",
            "There is no video by @whiskers.dayly or with #knockingthingover, so the words were searched for."
            " Did you mean @whiskers.daily or #knockingthingsover?",
        ),
        ('"your left" caravan', 'No video has "your left" word for word, so it was searched for as words.'),
        ("no -your other left", "A minus was read as a dash, because a video has the words around it."),
    ],
)
def test_a_note_says_how_a_sign_was_read(searcher: Searcher, typed: str, note: str) -> None:
    assert note in searcher.search(typed).notes


def test_a_tag_that_no_video_has_is_corrected_like_a_word(searcher: Searcher) -> None:
    assert searcher.search("my porcelan #teapto").text == "my porcelain #teapot"


def test_a_phrase_that_a_video_has_still_excludes_the_others(searcher: Searcher) -> None:
    assert [hit.id for hit in searcher.search('"your other left" teapot').hits] == ["70006"]


@pytest.mark.parametrize("typed", ['"your left"', 'said:"your left" caravan', '-"your other left" caravan'])
def test_an_operator_without_other_words_a_field_and_an_exclusion_stay_conditions(
    searcher: Searcher, typed: str
) -> None:
    assert "70006" not in {hit.id for hit in searcher.search(typed).hits}


def test_a_minus_excludes_unless_a_video_has_the_words_around_it(searcher: Searcher) -> None:
    assert first(searcher, "no -your other left") == "70006"
    assert "70006" not in {hit.id for hit in searcher.search("caravan -left").hits}
    assert "70001" not in {hit.id for hit in searcher.search("off the table -shelf").hits}


def test_removed_videos_do_not_decide_how_a_sign_is_read(searcher: Searcher) -> None:
    answer = searcher.search('"your other left" -teapot cat', hidden=["70006"])
    assert any("word for word" in note for note in answer.notes) and answer.hits
    assert not any("count more" in note for note in searcher.search("cat @slowlane", hidden=["70006"]).notes)


def test_evaluation_and_search_read_a_question_alike(searcher: Searcher) -> None:
    for typed in ("#knockingthingsover tides", '"your left" caravan', "no -your other left"):
        order, _ = searcher.order(typed)
        ids = [searcher.generation.ids[video] for video in order]
        assert [hit.id for hit in searcher.search(typed, 100).hits] == ids
        assert ids == [searcher.generation.ids[video] for video in searcher.rank(typed).order()]
