"""Connections -> bounded in number, in all and by address, and in the seconds that each part of a request may take.

All of this is before any token is read, so it may cost next to nothing. A new connection is never kept waiting by those
that only wait: when the bound is reached, the connection that has gone longest without a complete request is closed
to make room. Only connections whose requests are being answered count against a new one.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import chain
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from retrieval.server.addresses import UNKNOWN, Network, network_address, within
from retrieval.server.headers import SAFE_HEADERS

SWEPT_EVERY_S = 1.0
log = logging.getLogger(__name__)


class Stage(IntEnum):
    """What a connection waits for. The lowest one is closed first when there is no room."""

    HEADERS = 0  # of the next request; also a browser's spare connection
    REST = 1  # of a body whose request is answered already
    BODY = 2
    READER = 3  # the other side does not read the answer
    ANSWER = 4  # it waits for the server: never closed


@dataclass(frozen=True)
class Bounds:
    """How many connections there may be, and how long each may take."""

    in_all: int = 1_000
    by_address: int = 100  # 0: no bound
    unbounded: tuple[Network, ...] = ()  # addresses of proxies, which bring the connections of many people
    headers_s: float = 10.0  # from the connection, or the last answer, to the end of the headers
    body_s: float = 30.0  # for a body, and one second more for each `body_bytes_per_s` that arrive
    body_bytes_per_s: float = 500.0  # far slower than any network that a person would put up with
    reader_s: float = 60.0  # without room for more of an answer: a video that is paused is asked for again

    def by(self, address: str) -> int:
        """Return how many connections an address may have."""
        return self.by_address if self.by_address and not within(address, self.unbounded) else self.in_all


class Queue:
    """Connections, those first that are closed first: by stage, and in each stage by how long they wait.

    A stage begins when a connection enters it, so each stage is in the order of its connections. A flood asks for the
    first at each new connection, which takes no longer the more there are.
    """

    def __init__(self) -> None:
        self._stages: list[dict[BoundedProtocol, None]] = [{} for _ in Stage]

    def __len__(self) -> int:
        return sum(map(len, self._stages))

    def __iter__(self) -> Iterator["BoundedProtocol"]:
        return chain.from_iterable(self._stages)

    def add(self, one: "BoundedProtocol") -> None:
        """Add a connection, which has just entered its stage."""
        self._stages[one.stage][one] = None

    def __contains__(self, one: "BoundedProtocol") -> bool:
        return one in self._stages[one.stage]

    def discard(self, one: "BoundedProtocol") -> None:
        """Remove a connection, if it is there."""
        self._stages[one.stage].pop(one, None)


@dataclass
class Connections:
    """All connections of a server."""

    bounds: Bounds
    open: Queue = field(default_factory=Queue)
    of: defaultdict[str, Queue] = field(default_factory=lambda: defaultdict(Queue))
    _sweeper: asyncio.TimerHandle | None = None

    def enter(self, one: "BoundedProtocol") -> bool:
        """Count a new connection. Return whether there is room for it."""
        same = self.of[one.address]
        for there, at_most in ((same, self.bounds.by(one.address)), (self.open, self.bounds.in_all)):
            if len(there) >= at_most and not self._make_room(there):
                self.leave(one)
                return False
        self.of[one.address].add(one)  # not `same`: whoever made room may have been the last of it
        self.open.add(one)
        if self._sweeper is None:
            self._sweeper = one.loop.call_later(SWEPT_EVERY_S, self._sweep, one.loop)
        return True

    def leave(self, one: "BoundedProtocol") -> None:
        """Count a connection no longer."""
        self.open.discard(one)
        same = self.of[one.address]
        same.discard(one)
        if not same:
            del self.of[one.address]

    def move(self, one: "BoundedProtocol", stage: Stage) -> None:
        """Take a connection to another stage."""
        counted = one in self.open
        if counted:
            self.leave(one)
        one.stage = stage
        if counted:
            self.of[one.address].add(one)
            self.open.add(one)

    def _make_room(self, there: Queue) -> bool:
        longest = next(iter(there), None)
        if longest is None or longest.stage is Stage.ANSWER:
            log.warning("there are too many connections: new ones are refused")
            return False
        log.warning("there are many connections: those that wait longest are closed")
        self.leave(longest)
        longest.transport.abort()
        return True

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        for one in [one for one in self.open if one.late(now)]:
            one.expire()
        self._sweeper = loop.call_later(SWEPT_EVERY_S, self._sweep, loop) if self.open else None


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol for one connection, with the bounds of `Connections`."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        all_of_them: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.address = UNKNOWN
        self.stage, self.since = Stage.HEADERS, time.monotonic()
        self._all, self._received, self._blocked, self._refused = all_of_them, 0, False, False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = network_address(self.client[0] if self.client else "")
        if not self._all.enter(self):
            self._refused = True
            self._answer(b"503 Service Unavailable", "There are too many connections. Try again in a few seconds.")

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused or self.transport.is_closing():
            return
        self._received += len(data)
        super().data_received(data)
        self._look()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, unless an answer has begun, and close the connection."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._answer(b"400 Bad Request", msg)
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._blocked = True
        self._look()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._blocked = False
        self._look()

    def late(self, now: float) -> bool:
        """Return whether what the connection waits for takes too long."""
        bounds, waited_s = self._all.bounds, now - self.since
        if self.stage is Stage.HEADERS:
            return waited_s > bounds.headers_s
        if self.stage is Stage.READER:
            return waited_s > bounds.reader_s
        if self.stage is Stage.ANSWER or self.flow.read_paused:  # then the server is the slow one
            return False
        return waited_s > bounds.body_s + self._received / bounds.body_bytes_per_s

    def expire(self) -> None:
        """Close the connection, with an answer where one is expected."""
        if self.stage is Stage.READER:
            self.transport.abort()
        elif self.stage is Stage.BODY and not self.cycle.response_started:
            self._answer(b"408 Request Timeout", "The rest of the request did not arrive in time.")
        elif self.stage is Stage.HEADERS and self.conn.trailing_data[0]:
            self._answer(b"408 Request Timeout", "The headers of the request did not arrive in time.")
        else:  # a browser's spare connection: it would take an answer for that to its next request
            self.transport.close()
        self._look()

    def _look(self) -> None:
        """Find out what the connection waits for now."""
        theirs, answered = self.conn.their_state, self.cycle is None or self.cycle.response_complete
        if self._blocked or self.transport.is_closing():
            stage = Stage.READER
        elif theirs is h11.IDLE and answered:
            stage = Stage.HEADERS
        elif theirs is h11.SEND_BODY:
            stage = Stage.REST if answered else Stage.BODY
        else:
            stage = Stage.ANSWER
        if stage is not self.stage:
            self._all.move(self, stage)
            self.since, self._received = time.monotonic(), 0

    def _answer(self, status: bytes, detail: str) -> None:
        head = [b"HTTP/1.1 " + status, b"Content-Type: text/plain; charset=utf-8", b"Connection: close"]
        head += [b"Content-Length: %d" % len(detail)]
        head += [b"Retry-After: 5"] if status.startswith(b"503") else []
        head += [f"{name}: {value}".encode("ascii") for name, value in SAFE_HEADERS.items()]
        self.transport.write(b"\r\n".join(head) + b"\r\n\r\n" + detail.encode("ascii"))
        self.transport.close()
