"""What a person tries who has never seen the page: choosing several videos, words for filters, links that open."""

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.actions import QUESTION, ask, card, settled, visit
from tests.e2e.conftest import Serve
from tests.e2e.test_library import open_library
from tests.tiny_corpus import BREAD


@pytest.fixture(scope="module")
def own_server(tiny: Path, serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A server of a copy that the tests may change."""
    copied = shutil.copytree(tiny, tmp_path_factory.mktemp("people") / "data")
    return serve(copied, copied / "indexes")


def test_several_videos_are_chosen_with_the_keyboard_deleted_after_one_question_and_brought_back_with_one_press(
    page: Page, own_server: str
) -> None:
    open_library(page, own_server)
    tiles, boxes = page.locator("#library-videos li:not([hidden])"), page.locator("#library-videos .pick input")
    page.get_by_role("button", name="Select", exact=True).press("Enter")
    expect(page.locator("#library-chosen-count")).to_have_text("Select videos")
    expect(page.get_by_role("button", name="Delete …")).to_be_disabled()
    boxes.nth(0).press("Space")
    boxes.nth(2).press("Shift+Space")
    expect(page.locator("#library-chosen-count")).to_have_text("3 selected")
    page.keyboard.press("Control+a")
    expect(page.locator("#library-chosen-count")).to_have_text("7 selected")
    page.locator("#library-videos a.cover").nth(1).click()  # does not open it
    expect(page.locator("#view")).not_to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#library-chosen")).not_to_be_visible()

    page.get_by_role("button", name="Select", exact=True).press("Enter")
    boxes.nth(0).press("Space")
    boxes.nth(2).press("Shift+Space")
    page.keyboard.press("Delete")
    sure = page.get_by_role("dialog", name="Delete 3 videos?")
    expect(sure.get_by_role("button", name="Keep them")).to_be_focused()
    page.keyboard.press("Enter")
    expect(tiles).to_have_count(7)
    page.keyboard.press("Delete")
    sure.get_by_role("button", name="Delete").press("Enter")
    expect(tiles).to_have_count(4)
    expect(page.get_by_role("status").filter(has_text="3 videos deleted.")).to_be_visible()
    expect(page.locator("#library-count")).to_have_text("4 videos, newest saved first")
    expect(page.locator("#library-figures")).to_contain_text("4 videos")
    page.get_by_role("button", name="Undo (30 s)").press("Enter")
    expect(page.get_by_role("status").filter(has_text="3 videos are back.")).to_be_visible()
    expect(tiles).to_have_count(7)
    expect(page.locator("#library-count")).to_have_text("7 videos, newest saved first")


def test_a_period_in_the_question_is_offered_as_one_filter_and_its_chip_says_what_was_typed(
    page: Page, server: str
) -> None:
    visit(page, server)
    ask(page, "loaf drum posted last year, shorter than a minute")
    page.get_by_role("button", name="Only posted last year").click()
    settled(page)
    expect(page.locator("#q")).to_have_value("loaf drum shorter than a minute")
    chips = page.locator("#active li")
    if chips.count():  # there is a video of last year
        expect(chips).to_have_count(1)
    expect(page.get_by_label("Posted", exact=True)).to_have_value("last year")
    page.goto(f"{server}/?q=loaf&posted=2020..2030")
    settled(page)
    expect(page.locator("#active li")).to_have_text(["posted from 1 January 2020 to 31 December 2030 ✕"])


def test_filters_are_there_before_the_first_question_and_a_creator_is_a_link_to_all_of_their_videos(
    page: Page, server: str
) -> None:
    visit(page, server)
    expect(page.locator("#results .latest")).to_be_visible()
    expect(page.locator("#dates > summary")).to_be_visible()
    ask(page, QUESTION)
    card(page, BREAD).locator(".by a").click()
    settled(page)
    expect(page.locator("#active li")).to_have_text(["by @crumb.and.crust ✕"])
    expect(page.locator("#q")).to_have_value("")
    page.goto(f"{server}/?q=loaf&creator=crumb.and.crus")
    page.get_by_role("button", name="By @crumb.and.crust").click()
    settled(page)
    expect(card(page, BREAD)).to_be_visible()


def test_the_arrow_keys_open_the_next_video_and_a_copied_link_opens_at_the_chosen_line(page: Page, server: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit(page, server)
    ask(page, QUESTION)
    page.locator("article .cover").first.click()
    view = page.locator("#view .view")
    first = view.get_attribute("data-id")
    page.locator("#view-body").focus()
    page.keyboard.press("ArrowRight")
    expect(view).not_to_have_attribute("data-id", first or "")
    page.keyboard.press("ArrowLeft")
    expect(view).to_have_attribute("data-id", first or "")
    lines = page.locator("#view [data-seek]").filter(has_text=":")
    copy = page.locator("#view [data-copy]")
    before = copy.bounding_box()
    lines.last.click()
    copy.click()
    expect(copy).to_have_text("Copied")
    after = copy.bounding_box()
    assert before and after and abs(before["width"] - after["width"]) <= 1  # what is next to it does not move
    link = page.evaluate("navigator.clipboard.readText()")
    assert "&t=" in link
    page.goto(link)
    expect(page.locator("#view .timed [aria-current]")).to_have_count(1)


def test_the_download_and_the_choices_are_asked_of_the_generation_that_gave_the_results(
    page: Page, server: str
) -> None:
    visit(page, server)
    ask(page, QUESTION)
    name = page.locator("#results [data-generation]").get_attribute("data-generation")
    assert name
    expect(page.get_by_role("link", name="Download results (CSV)")).to_have_attribute(
        "href", re.compile(f"found={re.escape(name)}")
    )
    with page.expect_request("**/run/answer") as request:
        card(page, BREAD).get_by_role("button", name="Nearer to this").click()
    assert json.loads(request.value.post_data or "{}")["data"][0]["found"] == name
    settled(page)
    assert "found=" not in page.url and "generation=" not in page.url
