"""Health, counts and metrics of the API."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from retrieval.index.layout import CURRENT
from retrieval.server.api import create_app
from tests.retrieval.server.conftest import Folders
from tests.retrieval.server.requests import problem, without_packs
from tests.tiny_corpus import BREAD, FALCON


def test_health_names_the_generation_and_the_encoder(client: TestClient, built: Folders) -> None:
    health = client.get("/api/health").json()
    name = (built[1] / CURRENT).read_text().strip()
    encoder = "sentence-transformers/all-MiniLM-L6-v2"
    (used,) = health.pop("encoders")
    assert without_packs(health.pop("problems")) == []
    assert health == {"status": "ok", "generation": name, "videos": 7, "encoder": encoder}
    assert used["name"] == encoder and len(used["sha256"]) == 64 and used["language"] == "en"
    assert client.get("/api/generations").json()["generations"][0]["encoders"] == [used]


def test_without_a_generation_users_read_whom_to_ask_and_the_log_says_what_to_run(
    built: Folders, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = TestClient(create_app(built[0], tmp_path))
    assert "retrieval build" in problem(client.get("/api/health"), 503)
    detail = problem(client.get("/api/search?q=x"), 503)
    assert "no index" in detail and "Ask whoever runs the server" in detail and str(tmp_path) not in detail
    assert str(tmp_path) in caplog.text and "retrieval build" in caplog.text
    assert client.get(f"/api/videos/{BREAD}").status_code == 200


def test_without_a_catalog_health_says_what_to_run_and_users_read_whom_to_ask(built: Folders, tmp_path: Path) -> None:
    client = TestClient(create_app(tmp_path / "empty", built[1]))
    health = client.get("/api/health").json()
    assert health["status"] == "no catalog" and " import" in health["problems"][0]
    detail = problem(client.get(f"/api/videos/{BREAD}"), 503)
    assert detail == "The catalog cannot be used. Ask whoever runs the server; its log says more."


def test_without_a_catalog_hits_have_no_summaries(built: Folders, tmp_path: Path) -> None:
    client = TestClient(create_app(tmp_path / "empty", built[1]))
    hits = client.get("/api/search?q=loaf").json()["hits"]
    assert hits[0]["id"] == BREAD and hits[0]["video"] is None


def test_with_a_catalog_that_is_no_database_searches_are_answered(folders: Folders) -> None:
    data, indexes = folders
    (data / "catalog.sqlite").write_bytes(b"no database" * 1000)
    client = TestClient(create_app(data, indexes))
    assert client.get("/api/search?q=loaf").json()["hits"][0]["id"] == BREAD
    assert " check" in client.get("/api/health").json()["problems"][0]


def test_requests_are_counted_without_anything_that_they_contain(built: Folders) -> None:
    client = TestClient(create_app(*built))
    assert client.get("/api/stats").json()["catalog"]["videos"] == 7
    client.get("/api/search?q=secretword")
    client.get(f"/media/{FALCON}/cover")
    client.get("/nowhere/secretword")
    text = client.get("/metrics").text
    assert 'tiktok_retrieval_requests_total{route="/api/search",status="200"} 1.0' in text
    assert 'route="/media/{video_id}/{kind}",status="200"' in text and "tiktok_retrieval_videos 7.0" in text
    assert "secretword" not in text and FALCON not in text
