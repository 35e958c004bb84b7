"""The API over a real small generation: answers, bounds, problems, media, and new generations while it runs."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ingest.catalog import Catalog
from retrieval.embedding.encoder import Encoder
from retrieval.index.generation import CURRENT
from retrieval.server.api import create_app
from retrieval.server.schemas import SearchAnswer
from scraper.records import Video
from tests.tiny_corpus import (
    BREAD,
    BREAD_SECOND,
    FALCON,
    HOSTILE,
    HOSTILE_TEXTS,
    KETTLE,
    PHOTOS,
    make_data,
    make_index,
    make_picture,
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("api")
    make_data(folder / "data")
    make_index(folder / "data", folder / "indexes", encoder)
    return folder / "data", folder / "indexes"


@pytest.fixture
def folders(built: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """Copies that a test may change."""
    return tuple(Path(shutil.copytree(folder, tmp_path / folder.name)) for folder in built)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def client(built: tuple[Path, Path]) -> TestClient:
    return TestClient(create_app(*built), raise_server_exceptions=False)


def search(client: TestClient, query: str, **parameters: Any) -> dict[str, Any]:
    response = client.get("/api/search", params={"q": query, **parameters})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def problem(response: Any, status: int) -> str:
    """The detail of a problem, after checking that it is one."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status and body["title"] and body["type"] == "about:blank"
    return str(body["detail"])


def test_an_answer_has_the_video_the_second_and_reasons_that_add_up(client: TestClient) -> None:
    answer = search(client, "loaf hollow drum")
    first = answer["hits"][0]
    assert first["id"] == BREAD and answer["total"] == 7
    assert sum(reason["contribution"] for reason in first["explanation"]) == pytest.approx(first["score"])
    said = next(reason for reason in first["explanation"] if reason["field"] == "transcript")
    assert said["start_s"] == BREAD_SECOND
    assert {said["passage"][start:end] for start, end in said["matches"]} >= {"loaf", "hollow", "drum"}
    assert first["video"] == {
        "permalink": f"https://www.tiktok.com/@crumb.and.crust/video/{BREAD}",
        "creator": "crumb.and.crust",
        "nickname": "Crumb & Crust",
        "description": "is it done?? ask the loaf #sourdough #baking",
        "posted": "2024-03-28",
        "likes": 20200,
        "comment_count": 311,
        "music": "original sound - crumb",
        "hashtags": ["sourdough", "baking"],
        "has_video": True,
        "duration_s": 20.0,
        "video_url": f"/media/{BREAD}/video",
        "cover_url": f"/media/{BREAD}/cover",
        "slide_urls": [],
    }


def test_pages_of_an_answer_follow_each_other(client: TestClient) -> None:
    whole = [hit["id"] for hit in search(client, "toaster", k=7)["hits"]]
    assert [hit["id"] for hit in search(client, "toaster", k=2, offset=3)["hits"]] == whole[3:5]


def test_a_weight_of_zero_switches_a_field_off(client: TestClient) -> None:
    def fields(w: str) -> set[str]:
        hits = search(client, "loaf hollow drum", w=w)["hits"]
        return {reason["field"] for hit in hits for reason in hit["explanation"]}

    assert {"transcript", "overview"} <= fields("")
    assert not {"transcript", "overview"} & fields("transcript:0,overview:0")


@pytest.mark.parametrize("parameter", ["mode", "lane"])
def test_the_mode_is_chosen_by_its_name_or_its_old_name(client: TestClient, parameter: str) -> None:
    answer = search(client, "loaf hollow drum", **{parameter: "keyword"})
    assert answer["lane"] == "keyword"
    assert {reason["lane"] for hit in answer["hits"] for reason in hit["explanation"]} == {"keyword"}


def test_an_empty_question_has_no_hits(client: TestClient) -> None:
    assert search(client, "  ")["hits"] == []


@pytest.mark.parametrize(
    "query", ["\x00", "'; DROP TABLE videos; --", "<script>", "{{7*7}}", "\u202eabc", "a" * 1000, "🍞"]
)
def test_odd_questions_are_answered(client: TestClient, query: str) -> None:
    assert len(search(client, query)["hits"]) in (0, 7)


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"q": "bread @crumb.and.crust"}, [BREAD]),
        ({"q": "bread", "creator": "@crumbandcrust"}, [BREAD]),
        ({"q": "", "creator": "tea.physics"}, [KETTLE]),
        ({"q": "one day", "tag": "railway"}, [PHOTOS]),
        ({"q": "#spooky", "tag": "railway"}, []),
        ({"q": "", "lang": "en", "tag": "baking,sourdough"}, [BREAD]),
        ({"q": "", "after": "2024", "before": "2024-04"}, [BREAD]),
        ({"q": "said:loaf", "before": "2024"}, []),
    ],
)
def test_operators_and_filters_must_all_be_met(
    client: TestClient, parameters: dict[str, str], found: list[str]
) -> None:
    answer = client.get("/api/search", params=parameters).json()
    assert [hit["id"] for hit in answer["hits"]] == found and answer["total"] == len(found)
    assert found or answer["notes"]


def test_an_answer_says_how_the_question_was_understood(client: TestClient) -> None:
    answer = search(client, "loav -sock before:2030", tag="sourdough")
    assert answer["text"] == "loaf" and [hit["id"] for hit in answer["hits"]] == [BREAD]
    assert [(one["kind"], one["value"], one["exclude"]) for one in answer["conditions"]] == [
        ("phrase", "sock", True),
        ("before", "2030-01-01", False),
        ("tag", "sourdough", False),
    ]
    assert any('"loaf"' in note for note in answer["notes"])


def test_every_hostile_string_is_answered(client: TestClient, hostile_strings: list[str]) -> None:
    for string in hostile_strings:
        search(client, string[:1000], k=1, lane="keyword")


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({}, "q"),
        ({"q": "x" * 1001}, "q"),
        ({"q": "x", "k": 0}, "k"),
        ({"q": "x", "k": 101}, "k"),
        ({"q": "x", "k": "many"}, "k"),
        ({"q": "x", "offset": -1}, "offset"),
        ({"q": "x", "lane": "psychic"}, "lane"),
        ({"q": "x", "mode": "psychic"}, "mode"),
        ({"q": "x", "mode": "dense", "lane": "dense"}, "Give one"),
        ({"q": "x", "method": "guess"}, "method"),
        ({"q": "x", "w": "smell:1"}, "smell"),
        ({"q": "x", "w": "comments:6"}, "comments"),
        ({"q": "x", "w": "comments:-1"}, "comments"),
        ({"q": "x", "w": "comments:nan"}, "comments"),
        ({"q": "x", "w": "comments"}, "comments"),
        ({"q": "x", "before": "yesterday"}, "before"),
        ({"q": "x", "after": "2023-02-30"}, "after"),
        ({"q": "x", "tag": "t" * 201}, "tag"),
        (
            {"q": "x", "w": "description:0,creator:0,music:0,cover:0,transcript:0,comments:0,overview:0"},
            "every field",
        ),
    ],
)
def test_what_is_out_of_bounds_is_named(client: TestClient, parameters: dict[str, Any], named: str) -> None:
    assert named in problem(client.get("/api/search", params=parameters), 422)


def test_a_video_is_told_with_its_texts_segments_comments_and_files(client: TestClient) -> None:
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
def test_an_id_that_is_unknown_or_none_is_not_found(client: TestClient, video_id: str) -> None:
    problem(client.get(f"/api/videos/{video_id}"), 404)
    problem(client.get(f"/media/{video_id}/cover"), 404)


def test_paths_that_do_not_exist_are_problems_too(client: TestClient) -> None:
    for path in ("/api/nothing", "/media/x", "/elsewhere"):
        problem(client.get(path), 404)


def test_another_method_on_a_path_that_is_there_is_refused_as_such(client: TestClient) -> None:
    for path in ("/api/search?q=x", "/api/health", f"/api/videos/{BREAD}", f"/media/{BREAD}/video"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            response = client.request(method, path)
            assert "GET" in problem(response, 405) and response.headers["allow"] == "GET, HEAD"
    problem(client.post("/api/nothing"), 404)


def test_a_head_tells_what_a_get_would(client: TestClient) -> None:
    for path in ("/api/health", "/api/search?q=loaf&lane=keyword", f"/api/videos/{BREAD}"):
        assert client.head(path).status_code == client.get(path).status_code == 200
    head, whole = client.head(f"/media/{BREAD}/video"), client.get(f"/media/{BREAD}/video")
    assert head.status_code == 200 and not head.content
    for name in ("content-type", "content-length", "etag", "accept-ranges"):
        assert head.headers[name] == whole.headers[name]
    assert client.head("/media/1/video").status_code == client.head("/api/nothing").status_code == 404


def test_health_names_what_answers(client: TestClient, built: tuple[Path, Path]) -> None:
    health = client.get("/api/health")
    name = (built[1] / CURRENT).read_text().strip()
    encoder = "sentence-transformers/all-MiniLM-L6-v2"
    assert health.json() == {"status": "ok", "generation": name, "videos": 7, "encoder": encoder}


def test_without_a_generation_it_says_what_to_run(built: tuple[Path, Path], tmp_path: Path) -> None:
    client = TestClient(create_app(built[0], tmp_path))
    assert "retrieval build" in problem(client.get("/api/health"), 503)
    assert "retrieval build" in problem(client.get("/api/search?q=x"), 503)
    assert client.get(f"/api/videos/{BREAD}").status_code == 200


def test_without_a_catalogue_it_says_what_to_run(built: tuple[Path, Path], tmp_path: Path) -> None:
    client = TestClient(create_app(tmp_path / "empty", built[1]))
    for path in ("/api/health", "/api/search?q=loaf", f"/api/videos/{BREAD}"):
        assert " import" in problem(client.get(path), 503)


def test_the_description_of_the_api_is_true(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {
        "/api/search",
        "/api/suggest",
        "/api/videos/{video_id}",
        "/api/videos/{video_id}/similar",
        "/api/generations",
        "/api/judgements",
        "/api/judgements/queries",
        "/api/judgements/{number}",
        "/api/stats",
        "/api/health",
        "/media/{video_id}/{kind}",
    }
    operation = described["paths"]["/api/search"]["get"]
    assert all(parameter["description"] for parameter in operation["parameters"])
    assert set(operation["responses"]) == {"200", "404", "422", "503"}
    assert "application/problem+json" in operation["responses"]["503"]["content"]
    example = operation["responses"]["200"]["content"]["application/json"]["example"]
    assert SearchAnswer.model_validate(example).model_dump(mode="json") == example


# -- media --------------------------------------------------------------------------------------------------------


def test_a_video_answers_ranges_and_known_copies(client: TestClient) -> None:
    whole = client.get(f"/media/{BREAD}/video")
    assert whole.headers["content-type"] == "video/mp4" and whole.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in whole.headers["content-security-policy"]
    part = client.get(f"/media/{BREAD}/video", headers={"Range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == whole.content[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    known = client.get(f"/media/{BREAD}/video", headers={"If-None-Match": f'"other", {whole.headers["etag"]}'})
    assert client.get(f"/media/{BREAD}/video", headers={"If-None-Match": "*"}).status_code == 304
    end = client.get(f"/media/{BREAD}/video", headers={"Range": f"bytes=-{10**12}"})
    assert end.status_code == 206 and end.content == whole.content
    beyond = client.get(f"/media/{BREAD}/video", headers={"Range": f"bytes={len(whole.content)}-"})
    problem(beyond, 416)
    assert beyond.headers["content-range"] == f"bytes */{len(whole.content)}"
    for odd in ("bytes=abc", "lines=1-2", "bytes=9-1", "bytes=-", "bytes=" + "0-1," * 9 + "0-1", "bytes=\u00b2-"):
        answer = client.get(f"/media/{BREAD}/video", headers=[(b"range", odd.encode())])
        assert answer.status_code == 200 and answer.content == whole.content, odd
    assert known.status_code == 304 and not known.content


def test_slides_are_served_by_number(client: TestClient) -> None:
    urls = next(hit for hit in search(client, "three trains")["hits"] if hit["id"] == PHOTOS)["video"]["slide_urls"]
    assert urls == [f"/media/{PHOTOS}/slide?n={n}" for n in range(3)]
    pictures = {client.get(url).content for url in urls}
    assert len(pictures) == 3
    problem(client.get(f"/media/{PHOTOS}/slide?n=3"), 404)
    problem(client.get(f"/media/{PHOTOS}/slide?n=-1"), 422)
    problem(client.get(f"/media/{PHOTOS}/video"), 404)
    problem(client.get(f"/media/{PHOTOS}/catalog.sqlite"), 404)


def test_only_pictures_and_videos_below_the_media_folder_are_served(folders: tuple[Path, Path]) -> None:
    data, indexes = folders
    client = TestClient(create_app(data, indexes))
    outside = data / "outside.jpg"
    make_picture(outside, "red")
    with Catalog(data) as catalog:
        folder = catalog.media_folder(KETTLE)
        (folder / "link.jpg").symlink_to(outside)
        (folder / "page.html").write_text("<script>alert(1)</script>")
        (folder / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
        catalog.put_media(KETTLE, "slide", folder / "page.html", "x", position=0)
        catalog.put_media(KETTLE, "slide", folder / "drawing.svg", "x", position=1)
        catalog.put_media(KETTLE, "slide", outside, "x", position=2)
        catalog.put_media(KETTLE, "slide", folder / "link.jpg", "x", position=3)
    for number in range(4):
        problem(client.get(f"/media/{KETTLE}/slide?n={number}"), 404)
    assert [media["url"] for media in client.get(f"/api/videos/{KETTLE}").json()["media"]] == [None] * 4


def test_a_file_that_is_gone_is_not_promised(folders: tuple[Path, Path]) -> None:
    data, indexes = folders
    client = TestClient(create_app(data, indexes))
    assert client.get(f"/media/{FALCON}/cover").headers["content-type"] == "image/png"
    with Catalog(data) as catalog:
        (catalog.media_folder(FALCON) / "cover.png").unlink()
    problem(client.get(f"/media/{FALCON}/cover"), 404)
    assert client.get(f"/api/videos/{FALCON}").json()["media"][0]["url"] is None


# -- new generations while it runs --------------------------------------------------------------------------------


def test_a_new_generation_answers_without_a_restart_or_a_failed_request(
    folders: tuple[Path, Path], encoder: Encoder
) -> None:
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


def test_a_refused_generation_leaves_the_old_one_answering_and_is_reported_once(
    folders: tuple[Path, Path], encoder: Encoder, caplog: pytest.LogCaptureFixture
) -> None:
    data, indexes = folders
    client = TestClient(create_app(data, indexes))
    old = search(client, "loaf")["generation"]
    bad = make_index(data, indexes, encoder)
    (indexes / "generations" / bad.name / "videos.json").write_text("[]")
    assert [search(client, "loaf")["generation"] for _ in range(3)] == [old] * 3
    assert len([record for record in caplog.records if "still answering" in record.message]) == 1
    (indexes / CURRENT).unlink()
    assert search(client, "loaf")["generation"] == old
    good = make_index(data, indexes, encoder)
    assert search(client, "loaf")["generation"] == good.name


def test_a_hit_whose_video_left_the_catalogue_has_no_summary(folders: tuple[Path, Path]) -> None:
    data, indexes = folders
    client = TestClient(create_app(data, indexes))
    shutil.rmtree(data)
    with Catalog(data, create=True) as catalog:
        catalog.put_video(Video(id=HOSTILE, description=HOSTILE_TEXTS["description"]))
    hits = {hit["id"]: hit["video"] for hit in search(client, "loaf")["hits"]}
    assert hits[BREAD] is None and hits[HOSTILE]["description"] == HOSTILE_TEXTS["description"]
