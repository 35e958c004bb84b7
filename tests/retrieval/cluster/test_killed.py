"""Processes of shards that are killed while questions are asked."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from retrieval.cluster.front import Shards
from retrieval.errors import PartsAway
from retrieval.index.generation import open_current
from retrieval.search.searcher import Searcher
from tests.ingest.cluster.conftest import ThreeNodes
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


def test_a_server_whose_cluster_is_lost_says_so(indexes: Path, tmp_path: Path) -> None:
    """Until it ends, every answer is complete, or says that it is not, or is a refusal."""
    nodes = ThreeNodes()
    command = [sys.executable, "-c", "import app; app.main()", "serve", "--data", str(tmp_path), "--port", "0"]
    options = ["--indexes", str(indexes), "--cluster", nodes.address, "--shards", "2"]
    serving = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert serving.stdout
        page = next(line for line in serving.stdout if line.startswith("The page: ")).split()[-1]
        whole = asked(page)
        assert whole
        assert whole["parts"] == whole["parts_answered"] == 2
        nodes.kill_head()
        killed, kinds = time.monotonic(), Counter[int]()
        while serving.poll() is None:
            answer = asked(page)
            kinds[answer["parts_answered"] if answer else 0] += 1
            if answer and answer["parts_answered"] == 2:
                assert answer["hits"] == whole["hits"]
            elif answer:
                assert any("Answered from" in note for note in answer["notes"])
        print(f"ended after {time.monotonic() - killed:.0f} s; answers by number of parts: {dict(kinds)}")
        assert serving.returncode != 0
        assert "the cluster at" in serving.communicate()[1]
    finally:
        serving.kill()
        serving.communicate()
        nodes.stop()


def asked(page: str) -> dict[str, Any] | None:
    """Return the answer to a question; None if it is refused, or the server has ended."""
    try:
        with urllib.request.urlopen(f"{page}api/search?{urlencode({'q': QUESTION})}", timeout=60) as response:
            return dict(json.load(response))
    except urllib.error.HTTPError as error:
        assert error.code == 503
    except OSError:  # it ends
        pass
    time.sleep(0.2)
    return None
