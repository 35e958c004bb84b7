"""Downloads of the API: results and transcripts."""

import csv
import json
from io import StringIO

import pytest
from fastapi.testclient import TestClient

from retrieval.corpus.export import MARK
from tests.tiny_corpus import BREAD, FALCON


def test_results_are_a_table_in_their_order(client: TestClient) -> None:
    found = client.get("/api/search", params={"q": "hollow loaf", "k": 5}).json()
    answer = client.get("/api/export", params={"q": "hollow loaf", "k": 5})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="results.csv"'
    assert answer.text.startswith(MARK)
    rows = list(csv.DictReader(StringIO(answer.text.removeprefix(MARK))))
    assert [row["id"] for row in rows] == [hit["id"] for hit in found["hits"]]


def test_results_can_be_filtered_and_have_texts(client: TestClient) -> None:
    params = {"q": "loaf", "creator": "crumb.and.crust", "format": "json", "texts": "true"}
    (one,) = client.get("/api/export", params=params).json()
    assert one["id"] == BREAD
    assert "like a drum" in one["transcript"]
    lines = client.get("/api/export", params=params | {"format": "jsonl"}).text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [BREAD]
    assert client.get("/api/export", params=params | {"found": "gone"}).json() == [one], "the current one answers"
    current = client.get("/api/health").json()["generation"]
    assert client.get("/api/export", params=params | {"found": "gone"}).headers["X-Generation"] == current
    assert client.get("/api/export", params=params | {"generation": "gone"}).status_code == 404
    assert client.get("/api/export", params={"q": "loaf", "k": 1, "format": "links"}).text.endswith(f"{BREAD}\n")


@pytest.mark.parametrize(
    ("params", "status"), [({"k": 1001}, 422), ({"format": "exe"}, 422), ({"generation": "x"}, 404)]
)
def test_a_bad_export_is_a_problem(client: TestClient, params: dict[str, str], status: int) -> None:
    answer = client.get("/api/export", params={"q": "loaf", **params})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_a_transcript_is_subtitles_or_text(client: TestClient) -> None:
    answer = client.get(f"/api/videos/{BREAD}/transcript.vtt")
    assert answer.headers["content-type"] == "text/vtt; charset=utf-8"
    assert "00:00:12.500 --> 00:00:16.000\nTap the bottom" in answer.text
    assert client.get(f"/api/videos/{BREAD}/transcript.srt").text.startswith("1\n00:00:00,000 --> ")
    assert client.get(f"/api/videos/{BREAD}/transcript.txt").text.startswith("Everyone asks me")


@pytest.mark.parametrize(("path", "status"), [(f"{FALCON}/transcript.srt", 404), (f"{BREAD}/transcript.doc", 422)])
def test_no_transcript_and_an_unknown_format_are_problems(client: TestClient, path: str, status: int) -> None:
    assert client.get(f"/api/videos/{path}").status_code == status
