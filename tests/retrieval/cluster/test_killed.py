"""Processes of shards that are killed while questions are asked, and generations that are switched."""

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from retrieval.cluster.front import Shards
from retrieval.errors import PartsAway
from retrieval.index.generation import open_current
from retrieval.search.answer import Answer
from retrieval.search.searcher import Searcher
from retrieval.server.searchers import Searchers
from tests.retrieval.cluster.made_index import QUESTIONS, assert_equal, build_in_segments, documents
from tests.retrieval.fake_encoder import FakeEncoder

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
ENCODER = FakeEncoder()
KILLS, QUESTION = 10, QUESTIONS[0]


def replicas() -> list[int]:
    """Return the processes of shards of this user."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and (folder / "cmdline").read_bytes().startswith(b"ray::ServeReplica:tiktok"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def test_a_killed_shard_is_named_and_whole_again(indexes: Path, shards: Shards) -> None:
    generation = open_current(indexes)
    alone, together = Searcher(generation, ENCODER), Searcher(generation, ENCODER)
    together.parts, expected = shards.open(generation), alone.search(QUESTION)
    assert_equal(expected, together.search(QUESTION))
    chosen, seconds, slowest, partial, refused = random.Random(1), list[float](), 0.0, 0, 0
    for _ in range(KILLS):
        time.sleep(chosen.uniform(0.0, 1.0))
        os.kill(chosen.choice(replicas()), signal.SIGKILL)
        killed, noticed = time.monotonic(), False
        while True:
            asked = time.monotonic()
            try:
                answer = together.search(QUESTION)
            except PartsAway:
                refused += 1
                time.sleep(0.1)
                continue
            slowest = max(slowest, time.monotonic() - asked)
            if answer.parts_answered < answer.parts:
                assert any("Answered from" in note for note in answer.notes)
                noticed, partial = True, partial + 1
                time.sleep(0.1)
                continue
            assert_equal(expected, answer)
            if noticed or time.monotonic() > killed + 5:
                break
        seconds.append(time.monotonic() - killed)
        print(f"complete after {seconds[-1]:.1f} s")
    print(
        f"seconds until complete: {[round(one, 1) for one in sorted(seconds)]}; the slowest answer took {slowest:.1f} s"
    )
    print(f"{partial} partial answers, {refused} refused")
    assert partial


def test_generations_are_switched_under_load(shards: Shards, tmp_path: Path) -> None:
    made = documents(60, seed=5)
    build_in_segments(made[:30], tmp_path, 15)
    searchers = Searchers(tmp_path, shards=shards)
    answers: list[Answer] = []
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.is_set():
            answers.append(searchers.get().search("the penguin sings"))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    first = searchers.get().search("the penguin sings")
    expected = {first.generation: first}
    for thread in threads:
        thread.start()
    for videos in (40, 50, 60):
        build_in_segments(made[:videos], tmp_path, 15)
        generation = open_current(tmp_path)
        expected[generation.name] = Searcher(generation).search("the penguin sings")
        time.sleep(1.0)
    stopped.set()
    for thread in threads:
        thread.join()
    assert {answer.generation for answer in answers} == expected.keys()
    for answer in answers:
        assert (answer.parts_answered, answer.parts) == (2, 2)
        assert_equal(expected[answer.generation], answer)
