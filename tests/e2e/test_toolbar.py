"""Filters that people understand, what is for researchers, the name and the help of the page, wrong addresses."""

import re
import urllib.request

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.actions import open_menu, settled, until, visit
from tests.e2e.conftest import Trouble
from tests.tiny_corpus import BREAD


def test_filters_are_lists_with_counts(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf")
    expect(page.get_by_label("Language", exact=True).locator("option").nth(1)).to_have_text("English (6)")
    page.get_by_label("Language", exact=True).select_option("en")
    expect(page).to_have_url(re.compile("lang=en"))
    expect(page.get_by_label("List", exact=True).locator("option").nth(1)).to_have_text("Likes (2)")
    open_menu(page, "Creator")
    creators = page.locator("#some-creators").get_by_role("button")
    before = creators.filter(has_text="@crumb.and.crust").element_handle()
    page.locator("#by-creator").fill("crum")
    expect(creators).to_have_count(1)
    assert before.evaluate("button => button.isConnected"), "it may be pressed while the list is renewed"
    creators.click()
    expect(page).to_have_url(re.compile("creator=crumb.and.crust"))
    expect(page.locator("#creators > summary")).to_have_text("Creator: crumb.and.crust")
    open_menu(page, "Date")
    page.locator("#years").get_by_role("button").first.click()
    expect(page).to_have_url(re.compile(r"posted=\d{4}"))
    expect(page.locator("article")).to_have_attribute("data-id", BREAD)


def test_each_active_setting_is_a_chip_that_removes_it(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf&lang=en&mode=keyword&w=transcript:0&length=%3E1s&after=2020")
    chips = page.locator("#active")
    expect(chips.get_by_role("button")).to_have_count(5)
    chip = {"in English": "lang", "mode: Keyword": "mode", "own weights": "w", "posted": "after"}
    for name, parameter in chip.items():
        chips.get_by_role("button", name=re.compile(f"Remove the filter: .*{name}")).click()
        expect(page).not_to_have_url(re.compile(rf"[?&]{parameter}="))
        settled(page)
    expect(chips.get_by_role("button")).to_have_count(1)
    page.get_by_role("button", name="Reset all").click()
    expect(page.locator("#active")).to_have_count(0)


def test_a_date_is_picked_or_written_in_words(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf")
    open_menu(page, "Date")
    page.get_by_label("Posted from: pick the day").fill("2021-03-02")
    expect(page.get_by_label("Posted from", exact=True)).to_have_value("2021-03-02")
    expect(page).to_have_url(re.compile("after=2021-03-02"))
    page.get_by_label("Posted from", exact=True).fill("last year")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("after=last"))
    expect(page.get_by_role("heading", name="Invalid")).to_have_count(0)


def test_nothing_for_researchers_is_there_until_it_is_opened(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum")
    expect(page.locator("article").first).to_be_visible()
    for hidden in page.locator("#mode, .sliders, #generation, article .why table").all():
        expect(hidden).not_to_be_visible()
    open_menu(page, "More")
    expect(page.locator("#mode")).not_to_be_visible()
    page.locator("#researchers > summary").click()
    for part in ("#mode", ".sliders", "#generation"):
        expect(page.locator(part)).to_be_visible()


def test_menus_open_one_at_a_time_and_close_with_escape_and_outside(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf")
    open_menu(page, "Date")
    open_menu(page, "More")
    expect(page.locator(".menu[open]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".menu[open]")).to_have_count(0)
    expect(page.locator("#filters > summary")).to_be_focused()
    open_menu(page, "Date")
    page.mouse.click(3, 500)  # next to the results
    expect(page.locator(".menu[open]")).to_have_count(0)


@pytest.mark.parametrize("size", [(390, 844), (720, 450), (1024, 768)])
def test_an_open_menu_is_inside_the_window(page: Page, server: str, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    visit(page, f"{server}/?q=loaf")
    expect(page.locator("article").first).to_be_visible()
    for name in ("remember", "creators", "dates", "filters"):
        page.locator(f"#{name} > summary").click()
        box = page.locator(f"#{name} .pop").bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= size[0], name
        assert box["y"] >= 0 and box["y"] + box["height"] <= size[1], name
        page.keyboard.press("Escape")


def test_the_page_has_a_name_a_mark_and_a_way_to_its_documents(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf")
    expect(page).to_have_title("loaf · TikTok-Retrieval")
    assert page.locator("link[rel=icon]").get_attribute("href")
    expect(page.locator("#top .brand svg")).to_be_visible()
    page.locator("#results .line").first.click()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Help")
    expect(dialog).to_contain_text("next and previous result")
    dialog.get_by_role("link", name="Documentation").click()
    expect(page.get_by_role("heading", name="Documentation", level=1)).to_be_visible()
    page.get_by_role("link", name="Use the page").click()
    expect(page.get_by_role("heading", name="Use the page", level=1)).to_be_visible()
    until(page, "[...document.images].every(one => one.complete && one.naturalWidth > 0)")
    page.get_by_role("link", name="TikTok-Retrieval: start").click()
    expect(page.get_by_label("What do you remember?")).to_be_visible()


def test_a_wrong_address_gets_a_page_in_the_same_design(page: Page, server: str, trouble: Trouble) -> None:
    page.goto(f"{server}/nothing/like/this")
    expect(page.get_by_role("heading", name="There is nothing at this address")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.button.primary')).color") == "rgb(255, 255, 255)"
    page.get_by_role("link", name="Search for a video").click()
    expect(page.get_by_label("What do you remember?")).to_be_focused()
    trouble.errors[:] = [error for error in trouble.errors if "404" not in error]


def test_a_reader_meets_name_tabs_question_and_results_in_this_order(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum")
    expect(page.locator("article").first).to_be_visible()
    page.locator(".skip").focus()
    said = []
    for _ in range(10):
        said.append(page.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent.trim()"))
        page.keyboard.press("Tab")
    assert said[:5] == ["Skip to the results", "TikTok-Retrieval: start", "Search", "Library", "Evaluate"]
    assert said[6:] == ["Search by a picture", "Search", "Help", "+ Add videos"], "after the box, which has no text"
    landmarks = page.locator("header, nav, form[role=search], main")
    assert landmarks.evaluate_all("all => all.map(one => one.localName)") == ["header", "nav", "form", "main"]
    assert page.locator("h1:visible").count() == 1
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#results")).to_be_focused()


def test_documents_are_pages_and_no_other_file_is_served(server: str) -> None:
    with urllib.request.urlopen(f"{server}/docs/reference/query-syntax.md", timeout=30) as response:
        assert response.headers["Content-Type"].startswith("text/html") and b"<table>" in response.read()
    with urllib.request.urlopen(f"{server}/docs/how-to/collect-in-the-browser.md", timeout=30) as response:
        assert b"bookmarklet.html" in (shown := response.read()) and b'href="bookmarklet.html"' not in shown
    for path in ("..%2fpyproject.toml", "../pyproject.toml", "%2e%2e/app.py", "reference", "none.md"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{server}/docs/{path}", timeout=30)


def test_on_a_phone_what_is_remembered_is_one_tap_and_long_chips_are_read_as_a_whole(
    browser: Browser, context: BrowserContext, server: str
) -> None:
    phone = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = phone.new_page()
    visit(page, f"{server}/?q=loaf&liked=2023-12-01..2024-04-30&creator=crumb.and.crust")
    settled(page)
    page.locator("#remember > summary").tap()
    page.locator("#remember label", has_text="Comments").tap()
    expect(page).to_have_url(re.compile("w=comments"))
    expect(page.locator("#remember")).not_to_have_attribute("open", "")
    settled(page)
    chips = page.locator("#active button")
    expect(chips).to_have_count(3)
    cut = "chips => chips.filter(one => one.scrollWidth > one.clientWidth).map(one => one.textContent)"
    assert chips.evaluate_all(cut) == []
    page.locator("#remember > summary").tap()
    page.locator("#remember input:checked").focus()
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("w=creator"))
    expect(page.locator("#remember")).to_have_attribute("open", "")
    phone.close()
