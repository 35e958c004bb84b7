"""The page without an index, while one is built, and with several."""

import re
from pathlib import Path

from filelock import FileLock
from playwright.sync_api import Page, expect

from retrieval.embedding.encoder import SentenceEncoder
from tests.e2e.actions import QUESTION, ask, settled, visit
from tests.e2e.conftest import Serve
from tests.tiny_corpus import BREAD, make_data, make_index


def test_without_an_index_the_page_says_what_to_run_and_answers_once_there_is_one(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    make_data(tmp_path)
    visit(page, serve(tmp_path, tmp_path / "indexes"))
    expect(page.get_by_role("heading", name="There is no index yet")).to_be_visible()
    ask(page, QUESTION)
    settled(page)
    expect(page.locator("#results code", has_text="tiktok-retrieval build")).to_be_visible()
    make_index(tmp_path, tmp_path / "indexes", SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    ask(page, QUESTION)
    expect(page.locator("article").first).to_have_attribute("data-id", BREAD)


def test_while_an_index_is_built_the_previous_one_answers_and_the_page_says_so(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    make_data(tmp_path)
    unfinished = tmp_path / "indexes" / "generations" / ".building-x"  # what a build works in
    unfinished.mkdir(parents=True)
    building = FileLock(tmp_path / "indexes" / ".build.lock")
    building.acquire()
    server = serve(tmp_path, tmp_path / "indexes")
    visit(page, server)
    expect(page.get_by_role("heading", name="The first index is being built")).to_be_visible()
    building.release()
    make_index(tmp_path, tmp_path / "indexes", SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    unfinished.mkdir()
    building.acquire()
    ask(page, QUESTION)
    expect(page.locator("article").first).to_have_attribute("data-id", BREAD)
    expect(page.get_by_text("A new index is being built")).to_be_visible()
    building.release()
    page.get_by_role("button", name="Search").click()
    settled(page)
    expect(page.get_by_text("A new index is being built")).to_have_count(0)


def test_an_older_index_can_be_searched(page: Page, serve: Serve, tmp_path: Path) -> None:
    make_data(tmp_path)
    encoder = SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2")
    old, _ = (make_index(tmp_path, tmp_path / "indexes", encoder).name for _ in range(2))
    visit(page, f"{serve(tmp_path, tmp_path / 'indexes')}/?q=loaf+hollow+drum")
    expect(page.locator("article").first).to_be_visible()
    expect(page.get_by_label("Index", exact=True).locator("option")).to_have_count(2)
    page.get_by_label("Index", exact=True).select_option(old)
    expect(page).to_have_url(re.compile(f"generation={old}"))
    settled(page)
    expect(page.locator("article").first).to_have_attribute("data-id", BREAD)
