"""Deleting a video on the page: it leaves the results at once, can come back, and is erased later."""

import json
import re
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, Route, expect

from ingest.catalog import Catalog
from tests.byte_search import find
from tests.e2e.actions import QUESTION, api, ask, card, visit
from tests.e2e.conftest import Serve, Trouble
from tests.tiny_corpus import BREAD, KETTLE

WORDS = ("sourdough", "ask the loaf", "drum solo", "sounds hollow", "IS IT DONE", "crumb.and.crust", "Crumb & Crust")


@pytest.fixture(scope="module")
def copied(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tiny corpus that the tests may change."""
    return shutil.copytree(tiny, tmp_path_factory.mktemp("removal") / "data")


@pytest.fixture(scope="module")
def own_server(copied: Path, serve: Serve) -> str:
    return serve(copied, copied / "indexes")


@pytest.fixture
def loading(page: Page) -> set[Request]:
    """The pictures that the page waits for: also of cards that another answer has replaced, which it cannot give up."""
    waiting: set[Request] = set()
    page.on("request", lambda one: waiting.add(one) if one.resource_type == "image" else None)
    page.on("requestfinished", lambda one: waiting.discard(one))
    page.on("requestfailed", lambda one: waiting.discard(one))
    return waiting


def ask_and_wait(page: Page, loading: set[Request]) -> None:
    ask(page, QUESTION)
    deadline = time.monotonic() + 60
    while loading and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    assert not loading


def test_a_deleted_video_leaves_the_page_and_comes_back_with_the_keyboard(
    page: Page, own_server: str, loading: set[Request]
) -> None:
    visit(page, own_server)
    ask_and_wait(page, loading)
    card(page, BREAD).get_by_role("button", name="Details").click()
    page.locator("#view").get_by_role("button", name="Delete").press("Enter")
    expect(page.locator("#view")).not_to_be_visible()
    expect(card(page, BREAD)).not_to_be_visible()
    expect(card(page, KETTLE)).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Deleted.")).to_be_visible()
    undo = page.get_by_role("button", name="Undo (30 s)")
    expect(undo).to_be_focused()
    assert BREAD not in [hit["id"] for hit in api(own_server, QUESTION)["hits"]]
    card(page, KETTLE).get_by_role("button", name="Details", exact=True).click()
    page.locator("#view").get_by_role("button", name="Delete").click()
    expect(undo).to_have_count(2)  # each has its own
    undo.last.click()
    expect(card(page, KETTLE)).to_be_visible()
    expect(card(page, BREAD)).not_to_be_visible()
    expect(undo).to_have_count(1)
    undo.press("Enter")
    expect(page.get_by_role("status").filter(has_text="The video is back.")).to_be_visible()
    expect(card(page, BREAD)).to_be_visible()
    assert api(own_server, QUESTION)["hits"][0]["id"] == BREAD


def test_a_deleted_video_waits_for_none_of_its_files(page: Page, own_server: str, loading: set[Request]) -> None:
    visit(page, own_server)
    ask_and_wait(page, loading)
    waiting: list[Route] = []
    page.route(f"**/media/{BREAD}/**", lambda route: waiting.append(route))
    card(page, BREAD).get_by_role("button", name="Details").click()
    expect(page.locator("#view video")).to_have_attribute("src", re.compile(BREAD))
    deadline = time.monotonic() + 60
    while not any(route.request.resource_type == "media" for route in waiting) and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    assert {route.request.resource_type for route in waiting} == {"image", "media"}
    page.locator("#view").get_by_role("button", name="Delete").press("Enter")
    expect(card(page, BREAD)).not_to_be_visible()
    for route in waiting:
        route.continue_()  # the server has none of it any more: an answer would be an error in the console
    page.unroute_all()
    page.get_by_role("button", name="Undo (30 s)").press("Enter")
    expect(card(page, BREAD)).to_be_visible()


def test_a_video_that_could_not_be_deleted_plays_from_where_it_was(
    page: Page, own_server: str, trouble: Trouble
) -> None:
    visit(page, own_server)
    ask(page, QUESTION)
    card(page, BREAD).get_by_role("button", name="Details").click()
    video = page.locator("#view video")
    expect(video).not_to_have_js_property("readyState", 0)
    video.evaluate("(video) => { video.pause(); video.currentTime = 0.2; }")
    page.route("**/api/videos/*", lambda route: route.abort())
    page.locator("#view").get_by_role("button", name="Delete").click()
    expect(page.locator("#view").get_by_role("button", name="Not deleted. Try again.")).to_be_visible()
    expect(video).to_have_attribute("src", re.compile(BREAD))
    expect(video).not_to_have_js_property("readyState", 0)
    assert video.evaluate("(video) => video.currentTime") == pytest.approx(0.2, abs=0.05)
    assert len(trouble.errors) == 1 and "ERR_FAILED" in trouble.errors.pop()


def test_a_cover_of_the_library_can_be_deleted_and_nothing_is_left_of_the_video(
    page: Page, own_server: str, copied: Path, loading: set[Request]
) -> None:
    assert set(find([copied], [*WORDS, BREAD])) == {*WORDS, BREAD}
    visit(page, own_server)
    ask_and_wait(page, loading)
    page.get_by_role("link", name="Library", exact=True).click()
    row = page.locator(f"#library-videos li[data-id='{BREAD}']")
    row.get_by_role("button", name="Delete").click()
    expect(row).not_to_be_visible()
    page.get_by_role("link", name="Search", exact=True).click()
    expect(card(page, BREAD)).not_to_be_visible()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{own_server}/media/{BREAD}/video", timeout=30)
    with Catalog(copied) as catalog:  # does not wait 30 seconds; the server does the rest
        catalog.removals.claim([BREAD])
    deadline = time.monotonic() + 60
    left = [BREAD]
    while left and time.monotonic() < deadline:
        assert BREAD not in [hit["id"] for hit in api(own_server, QUESTION)["hits"]]
        with Catalog(copied) as catalog:
            left = catalog.removals.unfinished([BREAD])
        time.sleep(0.1)
    assert not left
    assert find([copied], [*WORDS, BREAD], allowed=[(BREAD, "removals")]) == {}
    ask(page, QUESTION)
    expect(card(page, KETTLE)).to_be_visible()
    expect(card(page, BREAD)).to_have_count(0)
    assert KETTLE in json.dumps(api(own_server, QUESTION))
