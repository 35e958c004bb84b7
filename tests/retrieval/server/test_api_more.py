"""The rest of the API: judgements, more like one video, completions, other generations, access, metrics, the queue."""

import base64
import functools
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import app
from ingest.catalog import Catalog
from ingest.models.weights import WeightsError
from retrieval.embedding.encoder import Encoder
from retrieval.evaluation.queries import read_queries
from retrieval.server import service
from retrieval.server.api import create_app
from retrieval.server.auth import Access
from retrieval.server.concurrency import Queue
from scraper.records import Video
from tests.retrieval.server.test_api import problem
from tests.tiny_corpus import BREAD, FALCON, KETTLE, LOST, PHOTOS, make_data, make_index


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("more")
    make_data(folder / "data")
    make_index(folder / "data", folder / "indexes", encoder)
    return folder / "data", folder / "indexes"


@pytest.fixture
def folders(built: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """Copies that a test may change."""
    return tuple(Path(shutil.copytree(folder, tmp_path / folder.name)) for folder in built)  # type: ignore[return-value]


@pytest.fixture
def client(folders: tuple[Path, Path]) -> TestClient:
    return TestClient(create_app(*folders), raise_server_exceptions=False)


# -- judgements ---------------------------------------------------------------------------------------------------


def test_a_judgement_is_kept_listed_and_taken_back(client: TestClient) -> None:
    said = {"query": " loaf  hollow ", "video_id": BREAD, "time_s": 12.5}
    made = client.post("/api/judgements", json=said)
    assert made.status_code == 201
    kept = made.json()
    assert (kept["query"], kept["video_id"], kept["time_s"]) == ("loaf hollow", BREAD, 12.5)
    assert client.get("/api/judgements").json() == [kept]
    again = client.post("/api/judgements", json=said | {"time_s": None}).json()
    assert again["id"] == kept["id"] and again["time_s"] is None
    assert client.delete(f"/api/judgements/{kept['id']}").status_code == 204
    assert client.get("/api/judgements").json() == []
    problem(client.delete(f"/api/judgements/{kept['id']}"), 404)


def test_judgements_become_a_query_file_that_evaluate_reads(client: TestClient, tmp_path: Path) -> None:
    for query, video in (("tea", KETTLE), ("Tea ", PHOTOS), ("loaf", BREAD)):
        assert client.post("/api/judgements", json={"query": query, "video_id": video}).status_code == 201
    file = tmp_path / "judged.json"
    file.write_bytes(client.get("/api/judgements/queries").content)
    assert {query.text: query.relevant for query in read_queries(file)} == {
        "tea": {KETTLE: 1, PHOTOS: 1},
        "loaf": {BREAD: 1},
    }


def test_what_cannot_be_judged_is_refused(client: TestClient) -> None:
    assert "video" in problem(client.post("/api/judgements", json={"query": "x", "video_id": "12345"}), 404)
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
        problem(client.post("/api/judgements", json=wrong), 422)
    other = {"Sec-Fetch-Site": "cross-site"}
    problem(client.post("/api/judgements", json={"query": "x", "video_id": BREAD}, headers=other), 403)
    as_form = client.post("/api/judgements", content='{"query": "x"}', headers={"Content-Type": "text/plain"})
    problem(as_form, 422)
    broken = client.post("/api/judgements", content='{"query"', headers={"Content-Type": "application/json"})
    assert problem(broken, 422).startswith("body: ")
    assert client.get("/api/judgements").json() == []
    assert client.put("/api/judgements").headers["allow"] == "GET, HEAD, POST"


def test_a_parameter_that_would_be_passed_over_is_refused(client: TestClient) -> None:
    told = problem(client.get("/api/search?q=tea&weights=transcript:2"), 422)
    assert "Unknown parameter 'weights'" in told and " w," in told
    assert client.get("/api/search?q=tea&w=%20transcript%20:%202").status_code == 200
    problem(client.get("/api/nothing?x=1"), 404)


def test_a_video_that_goes_takes_its_judgements_along(client: TestClient, folders: tuple[Path, Path]) -> None:
    client.post("/api/judgements", json={"query": "x", "video_id": LOST})
    with Catalog(folders[0]) as catalog, catalog.transaction():
        catalog.database.connection.execute("DELETE FROM videos WHERE id = ?", (LOST,))
    assert client.get("/api/judgements").json() == []


def test_while_the_catalogue_is_written_to_a_judgement_is_asked_to_come_again(
    client: TestClient, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "JUDGING_S", 0.05)
    with Catalog(folders[0]) as catalog, catalog.transaction():
        catalog.put_video(Video(id="72000"))
        asked = client.post("/api/judgements", json={"query": "x", "video_id": BREAD})
    assert "try again" in problem(asked, 503)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://[bad"}])
def test_another_sites_page_cannot_judge(client: TestClient, headers: dict[str, str]) -> None:
    problem(client.post("/api/judgements", json={"query": "x", "video_id": BREAD}, headers=headers), 403)
    own = client.post(
        "/api/judgements", json={"query": "x", "video_id": BREAD}, headers={"Origin": "http://testserver"}
    )
    assert own.status_code == 201


def test_more_than_a_judgement_is_not_taken_in(client: TestClient) -> None:
    problem(client.post("/api/judgements", content=b"x" * 70_000), 413)
    problem(client.post("/api/judgements", content=iter([b"x"] * 10)), 413)


# -- without an encoder -------------------------------------------------------------------------------------------


def test_without_its_encoder_words_still_answer_and_that_is_said(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise WeightsError(f"no weights of {name}")

    with monkeypatch.context() as gone:
        gone.setattr("retrieval.embedding.encoder.resolve", missing)
        client = TestClient(create_app(*folders))
        answer = client.get("/api/search?q=loaf hollow drum").json()
        assert answer["hits"][0]["id"] == BREAD and answer["lane"] == "keyword"
        assert "Keyword search only" in " ".join(answer["notes"])
        assert client.get("/api/health").json()["status"] == "words only"
        assert client.get("/api/search?q=loaf&lane=keyword").json()["notes"] == []
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + 100)
    assert client.get("/api/search?q=loaf hollow drum").json()["lane"] == "hybrid"
    assert client.get("/api/health").json()["status"] == "ok"


# -- more ways to ask ---------------------------------------------------------------------------------------------


def test_more_like_one_video_are_the_others_nearest_first(client: TestClient) -> None:
    hits = client.get(f"/api/videos/{BREAD}/similar?k=3").json()["hits"]
    assert [hit["rank"] for hit in hits] == [1, 2, 3] and BREAD not in {hit["id"] for hit in hits}
    assert sorted((hit["score"] for hit in hits), reverse=True) == [hit["score"] for hit in hits]
    assert all(hit["video"] for hit in hits)
    problem(client.get("/api/videos/99999/similar"), 404)


@pytest.mark.parametrize(
    ("typed", "whole"),
    [("@cru", "@crumb.and.crust"), ("bread #sou", "bread #sourdough"), ("why the ket", "why the kettle")],
)
def test_what_is_typed_is_completed(client: TestClient, typed: str, whole: str) -> None:
    found = client.get("/api/suggest", params={"q": typed}).json()["suggestions"]
    assert whole in [one["query"] for one in found] and all(one["videos"] >= 1 for one in found)


@pytest.mark.parametrize("typed", ["", " ", "@", "#", "loaf ", "\x00", "%", "𝕏𝕏"])
def test_nothing_to_complete_is_no_error(client: TestClient, typed: str) -> None:
    assert client.get("/api/suggest", params={"q": typed}).json() == {"suggestions": []}


def test_only_videos_that_have_something_are_asked_for(client: TestClient) -> None:
    said = client.get("/api/search", params={"q": "bread kettle", "has": "speech"}).json()
    assert said["total"] == 2 and KETTLE not in {hit["id"] for hit in said["hits"]}
    by_operator = client.get("/api/search", params={"q": "bread kettle has:speech"}).json()
    assert [hit["id"] for hit in by_operator["hits"]] == [hit["id"] for hit in said["hits"]]
    without = client.get("/api/search", params={"q": "bread kettle -has:speech"}).json()
    assert without["total"] == 5
    assert "no field" in problem(client.get("/api/search?q=x&has=wings"), 422)


def test_another_generation_can_be_asked_by_name(folders: tuple[Path, Path], encoder: Encoder) -> None:
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


def test_counts_are_told_and_measured(client: TestClient) -> None:
    assert client.get("/api/stats").json()["catalog"]["videos"] == 7
    client.get("/api/search?q=secretword")
    client.get(f"/media/{FALCON}/cover")
    client.get("/nowhere/secretword")
    text = client.get("/metrics").text
    assert 'tiktok_retrieval_requests_total{route="/api/search",status="200"} 1.0' in text
    assert 'route="/media/{video_id}/{kind}",status="200"' in text and "tiktok_retrieval_videos 7.0" in text
    assert "secretword" not in text and FALCON not in text


# -- who may ask --------------------------------------------------------------------------------------------------


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("", 401),
        ("Bearer s3cret", 200),
        ("bearer s3cret", 200),
        ("Bearer wrong", 401),
        ("Bearer ", 401),
        (basic("ann", "päss:word"), 200),
        (basic("ann", "wrong"), 401),
        (basic("bob", "päss:word"), 401),
        (basic("anybody", "s3cret"), 200),
        (basic("", ""), 401),
        ("Basic not-base64", 401),
        ("Digest x", 401),
    ],
)
def test_only_a_token_or_password_opens_the_door(built: tuple[Path, Path], authorization: str, status: int) -> None:
    access = Access(token="s3cret", user="ann", password="päss:word")
    client = TestClient(create_app(*built, access))
    headers = {"Authorization": authorization.encode()} if authorization else {}
    for path in ("/api/search?q=loaf", f"/media/{FALCON}/cover", "/openapi.json", "/metrics"):
        answer = client.get(path, headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == status
        if status == 401:
            assert answer.headers["www-authenticate"].startswith("Basic") and problem(answer, 401)
    assert client.get("/api/health").status_code == 200


def test_a_page_of_another_name_on_this_machine_is_not_answered(built: tuple[Path, Path]) -> None:
    client = TestClient(create_app(*built, Access(hosts=("127.0.0.1", "localhost", "::1"))))
    for host, status in (
        ("127.0.0.1:7860", 200),
        ("LOCALHOST", 200),
        ("[::1]:1", 200),
        ("evil.example", 421),
        ("", 421),
    ):
        assert client.get("/api/health", headers={"Host": host}).status_code == status


def test_other_sites_may_ask_only_where_that_is_wanted(built: tuple[Path, Path]) -> None:
    asked = {"Origin": "https://friend.example"}
    closed, opened = (TestClient(create_app(*built, origins=o)) for o in ((), ("https://friend.example",)))
    assert "access-control-allow-origin" not in closed.get("/api/health", headers=asked).headers
    assert opened.get("/api/health", headers=asked).headers["access-control-allow-origin"] == "https://friend.example"
    preflight = {**asked, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    guarded = TestClient(create_app(*built, Access(token="s3cret"), origins=("https://friend.example",)))
    assert guarded.options("/api/search", headers=preflight).status_code == 200
    other = opened.get("/api/health", headers={"Origin": "https://else.example"})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "--allow-anyone"),
        (["--user", "ann"], "go together"),
        (["--password", "x"], "go together"),
    ],
)
def test_the_server_does_not_open_up_by_accident(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app.cli, arguments)
    assert result.exit_code == 2 and said in result.output


# -- many at once -------------------------------------------------------------------------------------------------


def test_more_searches_than_the_queue_holds_are_asked_to_come_again(built: tuple[Path, Path]) -> None:
    with TestClient(create_app(*built, queue=Queue(at_once=1, waiting=2))) as client:
        client.get("/api/search?q=warm")
        answers = []
        askers = [
            threading.Thread(target=lambda: answers.append(client.get("/api/search", params={"q": "loaf " * 150})))
            for _ in range(24)
        ]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) >= 3 and set(statuses) == {200, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"] == "2" and "Try again" in problem(refused, 503)


# -- whatever is sent ---------------------------------------------------------------------------------------------


QUICK = settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
OPERATIONS = (
    "GET /api/search",
    "GET /api/suggest",
    "GET /api/videos/{video_id}",
    "GET /api/videos/{video_id}/similar",
    "GET /api/generations",
    "GET /api/judgements",
    "POST /api/judgements",
    "DELETE /api/judgements/{number}",
    "GET /api/judgements/queries",
    "GET /api/stats",
    "GET /api/health",
    "GET /media/{video_id}/{kind}",
)
STEPS = ("..", "%2e%2e", "/", "%2f", "\\", BREAD, "video", "cover", "catalog.sqlite", "~", "%00", "?n=-1", "?n=9", ".")


@pytest.mark.parametrize("label", OPERATIONS)
def test_nothing_that_is_sent_breaks_the_api(built: tuple[Path, Path], label: str) -> None:
    (operation,) = [one for result in described(built).get_all_operations() if (one := result.ok()).label == label]

    @QUICK
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        answer = case.call()
        assert answer.status_code < 500
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"]

    send()


def test_every_operation_is_tried(built: tuple[Path, Path]) -> None:
    assert {result.ok().label for result in described(built).get_all_operations()} == set(OPERATIONS)


@settings(QUICK, max_examples=200)
@given(path=st.lists(st.sampled_from(STEPS), max_size=7))
def test_no_path_leads_out_of_the_media(built: tuple[Path, Path], path: list[str]) -> None:
    answer = asking(built).get("/media/" + "/".join(path))
    assert answer.status_code in (200, 404, 422)
    assert not answer.content.startswith(b"SQLite") and b"root:" not in answer.content
    assert answer.status_code != 200 or answer.headers["content-type"].startswith(("image/", "video/"))


@functools.cache
def described(built: tuple[Path, Path]) -> Any:
    """The API's own description, as schemathesis reads it."""
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(*built))


@functools.cache
def asking(built: tuple[Path, Path]) -> TestClient:
    return TestClient(create_app(*built))
