"""Links -> files, against a real web server on this machine that behaves and misbehaves."""

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
