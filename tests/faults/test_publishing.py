"""Searches on a real server while generations are published, pruned and overwritten in place."""

import socket
import sys
from pathlib import Path
from weakref import WeakSet

import pytest

from benchmarks.publishing import run
from ingest.catalog import Catalog
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.index.generation import Generation, open_current, read_manifest
from retrieval.index.layout import current_name
from retrieval.index.publish import reweight
from retrieval.server.searchers import Searchers
from tests.faults.corpus import ENCODER
from tests.tiny_corpus import make_data, make_index

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="reads the server's memory and open files from /proc"),
]


def test_no_search_fails_while_generations_are_published_pruned_and_overwritten(tmp_path: Path) -> None:
    make_data(tmp_path / "data")
    make_index(tmp_path / "data", tmp_path / "indexes", SentenceEncoder(ENCODER))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = run(tmp_path / "data", tmp_path / "indexes", searches=2_000, generations=20, port=port)
    assert found["ended"] is None and set(found["statuses"]) == {"200"} and found["searches"] >= 2_000
    assert found["generations that answered"] >= 15 and found["open files that are deleted"] == []
    memory, opened = found["memory MB"], found["open files"]
    assert memory[-1] < memory[10] * 1.1 and opened[-1] < opened[10] + 10


def test_a_server_answers_through_200_publishes_of_one_video_each(tmp_path: Path) -> None:
    answered_through(tmp_path, 200)


@pytest.mark.heavy
def test_memory_and_open_files_do_not_grow_with_500_publishes(tmp_path: Path) -> None:
    answered_through(tmp_path, 500)


def answered_through(folder: Path, publishes: int) -> None:
    """Check that no search fails while a generation is published for each of many new videos."""
    make_data(folder / "data")
    make_index(folder / "data", folder / "indexes", SentenceEncoder(ENCODER))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = run(folder / "data", folder / "indexes", 100, publishes, port, add=True)
    assert found["ended"] is None and set(found["statuses"]) == {"200"}
    memory, opened = found["memory MB"], found["open files"]
    assert found["open files that are deleted"] == []
    assert memory[-1] < memory[20] * 1.1 and opened[-1] < opened[20] + 10
    with Catalog(folder / "data") as catalog:
        assert sorted(open_current(folder / "indexes").positions) == catalog.ids()


def test_one_generation_stays_in_memory_while_ten_are_published(tmp_path: Path) -> None:
    make_data(tmp_path / "data")
    indexes = tmp_path / "indexes"
    make_index(tmp_path / "data", indexes, SentenceEncoder(ENCODER))
    searchers, opened = Searchers(indexes), WeakSet[Generation]()
    for _ in range(10):
        opened.add(searchers.get().generation)
        assert searchers.get().search("bread").hits
        assert len(opened) == 1
        reweight(indexes, read_manifest(indexes, current_name(indexes)).weights)
