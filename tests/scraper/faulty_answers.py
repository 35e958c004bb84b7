"""The answers of the faulty server: real files, and every way to fail with the code that it must give."""

import functools
import gzip
import io
import json
import socket
import struct
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from scraper.records import MediaKind

if TYPE_CHECKING:
    from tests.scraper.faulty_server import FaultyServer

DRIP_S = 0.05
BACK_S = 30.0  # after which a hanging server ends: long after any test
PROMPT_S = 12.0  # anything that does not wait for such a server is faster, even on a busy computer
VTT = b"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nhello\n"
SRT = b"1\r\n00:00:00,000 --> 00:00:01,000\r\nhello\r\n"
JSON = json.dumps({"utterances": [{"text": "hello", "start_time": 0, "end_time": 1000}]}).encode()


@functools.cache
def picture(form: str = "JPEG") -> bytes:
    """A real image of some KB, large enough to be cut in the middle."""
    from PIL import Image

    file = io.BytesIO()
    Image.effect_noise((64, 64), 60).convert("RGB").save(file, form)
    return file.getvalue()


@functools.cache
def video(form: str = "mp4", codec: str = "mpeg4") -> bytes:
    """A real video of five frames."""
    import av
    from PIL import Image

    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=5)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        to_frame: Any = av.VideoFrame.from_image
        for _ in range(5):
            container.mux(stream.encode(to_frame(Image.effect_noise((64, 64), 60).convert("RGB"))))
        container.mux(stream.encode(None))
    return file.getvalue()


@functools.cache
def bomb() -> bytes:
    return gzip.compress(picture() + bytes(20 << 20))


class Asked(NamedTuple):
    """A request: `headers` with names in lower case, `number` counts requests for the same path from 1."""

    path: str
    headers: dict[str, str]
    number: int


class Talk:
    """One connection, for an answer; its methods can be chained."""

    def __init__(self, server: "FaultyServer", connected: socket.socket, asked: Asked) -> None:
        self.server, self.connected, self.asked = server, connected, asked

    def send(self, data: bytes) -> Self:
        self.connected.sendall(data)
        return self

    def head(self, status: str = "200 OK", /, **headers: object) -> Self:
        lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        return self.send("\r\n".join([*lines, "Connection: close", "", ""]).encode())

    def whole(self, body: bytes, status: str = "200 OK", /, **headers: object) -> Self:
        return self.head(status, Content_Length=len(body), **headers).send(body)

    def part(self, size: int = 1500, /, **headers: object) -> Self:
        """The beginning of a picture."""
        return self.head(**headers).send(picture()[:size])

    def moved(self, where: str) -> Self:
        return self.head("302 Found", Content_Length=0, Location=where)

    def chunk(self, data: bytes) -> Self:
        return self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def at_first(self, times: int, fault: Callable[[], object]) -> Self:
        """A fault for the first requests of this path, then a picture."""
        if self.asked.number > times:
            return self.whole(picture())
        fault()
        return self

    def wait(self, seconds: float) -> Self:
        time.sleep(seconds)
        return self

    def drip(self, drop: bytes = b"x") -> Self:
        while True:
            time.sleep(DRIP_S)
            self.send(drop)

    def pour(self, data: bytes = bytes(1 << 16)) -> Self:
        while True:
            self.send(data)

    def hang(self) -> Self:
        """Send nothing until the client closes the connection."""
        self.connected.settimeout(BACK_S)
        self.connected.recv(1)
        return self

    def reset(self) -> Self:
        self.connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connected.close()
        return self

    def half_close(self) -> Self:
        self.connected.shutdown(socket.SHUT_WR)
        return self.hang()


Answer = Callable[[Talk], object]
ANSWERS: dict[str, Answer] = {
    # correct answers
    "/cover": lambda t: t.whole(picture(), Content_Type="image/jpeg"),
    "/cover.png": lambda t: t.whole(picture("PNG"), Content_Type="image/png"),
    "/cover.webp": lambda t: t.whole(picture("WEBP"), Content_Type="image/webp"),
    "/cover.gif": lambda t: t.whole(picture("GIF")),
    "/cover.avif": lambda t: t.whole(picture("AVIF")),
    "/slide": lambda t: t.whole(picture("WEBP")),
    "/video": lambda t: t.whole(video(), Content_Type="video/mp4"),
    "/video.mov": lambda t: t.whole(video("mov")),
    "/video.webm": lambda t: t.whole(video("webm", "libvpx")),
    "/video.mkv": lambda t: t.whole(video("matroska")),
    "/misnamed.jpg": lambda t: t.whole(video(), Content_Type="image/jpeg"),
    "/caption": lambda t: t.whole(VTT, Content_Type="text/vtt"),
    "/caption.srt": lambda t: t.whole(SRT),
    "/caption.json": lambda t: t.whole(JSON),
    "/moved": lambda t: t.moved("/cover"),
    "/without-a-length": lambda t: t.head().send(picture()),
    "/chunked": lambda t: t.head(Transfer_Encoding="chunked").chunk(picture()).chunk(b""),
    "/compressed": lambda t: t.whole(gzip.compress(picture()), Content_Encoding="gzip"),
    "/slow": lambda t: t.wait(0.15).whole(picture()),
    # correct when requested again
    "/busy-at-first": lambda t: t.at_first(2, lambda: t.whole(b"", "429 Too Many Requests", Retry_After="0")),
    "/busy-for-a-second": lambda t: t.at_first(1, lambda: t.whole(b"", "429 Too Many Requests", Retry_After="1")),
    "/busy-oddly": lambda t: t.at_first(1, lambda: t.whole(b"", "503 Busy", Retry_After="soon")),
    "/fails-at-first": lambda t: t.at_first(2, lambda: t.whole(b"", "502 Bad Gateway")),
    "/reset-at-first": lambda t: t.at_first(1, t.reset),
    "/short-at-first": lambda t: t.at_first(1, lambda: t.part(Content_Length=len(picture()))),
    # always faulty
    "/silent": lambda t: t.hang(),
    "/slow-headers": lambda t: t.send(b"HTTP/1.1 200 OK\r\nX: ").drip(),
    "/slow-redirect": lambda t: t.send(b"HTTP/1.1 302 Found\r\nLocation: /").drip(),
    "/slow-body": lambda t: t.part(Content_Length=len(picture())).drip(),
    "/slow-body-without-a-length": lambda t: t.part().drip(),
    "/slow-start-of-body": lambda t: t.head().drip(),
    "/hangs-in-the-body": lambda t: t.part(Content_Length=9999).hang(),
    "/endless": lambda t: t.part().pour(),
    "/endless-chunks": lambda t: (
        t.head(Transfer_Encoding="chunked").chunk(picture()).pour(b"10\r\n0123456789abcdef\r\n" * 999)
    ),
    "/endless-headers": lambda t: t.send(b"HTTP/1.1 200 OK\r\n").pour(b"X: y\r\n" * 999),
    "/endless-line": lambda t: t.send(b"HTTP/1.1 200 OK\r\nX: ").pour(b"y" * 9999),
    "/says-it-is-huge": lambda t: t.head(Content_Length=10**12),
    "/bomb": lambda t: t.whole(bomb(), Content_Encoding="gzip"),
    "/length-too-long": lambda t: t.head(Content_Length=len(picture()) + 9).send(picture()),
    "/length-too-short": lambda t: t.head(Content_Length=2000).send(picture()),
    "/cut-without-a-length": lambda t: t.part(),
    "/cut-chunks": lambda t: t.head(Transfer_Encoding="chunked").chunk(picture()[:1500]),
    "/no-last-chunk": lambda t: t.head(Transfer_Encoding="chunked").chunk(picture()).hang(),
    "/no-chunks": lambda t: t.part(Transfer_Encoding="chunked"),
    "/broken-compression": lambda t: t.whole(gzip.compress(picture())[:1500], Content_Encoding="gzip"),
    "/no-compression": lambda t: t.whole(picture(), Content_Encoding="gzip"),
    "/reset": lambda t: t.reset(),
    "/reset-in-the-body": lambda t: t.part(Content_Length=9999).wait(0.05).reset(),
    "/half-closed": lambda t: t.half_close(),
    "/half-closed-body": lambda t: t.part(Content_Length=9999).half_close(),
    "/no-http": lambda t: t.send(b"220 mail.example ESMTP\r\n"),
    "/two-lengths": lambda t: t.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    "/loop": lambda t: t.moved("/loop"),
    "/ever-on": lambda t: t.moved(f"/ever-on?{t.asked.number}"),
    "/to-file": lambda t: t.moved("file:///etc/passwd"),
    "/to-ftp": lambda t: t.moved("ftp://localhost/cover"),
    "/to-blob": lambda t: t.moved("blob:https://localhost/1"),
    "/to-http": lambda t: t.moved(t.server.http("/cover")),
    "/to-metadata": lambda t: t.moved("https://169.254.169.254/latest/meta-data/"),
    "/to-elsewhere": lambda t: t.moved(t.server.https("/cover").replace("localhost", "127.0.0.1")),
    "/to-an-expired-one": lambda t: t.moved("/cover?x-expires=1671234567"),
    "/to-a-malformed-one": lambda t: t.moved("https://[bad/"),
    "/to-no-text": lambda t: t.send(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /\xff\xfe\r\n\r\n"),
    "/to-nowhere": lambda t: t.whole(b"", "302 Found"),
    "/page": lambda t: t.whole(b"<!DOCTYPE html><title>Not here</title>" * 99, Content_Type="image/jpeg"),
    "/json": lambda t: t.whole(b'{"status_code": 10204}', Content_Type="image/jpeg"),
    "/empty": lambda t: t.whole(b"", Content_Type="image/jpeg"),
    "/empty-without-a-length": lambda t: t.head(),
    **{
        f"/{status}": lambda t: t.whole(b"<p>No.</p>", f"{t.asked.path[1:]} No", Retry_After="0")
        for status in (206, 400, 401, 403, 404, 410, 418, 429, 451, 500, 502, 503, 504, 599)
    },
    **{f"/{status}": lambda t: t.head(f"{t.asked.path[1:]} Nothing") for status in (204, 304)},
}
_FAULTS = {
    "timeout": "silent hangs-in-the-body no-last-chunk silent-handshake",
    "deadline": "slow-headers slow-redirect slow-body slow-body-without-a-length slow-start-of-body",
    "large": "endless endless-chunks says-it-is-huge bomb",
    "broken": "length-too-long length-too-short cut-without-a-length cut-chunks no-chunks broken-compression"
    " no-compression reset-in-the-body half-closed-body",
    "hungup": "reset half-closed",
    "malformed": "no-http two-lengths endless-headers endless-line to-a-malformed-one to-no-text malformed",
    "redirects": "loop ever-on",
    "scheme": "to-file to-ftp to-http ftp",
    "blob": "to-blob blob",
    "address": "to-metadata metadata",
    "host": "to-elsewhere elsewhere",
    "expired": "to-an-expired-one expired expired-in-its-path",
    "type": "page json misnamed.jpg video caption",
    "empty": "empty empty-without-a-length",
    "login": "401",
    "forbidden": "403",
    "notfound": "404",
    "gone": "410",
    "busy": "429",
    "server": "500 502 503 504 599",
    "status": "to-nowhere 204 206 304 400 418 451",
    "certificate-name": "certificate-name",
    "certificate": "certificate-foreign certificate-expired",
    "tls": "no-tls",
    "unreachable": "closed",
    "dns": "nobody",
}
FAULTS = {f"/{name}": code for code, names in _FAULTS.items() for name in names.split()}
GOOD: dict[MediaKind, list[str]] = {
    "cover": ["/cover", "/cover.png", "/cover.webp", "/cover.gif", "/cover.avif", "/moved", "/chunked", "/compressed"],
    "slide": ["/slide", "/without-a-length"],
    "video": ["/video", "/video.mov", "/video.webm", "/video.mkv", "/misnamed.jpg"],
    "caption": ["/caption", "/caption.srt", "/caption.json"],
}
RECOVERING = [path for path in ANSWERS if path.endswith(("-at-first", "-oddly", "-second"))]
