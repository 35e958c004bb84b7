"""Half-sent requests -> how fast others are answered, and how much the server writes to its log.

Run `python -m tests.faults.half_open` to see the figures.
"""

import contextlib
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.command_line import REPOSITORY, environment

CONNECTIONS = 1_100
OPEN_FILES = 1_024  # Debian's default
HELD_S = 20.0
HALF_HEADERS = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: "
HALF_BODY = (
    b"POST /api/judgements HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/json\r\nContent-Length: 900\r\n\r\n{"
)
KINDS = {"headers": HALF_HEADERS, "bodies": HALF_BODY}


@dataclass(frozen=True)
class Figures:
    """What half-sent requests did to others."""

    answered: int
    asked: int
    slowest_s: float
    log_bytes: int
    closed: int  # of the half-open connections, by the server

    def __str__(self) -> str:
        return (
            f"{self.answered} of {self.asked} others answered, the slowest after {self.slowest_s:.2f} s;"
            f" {self.log_bytes:,} bytes of log; {self.closed:,} half-open connections closed"
        )


def measure(half: bytes, *options: str, held_s: float = HELD_S, source: Path = REPOSITORY) -> Figures:
    """Hold CONNECTIONS half-sent requests open, and ask for /api/health all the time."""
    with _serving(source, *options) as (port, log), contextlib.ExitStack() as stack:
        ours = [stack.enter_context(socket.socket()) for _ in range(CONNECTIONS)]
        before = log.stat().st_size
        for one in ours:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        answers, until = [], time.monotonic() + held_s
        rest = list(ours)
        while time.monotonic() < until:
            for one in list(rest):
                with contextlib.suppress(OSError):
                    one.send(half)
                    rest.remove(one)
            answers.append(_seconds_to_answer(port))
            time.sleep(0.2)
        closed = sum(_is_closed(one) for one in ours)
        return Figures(
            answered=sum(one is not None for one in answers),
            asked=len(answers),
            slowest_s=max((one for one in answers if one is not None), default=float("inf")),
            log_bytes=log.stat().st_size - before,
            closed=closed,
        )


def _seconds_to_answer(port: int) -> float | None:
    start = time.monotonic()
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5).close()
    except urllib.error.HTTPError:
        pass  # 503 without an index is an answer
    except OSError:
        return None
    return time.monotonic() - start


def _is_closed(one: socket.socket) -> bool:
    try:
        return all(one.recv(4_096) for _ in range(1_000)) is False
    except BlockingIOError:
        return False
    except OSError:
        return True


@contextlib.contextmanager
def _serving(source: Path, *options: str) -> Iterator[tuple[int, Path]]:
    """Start a server that may open OPEN_FILES files. Yield its port and its log."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.txt"
        command = [sys.executable, "app.py", "--data", f"{folder}/data", "--indexes", f"{folder}/indexes"]
        limit = (OPEN_FILES, OPEN_FILES)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--port", "0", *options],
                cwd=source,
                env=environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit),
            )
        try:
            yield _port(process, log), log
        finally:
            process.kill()
            process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            if line.startswith("The page: "):
                port = int(line.rstrip("/").rpartition(":")[2])
                while _seconds_to_answer(port) is None:
                    time.sleep(0.1)
                return port
        time.sleep(0.1)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


if __name__ == "__main__":
    tree = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else REPOSITORY
    for kind, half in KINDS.items():
        print(f"{CONNECTIONS:,} half-sent {kind}, {OPEN_FILES:,} open files: {measure(half, source=tree)}", flush=True)
