"""Links of a record -> a checked media file on disk, whole or not at all.

Links come from scraped pages, so they are hostile: only http(s) is asked, no address inside the own network is talked
to, sizes, times and types are bounded. An error is one sentence without the link in it (the ledger counts equal ones).
"""

import ipaddress
import os
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import Retry

MediaKind = Literal["cover", "video", "slide"]
MAX_BYTES: dict[MediaKind, int] = {"cover": 30 << 20, "slide": 30 << 20, "video": 1 << 30}  # an hour of 1080p is 1 GB
DEADLINE_S: dict[MediaKind, float] = {"cover": 60.0, "slide": 60.0, "video": 600.0}  # for one file, retries included
CONNECT_S, READ_S = 10.0, 30.0  # to be answered at all, and between two chunks
RETRIES = 3
BACKOFF_S = 1.0  # 0, 2, 4 s between tries ...
RETRY_AFTER_MAX_S = 30  # ... or what the server asks for, up to this; a longer wait is a later run's business
CHUNK_BYTES = 1 << 18
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
            _refuse(link)
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
    deadline = time.monotonic() + DEADLINE_S[kind]
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(allow_local))
        try:
            with session.get(link, headers=HEADERS, stream=True, timeout=(CONNECT_S, READ_S)) as response:
                if response.status_code != 200:
                    raise DownloadError(f"the server answered {response.status_code}")
                path = target.with_name(target.name + _suffix(response, kind))
                _store(response, path, kind, deadline, cancelled)
                return path
        except requests.RequestException as error:
            raise DownloadError(f"no good answer from the server: {_reason(error)}") from error


def _suffix(response: requests.Response, kind: MediaKind) -> str:
    declared = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    family = "video" if kind == "video" else "image"
    if declared not in UNTYPED and not declared.startswith(f"{family}/"):
        raise DownloadError(f"the server sent no {family} but {declared[:50]}")
    return SUFFIXES.get(declared, ".mp4" if kind == "video" else ".jpg")


def _store(
    response: requests.Response, path: Path, kind: MediaKind, deadline: float, cancelled: threading.Event
) -> None:
    """Stream the body to a temporary file beside `path`, check that it is whole, and put it in place."""
    length = response.headers.get("Content-Length", "")
    expected = int(length) if length.isdigit() and "Content-Encoding" not in response.headers else None
    size = 0
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".download-")
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in response.iter_content(CHUNK_BYTES):
                size += len(chunk)
                if size > MAX_BYTES[kind]:
                    raise DownloadError(f"the file is larger than {MAX_BYTES[kind] >> 20} MB")
                if time.monotonic() > deadline:
                    raise DownloadError(f"the transfer took longer than {DEADLINE_S[kind]:.0f} s")
                if cancelled.is_set():
                    raise DownloadError("the run was stopped")
                file.write(chunk)
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
        requests.TooManyRedirects: "it redirects in circles",
        requests.exceptions.ChunkedEncodingError: "the transfer broke off",
    }
    return next((text for kind, text in reasons.items() if isinstance(error, kind)), type(error).__name__)


class _Adapter(HTTPAdapter):
    """Retries with back-off and, unless `allow_local`, refuses to talk to addresses that are not public.

    The address is checked on the connected socket, so neither a redirect nor a second answer of the name server gets
    around it. A proxy from the environment is the user's own choice and is not checked.
    """

    def __init__(self, allow_local: bool) -> None:
        self._allow_local = allow_local
        retry = Retry(
            total=RETRIES,
            redirect=RETRIES,
            status_forcelist=(429, 500, 502, 503, 504),
            backoff_factor=BACKOFF_S,
            retry_after_max=RETRY_AFTER_MAX_S,
            raise_on_status=False,
        )
        super().__init__(max_retries=retry)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        if not self._allow_local:
            self.poolmanager.pool_classes_by_scheme = {"http": _PublicHTTPPool, "https": _PublicHTTPSPool}


def _only_public(connected: socket.socket) -> socket.socket:
    if not ipaddress.ip_address(connected.getpeername()[0].partition("%")[0]).is_global:
        connected.close()
        raise DownloadError("the link leads into the own network")
    return connected


class _PublicHTTP(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _only_public(super()._new_conn())


class _PublicHTTPS(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _only_public(super()._new_conn())


class _PublicHTTPPool(HTTPConnectionPool):
    ConnectionCls = _PublicHTTP


class _PublicHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPS
