"""Access control for page, API and media: a token or password, the Host header, and requests from other sites."""

import base64
import binascii
import secrets
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from retrieval.server.addresses import network_address
from retrieval.server.guesses import Guesses

MAX_BODY = 1 << 16  # bytes in a request's body: judgements and the forms of the page are a few lines
PICTURES = "/api/pictures"  # takes one picture as the body of a POST
MAX_PICTURE = 20 << 20  # bytes: photos of phones have up to 10 MB
STREAMED = "/page/uploads"  # the routes below write a body to disk while it arrives, and limit it themselves
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")  # they change nothing
OPEN = "/api/health"  # needs no token: it reveals nothing of the corpus but its size
LOOPBACK = ("127.0.0.1", "::1", "localhost")
WRONG_HOST = "This server does not answer for that host name. `serve --origin https://NAME` allows the name of a proxy."
_REFUSED = {  # headers by status
    401: {"WWW-Authenticate": 'Basic realm="TikTok-Retrieval", charset="UTF-8"'},
    429: {"Retry-After": "5"},
}
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Access:
    """What a request must bring: `Authorization: Bearer TOKEN`, or Basic with the user and password (RFC 6750, 7617).

    Browsers support only Basic, so the token also works as the password of any user. `hosts` are the names that the
    Host header may have; empty allows any. They stop DNS rebinding, where a foreign name is made to point here.
    `origins` are the addresses under which a proxy offers this server.
    """

    token: str = ""
    user: str = ""
    password: str = ""
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    guesses: Guesses = field(default_factory=Guesses, compare=False)  # several corpora count them together

    @property
    def guarded(self) -> bool:
        """Whether a request needs a token or password."""
        return bool(self.token or self.password)

    def allows(self, authorization: str) -> bool:
        """Return whether this Authorization header is valid; compared in constant time."""
        if not self.guarded:
            return True
        kind, _, value = authorization.partition(" ")
        if kind.lower() == "bearer":
            sent = value.strip().encode("latin-1", "replace").decode(errors="replace")  # latin-1 headers may hold UTF-8
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
    """ASGI middleware that refuses what an `Access` does not allow."""

    def __init__(self, app: App, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._access.hosts and not {_host_name(name) for name in _names(headers)} <= set(self._access.hosts):
            await _refuse(scope, receive, send, 421, WRONG_HOST)
        elif scope.get("method", "GET") not in SAFE_METHODS and _from_another_site(headers, self._access.origins):
            await _refuse(scope, receive, send, 403, "Pages of other sites may not change anything here.")
        elif _too_long(headers, scope):
            await _refuse(
                scope, receive, send, 413, f"A body may have {_most(scope):,} bytes and needs a Content-Length."
            )
        elif _path(scope) == OPEN or not self._access.guarded:
            await self._app(scope, receive, send)
        else:
            await self._check(scope, receive, send, headers.get("authorization", ""))

    async def _check(self, scope: Scope, receive: Receive, send: Send, authorization: str) -> None:
        """Pass on what brings a valid token or password. Refuse the rest, after a while if there were many."""
        address, guesses = network_address((scope.get("client") or ("",))[0]), self._access.guesses
        if authorization and not guesses.may_try(address):
            await _refuse(scope, receive, send, 429, "Too many wrong tokens or passwords come from your address.")
        elif self._access.allows(authorization):
            await self._app(scope, receive, send)
        else:
            if authorization:
                await guesses.wrong(address)
            await _refuse(scope, receive, send, 401, "A token, or a user and password, is required.")


def _path(scope: Scope) -> str:
    """Return the path below the one that the application is served under."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, detail: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    title = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    headers = _REFUSED.get(status, {})
    response = JSONResponse(problem, status, headers, media_type="application/problem+json")
    await response(scope, receive, send)


def _names(headers: Headers) -> list[str]:
    """Return the names that a request is for: the Host header, and what it was before proxies (X-Forwarded-Host).

    Any client can send the second one, so each name must be allowed. A page of another site can send neither.
    """
    forwarded = headers.get("x-forwarded-host", "").split(",")
    return [headers.get("host", ""), *filter(None, map(str.strip, forwarded))]


def _from_another_site(headers: Headers, origins: Collection[str]) -> bool:
    """Return whether a browser sends this for a page of another site.

    On secure origins (https, localhost) browsers say so in Sec-Fetch-Site; elsewhere the Origin must match a name that
    the request is for, or be one of `origins`.
    """
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin not in origins and origin.partition("://")[2] not in _names(headers)


def _too_long(headers: Headers, scope: Scope) -> bool:
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isdecimal() or len(length) > 18:
        return True
    streamed = scope.get("method") == "PUT" and _path(scope).startswith(f"{STREAMED}/")
    return int(length) > _most(scope) and not streamed


def _most(scope: Scope) -> int:
    """Return how many bytes the body of a request may have."""
    return MAX_PICTURE if scope.get("method") == "POST" and _path(scope) == PICTURES else MAX_BODY


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())


def _host_name(host: str) -> str:
    """Return a Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
