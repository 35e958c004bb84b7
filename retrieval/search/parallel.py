"""One step of a search for all encoders at the same time."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from ingest.models.device import compute_in_one_thread

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def at_once(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """Return the result of `work` for each item, in order.

    Each item has a thread that computes without others: sharing the computation of one question among several threads
    takes longer than it saves. All searches of the process have the same threads, one for each core, or two.
    """
    return list(begun(work, items))


def begun(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """Begin as `at_once`, and yield the results when they are asked for: the caller does something else before."""
    return _threads().map(work, items)


def soon(work: Callable[[], _Result]) -> Callable[[], _Result]:
    """Begin `work` in one of the threads of `at_once`. Return what waits for its result."""
    return _threads().submit(work).result


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(2, os.cpu_count() or 1), "search", initializer=compute_in_one_thread)
