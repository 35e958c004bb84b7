"""Half-sent requests -> how fast others are answered, and how many connections the server closes."""

import contextlib
import resource
import socket
import time
import urllib.parse
from dataclasses import dataclass

CONNECTIONS = 1_100
OPEN_FILES = 1_024  # Debian's default
HELD_S = 15.0
EACH_S = 1.0  # so often others ask
LIMIT_S = 5.0  # for an answer
HALF_HEADERS = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: "
HALF_BODY = (
    b"POST /api/judgements HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/json\r\nContent-Length: 900\r\n\r\n{"
)
KINDS = {"headers": HALF_HEADERS, "bodies": HALF_BODY}
HEALTH = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Figures:
    """What half-sent requests did to others: the seconds until each answer, None for none."""

    answers_s: list[float | None]
    closed: int  # of the half-open connections, by the server

    @property
    def slowest_s(self) -> float:
        """Infinite if one was not answered."""
        return max(float("inf") if one is None else one for one in self.answers_s)


def hold(address: str, half: bytes, other: str = "127.0.0.1") -> Figures:
    """Hold CONNECTIONS half-sent requests open, and ask a server for its health all the time.

    Args:
        other: the address of this machine that asks; the half-sent requests come from 127.0.0.1.
    """
    port = urllib.parse.urlsplit(address).port or 0
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _seconds_to_answer(port, other)  # the first answer takes longer
    with contextlib.ExitStack() as stack:
        ours = [stack.enter_context(socket.socket()) for _ in range(CONNECTIONS)]
        for one in ours:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        answers, rest, until = [], list(ours), time.monotonic() + HELD_S
        while time.monotonic() < until:
            for one in list(rest):
                with contextlib.suppress(OSError):
                    one.send(half)
                    rest.remove(one)
            answers.append(_seconds_to_answer(port, other))
            time.sleep(max(0.0, EACH_S - (answers[-1] or LIMIT_S)))
        return Figures(answers, sum(map(_is_closed, ours)))


def _seconds_to_answer(port: int, other: str) -> float | None:
    start = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S, source_address=(other, 0)) as connection:
            connection.sendall(HEALTH)
            status = connection.recv(100).split()[1:2]
    except OSError:
        return None
    return time.monotonic() - start if status in ([b"200"], [b"503"]) else None  # 503: there is no index


def _is_closed(one: socket.socket) -> bool:
    try:
        return all(one.recv(4_096) for _ in range(1_000)) is False
    except BlockingIOError:
        return False
    except OSError:
        return True
