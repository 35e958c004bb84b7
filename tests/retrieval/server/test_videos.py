"""One video by the API: its details, and similar videos."""

import json
import shutil

import pytest
from fastapi.testclient import TestClient

from ingest.catalog import Catalog
from retrieval.server.api import create_app
from scraper.records import Video
from tests.retrieval.server.conftest import Folders
from tests.retrieval.server.requests import problem, search
from tests.tiny_corpus import BREAD, BREAD_SECOND, HOSTILE, HOSTILE_TEXTS


def test_a_video_has_its_texts_segments_comments_and_files(client: TestClient) -> None:
    detail = client.get(f"/api/videos/{BREAD}").json()
    assert detail["record"]["comments"][0]["text"] == "the drum solo of breads"
    transcript = detail["texts"]["transcript"]
    assert (transcript["engine"], transcript["model"], transcript["language"]) == ("whisper", "tiny", "en")
    assert transcript["segments"][1]["start_s"] == BREAD_SECOND
    assert detail["texts"]["cover"]["confidence"] == 0.9
    assert detail["states"]["transcribe"] == "done"
    assert {media["url"] for media in detail["media"]} == {f"/media/{BREAD}/cover", f"/media/{BREAD}/video"}
    assert "path" not in json.dumps(detail["media"])


@pytest.mark.parametrize("video_id", ["99999999", "1", "abc", "1" * 26, "١٢٣٤٥٦", "..%2f..%2fetc", "%00"])
def test_an_unknown_or_invalid_id_is_not_found(client: TestClient, video_id: str) -> None:
    problem(client.get(f"/api/videos/{video_id}"), 404)
    problem(client.get(f"/media/{video_id}/cover"), 404)


def test_a_hit_whose_video_is_not_in_the_catalog_has_no_summary(folders: Folders) -> None:
    data, indexes = folders
    client = TestClient(create_app(data, indexes))
    shutil.rmtree(data)
    with Catalog(data, create=True) as catalog:
        catalog.put_video(Video(id=HOSTILE, description=HOSTILE_TEXTS["description"]))
    hits = {hit["id"]: hit["video"] for hit in search(client, "loaf")["hits"]}
    assert hits[BREAD] is None and hits[HOSTILE]["description"] == HOSTILE_TEXTS["description"]


def test_similar_videos_are_the_others_closest_first(client: TestClient) -> None:
    hits = client.get(f"/api/videos/{BREAD}/similar?k=3").json()["hits"]
    assert [hit["rank"] for hit in hits] == [1, 2, 3] and BREAD not in {hit["id"] for hit in hits}
    assert sorted((hit["score"] for hit in hits), reverse=True) == [hit["score"] for hit in hits]
    assert all(hit["video"] for hit in hits)
    problem(client.get("/api/videos/99999/similar"), 404)
