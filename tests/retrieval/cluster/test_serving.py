"""Shards of an index on Ray Serve, on this machine."""

import time
from pathlib import Path

import pytest

from ingest.cluster.connection import Cluster
from ingest.cluster.jobs import ClusterError
from retrieval.cluster import serving
from retrieval.cluster.front import Shards
from retrieval.cluster.serving import OnServe, started
from retrieval.index.generation import open_current
from retrieval.search.answer import Answer
from retrieval.search.searcher import Searcher
from tests.retrieval.cluster.made_index import QUESTIONS, assert_equal
from tests.retrieval.cluster.test_switching import asked_while_published
from tests.retrieval.fake_encoder import FakeEncoder

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("patient")]
ENCODER = FakeEncoder()


def test_shards_on_ray_answer_as_one_machine(indexes: Path, shards: Shards) -> None:
    generation = open_current(indexes)
    alone, together = Searcher(generation, ENCODER), Searcher(generation, ENCODER)
    together.parts = shards.open(generation)
    for question in QUESTIONS[:3]:
        one, other = alone.search(question), together.search(question)
        assert (other.parts_answered, other.parts) == (2, 2)
        assert_equal(one, other)


def test_a_message_to_a_shard_may_be_large(shards: Shards) -> None:
    from ray import serve

    assert len(shards) == 2
    name = next(iter(serve.status().applications))
    answer = OnServe(serve.get_app_handle(name)).ask("spread", "no generation", bytes(20_000_000))
    assert answer.result(timeout_s=60) is None


def test_generations_are_switched_on_ray_while_questions_are_asked(shards: Shards, tmp_path: Path) -> None:
    asked_while_published(tmp_path, shards)


def test_two_servers_of_an_index_have_shards_of_their_own(indexes: Path, shards: Shards, cluster: Cluster) -> None:
    generation = open_current(indexes)
    one, expected = Searcher(generation, ENCODER), Searcher(generation, ENCODER).search(QUESTIONS[0])
    one.parts = shards.open(generation)
    with started(cluster, indexes, 2, "another") as others:
        other = Searcher(generation, ENCODER)
        other.parts = others.open(generation)
        assert_equal(expected, other.search(QUESTIONS[0]))
        assert_whole(expected, one)
    for _ in range(20):  # the others end
        assert_whole(expected, one)
        time.sleep(0.2)


def test_shards_that_a_killed_server_left_are_replaced(indexes: Path, cluster: Cluster) -> None:
    from ray import serve

    def left() -> int:
        return len(serve.status().applications.keys() - before)

    before = serve.status().applications.keys()
    killed = started(cluster, indexes, 2, "a third")
    killed.__enter__()
    assert left() == 2
    with started(cluster, indexes, 1, "a third"):
        assert left() == 1


@pytest.mark.usefixtures("shards")
def test_shards_without_room_beside_others_are_an_error(
    indexes: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "START_S", 10.0)
    with pytest.raises(ClusterError, match="of 3 shards have not started"), started(cluster, indexes, 3, "a fourth"):
        pytest.fail("two of four CPUs are taken")


def assert_whole(expected: Answer, searcher: Searcher) -> None:
    answer = searcher.search(QUESTIONS[0])
    assert (answer.parts_answered, answer.parts) == (2, 2)
    assert_equal(expected, answer)
