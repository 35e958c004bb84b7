"""Exact phrases in a sequence of words."""

import numpy as np
import pytest

from retrieval.index.analysis import plain, terms
from retrieval.index.phrase_part import PhrasePart
from retrieval.index.phrases import PhraseIndex
from tests.retrieval.saved_files import saved

FIELDS = ("description", "comments")
TEXTS: list[dict[str, list[str]]] = [
    {"description": ["He pushed the teapot, off the shelf!"], "comments": ["the tea", "pot of gold"]},
    {},
    {"description": ["the shelf the teapot"], "comments": ["Crème brûlée"]},
    {"comments": ["回転寿司に", "off the shelf the teapot off"]},
]


@pytest.fixture(scope="module", params=["built", "loaded"])
def phrases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PhraseIndex:
    if request.param == "built":
        return PhraseIndex.of(TEXTS, FIELDS)
    folder = tmp_path_factory.mktemp("phrases")
    PhrasePart.build(TEXTS, FIELDS).save(folder)
    return PhraseIndex([PhrasePart.load(saved(folder))], np.ones(len(TEXTS), bool))


@pytest.mark.parametrize(
    ("phrase", "field", "videos"),
    [
        ("off the shelf", "", [0, 3]),
        ("off the shelf", "comments", [3]),
        ("the teapot", "", [0, 2, 3]),
        ("the teapot off", "", [0, 3]),
        ("teapot", "description", [0, 2]),
        ("creme brulee", "", [2]),
        ("shelf crème", "", []),  # ends one text and begins the next
        ("tea pot", "", []),  # ends one comment and begins the next
        ("teapot shelf", "", []),
        ("teapots", "", []),
        ("the unheard", "", []),
        ("寿司", "", [3]),  # inside a longer stretch
        ("壽司", "", [3]),  # in traditional signs
        ("shou si", "", []),  # the sound
        ("", "", []),
    ],
)
def test_a_phrase_is_found_where_its_words_are_next_to_each_other(
    phrases: PhraseIndex, phrase: str, field: str, videos: list[int]
) -> None:
    words = terms(phrase, plain)
    assert phrases.videos_with_phrase(words, field).nonzero()[0].tolist() == videos


def test_words_are_counted_by_video_and_shown_as_spelt(phrases: PhraseIndex) -> None:
    assert [phrases.count(word) for word in ("the", "teapot", "brulee", "unheard")] == [3, 3, 1, 0]
    assert [phrases.shown(word) for word in ("brulee", "teapot")] == ["brûlée", "teapot"]


def test_a_corpus_without_words_contains_no_phrase() -> None:
    assert not PhraseIndex.of([{}, {"comments": ["🍣"]}], FIELDS).videos_with_phrase(["x"]).any()
