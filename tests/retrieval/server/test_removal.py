"""Removing a video through the API: it leaves everything at once, can come back, and is erased later."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ingest.catalog import Catalog, removals
from retrieval.index.layout import generation_names
from retrieval.server.api import create_app
from tests.byte_search import find
from tests.retrieval.server.conftest import Folders
from tests.retrieval.server.requests import problem
from tests.tiny_corpus import BREAD, KETTLE, PHOTOS

QUESTION = {"q": "loaf hollow drum"}
WORDS = ("sourdough", "ask the loaf", "drum solo", "sounds hollow", "IS IT DONE", "crumb.and.crust", "Crumb & Crust")


def found(client: TestClient, **more: str) -> list[str]:
    answer = client.get("/api/search", params=QUESTION | more).json()
    assert answer["total"] >= len(answer["hits"])
    return [hit["id"] for hit in answer["hits"]]


def erased(data: Path, video_id: str, timeout_s: float = 30.0) -> bool:
    """Wait until a video is erased."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with Catalog(data) as catalog:
            if not catalog.removals.unfinished([video_id]):
                return True
        time.sleep(0.05)
    return False


def test_a_removed_video_leaves_everything_at_once(writing_client: TestClient, folders: Folders) -> None:
    client = writing_client
    before = client.get("/api/search", params=QUESTION).json()
    assert before["hits"][0]["id"] == BREAD
    client.post("/api/judgements", json={"query": "loaf", "video_id": BREAD})
    (generation,) = generation_names(folders[1])
    removed = client.delete(f"/api/videos/{BREAD}")
    assert removed.status_code == 200
    assert 25 < removed.json()["undo_until"] - time.time() <= removals.UNDO_S
    assert BREAD not in found(client) and BREAD not in found(client, generation=generation)
    assert BREAD not in found(client, mode="keyword") and BREAD not in found(client, mode="dense")
    assert client.get("/api/search", params=QUESTION).json()["total"] == before["total"] - 1
    assert client.get("/api/search", params={"q": "@crumb.and.crust"}).json()["total"] == 0
    similar = client.get(f"/api/videos/{KETTLE}/similar", params={"k": 100}).json()["hits"]
    assert similar and BREAD not in [hit["id"] for hit in similar]
    for path in (f"/api/videos/{BREAD}", f"/api/videos/{BREAD}/similar", f"/media/{BREAD}/video"):
        problem(client.get(path), 404)
    assert client.get("/api/judgements").json() == client.get("/api/judgements/queries").json() == []
    problem(client.post("/api/judgements", json={"query": "loaf", "video_id": BREAD}), 404)
    for typed in ("@crum", "#bak", "sourd"):
        assert client.get("/api/suggest", params={"q": typed}).json()["suggestions"] == []
    assert client.get("/api/stats").json()["catalog"]["videos"] == 6


def test_an_undone_removal_changes_nothing(writing_client: TestClient) -> None:
    before = found(writing_client)
    writing_client.delete(f"/api/videos/{BREAD}")
    assert writing_client.post(f"/api/videos/{BREAD}/undo").status_code == 204
    assert found(writing_client) == before
    assert writing_client.get(f"/media/{BREAD}/video").status_code == 200
    assert [one["query"] for one in writing_client.get("/api/suggest", params={"q": "#bak"}).json()["suggestions"]]
    problem(writing_client.post(f"/api/videos/{BREAD}/undo"), 404)


def test_an_unknown_video_cannot_be_removed(writing_client: TestClient) -> None:
    for video in ("12345", "x", "9" * 25):
        problem(writing_client.delete(f"/api/videos/{video}"), 404)
        problem(writing_client.post(f"/api/videos/{video}/undo"), 404)
    writing_client.delete(f"/api/videos/{PHOTOS}")
    problem(writing_client.delete(f"/api/videos/{PHOTOS}"), 404)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_page_of_another_site_cannot_remove(writing_client: TestClient, headers: dict[str, str]) -> None:
    problem(writing_client.delete(f"/api/videos/{BREAD}", headers=headers), 403)
    writing_client.delete(f"/api/videos/{BREAD}")
    problem(writing_client.post(f"/api/videos/{BREAD}/undo", headers=headers), 403)


def test_the_server_erases_when_the_time_to_undo_is_over(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(find(folders, [*WORDS, BREAD])) == {*WORDS, BREAD}
    (old,) = generation_names(folders[1])
    with TestClient(create_app(*folders)) as client:  # runs the background work
        assert found(client)[0] == BREAD
        monkeypatch.setattr(removals, "UNDO_S", 0.5)
        client.delete(f"/api/videos/{BREAD}")
        assert BREAD not in found(client)
        assert erased(folders[0], BREAD)
        assert BREAD not in found(client) and KETTLE in found(client)
        problem(client.post(f"/api/videos/{BREAD}/undo"), 410)
        problem(client.get("/api/search", params=QUESTION | {"generation": old}), 404)
        assert find(folders, [*WORDS, BREAD], allowed=[(BREAD, "removals")]) == {}


def test_the_server_finishes_what_a_killed_process_has_begun(folders: Folders) -> None:
    with Catalog(folders[0]) as catalog:
        catalog.removals.hide([BREAD])
        catalog.removals.claim([BREAD])
    with TestClient(create_app(*folders)):
        assert erased(folders[0], BREAD)
    assert find(folders, [*WORDS, BREAD], allowed=[(BREAD, "removals")]) == {}


def test_a_server_whose_last_video_is_erased_says_that_there_is_no_index(folders: Folders) -> None:
    with TestClient(create_app(*folders)) as client:
        assert found(client)
        with Catalog(folders[0]) as catalog:
            every = catalog.ids()
            catalog.removals.hide(every)
            catalog.removals.claim(every)
        client.app.state.service.eraser.wake()  # type: ignore[attr-defined]
        assert erased(folders[0], BREAD)
        problem(client.get("/api/search", params=QUESTION), 503)
    assert generation_names(folders[1]) == []


def test_of_several_undos_at_once_none_says_that_the_video_is_erased(writing_client: TestClient) -> None:
    writing_client.delete(f"/api/videos/{BREAD}")
    with ThreadPoolExecutor(6) as pool:
        undone = pool.map(lambda _: writing_client.post(f"/api/videos/{BREAD}/undo").status_code, range(6))
    assert sorted(undone) == [204, *[404] * 5]
