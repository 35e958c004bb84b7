"""How the page looks: widths, colours, and the direction of text."""

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.actions import ask, card, visit
from tests.tiny_corpus import FALCON, HOSTILE


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 1280, 1920])
def test_nothing_overflows_sideways(context: BrowserContext, page: Page, server: str, width: int, scheme: Any) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    # what scrolls sideways by itself or ends in an ellipsis may go on
    sticking = (
        "[...document.querySelectorAll('#results *, #view-body *, #panel *')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
        ".filter(e => e.checkVisibility({contentVisibilityAuto: true}) && !e.closest('.slides')"
        " && !e.matches('.by *') && (e.closest('.pop') || !e.closest('.toolbar'))).length"
    )
    for where in (
        "q=loaf+hollow+drum",
        "in=likes&seen=2023..2024&length=%3E1s",
        "q=haunted+toaster",
        "q=naughty+strings",
        f"q=loaf&id={HOSTILE}&t=1",
    ):
        visit(page, f"{server}/?{where}")
        expect(page.locator("article").first).to_be_visible()
        for menu in page.locator(".menu").all():
            menu.evaluate("menu => { menu.open = true }")
        if "id=" in where:
            expect(page.locator("#view .comments")).to_be_visible()
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(sticking) == 0
    dark = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).every(c => c < 80)"
    )
    assert dark == (scheme == "dark")


def test_text_keeps_the_direction_of_its_script(page: Page, server: str) -> None:
    visit(page, server)
    ask(page, "صقر")
    expect(page.locator("article").first).to_have_attribute("data-id", FALCON)
    expect(card(page, FALCON).locator(".description")).to_have_css("direction", "rtl")
    expect(card(page, FALCON).locator("h3")).to_have_css("direction", "ltr")
