"""The tabs Library and Evaluate: counts, adding videos, jobs, measuring and comparing."""

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from ingest.catalog import Catalog
from tests.e2e.actions import visit
from tests.e2e.conftest import Serve
from tests.tiny_corpus import BREAD, HOSTILE, LOST

JOB_MS = 120_000  # a command loads torch, on a busy machine
PHONE = {"width": 360, "height": 800}


@pytest.fixture(scope="module")
def address(serve: Serve, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A server of a copy of the tiny corpus in which some items have failed."""
    data = tmp_path_factory.mktemp("tabs") / "data"
    shutil.copytree(tiny, data)
    with Catalog(data) as catalog:
        catalog.fail(LOST, "download", "gone: the server answers 404 <img src=x onerror=alert(1)>")
        catalog.fail(HOSTILE, "download", "gone: the server answers 404 <img src=x onerror=alert(1)>")
        catalog.ledger.set(BREAD, "download", "done")  # so that no job downloads anything
    return serve(data, data / "indexes")


def open_tab(page: Page, address: str, name: str) -> None:
    visit(page, address)
    page.get_by_role("link", name=name, exact=True).click()
    if name == "Library":  # a press is lost while the tab's contents still arrive
        expect(page.locator("#library-figures")).to_contain_text("videos")
        expect(page.get_by_text("newest saved first")).to_be_visible()


def test_the_library_shows_counts_and_failures_with_their_reasons(page: Page, address: str) -> None:
    open_tab(page, address, "Library")
    figures = page.locator("#library-figures")
    expect(figures).to_contain_text("7 videos")
    reason = figures.get_by_text("Download: gone: the server answers")
    expect(reason).to_be_visible()
    reason.click()
    expect(figures.get_by_text("reunion: gone: the server answers 404 <img src=x onerror=alert(1)>")).to_be_visible()
    figures.locator(f"a[data-open='{LOST}']").click()
    expect(page.locator("#view .view")).to_have_attribute("data-id", LOST)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Retry failed")).to_be_visible()
    page.locator("#library-steps > summary").click()
    steps = page.locator("#library-state")
    expect(steps.get_by_role("row", name=re.compile("^Download"))).to_contain_text("2")
    expect(steps.get_by_text("✓ current")).to_be_visible()


def test_hostile_descriptions_are_text(page: Page, address: str) -> None:
    open_tab(page, address, "Library")
    page.get_by_label("Filter by words").fill("toaster")
    videos = page.locator("#library-videos")
    expect(videos.locator("li")).to_have_count(1)
    expect(videos).to_contain_text("<script>alert('description')</script> haunted **toaster**")


def test_a_video_of_the_library_opens_over_it(page: Page, address: str) -> None:
    open_tab(page, address, "Library")
    page.locator(f"#library-videos a[data-open='{BREAD}']").click()
    expect(page.locator("#view[open]")).to_contain_text("ask the loaf")
    assert f"id={BREAD}" in page.url and "tab=Library" in page.url
    page.keyboard.press("Escape")
    expect(page.locator("#library-videos")).to_be_visible()
    expect(page).to_have_url(re.compile("tab=Library$"))


def test_a_job_is_stopped_from_the_page(page: Page, address: str) -> None:
    open_tab(page, address, "Library")
    page.locator("#library-steps > summary").click()
    page.get_by_role("button", name="Build index").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".job.stopped")).to_be_visible(timeout=JOB_MS)
    assert page.request.get(f"{address}/api/search?q=loaf").ok


def test_judgements_are_measured_and_the_figures_shown(page: Page, address: str) -> None:
    visit(page, f"{address}/?q=loaf+hollow+drum")
    the_one = page.get_by_role("button", name="This is the one").first
    the_one.click()
    expect(the_one).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Evaluate", exact=True).click()
    expect(page.locator("#judgements")).to_contain_text("loaf hollow drum")
    assert page.request.get(f"{address}/api/judgements/queries").json()[0]["text"] == "loaf hollow drum"
    page.get_by_role("button", name="Measure", exact=True).click()
    figures = page.locator("#evaluation")
    expect(figures).to_contain_text("1 query, ", timeout=JOB_MS)
    expect(figures.locator(".verdict")).to_contain_text("1 question is too few to tell")
    figures.get_by_text("Figures of 1 query").click()
    expect(figures.get_by_role("row", name=re.compile("^Hybrid \\d"))).to_contain_text("1.000")
    heads = figures.get_by_role("table").first.get_by_role("rowheader")
    for mode, order in (("ascending", ["Dense", "Hybrid", "Keyword"]), ("descending", ["Keyword", "Hybrid", "Dense"])):
        figures.get_by_role("button", name="Mode", exact=True).click()
        expect(heads).to_have_text(order)
        expect(figures.get_by_role("columnheader", name="Mode")).to_have_attribute("aria-sort", mode)


def test_the_report_of_a_comparison_is_shown_in_its_frame(page: Page, address: str, tmp_path: Path) -> None:
    (tmp_path / "queries.json").write_text(json.dumps([{"text": "the haunted toaster", "target": HOSTILE}]))
    open_tab(page, address, "Evaluate")
    page.get_by_label("A query file").check()
    page.get_by_label("Query file (JSON").fill(str(tmp_path / "queries.json"))
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator("#report iframe")).to_be_visible(timeout=JOB_MS)
    report = page.frame_locator("#report iframe")
    expect(report.get_by_text("Which embedding model finds the target?")).to_be_visible()


@pytest.mark.parametrize("name", ["Library", "Evaluate"])
def test_the_tabs_fit_a_phone(page: Page, address: str, name: str) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    open_tab(page, address, name)
    expect(
        page.locator("#library-figures h2" if name == "Library" else "#judgements :is(h2, h3)").first
    ).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
