"""Guesses of a token are slowed and logged; the right token never waits."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from retrieval.server import guesses
from retrieval.server.auth import Access, Guard

Played = TypeVar("Played")


async def _ok(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


def _client(access: Access, address: str = "192.0.2.1") -> httpx.AsyncClient:
    app = Guard(Starlette(routes=[Route("/", _ok)]), access)
    transport = httpx.ASGITransport(app, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://x")


def _played(play: Coroutine[None, None, Played]) -> Played:
    """Run in a thread of its own: other tests of this process may leave an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, play).result()


async def _status(client: httpx.AsyncClient, token: str) -> tuple[int, float]:
    start = time.monotonic()
    answer = await client.get("/", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, time.monotonic() - start


def test_the_sixth_wrong_token_waits_and_nobody_else_does(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "FIRST_WAIT_S", 3.0)  # longer than an answer takes on a busy machine

    async def play() -> None:
        access = Access("right")
        async with _client(access) as guesser, _client(access, "192.0.2.2") as other:
            for _ in range(guesses.FREE):
                status, seconds = await _status(guesser, "wrong")
                assert status == 401 and seconds < guesses.FIRST_WAIT_S
            slow = asyncio.create_task(_status(guesser, "wrong"))
            for client in (other, guesser):
                status, seconds = await _status(client, "right")
                assert status == 200 and seconds < guesses.FIRST_WAIT_S
            assert (await _status(other, "wrong"))[1] < guesses.FIRST_WAIT_S
            status, seconds = await slow
            assert status == 401 and seconds >= guesses.FIRST_WAIT_S

    with caplog.at_level(logging.WARNING):
        _played(play())
    assert len(caplog.messages) == 1 and "192.0.2.1" in caplog.text and "wrong token" in caplog.text


def test_an_address_that_guesses_all_at_once_is_not_answered_whether_it_is_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guesses, "FIRST_WAIT_S", guesses.MAX_WAIT_S)  # nobody is done before the last one asks

    async def play() -> list[int]:
        async with _client(Access("right")) as guesser:
            for _ in range(guesses.FREE):
                await _status(guesser, "wrong")
            waiting = [asyncio.create_task(_status(guesser, "wrong")) for _ in range(guesses.AT_ONCE)]
            await asyncio.sleep(0.1)
            at_once = [(await _status(guesser, token))[0] for token in ("wrong", "right")]
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            return [*at_once, (await _status(guesser, "right"))[0]]

    assert _played(play()) == [429, 429, 200]


def test_a_browser_that_does_not_know_the_password_yet_is_no_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "FIRST_WAIT_S", guesses.MAX_WAIT_S)

    async def play() -> float:
        async with _client(Access("right")) as browser:
            start = time.monotonic()
            for _ in range(50):
                assert (await browser.get("/")).status_code == 401
            return time.monotonic() - start

    assert _played(play()) < guesses.MAX_WAIT_S
