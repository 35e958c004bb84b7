"""An address -> a connection to a Ray cluster, and the nodes that it has now."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.cluster.jobs import ClusterError, ClusterLost
from ingest.cluster.media import MediaPlace

LOCAL = "local"  # a cluster of this machine alone, for the time of the command
LOCAL_STORE_BYTES = 200_000_000  # its object store: results are small
NAMESPACE = "tiktok-retrieval"
ANSWER_S = 40.0  # for the head to say which nodes there are; after 60 s without it Ray ends this process without a word


@dataclass(frozen=True)
class Node:
    """A node that is alive, with the resources that it has in all."""

    id: str
    host: str
    cpus: float
    gpus: float
    memory_bytes: float


@dataclass(frozen=True)
class Cluster:
    """A connection. `media` says where nodes find the files of the catalog."""

    ray: Any
    address: str
    media: MediaPlace

    def nodes(self) -> list[Node]:
        """The nodes that are alive now.

        Raises:
            ClusterLost: the head does not say.
        """
        try:
            found = _within(ANSWER_S, self.ray.nodes)
        except Exception as error:  # the connection is lost, in whatever way
            raise lost(self.address, error) from error
        return [
            Node(
                node["NodeID"],
                node["NodeManagerAddress"],
                node["Resources"].get("CPU", 0.0),
                node["Resources"].get("GPU", 0.0),
                node["Resources"].get("memory", 0.0),
            )
            for node in found
            if node["Alive"]
        ]


@contextlib.contextmanager
def connected(address: str, data: Path, media: str = "", *, cpus: int | None = None) -> Iterator[Cluster | None]:
    """Connect to a cluster while the block runs. Without an address yield None: this machine works alone.

    Args:
        address: "auto" for the cluster that this machine is a node of, "local" for one of this machine alone, or
            "ray://host:10001".
        data: the folder of the catalog.
        media: its address for the nodes (see `MediaPlace`).
        cpus: that a local cluster counts; by default those of this machine.

    Raises:
        ClusterError: Ray is not installed, or no cluster answers.
    """
    if not address:
        if media:
            raise ClusterError("--media says where the nodes of a cluster find media: it needs --cluster")
        yield None
        return
    place = MediaPlace(data.resolve(), media)
    place.check()
    ray = _ray()
    _connect(ray, address, cpus)
    there = True
    try:
        yield Cluster(ray, address, place)
    except ClusterLost:
        there = False
        raise
    finally:
        if there:
            with contextlib.suppress(Exception):  # the work is done, or has an error of its own
                ray.shutdown()


def lost(address: str, error: BaseException) -> ClusterLost:
    """Return the error for a cluster that was there and does not answer any more."""
    reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    return ClusterLost(
        f"the cluster at {address} does not answer any more ({reason}). Finished items are kept: start it again,"
        " then run the same command"
    )


def _within(limit_s: float, call: Callable[[], Any]) -> Any:
    """Return what a call returns. Raise TimeoutError if it takes too long; its thread does not keep the process."""
    answer: Future[Any] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer.result(limit_s)


def _ray() -> Any:
    # Before the import: Ray reads them then.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # else 127.0.0.1 is replaced by another address
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise ClusterError(
            "--cluster needs Ray: `pip install -c constraints.txt '.[cluster]'` in the source folder installs it"
        ) from error
    return ray


def _connect(ray: Any, address: str, cpus: int | None) -> None:
    options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False, "namespace": NAMESPACE}
    if address == LOCAL:
        options |= {
            "num_cpus": cpus,
            "include_dashboard": False,
            "object_store_memory": LOCAL_STORE_BYTES,
            "_node_ip_address": "127.0.0.1",
        }
    try:
        ray.init(address, **options)
    except Exception as error:  # Ray raises ConnectionError, RuntimeError, ValueError and errors of gRPC
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
        start = "`ray start --head` starts one" if address != LOCAL else "is there enough memory and space in /dev/shm?"
        if os.environ.get("RAY_AUTH_MODE") == "token":
            start += ". If there is one, is its token that of this computer?"
        print(f"ray: {first}", file=sys.stderr)
        raise ClusterError(f"no Ray cluster of this version answers at {address}: {start}") from error
