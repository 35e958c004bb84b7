"""Links -> files, against a real web server on this machine that behaves and misbehaves."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scraper import download
from scraper.download import DownloadError, fetch

PICTURE = b"\xff\xd8\xff" + bytes(5000)


class Handler(BaseHTTPRequestHandler):
    asked: list[str]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)  # type: ignore[attr-defined]
        flaky = path == "/flaky.jpg" and self.server.asked.count(path) < 3  # type: ignore[attr-defined]
        status = {"/gone.jpg": 403, "/moved.jpg": 302}.get(path, 503 if flaky else 200)
        kind = {"/page.jpg": "text/html", "/untyped.jpg": "application/octet-stream", "/clip": "video/mp4"}
        self.send_response(status)
        self.send_header("Content-Type", kind.get(path, "image/jpeg"))
        self.send_header("Content-Length", "0" if status != 200 else str(len(PICTURE)))
        if status == 503:
            self.send_header("Retry-After", "0")
        if status == 302:
            self.send_header("Location", "/cover.jpg")
        self.end_headers()
        if status == 200:
            self.wfile.write(PICTURE[: 100 if path == "/broken.jpg" else None])
            self.close_connection = path == "/broken.jpg"

    def log_message(self, *_: object) -> None:
        return


class Server(ThreadingHTTPServer):
    asked: list[str]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as serving:
        serving.asked = []
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield serving
        serving.shutdown()


def get(server: Server, folder: Path, *paths: str, kind: download.MediaKind = "cover") -> Path:
    links = [path if ":" in path else f"http://127.0.0.1:{server.server_port}{path}" for path in paths]
    return fetch(links, folder / kind, kind, allow_local=True)


def test_a_file_arrives_whole_under_the_suffix_of_its_type(server: Server, tmp_path: Path) -> None:
    path = get(server, tmp_path, "/cover.jpg")
    assert path == tmp_path / "cover.jpg"
    assert path.read_bytes() == PICTURE
    assert get(server, tmp_path, "/clip", kind="video").name == "video.mp4"
    assert get(server, tmp_path, "/untyped.jpg", kind="slide").name == "slide.jpg"
    assert get(server, tmp_path, "/moved.jpg").read_bytes() == PICTURE


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ("blob:https://www.tiktok.com/6b5f", "blob"),
        ("ftp://example.com/a.jpg", "not http"),
        ("file:///etc/passwd", "not http"),
        ("https://cdn.example/a.jpg?x-expires=1671234567&x=1", "expired"),
        ("https://cdn.example/a.mp4?expire=1671234567", "expired"),
        ("http://[::1", "malformed"),
    ],
)
def test_links_of_no_use_are_told_without_asking(server: Server, tmp_path: Path, link: str, sentence: str) -> None:
    with pytest.raises(DownloadError, match=sentence):
        get(server, tmp_path, link)
    assert server.asked == []


def test_a_link_that_has_not_expired_is_asked(server: Server, tmp_path: Path) -> None:
    assert get(server, tmp_path, f"/cover.jpg?x-expires={int(time.time()) + 3600}").is_file()


def test_the_next_link_is_tried_and_the_first_reason_is_told(server: Server, tmp_path: Path) -> None:
    assert get(server, tmp_path, "/gone.jpg", "/cover.jpg").read_bytes() == PICTURE
    with pytest.raises(DownloadError, match="the server answered 403"):
        get(server, tmp_path, "/gone.jpg", "blob:x")


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "BACKOFF_S", 0.01)
    assert get(server, tmp_path, "/flaky.jpg").read_bytes() == PICTURE
    assert server.asked == ["/flaky.jpg"] * 3


@pytest.mark.parametrize(("path", "sentence"), [("/page.jpg", "no image but text/html"), ("/broken.jpg", "broke off")])
def test_what_is_no_whole_image_leaves_nothing_behind(server: Server, tmp_path: Path, path: str, sentence: str) -> None:
    with pytest.raises(DownloadError, match=sentence):
        get(server, tmp_path, path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_beyond_the_bound_is_cut_short(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(download.MAX_BYTES, "cover", 1000)
    with pytest.raises(DownloadError, match="larger than"):
        get(server, tmp_path, "/cover.jpg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_the_own_network_is_not_asked(server: Server, tmp_path: Path, host: str) -> None:
    with pytest.raises(DownloadError, match="own network"):
        fetch([f"http://{host}:{server.server_port}/cover.jpg"], tmp_path / "cover", "cover")
    assert server.asked == []


def test_nobody_there_is_one_sentence_without_the_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "RETRIES", 0)
    with pytest.raises(DownloadError, match="cannot be reached") as raised:
        fetch(["http://127.0.0.1:9/secret-token"], tmp_path / "cover", "cover", allow_local=True)
    assert "secret-token" not in str(raised.value)


# -- servers that say what no server should -----------------------------------------------------------------------

IMAGE = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
MOVED = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "
DRIP_S = 0.05


class Raw:
    """Answers whatever is asked with the same bytes: at once, or after `quick` of them drop by drop, without an end."""

    def __init__(self, answer: bytes, quick: int | None = None) -> None:
        self.answer, self.quick = answer, quick
        self.asked: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.link = f"http://127.0.0.1:{self._listening.getsockname()[1]}/x"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connected, _ = self._listening.accept()
            threading.Thread(target=self._talk, args=(connected,), daemon=True).start()

    def _talk(self, connected: socket.socket) -> None:
        with connected, contextlib.suppress(OSError):  # the other side hangs up
            self.asked.append(connected.recv(65536))
            connected.sendall(self.answer[: self.quick])
            while self.quick is not None:
                time.sleep(DRIP_S)
                connected.sendall(b"x")


LONG_LABEL = "http://" + "a" * 70 + ".com/x.jpg"


@pytest.mark.parametrize("link", ["http://a..com/x.jpg", LONG_LABEL])
def test_a_malformed_host_is_told_in_one_sentence(tmp_path: Path, link: str) -> None:
    with pytest.raises(DownloadError, match="malformed"):
        fetch([link], tmp_path / "cover", "cover")


@pytest.mark.parametrize("location", [b"http://[bad/", b"/\xff\xfe", LONG_LABEL.encode()])
def test_a_malformed_redirect_is_told_in_one_sentence(tmp_path: Path, location: bytes) -> None:
    with pytest.raises(DownloadError, match="malformed"):
        fetch([Raw(MOVED + location + b"\r\n\r\n").link], tmp_path / "cover", "cover", allow_local=True)


def test_a_redirect_is_held_to_the_rules_of_links(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="not http"):
        fetch([Raw(MOVED + b"file:///etc/passwd\r\n\r\n").link], tmp_path / "cover", "cover", allow_local=True)


def test_redirects_in_circles_end(tmp_path: Path) -> None:
    circle = Raw(MOVED + b"/x\r\n\r\n")
    with pytest.raises(DownloadError, match="circles"):
        fetch([circle.link], tmp_path / "cover", "cover", allow_local=True)
    assert len(circle.asked) == 1 + download.REDIRECTS


@pytest.mark.parametrize("length", [b"\xb2", b"9" * 5000])
def test_a_length_that_is_none_does_not_matter(tmp_path: Path, length: bytes) -> None:
    server = Raw(IMAGE + b"Content-Length: " + length + b"\r\n\r\nab")
    assert fetch([server.link], tmp_path / "cover", "cover", allow_local=True).read_bytes() == b"ab"


HEAD = IMAGE + b"Content-Length: 100000\r\n\r\n"
DRIPPING = {
    "body": (HEAD, len(HEAD)),
    "body without a length": (IMAGE + b"\r\n", len(IMAGE) + 2),
    "header": (IMAGE + b"X: ", len(IMAGE) + 3),
    "redirect": (MOVED, len(MOVED)),
}


@pytest.mark.parametrize("answer", DRIPPING.values(), ids=list(DRIPPING))
def test_a_server_that_drips_is_left_at_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: tuple[bytes, int]
) -> None:
    monkeypatch.setitem(download.DEADLINE_S, "cover", 1.0)
    before = time.monotonic()
    with pytest.raises(DownloadError, match="longer than 1 s"):
        fetch([Raw(*answer).link], tmp_path / "cover", "cover", allow_local=True)
    assert time.monotonic() - before < 4
    assert list(tmp_path.iterdir()) == []


def test_waiting_between_tries_ends_at_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(download.DEADLINE_S, "cover", 1.0)
    busy = Raw(b"HTTP/1.1 503 Busy\r\nRetry-After: 20\r\nContent-Length: 0\r\n\r\n")
    before = time.monotonic()
    with pytest.raises(DownloadError, match="longer than 1 s"):
        fetch([busy.link], tmp_path / "cover", "cover", allow_local=True)
    assert time.monotonic() - before < 4


@pytest.mark.parametrize("answer", DRIPPING.values(), ids=list(DRIPPING))
def test_a_server_that_drips_does_not_hold_up_the_end_of_a_run(tmp_path: Path, answer: tuple[bytes, int]) -> None:
    stopped = threading.Event()
    threading.Timer(0.5, stopped.set).start()
    before = time.monotonic()
    with pytest.raises(DownloadError, match="the run was stopped"):
        fetch([Raw(*answer).link], tmp_path / "cover", "cover", allow_local=True, cancelled=stopped)
    assert time.monotonic() - before < 4


def test_passwords_in_netrc_are_sent_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    there = Raw(IMAGE + b"Content-Length: 2\r\n\r\nab")
    here = Raw(MOVED + there.link.encode() + b"\r\n\r\n")
    fetch([here.link], tmp_path / "cover", "cover", allow_local=True)
    assert len(here.asked + there.asked) == 2
    assert not any(b"authorization" in asked.lower() for asked in here.asked + there.asked)


def test_a_proxy_of_the_users_is_asked_and_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Raw(*DRIPPING["header"])
    monkeypatch.setenv("http_proxy", proxy.link)
    monkeypatch.setitem(download.DEADLINE_S, "cover", 1.0)
    with pytest.raises(DownloadError, match="longer than 1 s"):
        fetch(["http://cdn.example/x.jpg"], tmp_path / "cover", "cover")
    assert proxy.asked[0].startswith(b"GET http://cdn.example/x.jpg ")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("::1", False),
        ("fe80::1", False),
        ("fec0::1", False),
        ("ff0e::1", False),
        ("::10.0.0.1", False),
        ("::93.184.216.34", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::169.254.169.254", False),
        ("64:ff9b::93.184.216.34", True),
        ("2002:a00:1::", False),  # 6to4 of 10.0.0.1
        ("2002:5db8:d822::", True),
    ],
)
def test_an_address_that_carries_another_is_judged_by_that(address: str, public: bool) -> None:
    assert download._is_public(address) is public
