"""What a person does on the page, and waits for."""

import json
import time
import urllib.parse
import urllib.request
from typing import Any

from playwright.sync_api import Locator, Page, expect

WAIT_S = 60.0
QUESTION = "loaf hollow drum"


def visit(page: Page, address: str) -> None:
    """Open the page and wait until its scripts have started."""
    page.goto(address)
    expect(page.locator("#ask:not([aria-busy])")).to_have_count(1)


def ask(page: Page, query: str) -> None:
    """Type a query, press Enter, and wait for its answer: typing alone may have been answered before."""
    page.get_by_label("What do you remember?").fill(query)
    page.keyboard.press("Enter")
    settled(page)


def open_menu(page: Page, name: str) -> None:
    """Open a menu above the results."""
    page.locator(f".menu:not([open]) > summary:text-is('{name}')").click()


def until(page: Page, expression: str) -> None:
    """Wait until an expression is true. The policy of the page keeps Playwright's own `wait_for_function` out."""
    deadline = time.monotonic() + WAIT_S
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(50)


def settled(page: Page) -> None:
    """Wait until the last search is answered."""
    expect(page.locator("#results[aria-busy]")).to_have_count(0)


def playing(page: Page) -> None:
    """Wait until a video plays. Its time changes at once; only with data (readyState 2) does it play from there."""
    until(
        page, "[...document.querySelectorAll('video')].some(v => v.readyState >= 2 && v.currentTime > 0 && !v.paused)"
    )


def card(page: Page, video_id: str) -> Locator:
    return page.locator(f"article[data-id='{video_id}']")


def api(server: str, query: str, **parameters: Any) -> dict[str, Any]:
    """Return the answer of the API to a query."""
    address = f"{server}/api/search?{urllib.parse.urlencode({'q': query, **parameters})}"
    with urllib.request.urlopen(address, timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def judgements(server: str) -> list[dict[str, Any]]:
    """Return the stored judgements."""
    with urllib.request.urlopen(f"{server}/api/judgements", timeout=30) as response:
        stored: list[dict[str, Any]] = json.load(response)
        return stored
