"""Shards of an index on Ray Serve, on this machine."""

from pathlib import Path

import pytest

from retrieval.cluster.front import Shards
from retrieval.index.generation import open_current
from retrieval.search.searcher import Searcher
from tests.retrieval.cluster.made_index import QUESTIONS, assert_equal
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
