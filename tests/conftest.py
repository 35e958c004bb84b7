"""Fixtures that every room's tests share: the shared data folder, and nothing that hides a skip."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from scraper import safe_http
from tests.scraper.faulty_server import FaultyServer

for name in [name for name in os.environ if name.startswith("TIKTOK_RETRIEVAL_")]:
    if name != "TIKTOK_RETRIEVAL_SHARED_DATA":  # the user's own settings are none of the tests'
        del os.environ[name]

REPOSITORY = Path(__file__).resolve().parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",  # containers often forbid the namespaces that the sandbox is made of
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; tests that need it skip, saying so, where it is missing."""
    folder = Path(os.environ.get("TIKTOK_RETRIEVAL_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the shared data folder is not here (TIKTOK_RETRIEVAL_SHARED_DATA names it)")
    return folder


@pytest.fixture(scope="session")
def sample_corpus() -> Path:
    """The corpus that ships with the project."""
    return REPOSITORY / "data" / "sample"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no chromium on this machine (Debian: apt install chromium)")
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
    """The faulty server, trusted, with nothing asked yet."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(serving.authority))
    monkeypatch.setattr(safe_http, "BACKOFF_S", 0.01)
    serving.asked.clear()
    serving.dialled.clear()
    serving.most_at_once = serving.edges = 0
    return serving
