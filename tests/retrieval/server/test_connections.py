"""Connections that wait, in a real server, give way to those that ask."""

import asyncio
import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from retrieval.server.addresses import network_address
from retrieval.server.connections import Bounds
from retrieval.server.run import raise_open_files, server

HALF_HEADERS = b"GET / HTTP/1.1\r\nHost: x\r\nX-Half: "
HALF_BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n"
STREAM = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"
Start = Callable[[Bounds], tuple[str, int]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start servers with bounds of their own, on free ports."""
    with contextlib.ExitStack() as stack:
        yield lambda bounds: stack.enter_context(_served(bounds))


@contextlib.contextmanager
def _served(bounds: Bounds) -> Iterator[tuple[str, int]]:
    async def echo(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    async def stream(_: Request) -> Response:
        async def ticks() -> AsyncIterator[bytes]:
            while True:
                yield b"tick\n"
                await asyncio.sleep(0.05)

        return StreamingResponse(ticks())

    async def flood(_: Request) -> Response:
        return Response(b"x" * 50_000_000)

    async def early(_: Request) -> Response:
        return PlainTextResponse("so it is")

    routes = [Route("/", echo, methods=["GET", "POST"]), Route("/early", early, methods=["POST"])]
    routes += [Route("/stream", stream), Route("/flood", flood)]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running: uvicorn.Server = server(Starlette(routes=routes), bounds)
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            running.should_exit = running.force_exit = True
            thread.join(20)


def _open(address: tuple[str, int], sent: bytes) -> socket.socket:
    connection = socket.create_connection(address, timeout=10)
    connection.sendall(sent)
    return connection


def _everything(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def _ask(address: tuple[str, int]) -> tuple[bytes, float]:
    start = time.monotonic()
    with _open(address, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as connection:
        return _everything(connection), time.monotonic() - start


@pytest.mark.parametrize("half", [b"", HALF_HEADERS, HALF_BODY], ids=["nothing", "headers", "body"])
def test_others_are_answered_while_more_connections_than_allowed_are_half_open(start: Start, half: bytes) -> None:
    bounds = Bounds(in_all=20, by_address=0)
    address = start(bounds)
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(_open(address, half))
        answers = [_ask(address) for _ in range(5)]
    assert all(answer.startswith(b"HTTP/1.1 200") and seconds < bounds.headers_s for answer, seconds in answers)


@pytest.mark.parametrize("path", [b"/", b"/early"])
@pytest.mark.parametrize("body", [b"zz\r\nabc\r\n", b"3\r\nabc\r\nzz\r\n", b"3\r\nab"], ids=["first", "later", "cut"])
def test_a_body_that_is_no_http_costs_one_line_of_the_log(
    body: bytes, path: bytes, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    address = start(Bounds())
    with _open(address, b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n") as connection:
        if path == b"/early":
            assert connection.recv(12) == b"HTTP/1.1 200"  # before the body
        connection.sendall(body)
        if body.endswith(b"ab"):
            connection.shutdown(socket.SHUT_WR)
        answer = _everything(connection)
    if path == b"/" and not body.endswith(b"ab"):
        assert answer.startswith(b"HTTP/1.1 400") and b"nosniff" in answer
    assert _ask(address)[0].startswith(b"HTTP/1.1 200")
    assert len(caplog.records) <= 1 and not any(record.exc_info for record in caplog.records)


def test_a_stream_outlives_a_flood_of_half_open_connections(start: Start) -> None:
    address = start(Bounds(in_all=20))
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(_open(address, STREAM))
        assert stream.recv(12) == b"HTTP/1.1 200"
        for _ in range(60):
            stack.enter_context(_open(address, HALF_HEADERS))
        assert _ask(address)[0].startswith(b"HTTP/1.1 200")
        received = b""
        while received.count(b"tick") < 20 and (chunk := stream.recv(65_536)):
            received += chunk
    assert received.count(b"tick") >= 20


def test_one_address_has_only_so_many_streams_and_others_their_own(start: Start) -> None:
    address = start(Bounds(in_all=20, by_address=3))
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            assert stack.enter_context(_open(address, STREAM)).recv(12) == b"HTTP/1.1 200"
        refused, _ = _ask(address)
        assert refused.startswith(b"HTTP/1.1 503") and b"Retry-After" in refused and b"nosniff" in refused
        with socket.socket() as other:
            other.bind(("127.0.0.2", 0))
            other.connect(address)
            other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert _everything(other).startswith(b"HTTP/1.1 200")
    time.sleep(0.3)  # the streams are closed
    assert _ask(address)[0].startswith(b"HTTP/1.1 200")


def test_the_addresses_of_proxies_have_only_the_bound_of_all() -> None:
    bounds = Bounds(in_all=20, by_address=3, unbounded=(ipaddress.ip_network("10.0.0.0/8"),))
    assert bounds.by("10.1.2.3") == 20 and bounds.by("192.0.2.1") == 3 and bounds.by("unknown") == 3


def test_headers_and_bodies_that_stop_arriving_get_408(start: Start) -> None:
    address = start(Bounds(headers_s=0.3, body_s=0.3))
    for half in (HALF_HEADERS, HALF_BODY + b"{"):
        with _open(address, half) as connection:
            assert _everything(connection).startswith(b"HTTP/1.1 408")


def test_a_spare_connection_is_closed_without_a_word(start: Start) -> None:
    with _open(start(Bounds(headers_s=0.3)), b"") as connection:
        assert _everything(connection) == b""


def test_a_slow_body_that_keeps_arriving_is_taken(start: Start) -> None:
    with _open(start(Bounds(body_s=0.5)), HALF_BODY.replace(b"Host: x", b"Host: x\r\nConnection: close")) as slow:
        for _ in range(5):
            slow.sendall(b"x" * 1_800)
            time.sleep(0.2)
        assert _everything(slow).endswith(b"9000")


def test_whoever_does_not_read_an_answer_is_closed(start: Start) -> None:
    with _open(start(Bounds(reader_s=0.3)), b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n") as connection:
        time.sleep(1.5)
        assert len(_everything(connection)) < 50_000_000


def test_addresses_of_one_network_count_together() -> None:
    assert network_address("2001:db8::1") == network_address("2001:db8::ffff:1") != network_address("2001:db8:0:1::1")
    assert network_address("::ffff:192.0.2.1") == "192.0.2.1"
    assert network_address("x\nforged line") == network_address("") == "unknown"


def test_the_limit_of_open_files_is_raised() -> None:
    resource = pytest.importorskip("resource")  # Windows has no such limit
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        assert raise_open_files(300) == 300 == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
