"""Searches on the page: queries, modes, weights, filters, examples, and the steps of the browser's history."""

import contextlib
import re
from collections import Counter
from typing import Any

import pytest
from playwright.sync_api import Error, Page, Route, expect

from tests.e2e.actions import QUESTION, api, ask, open_menu, settled, until, visit
from tests.e2e.conftest import EXAMPLES
from tests.tiny_corpus import (
    BREAD,
    LOST,
    PHOTOS,
)


def test_a_search_needs_only_the_keyboard(page: Page, server: str) -> None:
    visit(page, server)
    expect(page.get_by_label("What do you remember?")).to_be_focused()
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    first = page.locator("article").first
    expect(first).to_have_attribute("data-id", BREAD)
    expect(first.locator("blockquote mark")).to_have_text(["loaf", "hollow", "drum"])
    expect(first.get_by_role("button", name="Play from 0:12")).to_be_visible()
    expect(first.get_by_role("link", name="Open the post")).to_have_attribute(
        "href", f"https://www.tiktok.com/@crumb.and.crust/video/{BREAD}"
    )
    settled(page)
    for _ in range(80):  # everything on a card is reached by Tab alone
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('article summary')"):
            break
    page.keyboard.press("Enter")
    expect(first.locator("details")).to_have_attribute("open", "")


def test_one_press_searches_for_exactly_what_was_typed(page: Page, server: str) -> None:
    visit(page, server)
    ask(page, "sourdogh hollow")
    expect(page.get_by_text('Searched for "sourdough"')).to_be_visible()
    page.get_by_role("button", name="Search for exactly what I typed").click()
    expect(page).to_have_url(re.compile("exact=true"))
    expect(page.get_by_text("Misspelt words are not corrected.")).to_be_visible()
    page.get_by_role("button", name="Correct them").click()
    expect(page.get_by_text('Searched for "sourdough"')).to_be_visible()


def test_typing_alone_is_answered_and_adds_no_step_to_the_history(page: Page, server: str) -> None:
    visit(page, server)
    expect(page.get_by_label("What do you remember?")).to_be_focused()
    steps = page.evaluate("history.length")
    page.keyboard.type(QUESTION, delay=20)
    expect(page.locator("article").first).to_have_attribute("data-id", BREAD)
    expect(page).to_have_url(re.compile("q=loaf"))
    assert page.evaluate("history.length") == steps


def test_typing_after_a_search_adds_one_step_to_the_history(page: Page, server: str) -> None:
    visit(page, server)
    ask(page, QUESTION)
    expect(page.locator("article").first).to_have_attribute("data-id", BREAD)
    settled(page)
    page.get_by_label("What do you remember?").press_sequentially(" three", delay=20)
    expect(page).to_have_url(re.compile("three"))
    settled(page)
    page.get_by_label("What do you remember?").fill("three trains")
    expect(page.locator("article").first).to_have_attribute("data-id", PHOTOS)
    page.go_back()
    expect(page.get_by_label("What do you remember?")).to_have_value(QUESTION)
    expect(page.locator("article").first).to_have_attribute("data-id", BREAD)
    expect(page).to_have_title(re.compile(f"^{QUESTION}"))
    page.go_back()
    expect(page.get_by_role("heading", name="7 videos, the latest")).to_be_visible()
    expect(page.locator("article")).to_have_count(0)


def test_escape_does_not_empty_the_box(page: Page, server: str) -> None:
    visit(page, server)
    ask(page, QUESTION)
    expect(page.locator("article").first).to_be_visible()
    page.get_by_label("What do you remember?").press("Escape")
    expect(page.get_by_label("What do you remember?")).to_have_value(QUESTION)


def test_the_bars_add_up_to_the_score_of_the_api(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum")
    first = page.locator("article").first
    first.locator("summary").click()
    said = api(server, QUESTION)["hits"][0]
    shown = [float(data.get_attribute("value") or "nan") for data in first.locator("tbody data").all()]
    expected: Counter[tuple[str, str, str]] = Counter()  # what the whole video adds is shown by field
    for reason in said["explanation"]:
        for part in reason["parts"] or [reason]:
            expected[part["field"], reason["retriever"], reason["encoder"]] += part["contribution"]
    assert sorted(shown) == [pytest.approx(value) for value in sorted(expected.values())]
    assert sum(shown) == pytest.approx(said["score"])
    expect(first.locator("tfoot data")).to_have_text(f"{said['score']:.2f}")
    bars = [
        cell.evaluate("cell => [...cell.children].reduce((sum, bar) => sum + bar.offsetWidth, 0)")
        for cell in first.locator("tbody .bar").all()
    ]
    assert max(bars) > 50 and max(bars) == bars[0]


def test_a_weight_of_zero_switches_its_field_off_and_reset_switches_it_on(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum")
    first = page.locator("article").first
    expect(first.locator("tbody th", has_text="Speech")).to_have_count(1)
    open_menu(page, "More")
    page.locator("#researchers > summary").click()
    page.locator("#weight-transcript").focus()
    page.keyboard.press("Home")
    # The whole video, which counts by meaning, still has what is said.
    speech = page.locator("article tbody tr", has=page.locator("th", has_text="Speech"))
    expect(speech.locator(".dense").first).to_be_attached()
    expect(speech.locator(".keyword")).to_have_count(0)
    expect(page).to_have_url(re.compile("w=transcript%3A0"))
    without = api(server, QUESTION, w="transcript:0")["hits"][0]["score"]
    expect(first.locator("tfoot data")).to_have_attribute("value", re.compile(f"^{without:.6f}"[:8]))
    page.get_by_role("button", name="Reset all").click()
    expect(first.locator("tbody th", has_text="Speech")).to_have_count(1)
    assert "w=" not in page.url


def test_presets_and_modes_can_be_chosen(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum")
    expect(page.locator("article tbody .dense").first).to_be_attached()
    open_menu(page, "More")
    page.locator("#researchers > summary").click()
    page.get_by_label("Keyword", exact=True).check()
    expect(page.locator("article tbody .dense")).to_have_count(0)
    open_menu(page, "I remember")
    page.locator("#preset").get_by_label("Speech").check()
    expect(page.locator("output[for=weight-transcript]")).to_have_text("2")
    expect(page).to_have_url(re.compile("mode=keyword"))
    settled(page)
    said = api(
        server,
        QUESTION,
        mode="keyword",
        w="transcript:2",
    )["hits"][0]["score"]
    shown = page.locator("article").first.locator("tfoot data").get_attribute("value")
    assert float(shown or "nan") == pytest.approx(said)


def test_a_link_may_have_weights_as_the_api_takes_them(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum&w=speech=0,whole:0.5")
    expect(page.locator("output[for=weight-transcript]")).to_have_text("0")
    expect(page.locator("output[for=weight-overview]")).to_have_text("0.5")
    expect(page.locator("article").first).to_be_visible()
    speech = page.locator("article tbody tr", has=page.locator("th", has_text="Speech"))
    expect(speech.locator(".keyword")).to_have_count(0)


def test_words_that_no_video_has_can_be_searched_by_meaning(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=zzqqxj&mode=keyword")
    expect(page.get_by_role("heading", name="No video matches")).to_be_visible()
    page.get_by_role("button", name="Search by meaning as well").click()
    expect(page.get_by_text("No good match. The closest are")).to_be_visible()
    expect(page.locator("article").first).to_be_visible()


def test_a_shared_link_with_the_old_name_of_the_mode_still_works(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf+hollow+drum&lane=keyword")
    expect(page.get_by_label("Keyword", exact=True)).to_be_checked()
    expect(page.locator("article tbody .keyword").first).to_be_attached()
    expect(page.locator("article tbody .dense")).to_have_count(0)


def test_an_answer_to_an_earlier_search_is_dropped(page: Page, server: str) -> None:
    visit(page, server)
    expect(page.get_by_label("What do you remember?")).to_be_focused()
    held: list[Any] = []
    page.route(
        "**/gradio/**",
        lambda route: held.append(route) if "three" in str(route.request.post_data) else route.continue_(),
    )
    page.get_by_label("What do you remember?").fill("three trains")
    page.keyboard.press("Enter")
    expect(page.locator("#results[aria-busy]")).to_have_count(1)
    ask(page, QUESTION)
    expect(page.locator("article").first).to_have_attribute("data-id", BREAD)
    for route in held:
        with contextlib.suppress(Error):  # the page has cancelled its request
            route.fulfill(json={"data": ["<article data-id='late'></article>"]})
    settled(page)
    expect(page.locator("article[data-id=late]")).to_have_count(0)
    expect(page.locator("article").first).to_have_attribute("data-id", BREAD)


def test_filters_and_operators_narrow_the_results_and_the_page_says_how(page: Page, server: str) -> None:
    visit(page, server)
    ask(page, "loav -sock")
    expect(page.locator("#results .note")).to_contain_text("loaf")
    expect(page.locator("#results .line").last).to_contain_text('videos without "sock"')
    open_menu(page, "More")
    page.get_by_label("Hashtag").fill("sourdough")
    page.keyboard.press("Enter")
    expect(page.locator("article")).to_have_count(1)
    expect(page.locator("article")).to_have_attribute("data-id", BREAD)
    page.get_by_label("Only with speech").check()
    expect(page.locator("#results .line").last).to_contain_text("with speech")
    open_menu(page, "Date")
    page.get_by_label("Posted before", exact=True).fill("2023")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No video matches")).to_be_visible()
    page.get_by_label("Posted before", exact=True).fill("soon")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Invalid date")).to_be_visible()


def test_videos_are_found_by_when_and_in_which_list_they_were_met(page: Page, server: str) -> None:
    visit(page, f"{server}/?in=likes&sort=seen")
    expect(page.locator("article")).to_have_count(2)
    expect(page.locator("article").first).to_contain_text("liked on 2 April 2024")
    expect(page.locator("#results .line").last).to_contain_text("The most recently seen 2 of 2 videos in your likes")
    expect(page.get_by_label("List", exact=True)).to_have_value("likes")
    expect(page.get_by_label("List", exact=True).locator("option:checked")).to_have_text("Likes (2)")
    open_menu(page, "Date")
    page.get_by_label("Seen", exact=True).fill("2023-12..2024-01")
    page.keyboard.press("Enter")
    expect(page.locator("article")).to_have_count(1)
    expect(page.locator("article")).to_have_attribute("data-id", LOST)
    expect(page).to_have_url(re.compile("seen=2023-12"))
    page.get_by_role("button", name="Remove the filter: seen from 1 December 2023").click()
    expect(page.locator("article")).to_have_count(2)
    expect(page).not_to_have_url(re.compile("seen="))
    page.get_by_label("Sort by").select_option("Oldest post")
    expect(page.locator("article").first).to_have_attribute("data-id", BREAD)  # the other has no known date
    page.get_by_label("What do you remember?").press_sequentially('in:"tea')
    expect(page.locator("#asked").get_by_role("option", name='in:"Tea time"')).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Reset all").click()
    expect(page).not_to_have_url(re.compile("in=|sort="))


def test_completions_are_those_of_the_text_in_the_box(page: Page, server: str) -> None:
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        held.append(route) if not held else route.continue_()

    page.route("**/api/suggest*", hold_first)
    visit(page, server)
    box = page.get_by_label("What do you remember?")
    box.fill("in:")
    box.fill('in:"tea')
    expect(page.locator("#asked").get_by_role("option", name='in:"Tea time"')).to_be_visible()
    with page.expect_response(lambda response: response.url.endswith("q=in%3A")):
        held[0].continue_()
    page.wait_for_timeout(200)  # the answer to the first text must change nothing
    expect(page.locator("#asked").get_by_role("option", name='in:"Tea time"')).to_be_visible()


def test_a_length_that_cannot_be_read_is_named_and_removed(page: Page, server: str) -> None:
    visit(page, f"{server}/?q=loaf&length=tall&likes=%3E10k")
    expect(page.get_by_role("heading", name="Invalid filter")).to_be_visible()
    expect(page.locator("#by-length")).to_have_value("tall")
    page.get_by_role("button", name="Remove the filter", exact=True).click()
    expect(page.locator("article")).to_have_count(1)
    expect(page.get_by_text("with 10,000 likes or more ✕")).to_be_visible()


def test_an_example_is_searched_for_and_remembered(page: Page, server: str) -> None:
    visit(page, server)
    page.get_by_role("button", name=EXAMPLES[2], exact=True).click()
    expect(page.locator("article").first).to_have_attribute("data-id", PHOTOS)
    expect(page.get_by_label("What do you remember?")).to_have_value(EXAMPLES[2])
    page.get_by_role("button", name="Look at the photos").first.click()
    expect(page.locator("#view .slides img")).to_have_count(3)
    until(page, "document.querySelector('#view .slides img').naturalWidth > 0")
    page.get_by_role("button", name="Next photo").click()
    until(page, "document.querySelector('#view .slides').scrollLeft > 20")
    visit(page, server)
    box = page.get_by_label("What do you remember?")
    box.click()
    page.locator("#asked").get_by_role("option", name=EXAMPLES[2]).click()
    expect(page.locator("article").first).to_have_attribute("data-id", PHOTOS)
    box.fill("")
    page.get_by_role("button", name="Delete earlier questions").click()
    expect(page.locator("#asked").get_by_role("option")).to_have_count(0)
    page.reload()
    box.click()
    expect(page.locator("#asked").get_by_role("option")).to_have_count(0)


def test_back_and_forward_move_through_the_searches(page: Page, server: str) -> None:
    visit(page, server)
    ask(page, QUESTION)
    expect(page.locator("article").first).to_have_attribute("data-id", BREAD)
    settled(page)
    ask(page, "three trains")
    expect(page.locator("article").first).to_have_attribute("data-id", PHOTOS)
    page.go_back()
    expect(page.locator("article").first).to_have_attribute("data-id", BREAD)
    expect(page.get_by_label("What do you remember?")).to_have_value(QUESTION)
    page.go_forward()
    expect(page.locator("article").first).to_have_attribute("data-id", PHOTOS)


def test_an_empty_query_says_what_to_do(page: Page, server: str) -> None:
    visit(page, server)
    ask(page, QUESTION)
    expect(page.locator("article").first).to_be_visible()
    ask(page, "   ")
    expect(page.get_by_role("heading", name="7 videos, the latest")).to_be_visible()
    expect(page.locator("article")).to_have_count(0)


def test_the_tab_is_in_the_address(page: Page, server: str) -> None:
    visit(page, server)
    page.get_by_role("link", name="Library", exact=True).click()
    expect(page.get_by_role("heading", name="Your videos")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Your videos")).to_be_visible()
    page.get_by_role("link", name="Search", exact=True).click()
    expect(page).not_to_have_url(re.compile("tab="))
