"""The view of one video: playing, links, closing, keys, and judging."""

import contextlib
import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Error, Page, expect

from tests.e2e.actions import QUESTION, ask, card, judgements, playing, settled, until, visit
from tests.tiny_corpus import (
    BREAD,
    BREAD_SECOND,
    VIDEO_S,
)


def test_a_timestamp_plays_the_video_from_there_and_is_in_the_address(
    page: Page, server: str, context: BrowserContext
) -> None:
    statuses: list[int] = []
    page.on("response", lambda response: statuses.append(response.status) if "/video" in response.url else None)
    visit(page, server)
    ask(page, QUESTION)
    card(page, BREAD).get_by_role("button", name="Play from 0:12").click()
    playing(page)
    at, length = page.locator("video").evaluate("video => [video.currentTime, video.duration]")
    assert BREAD_SECOND - 0.5 <= at <= BREAD_SECOND + 6
    assert length == pytest.approx(VIDEO_S, abs=0.5)
    assert 206 in statuses
    expect(page.locator("#view [aria-current]")).to_contain_text("Tap the bottom of the loaf")
    address = page.url
    page.keyboard.press("Escape")
    expect(page.locator("#view")).not_to_be_visible()
    expect(page.locator("video")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("id="))
    other = context.new_page()
    visit(other, address)  # as somebody else opens it
    expect(other.locator("#view")).to_be_visible()
    expect(other.locator("video")).to_have_attribute("src", re.compile(rf"/media/{BREAD}/video#t={BREAD_SECOND}"))
    expect(other.locator("article").first).to_have_attribute("data-id", BREAD)
    other.reload()
    expect(other.locator("#view video")).to_have_count(1)
    other.keyboard.press("Escape")
    expect(other.locator("#view")).not_to_be_visible()
    expect(other).not_to_have_url(re.compile("id="))
    expect(other.locator("article").first).to_have_attribute("data-id", BREAD)
    other.close()


def test_the_copied_link_has_the_current_second(page: Page, server: str, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit(page, f"{server}/?q=loaf+hollow+drum&id={BREAD}&t=3")
    until(page, "document.querySelector('#view video')?.readyState >= 2")
    page.locator("#view video").evaluate("video => (video.currentTime = 7.25)")
    page.get_by_role("button", name="Copy a link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{server}/?q=loaf+hollow+drum&id={BREAD}&t=7.3"
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")  # as on an unsafe address
    page.get_by_role("button", name="Copied").click()
    expect(page.get_by_label("The link")).to_have_value(copied)


def test_space_plays_and_pauses_in_the_view(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum")
    card(page, BREAD).get_by_role("button", name="Play from 0:12").click()
    playing(page)
    page.keyboard.press(" ")
    until(page, "document.querySelector('#view video').paused")
    expect(page.locator("#view")).to_be_visible()
    page.keyboard.press(" ")
    playing(page)


def test_a_view_that_is_closed_while_it_loads_stays_closed(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum")
    held: list[Any] = []
    page.route("**/page/videos/**", lambda route: held.append(route))
    card(page, BREAD).get_by_role("button", name="Play from 0:12").click()
    expect(page.locator("#view[aria-busy]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#view")).not_to_be_visible()
    for route in held:
        with contextlib.suppress(Error):  # the page has taken its request back
            route.fulfill(body="<video autoplay></video>", content_type="text/html")
    page.wait_for_timeout(300)
    expect(page.locator("video")).to_have_count(0)
    assert "id=" not in page.url


def test_the_view_has_the_transcript_comments_and_similar_videos(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum")
    card(page, BREAD).get_by_role("button", name="Details").click()
    view = page.locator("#view")
    expect(view).to_contain_text("Everyone asks me how I know")
    expect(view).to_contain_text("IS IT DONE?")
    expect(view.locator(".comments li")).to_have_count(2)
    view.get_by_role("button", name="Play from 0:12").click()
    playing(page)
    expect(page).to_have_url(re.compile("t=12.5"))
    other = view.locator(".alike li").first
    expected = other.get_attribute("data-id")
    other.locator("button").first.click()
    expect(view.locator(".view")).to_have_attribute("data-id", expected or "")
    page.go_back()
    expect(view.locator(".view")).to_have_attribute("data-id", BREAD)
    view.locator(".alike li button").first.click()
    expect(view.locator(".view")).to_have_attribute("data-id", expected or "")
    page.keyboard.press("Escape")  # closes all that was opened one from the other
    expect(view).not_to_be_visible()
    expect(page).not_to_have_url(re.compile("id="))
    page.wait_for_timeout(300)
    expect(view).not_to_be_visible()
    expect(page.locator("article").first).to_have_attribute("data-id", BREAD)


def test_keys_move_through_the_results_play_and_return(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum")
    expect(page.locator("article").first).to_be_visible()
    settled(page)
    page.locator("#results .line").first.click()
    page.keyboard.press("/")
    expect(page.get_by_label("What do you remember?")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("article").nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("article").nth(1)).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press(" ")
    playing(page)
    page.keyboard.press("Escape")
    expect(page.locator("#view")).not_to_be_visible()
    expect(page.locator("article").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_label("What do you remember?")).to_be_focused()


def test_a_judgement_is_stored_shown_again_and_deleted(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=kettle+song")
    button = page.locator("article").first.get_by_role("button", name="This is the one")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert [one["query"] for one in judgements(server)] == ["kettle song"]
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    assert judgements(server) == []


def test_a_judgement_in_the_view_is_for_the_query_that_was_answered(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum")
    first = card(page, BREAD)
    expect(first.locator(".length")).to_contain_text("0:20")
    settled(page)
    page.get_by_label("What do you remember?").fill("lo")  # too short for a search
    first.get_by_role("button", name="Play from 0:12").click()
    playing(page)
    button = page.locator("#view").get_by_role("button", name="This is the one")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(button).to_be_focused()
    (stored,) = judgements(server)
    assert (stored["query"], stored["video_id"]) == (QUESTION, BREAD)
    assert BREAD_SECOND - 0.5 <= stored["time_s"] <= VIDEO_S
    page.keyboard.press("Escape")
    again = first.get_by_role("button", name="This is the one")
    expect(again).to_have_attribute("aria-pressed", "true")
    again.click()
    expect(again).to_have_attribute("aria-pressed", "false")
    visit(page, f"{server}/?creator=crumb.and.crust")
    expect(card(page, BREAD)).to_be_visible()
    expect(page.get_by_role("button", name="This is the one")).to_have_count(0)


@pytest.mark.parametrize("size", [(1280, 900), (720, 450), (390, 844)])
def test_the_buttons_of_the_view_cover_no_text_when_it_is_scrolled(
    page: Page, server: str, size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    visit(page, f"{server}/?q=loaf+hollow+drum&id={BREAD}&t={BREAD_SECOND}")
    expect(page.locator("#view .comments")).to_be_visible()
    # the ground of the name (h2) hides what is behind it
    under = """() => [...document.querySelectorAll('#view .steps button, #close')].flatMap((button) => {
      const { x, y, width, height } = button.getBoundingClientRect();
      const at = document.elementsFromPoint(x + width / 2, y + height / 2);
      const texts = at.filter((one) => one.closest('.what') && !one.matches('.what, h2'));
      return at.some((one) => one.matches('h2')) ? [] : texts.map((one) => one.outerHTML.slice(0, 80));
    })"""
    scroll = """y => ['#view-body', '#view .what'].forEach((part) => {
      document.querySelector(part).scrollTop = y;
    })"""
    for part in range(0, 1200, 37):
        page.evaluate(scroll, part)
        assert page.evaluate(under) == [], part
    assert page.locator("#view-title").bounding_box()
    page.locator("#view [data-seek]").filter(has_text="0:12").first.focus()
    title, line = page.locator("#view-title").bounding_box(), page.locator("#view [data-seek]:focus").bounding_box()
    assert title and line and line["y"] >= title["y"] + title["height"] - 1
