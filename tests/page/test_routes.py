"""The routes behind the page: answers, errors in plain words, and metrics."""

import logging
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ingest.catalog import Catalog
from page import routes
from page.routes import answer_html, view_html
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.index.documents import FIELDS
from retrieval.server.api import create_app
from retrieval.server.service import Service
from scraper.records import Video
from tests.tiny_corpus import make_data, make_index


def test_an_invalid_date_is_a_plain_message(tmp_path: Path) -> None:
    asked = answer_html(Service(tmp_path, tmp_path), "", filtered={"after": "<last week>"})
    assert "&lt;last week&gt;" in asked and "write 2022" in asked


def test_errors_are_plain_messages_without_a_traceback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    service = Service(tmp_path, tmp_path)
    assert "Paste links" in answer_html(service, "cat") and "Paste links" in answer_html(service, "   ")
    with Catalog(tmp_path / "unindexed", create=True) as catalog:
        catalog.put_video(Video(id="7100000000000000001"))
    unindexed = Service(tmp_path / "unindexed", tmp_path)
    assert "<code>tiktok-retrieval build</code>" in answer_html(unindexed, "cat")
    assert str(tmp_path) not in answer_html(unindexed, "cat")
    assert "switched off" in answer_html(service, "cat", w=",".join(f"{field}:0" for field in FIELDS))
    assert "no field" in answer_html(service, "cat", w="<b>:1") and "&lt;b&gt;" in answer_html(
        service, "cat", w="<b>:1"
    )
    assert "tiktok-retrieval import" in view_html(service, "71000", None)
    with caplog.at_level(logging.CRITICAL):
        broken = answer_html(object(), "cat")  # type: ignore[arg-type]
    assert "Internal error" in broken and "Traceback" not in broken


def test_searches_on_the_page_are_counted_like_those_of_the_api(tmp_path: Path) -> None:
    make_data(tmp_path)
    make_index(tmp_path, tmp_path / "indexes", SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    served = create_app(tmp_path, tmp_path / "indexes")
    served.include_router(routes.routes(served.state.service, served.state.queue))
    client = TestClient(served)
    for address in ("/page/answer?q=loaf", "/api/search?q=loaf", "/page/answer?q=drum"):
        assert client.get(address).status_code == 200
    assert 'tiktok_retrieval_search_seconds_count{step="total"} 3.0' in client.get("/metrics").text


@pytest.mark.parametrize("parameter", ["mode", "lane"])
def test_the_mode_is_taken_by_its_name_or_its_old_name(tmp_path: Path, parameter: str) -> None:
    make_data(tmp_path)
    make_index(tmp_path, tmp_path / "indexes", SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    served = create_app(tmp_path, tmp_path / "indexes")
    served.include_router(routes.routes(served.state.service, served.state.queue))
    shown = TestClient(served).get(f"/page/answer?q=zzqqxj&{parameter}=keyword").text
    assert "Search by meaning as well" in shown
