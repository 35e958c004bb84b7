"""The tab Library over a real catalog and its indexes, and without them."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from ingest.catalog import Catalog
from ingest.models.weights import resolve
from page.jobs import Jobs
from page.library_tab import BUILD, RETRY, TAB, figures_html, job_steps, state_html, videos_page
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.index.generation import read_manifest
from retrieval.index.layout import generation_names
from retrieval.server.service import Service
from scraper.records import Video
from tests.page.fragments import check_inert
from tests.tiny_corpus import BREAD, FALCON, HOSTILE, KETTLE, LOST, make_data, make_index

DIGITS = re.compile(r"[0-9]{17}")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny corpus, with failures, and its index."""
    data = tmp_path_factory.mktemp("library")
    make_data(data)
    make_index(data, data / "indexes", SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    with Catalog(data) as catalog:
        catalog.fail(LOST, "download", "gone: https://example.org/1.mp4 answers 404 <b>Not Found</b>")
        catalog.fail(HOSTILE, "download", "gone: https://example.org/2.mp4 answers 404 <b>Not Found</b>")
        catalog.fail(BREAD, "ocr", "the picture ends early")
        catalog.ledger.put_file(LOST, "video", 0, "gone", "the server says 404")
    return data


@pytest.fixture
def service(made: Path) -> Service:
    return Service(made, made / "indexes")


def ids(html: str) -> list[str]:
    return list(dict.fromkeys(DIGITS.findall(html)))


def test_counts_stages_and_the_current_generation_are_shown(service: Service, made: Path) -> None:
    html, failed = figures_html(service)
    assert failed
    assert "<strong>7</strong> videos" in html
    assert "<strong>1</strong> with a video file" in html
    html = state_html(service)
    assert re.search(r'Download</th><td>\d</td><td>0</td><td class="?bad"?>2</td><td>\d</td>', html)
    assert service.searchers.get().generation.name in html
    assert "✓ current" in html


def test_failures_with_the_same_reason_are_one_line_with_examples(service: Service) -> None:
    html, _ = figures_html(service)
    assert "<b>2</b> × Download: gone: … answers … &lt;b&gt;Not Found&lt;/b&gt;" in html
    assert "https://example.org/1.mp4 answers 404" in html
    assert "<b>1</b> × OCR: the picture ends early" in html
    assert "<b>1</b> × video file: gone" in html


def shown(service: Service, words: str = "", offset: int = 0, chosen: dict[str, str] | None = None) -> Any:
    return videos_page(service, words, chosen or {}, "saved", offset)


def test_own_files_are_shown_by_their_names(tmp_path: Path) -> None:
    with Catalog(tmp_path, create=True) as catalog:
        catalog.put_video(Video(id="90000000000000000001", file_name="own clip.mp4", posted="2021-05-01"))
    html = shown(Service(tmp_path, tmp_path / "indexes"))["html"]
    assert ">own clip.mp4</bdi>" in html and 'href="?id=90000000000000000001"' in html


def test_videos_come_by_month_with_what_the_filters_can_be_set_to(service: Service) -> None:
    page = shown(service)
    assert page["count"] == "7 videos, newest saved first"
    assert "April 2024 <small>1</small>" in page["html"] and "January 2025 <small>1</small>" in page["html"]
    for value in ("Likes</bdi> <small>2", "Watch history</bdi> <small>1", "@crumb.and.crust</bdi> <small>1"):
        assert value in page["shelves"]
    page = shown(service, chosen={"in": "likes"})
    assert set(ids(page["html"])) == {BREAD, LOST}
    assert 'aria-label="Remove the filter: Likes"' in page["chips"] and 'aria-pressed="true"' in page["shelves"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("KETTLE sings", [KETTLE]),
        ("@crumb", [BREAD]),
        (LOST, [LOST]),
        ("صقر", [FALCON]),
        ("%", []),
        ("' OR 1=1 --", []),
    ],
)
def test_the_filter_looks_in_id_creator_and_description(service: Service, words: str, found: list[str]) -> None:
    page = shown(service, words)
    assert page["total"] == len(found)
    assert ids(page["html"]) == found


def test_scraped_text_stays_text(service: Service) -> None:
    page = shown(service)
    inert = check_inert(page["html"] + page["shelves"] + page["chips"])
    assert "<script>alert('description')</script> haunted" in inert.text


def test_the_first_run_says_what_to_do(tmp_path: Path) -> None:
    service = Service(tmp_path / "none", tmp_path / "none")
    html, failed = figures_html(service)
    assert not failed
    assert [way for way in ("files", "export", "links") if f'data-add="{way}"' in html] == ["files", "export", "links"]
    assert shown(service)["html"] == ""
    assert not (tmp_path / "none").exists(), "reading creates nothing"


def test_a_damaged_catalog_is_reported(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(b"no database at all " * 999)
    html, _ = figures_html(Service(tmp_path, tmp_path))
    assert "cannot be read" in html
    assert "Traceback" not in html


def test_a_catalog_without_an_index_says_how_to_build_one(tmp_path: Path, made: Path) -> None:
    shutil.copy(made / "catalog.sqlite", tmp_path)
    assert "None yet" in state_html(Service(tmp_path, tmp_path / "indexes"))


def test_a_large_catalog_is_read_in_pages(tmp_path: Path) -> None:
    with Catalog(tmp_path, create=True) as catalog, catalog.transaction():
        for number in range(2000):
            catalog.put_video(Video(id=str(7_000_000_000 + number), description=f"video number {number}"))
    page = shown(Service(tmp_path, tmp_path), "19 number", 60)
    assert page["total"] == 139 and page["next"] == 120  # with 19 anywhere
    assert page["html"].count("<li ") == 60


def test_retry_failed_indexes_what_it_could_read(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, tmp_path / "indexes")
    assert [step.arguments[1] for step in job_steps(jobs, RETRY, False)] == ["retry", "run", "build"]
    (build,) = job_steps(jobs, BUILD, True)
    assert build.arguments[-1] == "--only-read"


def test_build_index_keeps_the_encoder_of_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIKTOK_RETRIEVAL_ENCODER")
    make_data(tmp_path)
    other = str(shutil.copytree(resolve("sentence-transformers/all-MiniLM-L6-v2").folder, tmp_path / "other-encoder"))
    make_index(tmp_path, tmp_path / "indexes", SentenceEncoder(other))
    jobs = Jobs(tmp_path, tmp_path / "indexes")
    job = jobs.start(TAB, BUILD, lambda _: job_steps(jobs, BUILD, True))
    jobs.wait(120)
    assert job.state == "finished", list(job.lines)
    names = generation_names(tmp_path / "indexes")
    assert [read_manifest(tmp_path / "indexes", name).encoder for name in names] == [other, other]
