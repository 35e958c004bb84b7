"""A real server in its own process, and a real browser that may reach no other server."""

import contextlib
import json
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect

from retrieval.embedding.encoder import SentenceEncoder
from tests.conftest import REPOSITORY
from tests.hostile_strings import HOSTILE_STRINGS
from tests.tiny_corpus import make_data, make_index

START_S = 180.0  # on a busy machine torch takes a while to load
PORTS = range(20_000, 32_000)  # below the ports that the system gives to the connections of other tests
WAIT_MS = 60_000  # the first search waits for the encoder to load
EXAMPLES = ["loaf hollow drum", "haunted toaster", "three trains"]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny corpus, hostile strings among its comments, and its index in `indexes`."""
    folder = tmp_path_factory.mktemp("tiny")
    make_data(folder, HOSTILE_STRINGS)
    make_index(folder, folder / "indexes", SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    (folder / "examples.json").write_text(json.dumps([{"text": text} for text in EXAMPLES]))
    return folder


Serve = Callable[[Path, Path], str]


def free_port() -> int:
    """Return a port that nothing listens on, and that no other test worker is likely to choose."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Yield a function that starts `python app.py` on a free port and returns its address. Stop all at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(data: Path, indexes: Path) -> str:
        port = free_port()
        log = tmp_path_factory.mktemp("server") / "log.txt"
        command = [sys.executable, "app.py", "--data", str(data), "--indexes", str(indexes), "--port", str(port)]
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=subprocess.STDOUT)
        started.append(process)
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and process.poll() is None:
            try:
                urllib.request.urlopen(f"{address}/openapi.json", timeout=5).close()
                return address
            except OSError:
                time.sleep(0.2)
        pytest.fail(f"the server did not come up:\n{log.read_text()}")

    try:
        yield start
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(60)


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start servers of the test's own data. They end with the file's tests."""
    with servers(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="session")
def server(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of the tiny corpus."""
    with servers(tmp_path_factory) as start:
        yield start(tiny, tiny / "indexes")


@dataclass
class Trouble:
    """What a page must not do: log errors, open dialogs, talk to any other server."""

    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    yield context
    context.close()


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def page(context: BrowserContext, trouble: Trouble) -> Iterator[Page]:
    """A page. The test fails at its end if there was any trouble on it."""

    def opened(dialog: Dialog) -> None:
        trouble.dialogs.append(dialog.message)
        dialog.dismiss()

    page = context.new_page()
    page.on(
        "console",
        lambda said: trouble.errors.append(f"{said.text} {said.location['url']}") if said.type == "error" else None,
    )
    page.on("pageerror", lambda error: trouble.errors.append(str(error)))
    page.on("dialog", opened)
    here = ("http://127.0.0.1:", "data:", "blob:")
    context.on("request", lambda request: None if request.url.startswith(here) else trouble.outside.append(request.url))
    yield page
    assert trouble == Trouble()
