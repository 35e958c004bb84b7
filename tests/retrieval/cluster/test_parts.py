"""Parts of a generation answer as one machine does: the same hits, scores, reasons and notes."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.cluster import front
from retrieval.cluster.front import Shards
from retrieval.cluster.part import Part
from retrieval.errors import PartsAway
from retrieval.index import dense, rows, vector_part
from retrieval.index.generation import open_current
from retrieval.search import candidates, phases, scoring
from retrieval.search.answer import Answer
from retrieval.search.conditions import Condition
from retrieval.search.searcher import Searcher
from tests.retrieval.cluster.here import Here
from tests.retrieval.cluster.made_index import QUESTIONS, assert_equal, build_in_segments, documents
from tests.retrieval.fake_encoder import FakeEncoder

pytestmark = pytest.mark.usefixtures("patient")
VIDEOS, SEGMENT = 80, 20


ENCODERS = FakeEncoder(), FakeEncoder("other", dimension=48)


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of four segments with deleted videos in each, by two encoders."""
    folder = tmp_path_factory.mktemp("parts")
    made = documents(VIDEOS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector_part, "SKETCHED_FROM", 1)
        build_in_segments(made, folder, SEGMENT, *ENCODERS)
        build_in_segments(made[:3] + made[5:60] + made[61:75], folder, SEGMENT, *ENCODERS)
    return folder


@pytest.fixture(params=[2, 9])
def pair(indexes: Path, request: pytest.FixtureRequest) -> tuple[Searcher, Searcher, list[Here]]:
    return searchers(indexes, request.param)


def searchers(indexes: Path, count: int) -> tuple[Searcher, Searcher, list[Here]]:
    generation = open_current(indexes)
    alone, together = Searcher(generation, *ENCODERS), Searcher(generation, *ENCODERS)
    here = [Here() for _ in range(count)]
    together.parts = Shards(here).open(generation)
    return alone, together, here


def test_parts_answer_exactly_as_one_machine(pair: tuple[Searcher, Searcher, list[Here]]) -> None:
    alone, together, here = pair
    for question in QUESTIONS:
        one, other = alone.search(question), together.search(question)
        assert one.hits
        assert other.parts == other.parts_answered == min(len(here), len(alone.generation.segments))
        assert_equal(one, other)


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "dense"},
        {"mode": "keyword"},
        {"method": "dbsf"},
        {"method": "rrf"},
        {"weights": {"transcript": 3.0}},
        {"weights": {"overview": 0.0, "comments": 2.0}},
        {"offset": 30},
        {"sort": "newest"},
        {"filters": [Condition.model_validate({"kind": "after", "value": "2021-01-01"})]},
        {"hidden": ["70007"]},
    ],
)
def test_parts_take_every_option(indexes: Path, options: dict[str, Any]) -> None:
    alone, together, _ = searchers(indexes, 2)
    for question in QUESTIONS[:5]:
        assert_equal(alone.search(question, **options), together.search(question, **options))


@pytest.fixture
def few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a corpus that is many times as large: candidates and samples are a part of the videos."""
    monkeypatch.setattr(candidates, "EXHAUSTIVE", 0)
    monkeypatch.setattr(candidates, "CANDIDATES", 24)
    for module in (rows, scoring):
        monkeypatch.setattr(module, "SAMPLE_VIDEOS", 30)


@pytest.mark.parametrize("searched", [False, True])
def test_candidates_of_parts_have_the_scores_of_one_machine(
    indexes: Path, few_candidates: None, monkeypatch: pytest.MonkeyPatch, searched: bool
) -> None:
    if searched:
        monkeypatch.setattr(dense, "COMPARED", 0)
        monkeypatch.setattr(phases, "POOL", 20)
        monkeypatch.setattr(phases, "SCORED", 25)
    alone, together, _ = searchers(indexes, 3)
    overlaps = []
    for question in QUESTIONS:
        one, other = alone.search(question), together.search(question)
        scores = {hit.id: hit.score for hit in other.hits}
        common = [hit for hit in one.hits if hit.id in scores]
        overlaps.append(len(common) / len(one.hits))
        for hit in common:
            assert hit.score == pytest.approx(scores[hit.id], abs=1e-6)
    assert np.mean(overlaps) >= 0.98


def test_a_part_that_is_away_is_named_and_comes_back(indexes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "AGAIN_S", 0.01)
    alone, together, here = searchers(indexes, 2)
    here[1].gone = True
    answer = together.search(QUESTIONS[0])
    assert (answer.parts_answered, answer.parts) == (1, 2)
    assert any("Answered from 1 of 2 parts" in note for note in answer.notes)
    here[0].gone = True
    with pytest.raises(PartsAway):
        together.search(QUESTIONS[0])
    for one in here:
        one.restart()
    until = time.monotonic() + 20
    again = _tried(together)
    while again is None or again.parts_answered < 2:
        assert time.monotonic() < until
        again = _tried(together)
    assert_equal(alone.search(QUESTIONS[0]), again)


def _tried(searcher: Searcher) -> Answer | None:
    try:
        return searcher.search(QUESTIONS[0])
    except PartsAway:
        return None


@pytest.mark.parametrize("method", ["spread", "candidates"])
def test_an_error_is_one_of_the_question_and_loses_no_part(
    indexes: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    alone, together, _ = searchers(indexes, 2)

    def fails(*_: Any) -> None:
        raise ValueError("no such number")

    with monkeypatch.context() as patch:
        patch.setattr(Part, method, fails)
        with pytest.raises(RuntimeError, match="cannot answer: ValueError: no such number"):
            together.search(QUESTIONS[0])
    answer = together.search(QUESTIONS[0])
    assert (answer.parts_answered, answer.parts) == (2, 2)
    assert_equal(alone.search(QUESTIONS[0]), answer)
