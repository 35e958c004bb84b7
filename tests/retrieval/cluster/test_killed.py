"""Processes of shards that are killed while questions are asked."""

import os
import random
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from retrieval.cluster.front import Shards
from retrieval.errors import PartsAway
from retrieval.index.generation import open_current
from retrieval.search.searcher import Searcher
from tests.retrieval.cluster.made_index import QUESTIONS, assert_equal
from tests.retrieval.fake_encoder import FakeEncoder

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
ENCODER = FakeEncoder()
KILLS, QUESTION = 10, QUESTIONS[0]


def replicas() -> list[int]:
    """Return the processes of the shards that this process has started."""
    found, parents = [], dict[int, int]()
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit():
                number = int(folder.name)
                parents[number] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if (folder / "cmdline").read_bytes().startswith(b"ray::ServeReplica:tiktok"):
                    found.append(number)
        except OSError:
            continue
    return [number for number in found if os.getpid() in ancestors(number, parents)]


def ancestors(process: int, parents: Mapping[int, int]) -> Iterator[int]:
    while process in parents:
        process = parents[process]
        yield process


def test_a_killed_shard_is_named_and_whole_again(indexes: Path, shards: Shards) -> None:
    generation = open_current(indexes)
    alone, together = Searcher(generation, ENCODER), Searcher(generation, ENCODER)
    together.parts, expected = shards.open(generation), alone.search(QUESTION)
    assert_equal(expected, together.search(QUESTION))
    chosen, seconds, slowest, partial, refused = random.Random(1), list[float](), 0.0, 0, 0
    for _ in range(KILLS):
        time.sleep(chosen.uniform(0.0, 1.0))
        there = replicas()
        for process in chosen.sample(there, chosen.randint(1, len(there))):
            os.kill(process, signal.SIGKILL)
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
