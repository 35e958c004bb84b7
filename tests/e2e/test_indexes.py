"""The page without an index, while one is built, and with several."""

import re
import shutil
from functools import partial
from pathlib import Path

from filelock import FileLock
from playwright.sync_api import Page, Request, expect

from ingest.catalog import Catalog
from retrieval.embedding.encoder import KeywordOnly, SentenceEncoder
from retrieval.index.builder import build
from retrieval.index.documents import document
from scraper.records import Video
from tests.e2e.actions import QUESTION, api, ask, judgements, open_menu, settled, visit
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
    unfinished.rmdir()  # as a build does, before the server has the lock in its turn
    building.release()
    page.get_by_role("button", name="Search", exact=True).click()
    settled(page)
    expect(page.get_by_text("A new index is being built")).to_have_count(0)


def test_all_encoders_of_an_index_are_named(page: Page, serve: Serve, tmp_path: Path) -> None:
    make_data(tmp_path)
    names = ("sentence-transformers/all-MiniLM-L6-v2", "intfloat/multilingual-e5-small")
    with Catalog(tmp_path) as catalog:
        documents = [document(entry) for entry in catalog.entries(catalog.ids())]
    build(documents, tmp_path / "indexes", *map(SentenceEncoder, names))
    make_index(tmp_path, tmp_path / "indexes", KeywordOnly())
    visit(page, f"{serve(tmp_path, tmp_path / 'indexes')}/?q=loaf+hollow+drum")
    expect(page.locator("article").first).to_be_visible()
    open_menu(page, "More")
    page.locator("#researchers > summary").click()
    expect(page.locator("#encoders")).to_have_text("None: this index answers by keywords only.")
    index = page.get_by_label("Index", exact=True)
    expect(index.locator("option").nth(1)).to_have_text(re.compile("^all-MiniLM-L6-v2 \\+ multilingual-e5-small, "))
    index.select_option(index=1)
    expect(page.locator("#encoders")).to_have_text(re.compile(r"^all-MiniLM-L6-v2 \(.*\); multilingual-e5-small \("))


def test_an_older_index_can_be_searched(page: Page, serve: Serve, tmp_path: Path) -> None:
    make_data(tmp_path)
    encoder = SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2")
    old, _ = (make_index(tmp_path, tmp_path / "indexes", encoder).name for _ in range(2))
    visit(page, f"{serve(tmp_path, tmp_path / 'indexes')}/?q=loaf+hollow+drum")
    expect(page.locator("article").first).to_be_visible()
    open_menu(page, "More")
    page.locator("#researchers > summary").click()
    expect(page.get_by_label("Index", exact=True).locator("option")).to_have_count(2)
    expect(page.locator("#encoders")).to_have_text(re.compile(r"^all-MiniLM-L6-v2 \(English, (bf16|fp32)\)$"))
    page.get_by_label("Index", exact=True).select_option(old)
    expect(page).to_have_url(re.compile(f"generation={old}"))
    settled(page)
    expect(page.locator("article").first).to_have_attribute("data-id", BREAD)


IDS = [f"72{n:017}" for n in range(17)]


def added(folder: Path, encoder: SentenceEncoder, ids: list[str], description: str) -> str:
    """Add videos and index all. Return the name of the generation."""
    with Catalog(folder, create=True) as catalog:
        for one in ids:
            catalog.put_video(Video(id=one, description=description))
    return make_index(folder, folder / "indexes", encoder).name


def test_what_follows_results_comes_from_their_index_although_there_is_a_newer_one(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    ids, add = IDS, partial(added, tmp_path, SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    old = add(ids[:14], "a kettle and many other things in a long text about something else")
    asked: list[str] = []

    def note(request: Request) -> None:
        if old in f"{request.url} {request.post_data}":
            asked.append(request.url)

    page.on("request", note)
    visit(page, f"{serve(tmp_path, tmp_path / 'indexes')}/?q=kettle")
    expect(page.locator("article")).to_have_count(10)
    new = add(ids[14:], "kettle")  # these come first from now on
    page.get_by_role("button", name="More results").click()
    expect(page.locator("article")).to_have_count(14)
    shown = page.locator("article").evaluate_all("cards => cards.map(card => card.dataset.id)")
    assert sorted(shown) == ids[:14]
    last = page.locator("article").last
    last.locator(".cover").click()
    expect(page.locator("#view .alike li").first).to_be_visible()
    assert old not in page.url, "a link that is shared asks the current index"
    page.locator("#view").get_by_role("button", name="This is the one").first.click()
    expect(page.locator("#view .one[aria-pressed=true]").first).to_be_visible()
    assert len(asked) == 3, "more, the view and the judgement"
    assert judgements(page.url.partition("/?")[0])[0]["generation"] == old != new


def test_what_follows_results_comes_from_the_current_index_if_theirs_is_gone_and_the_page_says_so(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    ids, add = IDS, partial(added, tmp_path, SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    old = add(ids[:14], "a kettle and many other things in a long text about something else")
    server = serve(tmp_path, tmp_path / "indexes")
    visit(page, f"{server}/?q=kettle")
    expect(page.locator("article")).to_have_count(10)
    add(ids[14:], "kettle")  # these come first from now on
    shutil.rmtree(tmp_path / "indexes" / "generations" / old)
    said = page.get_by_text("The index has changed since.")

    def downloaded() -> int:
        with page.expect_download() as download:
            page.get_by_role("link", name="Download results (CSV)").click()
        return len(download.value.path().read_text(encoding="utf-8-sig").splitlines()) - 1

    api(server, "kettle")  # the server lets go of the old one
    assert downloaded() == 17
    expect(said).to_have_count(1)
    page.get_by_role("button", name="More results").click()
    expect(said).to_have_count(2)
    shown = page.locator("article").evaluate_all("cards => cards.map(card => card.dataset.id)")
    assert len(shown) == len(set(shown)) and set(ids[:14]) >= set(shown[:10])
    page.locator("article").last.locator(".cover").click()
    expect(page.locator("#view .alike li").first).to_be_visible()
    page.locator("#view").get_by_role("button", name="This is the one").first.click()
    expect(page.locator("#view .one[aria-pressed=true]").first).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("article").nth(1).get_by_role("button", name="Nearer to this").click()
    settled(page)
    expect(page.locator("article").first).to_be_visible()
