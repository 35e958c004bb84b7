"""Searches -> a bounded queue next to the event loop: a few run at once, some wait, and the rest are refused."""

import os
from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import to_thread
from anyio.lowlevel import RunVar

from scraper.errors import UserError

MAX_CONCURRENT = os.cpu_count() or 1  # a search is all computation: more at once would only make each slower
MAX_WAITING = 256  # at 25 ms a search on two cores these wait about three seconds
RETRY_S = 2
T = TypeVar("T")


class Overloaded(UserError):
    """More searches wait than can be answered soon."""


class Queue:
    """Runs functions in a limited number of threads, separate from those that serve media."""

    def __init__(self, at_once: int = MAX_CONCURRENT, waiting: int = MAX_WAITING) -> None:
        self._at_once, self._waiting = at_once, waiting
        self._limiter = RunVar[anyio.CapacityLimiter](f"searches of {id(self)}")  # each event loop has its own

    @property
    def waiting(self) -> int:
        """How many are waiting; to read in the event loop."""
        return self._of_loop().statistics().tasks_waiting

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` when its turn comes and return its result.

        Raises:
            Overloaded: the queue is full.
        """
        if self.waiting >= self._waiting:
            raise Overloaded("The server is busy. Try again in a few seconds.")
        return await to_thread.run_sync(work, limiter=self._of_loop())

    def _of_loop(self) -> anyio.CapacityLimiter:
        try:
            return self._limiter.get()
        except LookupError:
            self._limiter.set(anyio.CapacityLimiter(self._at_once))
            return self._limiter.get()
