"""Links of a record -> a checked media file on disk, whole or not at all.

Links come from scraped pages, so they are hostile: only http(s) is asked, no address inside the own network is talked
to, sizes, times and types are bounded. An error is one sentence without the link in it (the ledger counts equal ones).
"""

import contextlib
import ipaddress
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry

MediaKind = Literal["cover", "video", "slide"]
MAX_BYTES: dict[MediaKind, int] = {"cover": 30 << 20, "slide": 30 << 20, "video": 1 << 30}  # an hour of 1080p is 1 GB
DEADLINE_S: dict[MediaKind, float] = {"cover": 60.0, "slide": 60.0, "video": 600.0}  # for one file, all in all
WATCH_EVERY_S = 0.1  # how late a deadline or the end of the run may be noticed
CONNECT_S, READ_S = 10.0, 30.0  # to be answered at all, and between two chunks
RETRIES = 3
REDIRECTS = 5
BACKOFF_S = 1.0  # 0, 2, 4 s between tries ...
RETRY_AFTER_MAX_S = 30  # ... or what the server asks for, up to this; a longer wait is a later run's business
CHUNK_BYTES = 1 << 18
MAX_LENGTH_DIGITS = 15  # of a declared length; what is longer is no length
PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")  # all that is given out for the internet
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # IPv4 addresses as networks without IPv4 see them
SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/avif": ".avif",
    "image/gif": ".gif",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "video/quicktime": ".mov",
}
UNTYPED = {"", "application/octet-stream", "binary/octet-stream"}  # some CDNs say no more; the decoders find out
EXPIRES = ("x-expires", "expire", "expires")  # unix seconds in the query of a signed link
HEADERS = {"User-Agent": "Mozilla/5.0", "Referer": "https://www.tiktok.com/"}  # the CDN refuses what sends neither


class DownloadError(Exception):
    """A file could not be had; the message is one sentence."""


def fetch(
    links: Sequence[str],
    target: Path,
    kind: MediaKind,
    *,
    allow_local: bool = False,
    cancelled: threading.Event | None = None,
) -> Path:
    """Fetch the first of `links` that works to `target` plus the suffix of its type; returns the path.

    `allow_local` lets addresses of the own network be asked; setting `cancelled` ends a transfer.

    Raises:
        DownloadError: none of them gave a file of this kind; the reason of the first.
        OSError: the disk refused it.
    """
    errors: list[DownloadError] = []
    for link in links:
        try:
            return _fetch(link, target, kind, allow_local, cancelled or threading.Event())
        except DownloadError as error:
            errors.append(error)
    raise errors[0] if errors else DownloadError("the record has no link to it")


def _refuse(link: str) -> None:
    """Raise for links that are known to be of no use, without asking."""
    try:
        parts = urlsplit(link)
        query = parse_qs(parts.query)
        host = parts.hostname
    except ValueError as error:
        raise DownloadError("the link is malformed") from error
    if parts.scheme == "blob":
        raise DownloadError("the link is a blob: that lived in the scraping browser only")
    if parts.scheme not in ("http", "https") or not host:
        raise DownloadError("the link is not http or https")
    for name in EXPIRES:
        moment = query.get(name, [""])[0]
        if moment.isascii() and moment.isdigit() and 0 < int(moment[:12]) < time.time():
            raise DownloadError("the link has expired")


def _fetch(link: str, target: Path, kind: MediaKind, allow_local: bool, cancelled: threading.Event) -> Path:
    with _Watch(DEADLINE_S[kind], cancelled) as watch, _Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(watch, allow_local))
        try:
            for _ in range(REDIRECTS + 1):
                _refuse(link)
                with session.get(link, headers=HEADERS, stream=True, timeout=(CONNECT_S, READ_S)) as response:
                    if moved := session.moved(response):
                        link = urljoin(link, moved)
                        continue
                    if response.status_code != 200:
                        raise DownloadError(f"the server answered {response.status_code}")
                    path = target.with_name(target.name + _suffix(response, kind))
                    _store(response, path, kind, watch)
                    return path
        except requests.RequestException as error:
            watch.check()
            raise DownloadError(f"no good answer from the server: {_reason(error)}") from error
        except (HTTPError, ValueError) as error:  # the libraries pass on what they stumble over in links and headers
            watch.check()
            raise DownloadError("the link or the server's answer is malformed") from error
    raise DownloadError("no good answer from the server: it redirects in circles")


def _suffix(response: requests.Response, kind: MediaKind) -> str:
    declared = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    family = "video" if kind == "video" else "image"
    if declared not in UNTYPED and not declared.startswith(f"{family}/"):
        raise DownloadError(f"the server sent no {family} but {declared[:50]}")
    return SUFFIXES.get(declared, ".mp4" if kind == "video" else ".jpg")


def _store(response: requests.Response, path: Path, kind: MediaKind, watch: "_Watch") -> None:
    """Stream the body to a temporary file beside `path`, check that it is whole, and put it in place."""
    length = response.headers.get("Content-Length", "")
    plain = length.isascii() and length.isdigit() and len(length) <= MAX_LENGTH_DIGITS
    expected = int(length) if plain and "Content-Encoding" not in response.headers else None
    size = 0
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".download-")
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in response.iter_content(CHUNK_BYTES):
                size += len(chunk)
                if size > MAX_BYTES[kind]:
                    raise DownloadError(f"the file is larger than {MAX_BYTES[kind] >> 20} MB")
                file.write(chunk)
            watch.check()  # a connection that was cut looks like the end of a body without a length
            if not size or (expected is not None and size != expected):
                raise DownloadError("the transfer broke off")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _reason(error: requests.RequestException) -> str:
    reasons = {
        requests.ConnectTimeout: "it cannot be reached in time",
        requests.ReadTimeout: "it stopped sending",
        requests.exceptions.SSLError: "its certificate is not valid",
        requests.ConnectionError: "it cannot be reached, or hung up",
        requests.exceptions.RetryError: "it keeps failing",
        requests.exceptions.ChunkedEncodingError: "the transfer broke off",
    }
    return next((text for kind, text in reasons.items() if isinstance(error, kind)), type(error).__name__)


class _Watch:
    """Cuts the connections of one file at its deadline or when the run is stopped, whatever they are waiting for.

    It holds a second handle of each socket, for the first one changes hands when TLS begins.
    """

    def __init__(self, limit_s: float, cancelled: threading.Event) -> None:
        self._limit_s, self._cancelled = limit_s, cancelled
        self._deadline = time.monotonic() + limit_s
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

    def add(self, connected: socket.socket) -> None:
        self._sockets.append(connected.dup())

    def check(self) -> None:
        """Raise DownloadError if it is over."""
        if self._cancelled.is_set():
            raise DownloadError("the run was stopped")
        if time.monotonic() > self._deadline:
            raise DownloadError(f"the transfer took longer than {self._limit_s:.0f} s")

    def wait(self, seconds: float) -> None:
        self._cancelled.wait(min(seconds, max(0.0, self._deadline - time.monotonic())))
        self.check()

    def _look(self) -> None:
        while not self._done.wait(WATCH_EVERY_S):
            try:
                self.check()
            except DownloadError:
                for connected in tuple(self._sockets):
                    with contextlib.suppress(OSError):  # the other side has hung up already
                        connected.shutdown(socket.SHUT_RDWR)


class _Session(requests.Session):
    """Leaves redirects to its caller: requests would read their bodies whole, and sign them with ~/.netrc."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = lambda request: request  # without an own way to sign, requests takes the user's ~/.netrc

    def moved(self, response: requests.Response) -> str | None:
        return super().get_redirect_target(response)

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _Adapter(HTTPAdapter):
    """Retries with back-off, puts connections under watch and, unless `allow_local`, asks public addresses only.

    The address is checked on the connected socket, so neither a redirect nor a second answer of the name server gets
    around it. A proxy from the environment is the user's own choice and is not checked.
    """

    def __init__(self, watch: _Watch, allow_local: bool) -> None:
        class Patience(Retry):
            def sleep(self, response: BaseHTTPResponse | None = None) -> None:
                watch.wait((self.get_retry_after(response) if response else None) or self.get_backoff_time())

        retry = Patience(
            total=RETRIES,
            redirect=False,
            status_forcelist=(429, 500, 502, 503, 504),
            backoff_factor=BACKOFF_S,
            retry_after_max=RETRY_AFTER_MAX_S,
            raise_on_status=False,
        )
        super().__init__(max_retries=retry)
        self._watch = watch
        self.poolmanager.pool_classes_by_scheme = _pools(watch, allow_local)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if not proxy.lower().startswith("socks"):  # those connect in a way of their own
            manager.pool_classes_by_scheme = _pools(self._watch, allow_local=True)
        return manager


def _pools(watch: _Watch, allow_local: bool) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3's pools, with connections that are checked when they are made."""

    def opened(connect: Callable[[], socket.socket]) -> socket.socket:
        watch.check()
        connected = connect()
        if not allow_local and not _is_public(connected.getpeername()[0].partition("%")[0]):
            connected.close()
            raise DownloadError("the link leads into the own network")
        watch.add(connected)
        return connected

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return opened(super()._new_conn)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return opened(super()._new_conn)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _is_public(address: str) -> bool:
    """Whether an address lies in the internet; one that carries an IPv4 address is judged by that."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner:
            return _is_public(str(inner))
        return ip in PUBLIC_V6 and ip.is_global
    return ip.is_global and not ip.is_multicast
