"""A cluster of Ray with three nodes on this machine, and what its tests read."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ingest import media_samples

STORE_BYTES = 80_000_000  # of each node; Ray takes no less than 75 MB


class ThreeNodes:
    """Three nodes with one core each. The first is the head, and has none: it cannot be lost."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        os.environ["RAY_worker_register_timeout_seconds"] = "120"  # noqa: SIM112 - this machine may be busy
        self._cluster: Any = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "object_store_memory": STORE_BYTES,
                "include_dashboard": False,
                "node_ip_address": "127.0.0.1",
            },
        )
        self.nodes = [self.add(), self.add()]

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add(self, cpus: int = 1) -> Any:
        """Add a node."""
        return self._cluster.add_node(
            wait=False, num_cpus=cpus, object_store_memory=STORE_BYTES, node_ip_address="127.0.0.1"
        )

    def kill_head(self) -> None:
        """Kill the head with -9."""
        self.kill(self._cluster.head_node)

    def kill(self, node: Any) -> None:
        """Kill a node with -9, and everything on it ends."""
        for of_kind in node.all_processes.values():
            for one in of_kind:
                os.kill(one.process.pid, signal.SIGKILL)

    def replace(self, node: Any) -> None:
        """Add a node for one that was killed."""
        self.nodes[self.nodes.index(node)] = self.add()

    def stop(self) -> None:
        """End all nodes, and delete what Ray has written of them."""
        folder = self._cluster.head_node.get_session_dir_path() if self._cluster.head_node else ""
        self._cluster.shutdown()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def three_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeNodes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # before the import: 127.0.0.1 stays the address
        pytest.importorskip("ray")
        patch.setenv("TIKTOK_RETRIEVAL_NODE_MEDIA", str(tmp_path_factory.mktemp("node") / "media"))
        running = ThreeNodes()
        yield running
        running.stop()


@pytest.fixture(scope="session")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media_samples.tiny_whisper(tmp_path_factory.mktemp("whisper"))
