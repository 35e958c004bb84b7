"""Judgements by the API: add, list, delete, export, and who may do so."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ingest.catalog import Catalog
from ingest.catalog.database import FILE_NAME
from retrieval.evaluation.queries import read_queries
from retrieval.server import service
from scraper.records import Video
from tests.retrieval.server.conftest import Folders
from tests.retrieval.server.requests import problem
from tests.tiny_corpus import BREAD, KETTLE, LOST, PHOTOS


def test_a_judgement_is_stored_listed_replaced_and_deleted(writing_client: TestClient) -> None:
    said = {"query": " loaf  hollow ", "video_id": BREAD, "time_s": 12.5}
    made = writing_client.post("/api/judgements", json=said)
    assert made.status_code == 201
    kept = made.json()
    assert (kept["query"], kept["video_id"], kept["time_s"]) == ("loaf hollow", BREAD, 12.5)
    assert writing_client.get("/api/judgements").json() == [kept]
    again = writing_client.post("/api/judgements", json=said | {"time_s": None}).json()
    assert again["id"] == kept["id"] and again["time_s"] is None
    assert writing_client.delete(f"/api/judgements/{kept['id']}").status_code == 204
    assert writing_client.get("/api/judgements").json() == []
    problem(writing_client.delete(f"/api/judgements/{kept['id']}"), 404)


def test_judgements_become_a_query_file_that_evaluate_reads(writing_client: TestClient, tmp_path: Path) -> None:
    for query, video in (("tea", KETTLE), ("Tea ", PHOTOS), ("loaf", BREAD)):
        assert writing_client.post("/api/judgements", json={"query": query, "video_id": video}).status_code == 201
    file = tmp_path / "judged.json"
    file.write_bytes(writing_client.get("/api/judgements/queries").content)
    assert {query.text: query.relevant for query in read_queries(file)} == {
        "tea": {KETTLE: 1, PHOTOS: 1},
        "loaf": {BREAD: 1},
    }


def test_an_invalid_judgement_is_refused(writing_client: TestClient) -> None:
    assert "video" in problem(writing_client.post("/api/judgements", json={"query": "x", "video_id": "12345"}), 404)
    wrongs: list[Any] = [
        {"query": "  ", "video_id": BREAD},
        {"query": "\x1c\x00", "video_id": BREAD},
        {"query": "x", "video_id": BREAD, "generation": "<b>\n"},
        {"query": "x", "video_id": "../x"},
        {"query": "x"},
        [],
        None,
    ]
    for wrong in wrongs:
        problem(writing_client.post("/api/judgements", json=wrong), 422)
    other = {"Sec-Fetch-Site": "cross-site"}
    problem(writing_client.post("/api/judgements", json={"query": "x", "video_id": BREAD}, headers=other), 403)
    as_form = writing_client.post("/api/judgements", content='{"query": "x"}', headers={"Content-Type": "text/plain"})
    problem(as_form, 422)
    broken = writing_client.post("/api/judgements", content='{"query"', headers={"Content-Type": "application/json"})
    assert problem(broken, 422).startswith("body: ")
    assert writing_client.get("/api/judgements").json() == []
    assert writing_client.put("/api/judgements").headers["allow"] == "GET, HEAD, POST"


def test_a_deleted_video_takes_its_judgements_with_it(writing_client: TestClient, folders: Folders) -> None:
    writing_client.post("/api/judgements", json={"query": "x", "video_id": LOST})
    with sqlite3.connect(folders[0] / FILE_NAME) as database:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("DELETE FROM videos WHERE id = ?", (LOST,))
    database.close()
    assert writing_client.get("/api/judgements").json() == []


def test_a_judgement_is_refused_for_now_while_the_catalog_is_locked(
    writing_client: TestClient, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "WAIT_S", 0.05)
    with Catalog(folders[0]) as catalog, catalog.transaction():
        catalog.put_video(Video(id="72000"))
        asked = writing_client.post("/api/judgements", json={"query": "x", "video_id": BREAD})
    assert "try again" in problem(asked, 503)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://[bad"}])
def test_a_page_of_another_site_cannot_judge(writing_client: TestClient, headers: dict[str, str]) -> None:
    problem(writing_client.post("/api/judgements", json={"query": "x", "video_id": BREAD}, headers=headers), 403)
    own = writing_client.post(
        "/api/judgements", json={"query": "x", "video_id": BREAD}, headers={"Origin": "http://testserver"}
    )
    assert own.status_code == 201


def test_a_body_that_is_too_long_or_has_no_length_is_refused(writing_client: TestClient) -> None:
    problem(writing_client.post("/api/judgements", content=b"x" * 70_000), 413)
    problem(writing_client.post("/api/judgements", content=iter([b"x"] * 10)), 413)
