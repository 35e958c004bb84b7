"""The routes behind the page: answers, errors in plain words, and metrics."""

import logging
from pathlib import Path
from typing import cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ingest.catalog import Catalog
from page import gradio_engine, routes
from page.routes import answer_html, view_html
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.index.documents import FIELDS
from retrieval.server.api import create_app
from retrieval.server.concurrency import Queue
from retrieval.server.service import CHANGED, Service
from scraper.records import Video
from tests.page.fragments import answered, check_inert
from tests.tiny_corpus import BREAD, make_data, make_index


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    folder = tmp_path_factory.mktemp("tiny")
    make_data(folder)
    make_index(folder, folder / "indexes", SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    served = create_app(folder, folder / "indexes")
    gradio_engine.mount(served, routes.answers(served.state.service, served.state.queue))
    return TestClient(served)


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


def test_a_view_waits_in_the_queue_of_searches(client: TestClient) -> None:
    service = cast(FastAPI, client.app).state.service
    for waiting, says in ((0, "The server is busy"), (1, "Similar videos")):
        served = FastAPI()
        served.include_router(routes.routes(service, Queue(waiting=waiting)))
        assert says in TestClient(served).get(f"/page/videos/{BREAD}", params={"q": "loaf"}).text


def test_what_follows_an_answer_of_an_index_that_is_gone_comes_from_the_current_one_and_says_so(tmp_path: Path) -> None:
    make_data(tmp_path)
    make_index(tmp_path, tmp_path / "indexes", SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    service = Service(tmp_path, tmp_path / "indexes")
    current = service.searchers.get().generation.name
    for more in ({"offset": 1}, {"nearer": BREAD}):
        followed = answer_html(service, "loaf", found="gone", **more)
        assert CHANGED in followed and "<article" in followed and f'data-generation="{current}"' in followed
        assert CHANGED not in answer_html(service, "loaf", found=current, **more)
    assert "Choose another" in answer_html(service, "loaf", generation="gone")
    view = view_html(service, BREAD, None, "gone")
    assert CHANGED in view and "Similar videos" in view
    assert CHANGED not in view_html(service, BREAD, None, current)


def test_searches_on_the_page_are_counted_like_those_of_the_api(tmp_path: Path) -> None:
    make_data(tmp_path)
    make_index(tmp_path, tmp_path / "indexes", SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    served = create_app(tmp_path, tmp_path / "indexes")
    gradio_engine.mount(served, routes.answers(served.state.service, served.state.queue))
    client = TestClient(served)
    assert "article" in answered(client, q="loaf") and "article" in answered(client, q="drum")
    assert client.get("/api/search?q=loaf").status_code == 200
    assert 'tiktok_retrieval_search_seconds_count{step="total"} 3.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"mode": "keyword"},
        {"lane": "dense"},
        {"w": "speech:2,comments:0"},
        {"sort": "newest"},
        {"exact": "true"},
        {"lang": "en"},
        {"has": "speech", "after": "2020"},
        {"nearer": BREAD},
        {"offset": "1"},
    ],
    ids=str,
)
def test_the_page_shows_the_answer_of_the_api(client: TestClient, settings: dict[str, str]) -> None:
    asked = {"q": "loaf hollow drum", **settings}
    answer = client.get("/api/search", params=asked).json()
    hits = [hit for hit in answer["hits"] if hit["explanation"]]  # the page leaves out what has no reason
    shown = check_inert(answered(client, **asked))
    ids = [str(card["data-id"]) for card in shown.all("article")]
    scores = [float(score["value"] or "") for score in shown.all("data") if score.get("class") == "score"]
    assert hits and sorted(zip(ids, scores, strict=True)) == sorted((hit["id"], hit["score"]) for hit in hits)


@pytest.mark.parametrize("parameter", ["mode", "lane"])
def test_the_mode_is_taken_by_its_name_or_its_old_name(tmp_path: Path, parameter: str) -> None:
    make_data(tmp_path)
    make_index(tmp_path, tmp_path / "indexes", SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    served = create_app(tmp_path, tmp_path / "indexes")
    gradio_engine.mount(served, routes.answers(served.state.service, served.state.queue))
    shown = answered(TestClient(served), **{"q": "zzqqxj", parameter: "keyword"})
    assert "Search by meaning as well" in shown


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "loud"}, "mode: "),
        ({"q": "x" * 1_001}, "q: "),
        ({"offset": "-1"}, "offset: "),
        ({"volume": "9"}, "volume: "),
        ({"mode": "dense", "lane": "keyword"}, "Give one of them"),
    ],
)
def test_a_search_with_invalid_settings_is_a_plain_message(
    tmp_path: Path, settings: dict[str, str], message: str
) -> None:
    served = create_app(tmp_path, tmp_path / "indexes")
    gradio_engine.mount(served, routes.answers(served.state.service, served.state.queue))
    shown = answered(TestClient(served), **settings)
    assert "Invalid search" in shown and message in shown
