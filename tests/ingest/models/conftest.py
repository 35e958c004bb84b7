"""Fixtures of the tests of models: a computer without a hub, and a hub."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.ingest.models.model_sources import WEIGHTS, Computer, Hub


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    computer = Computer(tmp_path)
    computer.index.mkdir()
    return computer


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub({"model.safetensors": WEIGHTS, "config.json": b"{}", "pytorch_model.bin": b"pickle", "code.py": b"1"})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.asked.append(self.path)
            answer = hub.answer(self.path)
            self.send_response(200 if answer else 404)
            headers, body = answer or ({}, b"")
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    yield hub
    server.shutdown()
    server.server_close()
