"""Run a function over items in worker processes. A crash or hang affects only the item in work."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, TimeoutError, wait
from itertools import chain, islice
from typing import Any, TypeVar

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
    """`function(item)` for every (key, item), as (key, result) in the order in which they finish.

    An exception of the function is returned as its result. If a worker dies or takes longer than `limit_s(item)`
    seconds, the result is a WorkerError. Items are drawn when workers are free, and no more workers start than there
    are items. They are spawned, because the parent may have threads. They end with the parent, however it ends, and
    leave Ctrl-C to it.
    """
    source = iter(items)
    first = list(islice(source, processes))
    if not first:
        return
    processes, source = len(first), chain(first, source)  # no more processes than items
    waiting: dict[Future[Any], tuple[Key, float]] = {}
    context = multiprocessing.get_context("spawn")
    pool = ProcessPool(processes, TASKS_PER_PROCESS, _end_with_parent, context=context)
    try:
        while True:
            while len(waiting) < processes * IN_FLIGHT and (pair := next(source, None)):
                key, item = pair
                seconds = limit_s(item)
                waiting[pool.schedule(function, args=(item,), timeout=seconds)] = key, seconds
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                key, seconds = waiting.pop(future)
                yield key, _outcome(future, seconds)
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


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
