"""Accessibility of every view of the page, light and dark, by axe-core."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.e2e.actions import open_menu, settled, until, visit
from tests.tiny_corpus import BREAD


def first(page: Page, server: str) -> None:
    visit(page, server)
    expect(page.get_by_label("What do you remember?")).to_be_focused()
    settled(page)


def answer(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum&in=likes&seen=2024")
    page.locator("article summary").first.click()
    open_menu(page, "More")
    page.locator("#researchers > summary").click()


def view(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum&id={BREAD}&t=12.5")
    expect(page.locator("#view .comments")).to_be_visible()


def evaluate(page: Page, server: str) -> None:
    visit(page, server)
    page.get_by_role("link", name="Evaluate", exact=True).click()
    expect(page.get_by_role("button", name="Compare")).to_be_visible()


def library(page: Page, server: str) -> None:
    visit(page, server)
    page.get_by_role("link", name="Library", exact=True).click()
    expect(page.get_by_role("heading", name="Your videos")).to_be_visible()


def add(page: Page, server: str) -> None:
    visit(page, server)
    page.get_by_role("button", name="Add videos").click()
    page.locator("#add summary", has_text="data export").click()
    page.locator("#add summary", has_text="On the server").click()


def grid(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum")
    page.locator("#look").click()


def nothing(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf&after=2030")
    expect(page.get_by_role("heading", name="No video matches")).to_be_visible()


def selection(page: Page, server: str) -> None:
    library(page, server)
    page.get_by_role("button", name="Select", exact=True).click()
    page.locator("#library-videos .pick input").first.check(force=True)


def help_(page: Page, server: str) -> None:
    visit(page, server)
    page.get_by_role("button", name="Help").click()


def no_vision(page: Page, server: str) -> None:
    visit(page, server)
    until(page, "'vision' in document.body.dataset")
    page.get_by_role("button", name="Search by a picture").click()
    expect(page.locator("#looking code")).to_be_visible()


def wrong_address(page: Page, server: str) -> None:
    page.goto(f"{server}/no-such-page")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "show", [first, answer, grid, nothing, view, evaluate, library, selection, add, no_vision, help_, wrong_address]
)
def test_axe_finds_nothing(browser: Browser, server: str, show: Callable[[Page, str], None], scheme: Any) -> None:
    # the page's own policy would keep the checker out too
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    show(page, server)
    page.wait_for_timeout(700)  # colours fade in
    found = Axe().run(page).response["violations"]
    context.close()
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]][:5]) for one in found] == []
