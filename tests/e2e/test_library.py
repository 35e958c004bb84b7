"""Browsing the library, the start of the page, and what is new in the view: by month, by shelves, by choices."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.actions import settled, visit
from tests.tiny_corpus import BREAD, HOSTILE, LOST


def open_library(page: Page, server: str, more: str = "") -> None:
    visit(page, f"{server}/?tab=Library{more}")
    expect(page.locator("#library-videos li").first).to_be_visible()


def test_the_library_is_covers_by_month_that_shelves_filter_and_the_address_keeps(page: Page, server: str) -> None:
    open_library(page, server)
    expect(page.locator("#library-count")).to_have_text("7 videos, newest saved first")
    expect(page.locator("#library-videos h3", has_text="April 2024")).to_be_visible()
    picture = page.locator(f"#library-videos li[data-id='{BREAD}'] img")
    picture.scroll_into_view_if_needed()
    page.wait_for_function(
        "id => document.querySelector(`#library-videos li[data-id='${id}'] img`).naturalWidth > 0", arg=BREAD
    )
    assert re.search(r"/thumbnail\?v=", picture.get_attribute("src") or "")

    page.locator("#library-shelves").get_by_role("button", name="Likes 2").click()
    expect(page.locator("#library-videos li")).to_have_count(2)
    page.get_by_role("button", name="Remove the filter: Likes").click()
    expect(page.locator("#library-videos li")).to_have_count(7)
    page.go_back()
    expect(page.locator("#library-videos li")).to_have_count(2)
    page.locator("#library-shelves").get_by_role("button", name="December 2023 1").click()
    expect(page.locator("#library-videos li")).to_have_count(1)
    page.reload()
    expect(page.locator("#library-videos li")).to_have_count(1)
    expect(page.locator("#library-videos li")).to_have_attribute("data-id", LOST)
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("#library-videos li")).to_have_count(7)
    page.get_by_label("Filter by words").fill("toaster")
    expect(page.locator("#library-videos li")).to_have_count(1)
    expect(page.locator("#library-videos li")).to_have_attribute("data-id", HOSTILE)
    page.get_by_label("Filter by words").fill("")
    expect(page.locator("#library-videos li")).to_have_count(7)
    page.get_by_label("Order of the videos").select_option("Newest post")
    expect(page.locator("#library-videos li").first).to_have_attribute("data-id", BREAD)
    page.get_by_role("button", name="Kept here").click()
    expect(page.locator("#library-videos li")).to_have_count(1)


def test_the_view_of_the_library_steps_by_keys_and_its_links_filter_it(page: Page, server: str) -> None:
    open_library(page, server)
    tiles = page.locator("#library-videos li")
    ids = [tiles.nth(number).get_attribute("data-id") or "" for number in range(7)]
    page.locator("#library-videos a").first.focus()
    page.keyboard.press("Enter")
    view = page.locator("#view .view")
    expect(view).to_have_attribute("data-id", ids[0])
    expect(page.get_by_role("button", name="Previous video")).to_be_disabled()
    page.keyboard.press("j")
    expect(view).to_have_attribute("data-id", ids[1])
    page.get_by_role("button", name="Next video").click()
    expect(view).to_have_attribute("data-id", ids[2])
    page.keyboard.press("k")
    expect(view).to_have_attribute("data-id", ids[1])
    page.keyboard.press("Escape")
    expect(page.locator("#view")).not_to_be_visible()
    expect(page).not_to_have_url(re.compile("id="))

    page.locator(f"#library-videos a[data-open='{BREAD}']").click()
    page.locator("#view .description").get_by_role("link", name="#baking").click()
    expect(page.locator("#view")).not_to_be_visible()
    expect(page.locator("#library-videos li")).to_have_count(1)
    expect(page.get_by_role("button", name="Remove the filter: #baking")).to_be_visible()
    expect(page).to_have_url(re.compile("tab=Library.*lib=tag%3Dbaking"))


def test_the_start_shows_how_many_videos_there_are_and_the_latest(page: Page, server: str) -> None:
    visit(page, server)
    latest = page.locator(".latest")
    expect(latest.get_by_role("heading", name="7 videos, the latest")).to_be_visible()
    expect(latest.locator("li")).to_have_count(7)
    latest.locator(f"a[data-open='{BREAD}']").click()
    expect(page.locator("#view .view")).to_have_attribute("data-id", BREAD)
    page.keyboard.press("Escape")
    latest.get_by_role("link", name="Look through all").click()
    expect(page.locator("#library-videos li")).to_have_count(7)


def test_a_badge_opens_what_it_names_and_the_view_marks_the_words_and_shows_frames(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum")
    settled(page)
    page.locator(f"article[data-id='{BREAD}']").get_by_role("button", name="Comments", exact=True).click()
    view = page.locator("#view")
    expect(view.locator(".comments mark").first).to_have_text(re.compile("drum|hollow"))
    expect(view.locator("[data-part=comments]")).to_be_in_viewport()
    expect(view.locator(".timed mark").first).to_be_attached()
    frames = view.locator(".frames")
    expect(frames.get_by_role("button")).to_have_count(8)
    page.wait_for_function("document.querySelector('.frames img').naturalWidth > 0")
    frames.get_by_role("button").nth(3).click()
    page.wait_for_function("Math.abs(document.querySelector('#view video').currentTime - 8.75) < 5")
    expect(page).to_have_url(re.compile("t=8.75"))


def test_comments_are_searched(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=naughty+strings")
    settled(page)
    page.locator("article", has_text="naughty strings").get_by_role("button", name="Details", exact=True).click()
    comments = page.locator("#view .comments li")
    expect(comments.first).to_be_visible()
    total = comments.count()
    assert total > 50
    page.get_by_label("Search the comments").fill("script")
    expect(page.locator("#view .find [role=status]")).to_have_text(re.compile(rf"^[0-9]+ of {total}$"))
    assert 0 < page.locator("#view .comments li:not([hidden])").count() < total


def test_choices_refine_the_question_and_are_taken_back(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=the+lost+bread")
    settled(page)
    cards = page.locator("article")
    first = cards.first.get_attribute("data-id")
    cards.nth(1).get_by_role("button", name="Nearer to this").click()
    chips = page.get_by_role("list", name="Your choices").get_by_role("button")
    expect(chips).to_have_count(1)
    expect(cards).to_have_count(6)
    expect(page).to_have_url(re.compile("nearer=[0-9]+"))
    page.locator("h1").first.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("-")  # not like the first one
    expect(page).to_have_url(re.compile("nearer=[0-9]+%2C-[0-9]+"))
    expect(chips).to_have_count(3)
    expect(cards).to_have_count(5)
    page.reload()
    expect(cards).to_have_count(5)
    page.go_back()
    expect(cards).to_have_count(6)
    chips.first.click()
    expect(cards).to_have_count(7)
    expect(cards.first).to_have_attribute("data-id", first or "")
    cards.nth(2).get_by_role("button", name="Not like this").click()
    expect(cards).to_have_count(6)
    page.get_by_label("What do you remember?").fill("kettle song")  # another question has no choices yet
    page.keyboard.press("Enter")
    expect(page).not_to_have_url(re.compile("nearer"))
