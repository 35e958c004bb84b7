"""Cut the connections of a download at its deadline, or when the run is stopped."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Self

from scraper import addresses
from scraper.addresses import Address
from scraper.failures import DownloadError

RESOLVE_S = 10.0  # for a name; resolvers ask two servers for 5 s each
WATCH_EVERY_S = 0.1  # how late a deadline or a stopped run may be noticed


class Watch:
    """Cuts the connections of one file at its deadline or when the run is stopped, whatever they wait for.

    It holds a second handle of each socket, because TLS takes over the first one.
    """

    def __init__(self, limit_s: float, stopped: threading.Event) -> None:
        self._stopped = stopped
        self._deadline = time.monotonic() + limit_s
        self._waiting = False
        self._sockets: list[socket.socket] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        for connected in self._sockets:
            connected.close()

    def add(self, connecting: socket.socket) -> None:
        """Cut this socket as well."""
        self._sockets.append(connecting.dup())

    def check(self) -> None:
        """Raise DownloadError if the run was stopped or the deadline has passed."""
        if self._stopped.is_set():
            raise DownloadError("stopped")
        if not self._waiting and time.monotonic() > self._deadline:
            raise DownloadError("deadline")

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the deadline."""
        self._stopped.wait(min(seconds, max(0.0, self._deadline - time.monotonic())))
        self.check()

    @contextlib.contextmanager
    def holding(self, slot: threading.Semaphore) -> Iterator[None]:
        """Hold a slot of a host. The wait for it does not count against the deadline."""
        since = time.monotonic()
        self._waiting = True
        while not slot.acquire(timeout=WATCH_EVERY_S):
            self.check()
        self._deadline += time.monotonic() - since
        self._waiting = False
        try:
            yield
        finally:
            slot.release()

    def resolve(self, host: str, port: int) -> list[Address]:
        """The addresses of a name. The system call cannot be ended, so it is abandoned if it takes too long."""
        answers: list[list[Address]] = []
        errors: list[Exception] = []
        answered = threading.Event()

        def ask() -> None:
            try:
                answers.append(addresses.lookup(host, port))
            except (OSError, UnicodeError) as error:
                errors.append(error)
            answered.set()

        threading.Thread(target=ask, daemon=True).start()
        give_up = time.monotonic() + RESOLVE_S
        while not answered.wait(WATCH_EVERY_S) and time.monotonic() < give_up:
            self.check()
        if errors and isinstance(errors[0], UnicodeError):  # a label of more than 63 letters, or an empty one
            raise DownloadError("malformed") from errors[0]
        if not answers or not answers[0]:
            raise DownloadError("dns") from (errors[0] if errors else None)
        return answers[0]

    def _look(self) -> None:
        while not self._done.wait(WATCH_EVERY_S):
            try:
                self.check()
            except DownloadError:
                for connected in tuple(self._sockets):
                    with contextlib.suppress(OSError):  # the connection is closed already
                        connected.shutdown(socket.SHUT_RDWR)
