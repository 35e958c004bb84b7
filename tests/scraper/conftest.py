"""A real Chromium for the console script's tests, with no way out but loopback."""

import asyncio
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no chromium on this machine (Debian: apt install chromium)")
    # the page's tests may have left their own Playwright open in this thread, which allows one at a time
    other = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        with sync_playwright() as playwright:
            # containers often forbid the namespaces that the sandbox is made of
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            yield browser
            browser.close()
    finally:
        asyncio._set_running_loop(other)
