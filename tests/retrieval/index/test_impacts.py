"""What is kept of frequent terms gives the scores that their postings give, in one segment and in several."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

import retrieval.index.impacts as module
from retrieval.index.bm25f import KeywordIndex, Totals
from retrieval.index.keyword_part import KeywordPart
from retrieval.index.layout import SEGMENT_VIDEOS

FIELDS = ("description", "comments")
QUESTION = "the octopuses dance 🐙 there, unknownword"
VIDEOS = 90


def documents() -> list[dict[str, str]]:
    """Some words are in most of them, some in few, in one or both fields and several times."""
    drawn = np.random.default_rng(4)
    words = ["the", "the", "the", "octopus", "octopuses", "🐙", "dancing", "there", "there", "tea", "pot"]
    return [{field: " ".join(drawn.choice(words, drawn.integers(0, 9))) for field in FIELDS} for _ in range(VIDEOS)]


def index_of(analyser: str, cuts: list[int], alive: NDArray[np.bool_]) -> KeywordIndex:
    texts, ends = documents(), [0, *cuts, VIDEOS]
    languages = [dict.fromkeys(FIELDS, "en") for _ in range(VIDEOS)]
    parts = [
        KeywordPart.build(analyser, texts[start:end], FIELDS, languages[start:end]) for start, end in pairwise(ends)
    ]
    return KeywordIndex(parts, alive)


def keep_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FREQUENT", 0.0)
    monkeypatch.setattr(module, "LEAST_POSTINGS", 0)


def assert_same(one: Totals, other: Totals) -> None:
    np.testing.assert_allclose(one.scores, other.scores, rtol=1e-6)
    alive = ~np.isnan(other.scores)
    np.testing.assert_allclose(one.coverage[alive], other.coverage[alive], rtol=1e-6)
    assert one.idfs == other.idfs


@pytest.mark.parametrize("weights", [np.ones(2), np.array([2.0, 0.0]), np.zeros(2)])
@pytest.mark.parametrize("deleted", [[], [0, 1, 40, 89]])
@pytest.mark.parametrize("cuts", [[], [30, 31, 31, 70]])
@pytest.mark.parametrize("analyser", ["stems", "char_ngrams", "bigrams"])
def test_the_scores_are_those_of_the_postings(
    analyser: str, cuts: list[int], deleted: list[int], weights: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = np.ones(VIDEOS, np.bool_)
    alive[deleted] = False
    index = index_of(analyser, cuts, alive)
    expected, counted = index.totals(QUESTION, weights, "en"), index.counts(QUESTION, weights)
    assert not len(index._kept)  # they are not frequent
    keep_everything(monkeypatch)
    kept = index_of(analyser, cuts, alive)
    for times in range(3):  # read from the postings, computed, and read
        assert_same(kept.totals(QUESTION, weights, "en"), expected)
        assert len(kept._kept) == (len(kept.query_terms(QUESTION)) if times and weights.any() else 0)
    np.testing.assert_array_equal(kept.counts(QUESTION, weights).videos, counted.videos)
    if weights.any():
        assert np.nansum(expected.scores) > 0
        some = np.flatnonzero(alive)
        found = kept.split(kept.totals(QUESTION, weights, "en"), some)
        np.testing.assert_allclose(found, index.split(expected, some), rtol=1e-6)


@pytest.mark.parametrize(("frequent", "least", "kept"), [(0.0, 40, 2), (1.0, 40, 1), (0.0, 200, 0)])
def test_terms_with_many_postings_are_kept_and_no_others(
    frequent: float, least: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FREQUENT", frequent)
    monkeypatch.setattr(module, "LEAST_POSTINGS", least)
    index = index_of("stems", [50], np.ones(VIDEOS, np.bool_))
    for _ in range(2):
        index.totals("the tea drinks", np.ones(2))
    the, tea, drinks = index._terms("the tea drinks").postings.tolist()
    assert 200 > the > VIDEOS > tea > 40 > drinks
    assert len(index._kept) == kept


def test_they_are_computed_for_the_second_question_with_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_everything(monkeypatch)
    index = index_of("stems", [50], np.ones(VIDEOS, np.bool_))
    for weights in ([1.0, 1.0], [1.0, 2.0], [1.0, 3.0]):
        index.totals("the", np.array(weights))
    counted = index.counts("the", np.array([1.0, 4.0]))
    index.totals("the", np.array([1.0, 4.0]), counted=counted)  # of the same question, as in a part of a cluster
    assert len(index._kept) == 0
    index.totals("the tea", np.array([1.0, 2.0]))
    assert len(index._kept) == 1


def test_no_video_has_a_term_in_a_field_without_text(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_everything(monkeypatch)
    index = KeywordIndex.of("stems", [{"description": "the tea"}] * 3, FIELDS)
    for _ in range(3):
        assert not index.counts("the tea", np.array([0.0, 1.0])).videos.any()
        assert not index.totals("the tea", np.array([0.0, 1.0])).scores.any()


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("deleted", [[], [5], [VIDEOS + 5]])
def test_damaged_postings_lead_to_no_video_that_does_not_exist(
    kept: bool, deleted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are mapped are not read when an index is opened."""
    if kept:
        keep_everything(monkeypatch)
    part = KeywordPart.build("stems", documents(), FIELDS)
    docs, falling, beyond = part.docs.copy(), part.indptr[::-1].copy(), part.indptr.copy()
    docs[::3] = SEGMENT_VIDEOS - 1
    docs[1::3] = docs[1::3][::-1]
    beyond[-1] = np.iinfo(beyond.dtype).max
    parts = [part, replace(part, docs=docs), replace(part, indptr=falling), replace(part, indptr=beyond), part]
    alive = np.ones(len(parts) * VIDEOS, np.bool_)
    alive[deleted] = False
    index = KeywordIndex(parts, alive)
    for _ in range(2):
        totals = index.totals(QUESTION, np.ones(2))
        assert np.isfinite(totals.scores[alive]).all()
        split = index.split(totals, np.arange(len(alive)))
        assert np.isfinite(split).all()
        np.testing.assert_allclose(split[:, -VIDEOS:].sum(axis=0), totals.scores[-VIDEOS:], rtol=1e-5)
