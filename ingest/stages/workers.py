"""Run a function over items in worker processes. A crash or hang affects only the item in work."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, TimeoutError, wait
from itertools import chain, islice
from typing import Any, Generic, Self, TypeVar, cast

from pebble import ProcessExpired, ProcessPool

from scraper.errors import UserError

IN_FLIGHT = 2  # items per process: one in work and one waiting; more would only hold memory
TASKS_PER_PROCESS = 500  # then it is replaced, so that leaks of C libraries stay small

Key = TypeVar("Key")
Item = TypeVar("Item")
Result = TypeVar("Result")


class WorkerError(UserError):
    """The worker process of an item crashed, was killed, or ran out of time. The message is for the ledger."""


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(
    function: Callable[[Item], Result],
    items: Iterable[tuple[Key, Item]],
    *,
    processes: int,
    limit_s: Callable[[Item], float],
) -> Iterator[tuple[Key, Result | Exception]]:
    """As `Processes.each`, with processes that end at its end."""
    with Processes(processes) as pool:
        yield from pool.each(function, items, limit_s=limit_s)


class Processes:
    """Worker processes. They are spawned when they are needed, because the parent may have threads. They end with the
    parent, however it ends, and leave Ctrl-C to it.
    """

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._pool: ProcessPool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()

    def each(
        self,
        function: Callable[[Item], Result],
        items: Iterable[tuple[Key, Item]],
        *,
        limit_s: Callable[[Item], float],
    ) -> Iterator[tuple[Key, Result | Exception]]:
        """`function(item)` for every (key, item), as (key, result) in the order in which they finish.

        An exception of the function is returned as its result. If a worker dies or takes longer than `limit_s(item)`
        seconds, the result is a WorkerError. Items are drawn when workers are free, and no more workers start than
        there are items the first time.
        """
        source = iter(items)
        first = list(islice(source, self._size or self._most))
        if not first:
            return
        source = chain(first, source)
        if self._pool is None:
            self._size = len(first)
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPool(self._size, TASKS_PER_PROCESS, _end_with_parent, context=context)
        waiting: dict[Future[Any], tuple[Key, float]] = {}
        while True:
            while len(waiting) < self._size * IN_FLIGHT and (pair := next(source, None)):
                key, item = pair
                seconds = limit_s(item)
                waiting[self._pool.schedule(function, args=(item,), timeout=seconds)] = key, seconds
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                key, seconds = waiting.pop(future)
                yield key, _outcome(future, seconds)


def _end_with_parent() -> None:
    """In a worker: exit when the parent ends. A killed parent cannot stop its workers."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _outcome(future: Future[Any], limit_s: float) -> Any:
    try:
        return future.result()
    except ProcessExpired as error:
        return WorkerError(f"the process that read it died (exit code {error.exitcode})")
    except TimeoutError:
        return WorkerError(f"reading it took longer than {limit_s:.0f} s")
    except Exception as error:
        return error


class Isolated(Generic[Item, Result]):
    """A function that runs in a process of its own, which may crash or hang. For a worker on a node of a cluster."""

    def __init__(self, function: Callable[[Item], Result]) -> None:
        self._function, self._worker = function, Worker()

    def __call__(self, item: Item, limit_s: float) -> Result:
        return self._worker.run(self._function, item, limit_s=limit_s)


class Worker:
    """One process that runs functions for several threads, in turn. It starts when it is needed.

    What it runs may crash or hang: the next call gets another process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPool | None = None

    def run(self, function: Callable[..., Result], *args: Any, limit_s: float) -> Result:
        """Return `function(*args)`.

        Raises:
            WorkerError: the process died, or took longer than `limit_s` seconds.
        """
        with self._lock:
            if self._pool is None:
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPool(1, TASKS_PER_PROCESS, _end_with_parent, context=context)
            future = self._pool.schedule(function, args=args, timeout=limit_s)
        outcome = _outcome(future, limit_s)
        if isinstance(outcome, CancelledError):
            raise WorkerError("this program ends")
        if isinstance(outcome, Exception):
            raise outcome
        return cast("Result", outcome)

    def stop(self) -> None:
        """End the process and what it is running."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()
