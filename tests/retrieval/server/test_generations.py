"""Generations of the index while the server runs: new, broken, named, and without an encoder."""

import threading
import time

import pytest
from fastapi.testclient import TestClient

from ingest.catalog import Catalog
from ingest.models.weights import WeightsError
from retrieval.embedding.encoder import Encoder, KeywordOnly
from retrieval.index.layout import CURRENT
from retrieval.server.api import create_app
from retrieval.server.searchers import Searchers
from scraper.records import Video
from tests.retrieval.segments import segment_folder
from tests.retrieval.server.conftest import Folders
from tests.retrieval.server.requests import problem, search
from tests.tiny_corpus import BREAD, LOST, make_index


def test_a_new_generation_answers_without_a_restart_or_a_failed_request(folders: Folders, encoder: Encoder) -> None:
    data, indexes = folders
    client = TestClient(create_app(data, indexes))
    before = search(client, "quokka selfie")["total"]
    statuses, stop = [], threading.Event()

    def ask() -> None:
        while not stop.is_set():
            statuses.append(client.get("/api/search", params={"q": "quokka selfie", "lane": "keyword"}).status_code)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    with Catalog(data) as catalog:
        catalog.put_video(Video(id="72000", description="quokka takes a selfie"))
    make_index(data, indexes, encoder)
    try:
        answer = search(client, "quokka selfie")
        while answer["total"] == before and len(statuses) < 5000:  # another asker may still be opening it
            answer = search(client, "quokka selfie")
    finally:
        stop.set()
        for asker in askers:
            asker.join()
    assert answer["total"] == before + 1 and answer["hits"][0]["id"] == "72000"
    assert statuses and set(statuses) == {200}


def test_a_broken_generation_leaves_the_old_one_answering_and_is_logged_once(
    folders: Folders, encoder: Encoder, caplog: pytest.LogCaptureFixture
) -> None:
    data, indexes = folders
    client = TestClient(create_app(data, indexes))
    old = search(client, "loaf")["generation"]
    with Catalog(data) as catalog:
        catalog.put_video(Video(id="72001", description="a quokka"))
    bad = make_index(data, indexes, encoder)
    (segment_folder(indexes, bad.name) / "videos.safetensors").write_text("[]")
    assert [search(client, "loaf")["generation"] for _ in range(3)] == [old] * 3
    assert len([record for record in caplog.records if "still answering" in record.message]) == 1
    (indexes / CURRENT).unlink()
    assert search(client, "loaf")["generation"] == old
    good = make_index(data, indexes, encoder)
    assert search(client, "loaf")["generation"] == good.name


def test_an_older_generation_can_be_searched_by_name(folders: Folders, encoder: Encoder) -> None:
    data, indexes = folders
    client = TestClient(create_app(data, indexes))
    (old,) = client.get("/api/generations").json()["generations"]
    assert old["current"] and old["videos"] == 7
    with Catalog(data) as catalog:
        catalog.put_video(catalog.get(LOST).video.model_copy(update={"id": "73000"}))  # type: ignore[union-attr]
    new = make_index(data, indexes, encoder)
    asked = {
        name: client.get("/api/search", params={"q": "sock", "generation": name}).json() for name in (old["name"], "")
    }
    assert (asked[old["name"]]["generation"], asked[old["name"]]["total"]) == (old["name"], 7)
    assert (asked[""]["generation"], asked[""]["total"]) == (new.name, 8)
    assert [one["current"] for one in client.get("/api/generations").json()["generations"]] == [True, False]
    for name in ("nope", "../" + new.name, ".", "..", new.name + "/"):
        problem(client.get("/api/search", params={"q": "x", "generation": name}), 404)


def test_without_the_encoder_keywords_answer_and_the_answer_says_so(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str, **_: object) -> None:
        raise WeightsError(f"no weights of {name}")

    with monkeypatch.context() as gone:
        gone.setattr("retrieval.embedding.query_encoder.resolve", missing)
        client = TestClient(create_app(*folders))
        answer = client.get("/api/search?q=loaf hollow drum").json()
        assert answer["hits"][0]["id"] == BREAD and answer["lane"] == "keyword"
        assert "Keyword search only" in " ".join(answer["notes"])
        assert client.get("/api/health").json()["status"] == "words only"
        assert client.get("/api/search?q=loaf&lane=keyword").json()["notes"] == []
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + 100)
    assert client.get("/api/search?q=loaf hollow drum").json()["lane"] == "hybrid"
    assert client.get("/api/health").json()["status"] == "ok"


def test_an_index_without_vectors_is_opened_once(folders: Folders) -> None:
    data, indexes = folders
    make_index(data, indexes, KeywordOnly())
    searchers = Searchers(indexes)
    assert searchers.get() is searchers.get()
