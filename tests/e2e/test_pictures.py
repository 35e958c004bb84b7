"""Search by a picture on the page: chosen, pasted, dropped, refused; frames in the view; more like a frame."""

import base64
import contextlib
import os
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Error, Page, Route, expect

from retrieval.embedding.encoder import SentenceEncoder
from tests.e2e.actions import card, playing, settled, until, visit
from tests.e2e.conftest import WAIT_MS, Trouble, servers
from tests.retrieval.seen_corpus import (
    BED,
    HOSPITAL,
    QUESTION,
    REPOST,
    ROLLER_COASTER,
    SKYSCRAPERS,
    TENT,
    make_seen_index,
    screenshot,
)


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of five videos and a copy of one, whose index knows what they show."""
    folder = tmp_path_factory.mktemp("seen")
    encoder = SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2")
    make_seen_index(folder, encoder, (ROLLER_COASTER, REPOST, TENT, BED, HOSPITAL, SKYSCRAPERS))
    with pytest.MonkeyPatch.context() as patched, servers(tmp_path_factory) as start:
        patched.setitem(os.environ, "TIKTOK_RETRIEVAL_OCR_ENGINE", "tesseract")  # loads nothing
        address = start(folder / "data", folder / "indexes")
        urllib.request.urlopen(f"{address}/api/search?q=tent", timeout=WAIT_MS / 300).close()  # the models have loaded
        yield address


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shots") / "shot.png"
    path.write_bytes(screenshot(TENT, "hello pancake"))
    return path


def answered(page: Page) -> None:
    """Wait for the answer to a search by a picture."""
    expect(page.locator(".by-picture")).to_be_visible()
    settled(page)


def choose(page: Page, path: Path) -> None:
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name="Search by a picture").press("Enter")
    chosen.value.set_files(path)
    answered(page)


def test_a_screenshot_is_chosen_by_keyboard_and_its_words_can_be_left_out(page: Page, seeing: str, shot: Path) -> None:
    visit(page, seeing)
    choose(page, shot)
    expect(page.locator("article").first).to_have_attribute("data-id", TENT)
    expect(page.locator("article").first).to_contain_text("What it shows")
    expect(page.get_by_label("What do you remember?")).to_be_focused()
    words = page.get_by_role("list", name="Words read in it")
    expect(words.get_by_role("button", name="pancake", pressed=True)).to_be_visible()
    words.get_by_role("button", name="pancake").press("Enter")
    expect(words.get_by_role("button", name="pancake", pressed=False)).to_be_visible()
    expect(page).to_have_url(re.compile(r"read=hello(&|$)"))
    settled(page)
    page.get_by_label("What do you remember?").fill("video number")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=video"))
    settled(page)
    expect(page.locator("article mark").first).to_have_text("video")
    page.reload()
    answered(page)
    expect(page.get_by_label("What do you remember?")).to_have_value("video number")
    page.get_by_role("button", name="Search without the picture").click()
    expect(page.locator(".by-picture")).to_have_count(0)
    settled(page)
    expect(page).not_to_have_url(re.compile("picture="))
    page.go_back()
    answered(page)
    expect(page.locator("article").first).to_have_attribute("data-id", TENT)


def test_a_picture_is_pasted_and_one_is_dropped_on_the_upper_part(
    page: Page, seeing: str, context: BrowserContext, shot: Path
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit(page, seeing)
    content = base64.b64encode(shot.read_bytes()).decode()
    page.evaluate(
        """async (content) => {
            const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
            const item = new ClipboardItem({ "image/png": new Blob([bytes], { type: "image/png" }) });
            await navigator.clipboard.write([item]);
        }""",
        content,
    )
    page.keyboard.press("Control+V")
    answered(page)
    expect(page.locator("article").first).to_have_attribute("data-id", TENT)

    visit(page, seeing)
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(shot)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 640, "y": 150, "data": data})
    expect(page.get_by_text("Drop the picture here to search by it")).to_be_visible()
    expect(page.get_by_text("Drop files, folders or zips to add them")).to_be_visible()
    session.send("Input.dispatchDragEvent", {"type": "drop", "x": 640, "y": 150, "data": data})
    answered(page)
    expect(page.get_by_role("dialog", name="Add videos")).not_to_be_visible()


def test_what_is_refused_or_gone_is_said_and_the_next_picture_works(
    page: Page, seeing: str, shot: Path, trouble: Trouble
) -> None:
    visit(page, seeing)
    broken = {"name": "x.png", "mimeType": "image/png", "buffer": b"<script>alert(1)</script>"}
    page.locator("#picked").set_input_files(files=broken)  # type: ignore[arg-type]
    expect(page.get_by_text("it is not an image of a known format")).to_be_focused()
    page.locator("#picked").set_input_files(files={"name": "a.txt", "mimeType": "text/plain", "buffer": b"x"})
    expect(page.get_by_text("“a.txt” is not a picture.")).to_be_visible()
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name="Choose another picture").click()
    chosen.value.set_files(shot)
    answered(page)
    expect(page.locator("#looking")).not_to_be_visible()
    visit(page, f"{seeing}/?picture={'0' * 32}")
    expect(page.get_by_role("heading", name="The picture is gone")).to_be_visible()
    page.locator("#results").get_by_role("button", name="Search without the picture").click()
    expect(page.locator(".latest")).to_be_visible()
    trouble.errors[:] = [error for error in trouble.errors if "422" not in error]


def test_reading_a_picture_can_be_cancelled(page: Page, seeing: str, shot: Path) -> None:
    visit(page, seeing)
    held: list[Route] = []
    page.route("**/api/pictures", lambda route: held.append(route))  # it takes for ever
    page.locator("#picked").set_input_files(shot)
    expect(page.get_by_text("Reading the picture")).to_be_visible()
    page.locator("#looking").get_by_role("button", name="Cancel").click()
    expect(page.locator("#looking")).not_to_be_visible()
    expect(page.locator(".by-picture")).to_have_count(0)
    for route in held:
        with contextlib.suppress(Error):  # the page has taken its request back
            route.abort()


def test_without_a_vision_model_the_button_says_how_to_get_one(page: Page, server: str) -> None:
    visit(page, server)
    until(page, "'vision' in document.body.dataset")
    page.get_by_role("button", name="Search by a picture").press("Enter")
    expect(page.locator("#looking")).to_contain_text("tiktok-retrieval build --vision MODEL")
    expect(page.get_by_role("link", name="How, and which models")).to_be_visible()
    page.locator("#looking").get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Search by a picture")).to_be_focused()


def test_the_view_has_the_frames_and_each_plays_and_finds_more(page: Page, seeing: str) -> None:
    visit(page, f"{seeing}/?q={QUESTION.replace(' ', '+')}&w=seen:2")
    best = page.locator("article").first  # the video or its copy, whichever has the nearer words
    assert best.get_attribute("data-id") in (ROLLER_COASTER, REPOST)
    best.get_by_role("button", name="What it shows at").click()
    strip = page.get_by_role("group", name="Frames")
    expect(strip.locator("li.found").first).to_be_visible()
    expect(strip).to_contain_text("Found by your search")
    until(page, "[...document.querySelectorAll('.strip img')].every((one) => one.naturalWidth > 0)")
    frame = strip.locator("[data-seek]").last
    second = float(frame.get_attribute("data-seek") or 0)
    frame.click()
    playing(page)
    assert second > 1 and page.locator("video").evaluate("video => video.currentTime") >= second - 0.5
    expect(page).to_have_url(re.compile(f"t={second:.2f}"))
    strip.get_by_role("button", name="More like this frame").last.click()
    answered(page)
    expect(page.locator("#view")).not_to_be_visible()
    expect(page.locator(".by-picture")).to_contain_text("More like this frame of me at 0:0")
    expect(card(page, ROLLER_COASTER)).to_have_count(0)
    expect(card(page, REPOST)).to_have_count(0)
    expect(page.get_by_label("What do you remember?")).to_have_value("")
    other = page.locator("article").first.get_attribute("data-id")
    page.locator("article").first.get_by_role("button", name="More like this frame").click()
    expect(page).to_have_url(re.compile(f"picture={other}"))
    answered(page)
    page.reload()  # a frame needs nobody's memory
    answered(page)
    expect(page.locator("article").first).to_be_visible()


def test_a_card_counts_the_copies_and_opens_them(page: Page, seeing: str) -> None:
    visit(page, f"{seeing}/?q={QUESTION.replace(' ', '+')}&w=seen:2")
    best = page.locator("article").first
    one = best.get_attribute("data-id")
    [other] = {ROLLER_COASTER, REPOST} - {one}
    expect(card(page, other)).to_have_count(0)
    best.get_by_text("2 copies").click()
    best.locator(".copies a").click()
    expect(page.locator(f"#view .view[data-id='{other}']")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#view")).not_to_be_visible()
    expect(best).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing(browser: Browser, seeing: str, shot: Path, scheme: str, width: int) -> None:
    # the page's own policy would keep the checker out too
    size = {"width": width, "height": 900}
    context = browser.new_context(viewport=size, color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    context.set_default_timeout(60_000)
    page = context.new_page()

    def check() -> None:
        page.wait_for_timeout(700)  # colours fade in
        found = Axe().run(page).response["violations"]
        assert [(one["id"], [node["html"][:200] for node in one["nodes"]][:5]) for one in found] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off"

    try:
        visit(page, f"{seeing}/?q={QUESTION.replace(' ', '+')}&w=seen:2&id={ROLLER_COASTER}")
        expect(page.locator(".strip .found").first).to_be_visible()
        check()
        page.keyboard.press("Escape")
        page.locator("#picked").set_input_files(shot)
        answered(page)
        page.get_by_role("list", name="Words read in it").get_by_role("button").first.click()
        expect(page.locator(".read [aria-pressed=false]")).to_be_visible()
        page.locator("#picked").set_input_files(files={"name": "a.txt", "mimeType": "text/plain", "buffer": b"x"})
        expect(page.locator("#looking")).to_be_visible()
        check()
    finally:
        context.close()
