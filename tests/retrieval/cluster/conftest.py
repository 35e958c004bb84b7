"""Fixtures of tests of an index in parts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.cluster.connection import Cluster, connected
from retrieval.cluster import front
from retrieval.cluster.front import Shards
from retrieval.cluster.serving import started
from tests.retrieval.cluster.made_index import build_in_segments, documents
from tests.retrieval.fake_encoder import FakeEncoder


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for all parts, so that no answer depends on how busy the machine is."""
    for limit in ("ANSWER_S", "OTHERS_S"):
        monkeypatch.setattr(front, limit, 600.0)


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small index in two segments."""
    folder = tmp_path_factory.mktemp("parts")
    build_in_segments(documents(40), folder, 20, FakeEncoder())
    return folder


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a Ray of this machine that counts four CPUs."""
    pytest.importorskip("ray")
    with connected("local", tmp_path_factory.mktemp("data"), cpus=4) as running:
        assert running
        yield running


@pytest.fixture(scope="module")
def shards(indexes: Path, cluster: Cluster) -> Iterator[Shards]:
    """Return the two parts of `indexes`."""
    with started(cluster, indexes, 2, "a test") as running:
        yield running
