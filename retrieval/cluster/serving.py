"""Shards of an index on Ray Serve, which places them by memory, restarts those that end.

Only the command that serves an index on a cluster imports Ray.
"""

import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ingest.cluster.connection import Cluster
from ingest.cluster.jobs import ClusterError
from ingest.cluster.node import program_version
from retrieval.cluster.front import Shards
from retrieval.cluster.holder import Holder
from retrieval.index.generation import size_on_disk
from retrieval.index.layout import current_name, generations_folder

LEAST_BYTES = 500_000_000  # of memory that a shard needs besides its part of the index
START_S = 300.0  # in which all have to be there; a new node of a cloud needs some minutes
HEALTH_S = 1.0  # between two looks of Ray whether a shard is there
MESSAGES = {"RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": f"{1 << 30}"}  # 4 MB otherwise: a page far down needs more
AT_ONCE = 16  # questions that a shard takes at a time; the server has a queue of its own


class OnServe:
    """A shard that Ray Serve runs, by its handle."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def ask(self, method: str, *arguments: Any) -> Any:
        """Send a call without waiting for its answer."""
        return getattr(self._handle, method).remote(*arguments)


@contextlib.contextmanager
def started(cluster: Cluster, indexes: Path, count: int, server: str) -> Iterator[Shards]:
    """Start the shards of an index on a cluster, and end them with the block.

    Args:
        count: of shards. More than the index has segments would be empty, so they are not asked.
        server: where the server listens that asks them. Each has shards of its own; those that an earlier one left
            there when it was killed are ended.

    Raises:
        ClusterError: they do not start, as on a cluster without enough memory.
        RetrievalError: there is no index.
    """
    # Of the replica's queue, which Ray asks before every call: 0.1 s is too short for a node that is busy.
    os.environ.setdefault("RAY_SERVE_QUEUE_LENGTH_RESPONSE_DEADLINE_S", "1")
    # Calls through gRPC take half of the time of Ray's tasks, and a third of the processor time.
    os.environ.setdefault("RAY_SERVE_USE_GRPC_BY_DEFAULT", "1")
    os.environ.update(MESSAGES)
    try:
        from ray import serve
    except ImportError as error:
        raise ClusterError(
            "--shards needs Ray Serve: `pip install -c constraints.txt '.[cluster]'` in the source folder installs it"
        ) from error
    logging.getLogger("ray.serve").setLevel(logging.ERROR)  # after the import, which sets it

    folder = generations_folder(indexes) / current_name(indexes)
    needed = LEAST_BYTES + size_on_disk(folder) // count
    _check(cluster, count, needed)
    of_server = hashlib.sha256(f"{indexes.resolve()} {server}".encode()).hexdigest()[:12]
    names = [f"tiktok-retrieval-{of_server}-{number + 1}" for number in range(count)]
    quiet = {"log_level": "WARNING", "enable_access_log": False}
    deployed = serve.deployment(
        num_replicas=1,  # only the process that has opened a generation can answer
        ray_actor_options={"num_cpus": 1, "memory": needed, "runtime_env": {"env_vars": MESSAGES}},
        max_ongoing_requests=AT_ONCE,
        health_check_period_s=HEALTH_S,
        health_check_timeout_s=30.0,
        graceful_shutdown_timeout_s=2.0,
        logging_config=quiet,
    )(Holder)
    targets = [
        serve.RunTarget(target=deployed.options(name=name).bind(program_version()), name=name, route_prefix=None)
        for name in names
    ]
    with contextlib.ExitStack() as stack:
        serve.start(proxy_location="Disabled", logging_config=quiet)
        for name in serve.status().applications:
            if name.startswith(f"tiktok-retrieval-{of_server}-"):
                serve.delete(name)
        for name in names:
            stack.callback(partial(_end, serve, name))
        handles = serve.run_many(targets, wait_for_applications_running=False)
        _wait_until_running(serve, names)
        running = Shards([OnServe(handle) for handle in handles])
        stack.callback(running.stop)
        yield running


def _check(cluster: Cluster, processes: int, needed: int) -> None:
    """Refuse what Ray would wait for without an end."""
    room = sum(int(min(node.cpus, node.memory_bytes // needed)) for node in cluster.nodes())
    if room < processes:
        raise ClusterError(
            f"the cluster has room for {room} of {processes} processes with 1 CPU and {needed / 1e9:.1f} GB of memory:"
            " add nodes, or ask for fewer --shards"
        )


def _wait_until_running(serve: Any, names: Sequence[str]) -> None:
    until, waiting = time.monotonic() + START_S, set(names)
    while waiting:
        of_all = serve.status().applications
        waiting = {name for name in waiting if of_all[name].status != "RUNNING"}
        failed = [of_all[name].message for name in waiting if of_all[name].status == "DEPLOY_FAILED"]
        if failed:  # Ray's own message says why
            raise ClusterError(f"the shards do not start: {failed[0].strip()[:300]}")
        if waiting and time.monotonic() > until:
            raise ClusterError(
                f"{len(waiting)} of {len(names)} shards have not started in {START_S:.0f} s. If others use the cluster,"
                " `ray status` says what is free: add nodes, or ask for fewer --shards"
            )
        time.sleep(0.1)


def _end(serve: Any, name: str) -> None:
    with contextlib.suppress(Exception):  # the cluster may be gone
        serve.delete(name, _blocking=False)
