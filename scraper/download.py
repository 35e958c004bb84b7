"""Links of a record -> a checked media file on disk, whole or not at all.

Links come from scraped pages, so they are hostile. Requests go only to allowed hosts, over https and outside the local
network. Sizes and times are bounded. The bytes decide the type. Each reason to fail has a code (see failures.py).

Files are written through a handle of their folder (`dir_fd`) and not with `files.replace_atomically`: a link that a
hostile archive put into the data folder, or that appears during the download, must not lead out of it.
"""

import contextlib
import errno
import os
import re
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from scraper import safe_http
from scraper.failures import FAILURES, DownloadError
from scraper.records import MediaKind
from scraper.safe_http import Session
from scraper.sniff import HEAD_BYTES, SUFFIXES, is_whole, sniff
from scraper.watch import Watch

__all__ = ["FAILURES", "HOSTS", "DownloadError", "Fetched", "Fetcher", "Link", "MediaKind", "Rules", "sweep"]

MAX_BYTES: dict[MediaKind, int] = {  # an hour of 1080p is 1 GB; a minute of speech is 2 KB of captions
    "cover": 30 << 20,
    "slide": 30 << 20,
    "video": 1 << 30,
    "caption": 5 << 20,
}
DEADLINE_S: dict[MediaKind, float] = {"cover": 60.0, "slide": 60.0, "video": 600.0, "caption": 60.0}  # per file
PER_HOST = 4  # transfers from one host at once; a browser opens up to six
BROKEN_TRIES = 2  # for an incomplete body: few connections are cut twice
REDIRECTS = 5
CHUNK_BYTES = 1 << 18
PART_BYTES = 8  # random bytes in the name of a part file
MAX_LENGTH_DIGITS = 15  # of a declared length; a longer one is not a length
HOSTS = (
    # in records of 2022 (covers and videos), and in pages today
    "tiktok.com",  # v16-webapp-prime.us.tiktok.com, www.tiktok.com/aweme/v1/play
    "tiktokcdn.com",
    "tiktokcdn-us.com",
    "tiktokcdn-eu.com",
    "tiktokv.com",  # what yt-dlp gets from the app's API
    "tiktokv.us",
    "tiktokv.eu",
    "ttwstatic.com",
    "ibyteimg.com",  # pictures (p16-tiktok-va-h2) ...
    "ibytedtos.com",  # ... and the storage behind older ones
    "byteoversea.com",
    "muscdn.com",  # posts from the time when it was musical.ly
    # Akamai serves many customers under akamaized.net; these names are TikTok's
    "p16-tiktokcdn-com.akamaized.net",
    "v16-tiktokcdn-com.akamaized.net",
    "p16-va-default.akamaized.net",
    "p16-sg-default.akamaized.net",
    "v16m-default.akamaized.net",
)
HEADERS = {"User-Agent": "Mozilla/5.0", "Referer": "https://www.tiktok.com/"}  # the CDN refuses requests without them
PLAIN = {"Accept": "*/*", "Accept-Encoding": "identity"}  # media files are compressed already
PASSED_ON = {"user-agent", "referer", "origin", "accept", "accept-language", "cookie"}  # headers given with a link
SAME_HOST_ONLY = {"cookie"}  # not sent to another host after a redirect
EXPIRES = ("x-expires", "expire", "expires")  # unix seconds in the query of a signed link
EXPIRES_IN_PATH = re.compile(r"/[0-9a-f]{32}/([0-9a-f]{8})/")  # the same in hex, in links to tiktokcdn-us.com
NO_LINK = re.compile(r"[\x00-\x20\x7f\\]")  # characters that no link has, or that parsers read differently
STEM = re.compile(r"[A-Za-z0-9_-]{1,100}")
STATUSES = {401: "login", 403: "forbidden", 404: "notfound", 410: "gone", 429: "busy"}


@dataclass(frozen=True)
class Link:
    """A link to a file, with the headers that its source gave for it (Referer, Cookie, ...)."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """Which links may be requested."""

    hosts: tuple[str, ...] = HOSTS  # with all subdomains of each; "*" is any host
    http: bool = False  # also links without TLS
    local: bool = False  # also addresses in the local network


@dataclass(frozen=True)
class Fetched:
    """A file on disk, and the link that it came from."""

    path: Path
    link: str
    bytes: int


class Fetcher:
    """Fetches files, from several threads at once. Set `cancelled` to stop all of them."""

    def __init__(
        self, rules: Rules = Rules(), cancelled: threading.Event | None = None, *, root: Path | None = None
    ) -> None:
        """With `root`, targets must lie below it, and no folder on the way may be a symbolic link. Without it, only
        the folder of the target is checked.
        """
        self._rules, self._root = rules, root
        self._stopped = cancelled or threading.Event()
        self._slots: defaultdict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(PER_HOST))
        self._asking_for_slots = threading.Lock()

    def fetch(self, links: Sequence[Link | str], target: Path, kind: MediaKind) -> Fetched:
        """Fetch the first of `links` that works to `target` plus the suffix of what it is.

        Raises:
            DownloadError: none of them gave a file of this kind; the reason of the first link.
            OSError: the file could not be written.
        """
        errors: list[DownloadError] = []
        folder = _open_folder(target, self._root)
        try:
            for given in links:
                link = Link(given) if isinstance(given, str) else given
                try:
                    return self._fetch(link, target, folder, kind)
                except DownloadError as error:
                    errors.append(error)
                    if error.code == "stopped":
                        raise
        finally:
            os.close(folder)
        raise errors[0] if errors else DownloadError("nolink")

    def _fetch(self, link: Link, target: Path, folder: int, kind: MediaKind) -> Fetched:
        with Watch(DEADLINE_S[kind], self._stopped) as watch:
            for left in reversed(range(BROKEN_TRIES)):
                try:
                    return self._ask(link, target, folder, kind, watch)
                except DownloadError as error:
                    if error.code != "broken" or not left:
                        raise
        raise AssertionError("the last try returns or raises")

    def _ask(self, link: Link, target: Path, folder: int, kind: MediaKind, watch: Watch) -> Fetched:
        url = link.url
        with Session(watch, self._rules.local) as session:
            try:
                for _ in range(REDIRECTS + 1):
                    url, host = checked_link(url, self._rules)
                    with watch.holding(self._slot(host)), _get(session, url, link) as response:
                        if moved := session.moved(response):
                            url = urljoin(url, moved)
                            continue
                        if response.status_code != 200:
                            status = response.status_code
                            raise DownloadError(STATUSES.get(status) or ("server" if status >= 500 else "status"))
                        path, size = _store(response, target, folder, kind, watch)
                        return Fetched(path, link.url, size)
            except requests.RequestException as error:
                watch.check()
                raise DownloadError(safe_http.code_of(error)) from error
            except (HTTPError, ValueError) as error:  # links and headers that the libraries cannot handle
                watch.check()
                raise DownloadError("malformed") from error
        raise DownloadError("redirects")

    def _slot(self, host: str) -> threading.Semaphore:
        with self._asking_for_slots:
            return self._slots[host]


def sweep(folder: Path) -> None:
    """Remove part files that killed runs left in a folder. No download into it may be running."""
    for leftover in folder.glob(f".*.{'?' * 2 * PART_BYTES}.part"):
        leftover.unlink(missing_ok=True)


def _get(session: Session, url: str, link: Link) -> requests.Response:
    given = {name: value for name, value in link.headers.items() if name.lower() in PASSED_ON}
    if urlsplit(url)[:2] != urlsplit(_canonical(link.url))[:2]:
        given = {name: value for name, value in given.items() if name.lower() not in SAME_HOST_ONLY}
    headers = CaseInsensitiveDict(HEADERS | PLAIN)
    headers.update(given)
    return session.get(url, headers=headers, stream=True, timeout=(safe_http.CONNECT_S, safe_http.READ_S))


def _canonical(link: str) -> str:
    """A link as requests will send it, so that the checked link is the requested one."""
    return requests.Request("GET", link).prepare().url or ""


def checked_link(link: str, rules: Rules) -> tuple[str, str]:
    """Return the link to request and its host. Raise for links that are useless or not allowed."""
    if link.lower().startswith("blob:"):
        raise DownloadError("blob")
    if NO_LINK.search(link):
        raise DownloadError("malformed")
    schemes = ("http", "https") if rules.http else ("https",)
    scheme = urlsplit(link).scheme
    if scheme not in schemes:
        raise DownloadError("scheme")
    link = _canonical(link)
    parts = urlsplit(link)
    host = parts.hostname or ""
    if parts.scheme not in schemes or not host or parts.port == 0:
        raise DownloadError("malformed")
    allowed = (name.lower() for name in rules.hosts)
    if not any(name == "*" or host == name or (name and host.endswith(f".{name}")) for name in allowed):
        raise DownloadError("host")
    query = parse_qs(parts.query)
    values = [query[name][0] for name in EXPIRES if name in query]
    expiry_times = [int(value[:12]) for value in values if value.isascii() and value.isdigit()]
    if found := EXPIRES_IN_PATH.match(parts.path):
        expiry_times.append(int(found[1], 16))
    if any(0 < expires_at < time.time() for expires_at in expiry_times):
        raise DownloadError("expired")
    return link, host


def _open_folder(target: Path, root: Path | None) -> int:
    """Open the folder of `target` without following a symbolic link below `root`."""
    if not STEM.fullmatch(target.name):
        raise DownloadError("target")
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        if root is None:
            return os.open(target.parent, flags | os.O_NOFOLLOW)
        parts = target.parent.relative_to(root).parts
        if ".." in parts:
            raise DownloadError("target")
        folder = os.open(root, flags)
        for part in parts:
            above = folder
            try:
                folder = os.open(part, flags | os.O_NOFOLLOW, dir_fd=above)
            finally:
                os.close(above)
        return folder
    except ValueError as error:  # not below the root, or a NUL
        raise DownloadError("target") from error
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise DownloadError("target") from error
        raise


def _store(response: requests.Response, target: Path, folder: int, kind: MediaKind, watch: Watch) -> tuple[Path, int]:
    """Stream the body to a part file in `folder`, check that it is whole, and rename it. Return its path and size."""
    length = response.headers.get("Content-Length", "")
    plain = length.isascii() and length.isdigit() and len(length) <= MAX_LENGTH_DIGITS
    if plain and int(length) > MAX_BYTES[kind]:
        raise DownloadError("large")
    chunks = response.iter_content(CHUNK_BYTES)  # urllib3 decompresses no more than this at once
    head = b""
    while len(head) < HEAD_BYTES and (chunk := next(chunks, b"")):
        head += chunk
    watch.check()  # a connection that was cut looks like the end of a body without a length
    if not head:
        raise DownloadError("empty")
    suffix = sniff(head, kind)
    if not suffix:
        raise DownloadError("type")
    part, size = f".{target.name}.{secrets.token_hex(PART_BYTES)}.part", 0
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=folder)
    try:
        with os.fdopen(handle, "w+b") as file:
            while head:
                size += len(head)
                if size > MAX_BYTES[kind]:
                    raise DownloadError("large")
                file.write(head)
                head = next(chunks, b"")
            watch.check()
            file.flush()
            if not is_whole(file, suffix):
                raise DownloadError("broken")
            os.fsync(file.fileno())
        os.rename(part, target.name + suffix, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part, dir_fd=folder)
        raise
    for other in set(SUFFIXES[kind]) - {suffix}:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target.name + other, dir_fd=folder)
    os.fsync(folder)
    return target.with_name(target.name + suffix), size
