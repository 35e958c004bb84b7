"""The page in a real browser against a real server: asking, weighing, seeking, and hostile text that stays text."""

import json
import re
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from retrieval.encoder import Encoder
from tests.e2e.conftest import EXAMPLES, Serve
from tests.tiny_corpus import (
    BREAD,
    BREAD_SECOND,
    FALCON,
    HOSTILE,
    HOSTILE_TEXTS,
    PHOTOS,
    VIDEO_S,
    make_data,
    make_index,
)

QUESTION = "loaf hollow drum"


def ask(page: Page, question: str) -> None:
    """Type a question, press Enter, wait for its answer."""
    page.get_by_label("What do you remember?").fill(question)
    page.keyboard.press("Enter")


def card(page: Page, video_id: str) -> Any:
    return page.locator(f"article[data-id='{video_id}']")


def api(server: str, question: str, **parameters: Any) -> dict[str, Any]:
    query = urllib.parse.urlencode({"q": question, **parameters})
    with urllib.request.urlopen(f"{server}/api/search?{query}", timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def test_a_question_is_asked_and_answered_from_the_keyboard(page: Page, server: str) -> None:
    page.goto(server)
    expect(page.get_by_label("What do you remember?")).to_be_focused()
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    first = page.locator("article").first
    expect(first).to_have_attribute("data-id", BREAD)
    expect(first.locator("blockquote mark")).to_have_text(["loaf", "hollow", "drum"])
    expect(first.get_by_role("button", name="Play from 0:12")).to_be_visible()
    expect(first.get_by_role("link")).to_have_attribute(
        "href", f"https://www.tiktok.com/@crumb.and.crust/video/{BREAD}"
    )
    for _ in range(60):  # everything on a card is reached by Tab alone
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('article summary')"):
            break
    page.keyboard.press("Enter")
    expect(first.locator("details")).to_have_attribute("open", "")


def test_the_bars_add_up_to_what_the_api_says(page: Page, server: str) -> None:
    page.goto(server)
    ask(page, QUESTION)
    first = page.locator("article").first
    first.locator("summary").click()
    said = api(server, QUESTION)["hits"][0]
    shown = [float(data.get_attribute("value") or "nan") for data in first.locator("tbody data").all()]
    assert shown == [pytest.approx(reason["contribution"]) for reason in said["explanation"]]
    assert sum(shown) == pytest.approx(said["score"])
    expect(first.locator("tfoot data")).to_have_text(f"{said['score']:.2f}")
    widths = [bar.evaluate("bar => bar.getBoundingClientRect().width") for bar in first.locator(".bar span").all()]
    assert widths == sorted(widths, reverse=True) and widths[0] > 50


def test_a_weight_of_zero_takes_its_field_out_and_reset_brings_it_back(page: Page, server: str) -> None:
    page.goto(server)
    ask(page, QUESTION)
    first = page.locator("article").first
    expect(first.locator("tbody th", has_text="Said")).to_have_count(2)  # words and meaning
    page.get_by_role("button", name="Weights").click()
    slider = page.locator("#weight-transcript input[type=range]")
    expect(slider).to_be_visible()
    said = page.locator("article tbody th", has_text="Said")
    for _ in range(10):  # the panel is still opening: a key pressed too early is lost
        slider.focus()
        page.keyboard.press("End")
        page.keyboard.press("Home")
        page.wait_for_timeout(2000)
        if said.count() == 0:
            break
    expect(said).to_have_count(0)
    without = api(server, QUESTION, w="transcript:0")["hits"][0]["score"]
    expect(first.locator("tfoot data")).to_have_attribute("value", re.compile(f"^{without:.6f}"[:8]))
    page.locator("#weights").get_by_role("button", name="Reset", exact=True).click()
    expect(first.locator("tbody th", has_text="Said")).to_have_count(2)  # words and meaning


def test_the_lane_can_be_chosen(page: Page, server: str) -> None:
    page.goto(server)
    ask(page, QUESTION)
    expect(page.locator("article small", has_text="meaning").first).to_be_attached()
    page.get_by_label("Words").check()
    expect(page.locator("article small", has_text="meaning")).to_have_count(0)
    expect(page.locator("article small", has_text="words").first).to_be_attached()


def test_filters_and_operators_narrow_the_results_and_the_page_says_how(page: Page, server: str) -> None:
    page.goto(server)
    ask(page, "loav -sock")
    expect(page.locator("#results .note")).to_contain_text("loaf")
    expect(page.locator("#results .line").last).to_contain_text('videos without "sock"')
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Hashtag").fill("sourdough")
    page.keyboard.press("Enter")
    expect(page.locator("article")).to_have_count(1)
    expect(page.locator("article")).to_have_attribute("data-id", BREAD)
    page.get_by_label("Posted before").fill("2023")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nothing fits")).to_be_visible()
    page.get_by_label("Posted before").fill("soon")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="That is no date")).to_be_visible()


def test_an_example_asks_itself(page: Page, server: str) -> None:
    page.goto(server)
    page.get_by_role("button", name=EXAMPLES[2]).click()
    expect(page.locator("article").first).to_have_attribute("data-id", PHOTOS)
    expect(page.get_by_label("What do you remember?")).to_have_value(EXAMPLES[2])
    expect(page.locator("article").first.locator(".slides img")).to_have_count(3)
    loaded = "pictures => pictures.every(picture => picture.complete && picture.naturalWidth > 0)"
    page.wait_for_function(
        f"({loaded})([...document.querySelectorAll('article:first-of-type .slides img')].slice(0, 1))"
    )


def test_the_time_plays_the_video_from_there(page: Page, server: str) -> None:
    statuses: list[int] = []
    page.on("response", lambda response: statuses.append(response.status) if "/video" in response.url else None)
    page.goto(server)
    ask(page, QUESTION)
    video = card(page, BREAD).locator("video")
    expect(video).to_have_attribute("src", f"/media/{BREAD}/video#t={BREAD_SECOND}")
    card(page, BREAD).get_by_role("button", name="Play from 0:12").click()
    # the second asked for is told back at once; only with data there (readyState 2) does the video really play from it
    playing = "[...document.querySelectorAll('video')].some(v => v.readyState >= 2 && v.currentTime > 0 && !v.paused)"
    page.wait_for_function(playing)
    at, length = video.evaluate("video => [video.currentTime, video.duration]")
    assert BREAD_SECOND - 0.5 <= at <= BREAD_SECOND + 6
    assert length == pytest.approx(VIDEO_S, abs=0.5)
    assert 206 in statuses


def test_hostile_text_shows_as_text_and_runs_nothing(page: Page, server: str) -> None:
    page.goto(server)
    for question in ("haunted toaster", "toaster whispers", "naughty strings", "script alert", "undefined null"):
        ask(page, question)
        expect(card(page, HOSTILE)).to_contain_text(HOSTILE_TEXTS["creator_nickname"])
        expect(card(page, HOSTILE)).to_contain_text("<script>alert('description')</script>")
        page.wait_for_timeout(200)
    assert page.locator("#results :is(script, iframe, svg, style, object, embed, form, input, base)").count() == 0
    handlers = (
        "[...document.querySelectorAll('#results *')].some(e => e.getAttributeNames().some(n => n.startsWith('on')))"
    )
    assert page.evaluate(handlers) is False
    link = card(page, HOSTILE).get_by_role("link")
    assert link.get_attribute("rel") == "noopener noreferrer" and link.get_attribute("onclick") is None
    ask(page, "<img src=x onerror=alert(1)> {{constructor}} ${alert(1)}")
    expect(page.locator("article").first).to_be_visible()


def test_foreign_text_stays_in_its_own_direction(page: Page, server: str) -> None:
    page.goto(server)
    ask(page, "صقر")
    expect(page.locator("article").first).to_have_attribute("data-id", FALCON)
    description = card(page, FALCON).locator(".description")
    assert description.evaluate("text => getComputedStyle(text).direction") == "rtl"
    assert card(page, FALCON).locator("h3").evaluate("title => getComputedStyle(title).direction") == "ltr"


def test_an_empty_question_says_what_to_do(page: Page, server: str) -> None:
    page.goto(server)
    ask(page, QUESTION)
    expect(page.locator("article").first).to_be_visible()
    ask(page, "   ")
    expect(page.get_by_role("heading", name="Ask for a video you remember")).to_be_visible()
    expect(page.locator("article")).to_have_count(0)


def test_without_an_index_the_page_says_what_to_run_and_answers_once_it_is_there(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    make_data(tmp_path)
    page.goto(serve(tmp_path, tmp_path / "indexes"))
    ask(page, QUESTION)
    expect(page.locator("#results code", has_text="python -m retrieval build")).to_be_visible()
    make_index(tmp_path, tmp_path / "indexes", Encoder("sentence-transformers/all-MiniLM-L6-v2"))
    ask(page, QUESTION)
    expect(page.locator("article").first).to_have_attribute("data-id", BREAD)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_nothing_sticks_out_sideways(context: BrowserContext, page: Page, server: str, width: int, scheme: Any) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    page.goto(server)
    for question in (QUESTION, "haunted toaster", "naughty strings"):
        ask(page, question)
        expect(page.locator("article").first).to_be_visible()
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        sticking = (
            "[...document.querySelectorAll('#results *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
        )
        assert page.evaluate(f"{sticking}.filter(e => !e.closest('.slides')).length") == 0
    dark = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).every(c => c < 80)"
    )
    assert dark == (scheme == "dark")
