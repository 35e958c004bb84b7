"""scraper.js: the panel, options, the bookmarklet, and a page as the site served it."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from scraper import bookmarklet
from tests.scraper.browser_script import (
    IN_VAIN,
    QUICK,
    SCRIPT,
    Open,
    extract,
    imported,
    numbered,
    scrape,
    texts,
)
from tests.scraper.pages import Clip, Site, served


def test_the_panel_works_by_keyboard_and_hides_its_keys_from_the_site(open_site: Open) -> None:
    page = open_site(Site(numbered(3)))
    page.get_by_role("spinbutton", name="How many videos").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("2")
    page.keyboard.press("Tab")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename.endswith("-2.json")
    page.get_by_role("button", name="Save").focus()
    with page.expect_download():
        page.keyboard.press("Enter")
    assert page.evaluate("window.keys") == []
    page.get_by_role("button", name="Hide this panel").press("Enter")
    assert page.get_by_role("region", name="Scraper").count() == 0


def test_pasting_again_leaves_one_panel_and_no_second_run(open_site: Open) -> None:
    page = open_site(Site(numbered(4, remarks_after_ms=200)))
    page.evaluate("(o) => { window.going = scrape_tiktoks(4, o) }", QUICK)
    with pytest.raises(Exception, match="a run is active"):
        scrape(page, 2)
    page.evaluate(SCRIPT)
    assert len(page.evaluate("window.going")) < 4
    assert page.locator("#tiktok-retrieval-panel").count() == 1


def test_a_misspelt_option_and_a_wrong_number_are_named(open_site: Open) -> None:
    page = open_site(Site([Clip(1)]))
    with pytest.raises(Exception, match="unknown option dealy; the options are: delay, comments"):
        page.evaluate("scrape_tiktoks(3, {dealy: 2000})")
    with pytest.raises(Exception, match="how many"):
        page.evaluate("scrape_tiktoks()")
    for options in ("{delay: -1}", "{delay: NaN}", "{delay: '4s'}", "{replies: 1}"):
        with pytest.raises(Exception, match="must be"):
            page.evaluate(f"scrape_tiktoks(1, {options})")


def test_a_delay_beyond_the_limit_of_timers_stays_long(open_site: Open) -> None:
    page = open_site(Site(numbered(1, remarks_after_ms=600)))
    assert texts(page.evaluate("scrape_tiktoks(1, {delay: Infinity, save: false})")[0]) == ["about 0", "more of 0"]


def test_a_page_whose_fetch_cannot_be_replaced_is_scraped_all_the_same(open_site: Open) -> None:
    page = open_site(Site(numbered(2)))
    page.evaluate("() => { const own = fetch; Object.defineProperty(window, 'fetch', { get: () => own }); }")
    assert len(scrape(page, 2)) == 2
    page.evaluate("clear_batch()")


def test_the_bookmarklet_in_docs_has_the_current_script() -> None:
    assert bookmarklet.PAGE.read_text(encoding="utf-8") == bookmarklet.page(), "run python -m scraper.bookmarklet"


def test_the_bookmarklet_runs_when_clicked(context: BrowserContext) -> None:
    shelf = context.new_page()
    shelf.set_content(bookmarklet.PAGE.read_text(encoding="utf-8"))
    link = shelf.get_by_role("link", name="Scrape TikToks").get_attribute("href")
    site = Site(numbered(2))
    with served(site) as address:
        page = context.new_page()
        page.goto(site.start(address))
        page.evaluate(
            "(to) => document.body.append(Object.assign(document.createElement('a'), {href: to, id: 'b'}))", link
        )
        page.evaluate("document.getElementById('b').click()")
        page.get_by_role("spinbutton", name="How many videos").fill("2")
        with page.expect_download() as download:
            page.get_by_role("button", name="Start").click()
        assert download.value.suggested_filename.endswith("-2.json")


def test_a_script_too_long_for_a_bookmark_is_refused() -> None:
    with pytest.raises(ValueError, match="65536 characters"):
        bookmarklet.bookmarklet("x" * 70_000)


@pytest.mark.research_data("a page as the site served it")
def test_a_real_page_gives_a_full_record(context: BrowserContext, shared_data: Path, tmp_path: Path) -> None:
    """Of 2023, in the layout with the comments below; its own scripts cannot be fetched here, its data is all there."""
    source = (shared_data / "one_video" / "page.html").read_text(encoding="utf-8")
    page = context.new_page()
    address = "https://www.tiktok.com/@someone/video/7261314534885870894"
    page.route("https://www.tiktok.com/@*/video/*", lambda route: route.fulfill(body=source, content_type="text/html"))
    page.goto(address, wait_until="domcontentloaded")
    page.evaluate(SCRIPT)
    record = extract(page, delay=IN_VAIN)
    assert record["id"] == "7261314534885870894"
    assert set(record["missing"]) <= {"comments"}
    assert record["video-src"].startswith("https://v16-webapp-prime.")
    assert (record["like-count-exact"], record["play-count"], record["like-count"]) == (7705, 72_800, "7705")
    assert record["time-posted-iso"] == "2023-07-29T18:49:15.000Z"
    assert "ASR" in {caption["source"] for caption in record["captions"]}
    (tmp_path / "batch.json").write_text(json.dumps([record]))
    (video,) = imported(tmp_path / "batch.json", tmp_path / "data").values()
    assert (video.likes, video.posted, len(video.captions)) == (7705, "2023-07-29", len(record["captions"]))
