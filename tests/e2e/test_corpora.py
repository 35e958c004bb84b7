"""The switch between several corpora, and the page below a path, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from ingest.catalog import Catalog
from retrieval.embedding.encoder import KeywordOnly
from scraper.records import Video
from tests.command_line import ENTRY_POINT, REPOSITORY, environment
from tests.e2e.actions import ask, card, playing, settled, visit
from tests.serving import served
from tests.tiny_corpus import BREAD, make_data, make_index

OTHER = "72000000000000001"


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("several")
    make_data(folder / "one")
    with Catalog(folder / "two" / "data", create=True) as catalog:
        catalog.put_video(Video(id=OTHER, description="a loaf in the study"))
    make_index(folder / "one", folder / "one indexes", KeywordOnly())
    make_index(folder / "two" / "data", folder / "two" / "indexes", KeywordOnly())
    corpora = f"Study = {folder / 'two'}; My videos = {folder / 'one'} | {folder / 'one indexes'}"
    with served([*ENTRY_POINT, "serve"], environment({"TIKTOK_RETRIEVAL_CORPORA": corpora}), REPOSITORY) as address:
        yield address


def test_the_switch_keeps_the_question_and_changes_the_corpus(page: Page, several: str) -> None:
    visit(page, several)
    ask(page, "loaf")
    expect(card(page, OTHER)).to_be_visible()
    page.get_by_label("Corpus").select_option("My videos")
    expect(card(page, BREAD)).to_be_visible()
    expect(page.get_by_label("What do you remember?")).to_have_value("loaf")
    assert "/corpus/my-videos/?q=loaf" in page.url
    expect(page.get_by_label("Corpus").locator("option:checked")).to_have_text("My videos")
    page.go_back()
    expect(card(page, OTHER)).to_be_visible()
    expect(page.get_by_label("Corpus").locator("option:checked")).to_have_text("Study")


def test_everything_works_below_a_path(page: Page, several: str) -> None:
    """Media, the view of a video, judgements, downloads, and the tabs."""
    visit(page, f"{several}corpus/my-videos/")
    ask(page, "loaf hollow drum")
    expect(card(page, BREAD).locator("img")).to_have_js_property("naturalWidth", 90)
    card(page, BREAD).locator("[data-judge]").click()
    expect(card(page, BREAD).locator("[data-judge][aria-pressed=true]")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download results").click()
    assert BREAD in Path(download.value.path()).read_text(encoding="utf-8")
    card(page, BREAD).locator("[data-show]").first.click()
    playing(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="VTT").click()
    assert "WEBVTT" in Path(download.value.path()).read_text(encoding="utf-8")
    page.keyboard.press("Escape")
    settled(page)
    page.get_by_role("link", name="Library", exact=True).click()
    expect(page.locator(f"#tab-library [data-id='{BREAD}']")).to_be_visible()


def test_one_corpus_has_no_switch(page: Page, server: str) -> None:
    visit(page, server)
    expect(page.get_by_label("Corpus", exact=True)).to_have_count(0)
