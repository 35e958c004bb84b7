"""The tab Library over a real catalog and its indexes, and without them."""

import re
import shutil
from pathlib import Path

import pytest

from ingest.catalog import Catalog
from ingest.models.weights import resolve
from page.jobs import Jobs
from page.library_tab import BUILD, RETRY, TAB, figures_html, job_steps, state_html, videos_html
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.index.generation import generation_names, read_manifest
from retrieval.server.service import Service
from scraper.records import Video
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
    assert "<li>English " in html
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


def test_videos_come_by_the_day_of_posting_whatever_their_ids(tmp_path: Path) -> None:
    with Catalog(tmp_path, create=True) as catalog:
        catalog.put_video(Video(id="90000000000000000001", file_name="own clip.mp4", posted="2021-05-01"))
        catalog.put_video(Video(id="7200000000000000001", posted="2023-01-01"))
        catalog.put_video(Video(id="7100000000000000001", posted="2022-01-01"))
        catalog.put_video(Video(id="90000000000000000002", file_name="no date.mp4"))
        entries, _ = catalog.browser.page()
        named, _ = catalog.browser.page("own CLIP")
    assert [entry.video.posted for entry in entries] == ["2023-01-01", "2022-01-01", "2021-05-01", None]
    assert [entry.video.file_name for entry in named] == ["own clip.mp4"]
    html, _ = videos_html(Service(tmp_path, tmp_path / "indexes"), "", 0)
    assert "<bdi>own clip.mp4</bdi>" in html and 'href="?id=90000000000000000001"' in html


def test_videos_come_newest_first_in_pages(made: Path) -> None:
    with Catalog(made) as catalog:
        first, total = catalog.browser.page(limit=3)
        rest, _ = catalog.browser.page(offset=3, limit=10)
        assert total == 7
        shown = [entry.video.id for entry in (*first, *rest)]
        assert shown[0] == BREAD, "the only one with a day of posting"
        assert len(set(shown)) == total


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
    html, total = videos_html(service, words, 0)
    assert total == len(found)
    assert ids(html) == found


def test_the_fields_and_failed_stages_of_a_video_are_shown(service: Service) -> None:
    html, _ = videos_html(service, BREAD, 0)
    assert "Description, Creator, Music, On-screen text, Speech, Comments" in html
    assert "OCR: failed" in html


def test_scraped_text_stays_text(service: Service) -> None:
    html, _ = videos_html(service, "", 0)
    assert "&lt;script&gt;alert(&#x27;description&#x27;)" in html
    assert "<script" not in html
    assert not re.search(r"<[^>]+\son\w+\s*=", html)


def test_the_first_run_says_what_to_do(tmp_path: Path) -> None:
    service = Service(tmp_path / "none", tmp_path / "none")
    html, failed = figures_html(service)
    assert not failed
    assert [way for way in ("files", "export", "links") if f'data-add="{way}"' in html] == ["files", "export", "links"]
    assert videos_html(service, "", 0) == ("", 0)
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
    html, total = videos_html(Service(tmp_path, tmp_path), "number 19", 25)
    assert total == 111  # 19, 190 to 199, 1900 to 1999
    assert html.count("<tr") == 1 + 25


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
