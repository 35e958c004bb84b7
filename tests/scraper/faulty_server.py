"""A web server on loopback with correct and faulty answers, over http and https, with its own certificate authority.

The path of a link names the fault (see faulty_answers.py). `FAULTS` has the failure code of a cover that is requested
there under `FaultyServer.rules`. `quick` makes the limits small enough for a test to wait for.
"""

import contextlib
import socket
import ssl
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
import trustme

from scraper import addresses, download, safe_http, watch
from scraper.download import MediaKind, Rules
from tests.scraper.faulty_answers import ANSWERS, BACK_S, FAULTS, GOOD, Asked, Talk, bomb, picture, video

__all__ = ["FAULTS", "FaultyServer", "quick"]

QUICK_BYTES, QUICK_S = 1 << 20, 6.0  # limits of a file under `quick`; wide enough for a busy computer


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the limits of the downloader small enough for a test to reach them."""
    monkeypatch.setattr(safe_http, "BACKOFF_S", 0.01)
    monkeypatch.setattr(safe_http, "RETRY_AFTER_MAX_S", 1)
    monkeypatch.setattr(safe_http, "CONNECT_S", 0.5)
    monkeypatch.setattr(safe_http, "READ_S", 1.5)
    monkeypatch.setattr(watch, "RESOLVE_S", 1.0)
    for kind in download.MAX_BYTES:
        monkeypatch.setitem(download.MAX_BYTES, kind, QUICK_BYTES)
        monkeypatch.setitem(download.DEADLINE_S, kind, QUICK_S)


class FaultyServer:
    """The server; use as a context manager. Answers may be added to `answers` by tests."""

    def __init__(self) -> None:
        for make in (picture, video, bomb):
            make()  # now: files that must be made first would look like a slow server
        self.answers = dict(ANSWERS)
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self.edges = 0  # connections of https("/edge..."): the first has another name's certificate
        self.dialled: list[str] = []  # addresses requested in a simulated internet
        self._now = 0
        self._lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="faulty-")
        self._listening: list[socket.socket] = []
        authority = trustme.CA()
        self.authority = Path(self._folder.name) / "authority.pem"  # for REQUESTS_CA_BUNDLE
        authority.cert_pem.write_to_path(str(self.authority))
        names = ("localhost", "127.0.0.1", "*.tiktok.com", "*.tiktokcdn.com", "tiktok.com", "*.akamaized.net")
        past = datetime.now(UTC) - timedelta(days=1)
        self._good = _context(authority.issue_cert(*names))
        self._other_name = _context(authority.issue_cert("other.example"))
        foreign = _context(trustme.CA().issue_cert(*names))
        expired = _context(authority.issue_cert(*names, not_before=past - timedelta(days=9), not_after=past))
        self._ports = {
            "http": self._listen(lambda: None),
            "https": self._listen(lambda: self._good),
            "/certificate-name": self._listen(lambda: self._other_name),
            "/certificate-foreign": self._listen(lambda: foreign),
            "/certificate-expired": self._listen(lambda: expired),
            "/edge": self._listen(self._edge),
            "/no-tls": self._listen(lambda: None),
            "/silent-handshake": self._listen(None),
        }
        with socket.create_server(("127.0.0.1", 0)) as closed:
            self._ports["/closed"] = closed.getsockname()[1]
        self._links = {
            "/nobody": "https://nobody.invalid/cover",
            "/metadata": "https://169.254.169.254/latest/meta-data/",
            "/elsewhere": f"https://127.0.0.1:{self._ports['https']}/cover",
            "/blob": "blob:https://www.tiktok.com/6b5f",
            "/ftp": "ftp://localhost/cover",
            "/malformed": "https://[bad/",
            "/expired": f"https://localhost:{self._ports['https']}/cover?x-expires=1671234567",
            "/expired-in-its-path": f"https://localhost:{self._ports['https']}/{'a' * 32}/62bcafad/cover",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for listening in self._listening:
            listening.close()
        self._folder.cleanup()

    @property
    def rules(self) -> Rules:
        """The rules that let the downloader use this server over https."""
        return Rules(hosts=("localhost", "169.254.169.254", "nobody.invalid"), local=True)

    @property
    def port(self) -> int:
        return self._ports["https"]

    def http(self, path: str) -> str:
        return f"http://localhost:{self._ports['http']}{path}"

    def https(self, path: str) -> str:
        """The link to an answer or a fault; some faults are not of the server."""
        return self._links.get(path) or f"https://localhost:{self._ports.get(path, self.port)}{path}"

    def good(self, kind: MediaKind) -> list[str]:
        """Links that give a file of this kind."""
        return [self.https(path) for path in GOOD[kind]]

    @property
    def counts(self) -> Counter[str]:
        """How often each path was requested."""
        return Counter(asked.path.partition("?")[0] for asked in self.asked)

    def internet(self, monkeypatch: pytest.MonkeyPatch, names: dict[str, Callable[[], list[str]]]) -> None:
        """Simulate an internet: names with addresses; each public one is this server, at the usual ports."""
        usual = {443: self._ports["https"], 80: self._ports["http"]}

        def lookup(host: str, port: int) -> list[addresses.Address]:
            if host not in names:
                raise socket.gaierror(socket.EAI_NONAME, "no such name")
            return [(socket.AF_INET, (address, port)) for address in names[host]()]

        def dial(connecting: socket.socket, address: tuple[Any, ...]) -> None:
            self.dialled.append(address[0])
            connecting.connect(("127.0.0.1", usual[address[1]]))

        monkeypatch.setattr(addresses, "lookup", lookup)
        monkeypatch.setattr(safe_http, "dial", dial)

    def _edge(self) -> ssl.SSLContext:
        with self._lock:
            self.edges += 1
            return self._other_name if self.edges == 1 else self._good

    def _listen(self, context: Callable[[], ssl.SSLContext | None] | None) -> int:
        listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listening.append(listening)
        threading.Thread(target=self._serve, args=(listening, context), daemon=True).start()
        return int(listening.getsockname()[1])

    def _serve(self, listening: socket.socket, context: Callable[[], ssl.SSLContext | None] | None) -> None:
        while True:
            try:
                connected, _ = listening.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._talk, args=(connected, context), daemon=True).start()

    def _talk(self, connected: socket.socket, context: Callable[[], ssl.SSLContext | None] | None) -> None:
        with connected, contextlib.suppress(OSError):  # the client closes the connection, or refuses the certificate
            connected.settimeout(BACK_S)
            if context is None:
                connected.recv(65536)
                connected.recv(1)
                return
            secure = context()
            with secure.wrap_socket(connected, server_side=True) if secure else connected as talking:
                with self._lock:
                    self._now += 1
                    self.most_at_once = max(self.most_at_once, self._now)
                try:
                    self._answer(talking)
                finally:
                    with self._lock:
                        self._now -= 1

    def _answer(self, talking: socket.socket) -> None:
        said = b""
        while b"\r\n\r\n" not in said:
            if not (more := talking.recv(65536)):
                return
            said += more
            if said[0] == 0x16:  # a TLS greeting, to a server without TLS
                talking.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                return
        first, *lines = said.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        path = first.split(" ")[1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        with self._lock:
            asked = Asked(path, headers, self.counts[path.partition("?")[0]] + 1)
            self.asked.append(asked)
        known = self.answers.get(path.partition("?")[0])
        talk = Talk(self, talking, asked)
        if known:
            known(talk)
        else:
            talk.whole(picture())


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
