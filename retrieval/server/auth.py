"""Who may ask: a token or a user's password before page, API and media; and no page of another name or site."""

import base64
import binascii
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

MAX_BODY = 1 << 16  # bytes that a request may bring: judgements and the tabs' forms are a few lines
HARMLESS = ("GET", "HEAD", "OPTIONS")  # methods that change nothing
OPEN = "/api/health"  # tells whether the program answers, and nothing of the corpus but its size
LOOPBACK = ("127.0.0.1", "::1", "localhost")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Access:
    """What a request must bring: `Authorization: Bearer TOKEN`, or Basic with the user and password (RFC 6750, 7617).

    A browser knows Basic only, so the token is also taken as the password of any user. `hosts` are the names that a
    request may ask for, none: any. A page elsewhere whose name is made to point here (DNS rebinding) asks for its own.
    """

    token: str = ""
    user: str = ""
    password: str = ""
    hosts: tuple[str, ...] = ()

    @property
    def guarded(self) -> bool:
        """Whether a request must bring anything."""
        return bool(self.token or self.password)

    def allows(self, authorization: str) -> bool:
        """Whether this header opens the door; compared in constant time."""
        if not self.guarded:
            return True
        kind, _, value = authorization.partition(" ")
        if kind.lower() == "bearer":
            sent = value.strip().encode("latin-1", "replace").decode(errors="replace")  # as the bytes were meant
            return bool(self.token) and _same(sent, self.token)
        if kind.lower() != "basic":
            return False
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return False
        known = bool(self.password) and _same(user, self.user) & _same(password, self.password)
        return known or (bool(self.token) and _same(password, self.token))


class Guard:
    """ASGI middleware that lets through what an `Access` allows."""

    def __init__(self, app: App, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._access.hosts and _name(headers.get("host", "")) not in self._access.hosts:
            await _refuse(scope, receive, send, 421, "this program does not answer for that host name")
        elif scope.get("method", "GET") not in HARMLESS and _from_elsewhere(headers):
            await _refuse(scope, receive, send, 403, "another site's page may not change anything here")
        elif _too_long(headers):
            await _refuse(scope, receive, send, 413, f"a request may bring {MAX_BODY:,} bytes, and says how many")
        elif scope["path"] != OPEN and not self._access.allows(headers.get("authorization", "")):
            await _refuse(scope, receive, send, 401, "a token, or a user and password, is needed")
        else:
            await self._app(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, detail: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    title = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    headers = {"WWW-Authenticate": 'Basic realm="TikTok-Retrieval", charset="UTF-8"'} if status == 401 else {}
    response = JSONResponse(problem, status, headers, media_type="application/problem+json")
    await response(scope, receive, send)


def _from_elsewhere(headers: Headers) -> bool:
    """Whether another site's page asks in the name of whoever looks at it. Browsers say so of safe addresses; of others
    they send the page's own."""
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")


def _too_long(headers: Headers) -> bool:
    length = headers.get("content-length", "0")
    return "transfer-encoding" in headers or not length.isdecimal() or int(length) > MAX_BODY


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())


def _name(host: str) -> str:
    """A Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
