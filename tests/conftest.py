"""Fixtures that the tests of several packages share, and the rule for tests that need the research data."""

import json
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from scraper import safe_http
from tests.hostile_strings import HOSTILE_STRINGS
from tests.scraper.faulty_server import FaultyServer

if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # in the background of a shell Ctrl-C is ignored, and would be by what the tests interrupt
    signal.signal(signal.SIGINT, signal.default_int_handler)

for name in [name for name in os.environ if name.startswith("TIKTOK_RETRIEVAL_")]:
    if name != "TIKTOK_RETRIEVAL_SHARED_DATA":  # a user's settings must not change what is tested
        del os.environ[name]

# One small encoder; tests with several name them, or make tiny ones.
os.environ["TIKTOK_RETRIEVAL_ENCODER"] = "sentence-transformers/all-MiniLM-L6-v2"

if "PYTEST_XDIST_WORKER" in os.environ:  # next to other workers, one thread takes half the computing time of two
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # ranx compares a few rankings: to compile for that takes half a minute

REPOSITORY = Path(__file__).resolve().parent.parent
NOBODY = 65_534  # the number of a user without rights
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",  # containers often forbid the namespaces that the sandbox is made of
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that needs the research data and does not carry the marker: it would fail for most people."""
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("research_data"):
            raise pytest.UsageError(f"{item.nodeid} uses shared_data: mark it with research_data and a reason")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of the research data, which the project does not ship. Only marked tests may ask for it."""
    folder = Path(os.environ.get("TIKTOK_RETRIEVAL_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"there is no research data in {folder} (TIKTOK_RETRIEVAL_SHARED_DATA names another folder)")
    return folder


@pytest.fixture(
    scope="session",
    params=["ours", pytest.param("research", marks=pytest.mark.research_data("a longer, published list of strings"))],
)
def hostile_strings(request: pytest.FixtureRequest) -> list[str]:
    """Strings that break careless programs: the list in tests/, and a published list in the research data."""
    if request.param == "ours":
        return HOSTILE_STRINGS
    published = request.getfixturevalue("shared_data") / "hostile" / "blns" / "blns.json"
    return list(json.loads(published.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def sample_corpus() -> Path:
    """The corpus that ships with the project."""
    return REPOSITORY / "data" / "sample"


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """Return a folder of a user to whom permissions apply: root, who may read everything, becomes another one."""
    if not hasattr(os, "geteuid"):
        pytest.skip("Windows has other permissions")
    with tempfile.TemporaryDirectory() as folder:
        user = os.geteuid()
        if user == 0:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            os.seteuid(user)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def serving() -> Iterator[FaultyServer]:
    with FaultyServer() as faulty:
        yield faulty


@pytest.fixture
def server(serving: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> FaultyServer:
    """Return the faulty server with its certificate accepted and its counters at zero."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(serving.authority))
    monkeypatch.setattr(safe_http, "BACKOFF_S", 0.01)
    serving.asked.clear()
    serving.dialled.clear()
    serving.most_at_once = serving.edges = 0
    return serving
