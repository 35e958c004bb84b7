"""Steps of a search at the same time: one for each encoder, or two halves of one if a core is idle."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock, get_native_id
from typing import TypeVar

from ingest.models.device import compute_elsewhere, compute_in_one_thread

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_lock = Lock()
_searches = 0
_helping = Lock()  # is held while the helper computes
_LOAD = Path("/proc/loadavg")  # "0.20 0.18 0.12 1/80 11206": one of 80 threads computes


@contextmanager
def searching() -> Iterator[None]:
    """Count a search as long as it takes."""
    global _searches
    with _lock:
        _searches += 1
    try:
        yield
    finally:
        with _lock:
            _searches -= 1


def alone() -> bool:
    """Return whether no other search computes in this process."""
    return _searches == 1


def core_idle() -> bool:
    """Return whether a core has nothing to do while this search computes. Two threads on one core that is left would
    wait for each other, and take twice as long as one."""
    return alone() and _computing() < _cores()


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _computing() -> int:
    """Return how many threads of all processes compute now, with this one. Only Linux says so; elsewhere it is 1."""
    try:
        return int(_LOAD.read_text(encoding="ascii").split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return 1


def at_once(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """Return the result of `work` for each item, in order.

    Each item has a thread that computes without others. All searches of the process have the same threads, one for each
    core, or two.
    """
    return list(begun(work, items))


def begun(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """Begin as `at_once`, and yield the results when they are asked for: the caller does something else before."""
    return _threads().map(work, items)


def halves(work: Callable[[_Item], _Result], two: Sequence[_Item]) -> list[_Result]:
    """Return the result of `work` for two items: of both at the same time, if a core is idle. The calling thread
    computes one, so that only one other is woken."""
    if not core_idle():
        return [work(one) for one in two]
    other = in_helper(lambda: work(two[1]))
    return [work(two[0]), other()]


def in_helper(work: Callable[[], _Result]) -> Callable[[], _Result]:
    """Begin `work` in the helper, the one thread for that, while the caller computes on another core. Return what waits
    for its result. If the helper is busy, `work` is done at once."""
    if not _helping.acquire(blocking=False):
        done = work()
        return lambda: done

    def help_once() -> _Result:
        try:
            return work()
        finally:
            _helping.release()

    helper, number = _helper()
    compute_elsewhere(number)
    return helper.submit(help_once).result


def soon(work: Callable[[], _Result]) -> Callable[[], _Result]:
    """Begin `work` in one of the threads of `at_once`. Return what waits for its result."""
    return _threads().submit(work).result


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(2, os.cpu_count() or 1), "search", initializer=compute_in_one_thread)


@cache
def _helper() -> tuple[ThreadPoolExecutor, int]:
    """Return the thread of `in_helper`, and its number in the system."""
    helper = ThreadPoolExecutor(1, "search in_helper", initializer=compute_in_one_thread)
    return helper, helper.submit(get_native_id).result()
