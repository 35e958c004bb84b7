"""Shards of an index on Ray Serve, on this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.cluster.connection import connected
from retrieval.cluster.front import Shards
from retrieval.index.generation import open_current
from retrieval.search.searcher import Searcher
from tests.retrieval.cluster.made_index import QUESTIONS, assert_equal, build_in_segments, documents
from tests.retrieval.fake_encoder import FakeEncoder

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("patient")]
ENCODER = FakeEncoder()


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serving")
    build_in_segments(documents(40), folder, 20, ENCODER)
    return folder


@pytest.fixture(scope="module")
def shards(indexes: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shards]:
    pytest.importorskip("ray")
    from retrieval.cluster.serving import started

    with connected("local", tmp_path_factory.mktemp("data")) as cluster:
        assert cluster
        with started(cluster, indexes, 2) as running:
            yield running


def test_shards_on_ray_answer_as_one_machine(indexes: Path, shards: Shards) -> None:
    generation = open_current(indexes)
    alone, together = Searcher(generation, ENCODER), Searcher(generation, ENCODER)
    together.parts = shards.open(generation)
    for question in QUESTIONS[:3]:
        one, other = alone.search(question), together.search(question)
        assert (other.parts_answered, other.parts) == (2, 2)
        assert_equal(one, other)
