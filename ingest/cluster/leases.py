"""Items -> leases for the nodes of a cluster, and their answers -> results, each once.

One worker is an actor of Ray with a function and its model loaded. It has a few leases at a time, so the memory for
items in flight is bounded. If a worker or its node is lost, its leases go to others; a late answer of it counts for
nothing. Leases are not written down: until its result is in the catalog, an item is due there.
"""

import contextlib
import math
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from ingest.cluster.connection import Cluster, Node, lost
from ingest.cluster.jobs import Answer, ClusterError, ClusterLost, Job, Source
from ingest.cluster.media import Lacking, Unreachable
from ingest.cluster.node import NodeWorker, program_version
from ingest.cluster.work import Work

LOOK_S = 2.0  # between two looks at which nodes there are
WAIT_S = 0.2  # for an answer, before uploads are looked at
ALONE_S = 600.0  # without any node that can work, before the run stops
GRACE_S = 600.0  # beyond the limit of its leases, after which a silent worker counts as lost: files are fetched then
MOST_LOSSES = 5  # of the workers that had an item: it may be what kills them
MOST_UNREACHABLE = 3  # tries of an item whose media do not answer ...
MOST_UNREACHABLE_IN_A_ROW = 12  # ... and answers of this kind without another, after which the run stops
SENT_AT_ONCE_BYTES = 256 << 20  # of files that travel with leases: they lie in the object store
UPLOADS = 4

Key = TypeVar("Key")


class LostItem(ClusterError):
    """An item could not be read on any node. The message is for the ledger."""


@dataclass(frozen=True)
class Finished(Generic[Key]):
    """The result of a job, or the exception that its function raised, and the content of its output if it has one."""

    key: Key
    job: Any
    result: Any
    written: bytes | None = None


@dataclass(eq=False)
class _Lease(Generic[Key]):
    key: Key
    job: Any
    limit_s: float
    losses: int = 0
    unreachable: int = 0
    sends: bool = False  # the node gets the contents of its files
    uploaded: bool = False
    skip: set[Path] = field(default_factory=set)  # files that are nowhere


@dataclass(eq=False)
class _Worker:
    actor: Any
    node: Node
    preparing: Any  # the reference of its preparation, or None
    leases: dict[Any, _Lease[Any]] = field(default_factory=dict)  # by the reference of the answer
    until: float = math.inf  # when it counts as lost


class Leases(Generic[Key]):
    """The workers of one stage on a cluster. They end with the block that it is used in."""

    def __init__(self, cluster: Cluster, work: Work) -> None:
        self._cluster, self._ray, self._work = cluster, cluster.ray, work
        self._workers: list[_Worker] = []
        self._refused: dict[str, str] = {}  # why a node cannot work, by its id
        self._apart: set[str] = set()  # nodes that do not share the data folder
        self._again: deque[_Lease[Key]] = deque()
        self._uploads: dict[Future[None], _Lease[Key]] = {}
        self._looked_at, self._worked_at = -math.inf, time.monotonic()
        self._unreachable = 0  # answers of this kind in a row
        self._done: deque[Finished[Key]] = deque()
        self._pool = ThreadPoolExecutor(UPLOADS)
        self.workers_per_node: Counter[str] = Counter()

    def __enter__(self) -> Self:
        if self._work.most:
            self._ask_for_nodes(self._work.most)
        return self

    def __exit__(self, _: object, error: object, __: object) -> None:
        if not isinstance(error, ClusterLost):
            if self._work.most:
                self._ask_for_nodes(0)
            for worker in self._workers:
                self._kill(worker)
        self._workers.clear()
        self._pool.shutdown(cancel_futures=True)

    def each(self, jobs: Iterable[tuple[Key, Job, float]]) -> Iterator[Finished[Key]]:
        """Yield what came of each (key, job, limit in seconds) as it finishes. Jobs are drawn when workers are free.

        Raises:
            ClusterError: the cluster is lost, no node can work, or the place of the media does not answer.
        """
        source = iter(jobs)
        self._fill(source, 1)
        while self._again or self._uploads or any(worker.leases for worker in self._workers):
            self._hand_out(source)
            self._take_answers()
            while self._done:
                yield self._done.popleft()
            self._fill(source, 1)

    # -- hand out -----------------------------------------------------------------------------------------------

    def _fill(self, source: Iterator[tuple[Key, Job, float]], count: int) -> None:
        """Draw items until `count` of them wait."""
        while len(self._again) < count and (drawn := next(source, None)):
            self._again.append(_Lease(*drawn))

    def _hand_out(self, source: Iterator[tuple[Key, Job, float]]) -> None:
        """Give every free worker something to do."""
        self._look()
        free = sorted((one for one in self._workers if one.preparing is None), key=lambda one: len(one.leases))
        for turn in range(self._work.in_flight):  # the first lease of each before the second of one
            for worker in free:
                if len(worker.leases) > turn:
                    continue
                self._fill(source, 1)
                if not self._again:
                    break
                self._lease(worker, self._again.popleft())

    def _lease(self, worker: _Worker, lease: _Lease[Key]) -> None:
        sent = {}
        if lease.sends or worker.node.id in self._apart:
            sent = {source.sha256: source.path.read_bytes() for source in lease.job.sources if source.path.is_file()}
        try:
            answer = worker.actor.read.remote(lease.job, lease.limit_s, sent, frozenset(lease.skip))
        except Exception as error:
            raise lost(self._cluster.address, error) from error
        worker.leases[answer] = lease
        worker.until = time.monotonic() + GRACE_S + sum(one.limit_s for one in worker.leases.values())

    def _look(self) -> None:
        """Start workers where there is room, and give up those of lost nodes."""
        now = time.monotonic()
        if now < self._looked_at + LOOK_S:
            return
        self._looked_at = now
        nodes = self._cluster.nodes()
        alive = {node.id for node in nodes}
        for worker in list(self._workers):
            if worker.node.id not in alive:
                self._lose(worker, "its node is lost", of_item=False)
            elif now > worker.until:
                self._lose(worker, "it did not answer in time", of_item=True)
        room = [node for node in nodes if node.id not in self._refused for _ in range(self._work.needs.fit(node))]
        for worker in self._workers:
            if worker.node in room:
                room.remove(worker.node)
        most = len(room) if self._work.most is None else self._work.most - len(self._workers)
        for node in _spread(room)[: max(0, most)]:
            self._start(node)
        if self._workers:
            self._worked_at = now
        elif (
            now > self._worked_at + ALONE_S
            or (nodes and all(node.id in self._refused for node in nodes))
            or (nodes and not room)
        ):
            raise ClusterError(self._nobody(nodes))

    def _ask_for_nodes(self, count: int) -> None:
        """Let a cluster that adds nodes by itself make room for so many workers. Other clusters stay as they are."""
        from ray.autoscaler.sdk import request_resources

        needs = self._work.needs
        card = {"GPU": 1} if needs.gpu == "always" else {}
        with contextlib.suppress(Exception):  # a client from elsewhere cannot ask
            request_resources(bundles=[{"CPU": needs.cpus} | card] * count)

    def _nobody(self, nodes: list[Node]) -> str:
        reasons = [f"{node.host}: {self._refused.get(node.id, self._too_small())}" for node in nodes]
        return "no node of the cluster can do this: " + ("; ".join(dict.fromkeys(reasons)) or "there is none")

    def _too_small(self) -> str:
        needs = self._work.needs
        card = " and a graphics card" if needs.gpu == "always" else ""
        return f"a worker needs {needs.cpus:g} CPU, {needs.memory_bytes / 1e9:.1f} GB of memory{card}"

    def _start(self, node: Node) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        remote = self._ray.remote(NodeWorker)
        try:
            actor = remote.options(
                **self._work.needs.options(node),
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
                max_concurrency=self._work.in_flight,
                max_restarts=0,
                max_task_retries=0,
            ).remote(self._work.load, self._cluster.media, program_version())
            self._workers.append(_Worker(actor, node, actor.prepare.remote()))
        except Exception as error:
            raise lost(self._cluster.address, error) from error

    # -- answers ------------------------------------------------------------------------------------------------

    def _take_answers(self) -> None:
        waiting = {worker.preparing: worker for worker in self._workers if worker.preparing is not None}
        waiting |= {reference: worker for worker in self._workers for reference in worker.leases}
        self._take_uploads()
        if not waiting:
            time.sleep(WAIT_S)
            return
        try:
            ready, _ = self._ray.wait(list(waiting), num_returns=1, timeout=WAIT_S if self._uploads else LOOK_S)
        except Exception as error:
            raise lost(self._cluster.address, error) from error
        for reference in ready:
            worker = waiting[reference]
            try:
                answer = self._ray.get(reference)
            except self._ray.exceptions.RayTaskError as error:  # of this program, or what cannot be sent
                self._failed(worker, reference, error)
            except self._ray.exceptions.RayError as error:
                self._lose(worker, type(error).__name__, of_item=worker.preparing is None)
            except Exception as error:
                raise lost(self._cluster.address, error) from error
            else:
                self._answered(worker, reference, answer)

    def _answered(self, worker: _Worker, reference: Any, answer: Any) -> None:
        if reference is worker.preparing or reference == worker.preparing:
            worker.preparing = None
            if answer:
                self._refuse(worker, answer)
            else:
                self.workers_per_node[worker.node.host] += 1
            return
        lease = worker.leases.pop(reference)
        assert isinstance(answer, Answer)
        if answer.trouble:
            self._again.appendleft(lease)
            self._refuse(worker, answer.trouble)
        elif answer.lacking:
            self._supply(worker, lease, answer)
        elif answer.unreachable:
            self._try_again(lease, answer.unreachable)
        else:
            self._unreachable = 0
            self._finish(lease, answer.result, answer.written)

    def _finish(self, lease: _Lease[Key], result: Any, written: bytes | None = None) -> None:
        self._done.append(Finished(lease.key, lease.job, result, written))

    def _failed(self, worker: _Worker, reference: Any, error: Exception) -> None:
        reason = str(error).strip().splitlines()[-1][:300]
        if reference == worker.preparing:
            self._refuse(worker, reason)
        else:
            lease = worker.leases.pop(reference)
            self._finish(lease, LostItem(f"a node cannot read it: {reason}"))

    def _lose(self, worker: _Worker, reason: str, *, of_item: bool) -> None:
        """Give the leases of a worker to others."""
        if worker not in self._workers:
            return
        self._kill(worker)
        self._workers.remove(worker)
        self._looked_at = -math.inf
        for lease in reversed(worker.leases.values()):
            lease.losses += of_item
            if lease.losses >= MOST_LOSSES:
                lost_item = LostItem(f"{lease.losses} workers were lost while they read it")
                self._finish(lease, lost_item)
            else:
                self._again.appendleft(lease)
        if worker.leases:
            self._work.say(
                f"a worker on {worker.node.host} is lost ({reason}): {len(worker.leases)} items go to others"
            )
        worker.leases = {}

    def _refuse(self, worker: _Worker, reason: str) -> None:
        """Use no worker of a node any more."""
        if worker.node.id not in self._refused:
            self._refused[worker.node.id] = reason
            self._work.say(f"node {worker.node.host} is not used: {reason}")
        for one in [one for one in self._workers if one.node.id == worker.node.id]:
            self._again.extendleft(reversed(one.leases.values()))
            one.leases = {}
            self._kill(one)
            self._workers.remove(one)
        self._looked_at = -math.inf

    def _kill(self, worker: _Worker) -> None:
        try:
            self._ray.kill(worker.actor)
        except Exception:  # the cluster is lost, and the worker with it
            return

    # -- files that nodes lack ----------------------------------------------------------------------------------

    def _supply(self, worker: _Worker, lease: _Lease[Key], answer: Answer) -> None:
        """Put the files of an item where nodes find them, or send them with its lease.

        What is not here either, or is not what the catalog says, the function meets as it is.
        """
        lacked: list[Source] = [one for one in lease.job.sources if one.path in answer.lacking]
        tried = lease.sends or lease.uploaded
        gone = [one.path for one in lacked if tried or not one.path.is_file()]
        if gone:
            lease.skip |= set(gone)
            self._again.appendleft(lease)
        elif self._cluster.media.address:
            lease.uploaded = True
            self._uploads[self._pool.submit(self._put, lacked)] = lease
        elif sum(one.bytes for one in lacked) > SENT_AT_ONCE_BYTES:
            self._finish(lease, LostItem("it is too large to be sent to a node: share the data folder"))
        else:
            lease.sends = True
            self._apart.add(worker.node.id)
            self._again.appendleft(lease)

    def _put(self, sources: list[Source]) -> None:
        for source in sources:
            self._cluster.media.put(source)

    def _take_uploads(self) -> None:
        for upload in [one for one in self._uploads if one.done()]:
            lease = self._uploads.pop(upload)
            error = upload.exception()
            if isinstance(error, Lacking):  # the next answer says which
                self._again.appendleft(lease)
            elif isinstance(error, Unreachable):
                lease.uploaded = False
                self._try_again(lease, str(error))
            elif error:
                raise error
            else:
                self._again.appendleft(lease)

    def _try_again(self, lease: _Lease[Key], reason: str) -> None:
        lease.unreachable += 1
        self._unreachable += 1
        address = self._cluster.media.address
        if self._unreachable >= MOST_UNREACHABLE_IN_A_ROW:
            raise ClusterError(f"{address} does not answer ({reason}). Finished items are kept: run it again later")
        if lease.unreachable >= MOST_UNREACHABLE:
            self._finish(lease, LostItem(f"{address} does not answer: {reason}"))
        else:
            self._again.append(lease)


def _spread(room: list[Node]) -> list[Node]:
    """Order places for workers so that each node has one before one has two."""
    seen: Counter[str] = Counter()
    turns = []
    for node in room:
        turns.append((seen[node.id], node))
        seen[node.id] += 1
    return [node for _, node in sorted(turns, key=lambda turn: turn[0])]
