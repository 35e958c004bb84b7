"""A new generation answers in all parts or in none, whatever is asked while it is published."""

import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from retrieval.cluster.front import Shards
from retrieval.cluster.holder import Failed
from retrieval.index.generation import GenerationPart, open_current
from retrieval.index.publish import prune
from retrieval.search.answer import Answer
from retrieval.search.searcher import Searcher
from retrieval.server import searchers as of_server
from retrieval.server.searchers import Searchers
from tests.retrieval.cluster.here import Here
from tests.retrieval.cluster.made_index import assert_equal, build_in_segments, documents

pytestmark = pytest.mark.usefixtures("patient")
MADE, QUESTION = documents(60, seed=5), "the penguin sings"


class Watched(Here):
    """A shard that calls something before it answers a question."""

    def __init__(self, before: Callable[[str], None]) -> None:
        super().__init__()
        self._before = before

    def ask(self, method: str, *arguments: Any) -> Any:
        self._before(method)
        return super().ask(method, *arguments)


def publish(indexes: Path, videos: int) -> None:
    build_in_segments(MADE[:videos], indexes, 15)


def alone(indexes: Path) -> Answer:
    """Return what one machine answers."""
    return Searcher(open_current(indexes)).search(QUESTION)


@pytest.mark.parametrize("round_of", ["spread", "candidates"])
def test_a_question_is_answered_by_the_generation_that_it_was_asked_of(tmp_path: Path, round_of: str) -> None:
    """Three others are published, switched to and asked, and the first deleted, before the second part answers."""
    publish(tmp_path, 30)
    waiting: list[str] = [round_of]

    def switch(method: str) -> None:
        if method in waiting:
            waiting.remove(method)
            for videos in (40, 50, 60):
                publish(tmp_path, videos)
                expected, answer = alone(tmp_path), searchers.get().search(QUESTION)
                assert answer.generation != before.generation
                assert_equal(expected, answer)
            prune(tmp_path, 1)

    before = alone(tmp_path)
    searchers = Searchers(tmp_path, shards=Shards([Here(), Watched(switch)]))
    answer = searchers.get().search(QUESTION)
    assert not waiting
    assert (answer.parts_answered, answer.parts) == (2, 2)
    assert_equal(before, answer)


def test_questions_are_answered_by_one_generation_while_others_are_published(tmp_path: Path) -> None:
    asked_while_published(tmp_path, Shards([Here(), Here()]))


def asked_while_published(tmp_path: Path, shards: Shards) -> None:
    """Ask two shards from two threads while three generations are published, and compare each answer with one
    machine's."""
    publish(tmp_path, 30)
    searchers = Searchers(tmp_path, shards=shards)
    expected = [alone(tmp_path)]
    answers: list[Answer] = []
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.is_set():
            answers.append(searchers.get().search(QUESTION))

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        try:
            for videos in (0, 40, 50, 60):
                if videos:
                    publish(tmp_path, videos)
                    expected.append(alone(tmp_path))
                    prune(tmp_path, 1)
                until = time.monotonic() + 60
                while not answers or answers[-1].generation != expected[-1].generation:
                    assert time.monotonic() < until and not any(one.done() for one in asking)
                    time.sleep(0.01)
        finally:
            stopped.set()
    for one in asking:
        one.result()
    by_generation = {one.generation: one for one in expected}
    assert {answer.generation for answer in answers} == by_generation.keys()
    for answer in answers:
        assert (answer.parts_answered, answer.parts) == (2, 2)
        assert_equal(by_generation[answer.generation], answer)


def test_a_part_that_refuses_a_generation_keeps_all_at_the_one_before_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_server, "RETRY_PART_S", 0.2)
    publish(tmp_path, 30)
    here = [Here(), Here()]
    searchers = Searchers(tmp_path, shards=Shards(here))
    before = searchers.get().search(QUESTION)
    opening, refusals, asked = here[1].holder.open, [], 0

    def refuse(folder: str, part: GenerationPart, used: Collection[str]) -> Failed:
        refusals.append(folder)
        return Failed("this node does not see the folder")

    here[1].holder.open = refuse  # type: ignore[method-assign]
    publish(tmp_path, 40)
    while len(refusals) < 3:
        assert_equal(before, searchers.get().search(QUESTION))
        assert "cannot be used" in searchers.note()
        asked += 1
    assert asked > len(refusals), "a question waits for the part although it has just refused"
    here[1].holder.open = opening  # type: ignore[method-assign]
    while searchers.note():
        after = searchers.get().search(QUESTION)
    assert after.generation != before.generation
    assert_equal(alone(tmp_path), after)
