"""Search by a picture through the API: one that was sent, and a frame of a video."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image
from typer.testing import CliRunner

import app
from ingest.catalog import Catalog
from ingest.models.package_source import default_cache
from retrieval.corpus import asked_pictures
from retrieval.embedding.encoder import Encoder
from retrieval.errors import UnknownPicture
from retrieval.server.api import create_app
from retrieval.server.auth import MAX_PICTURE
from tests.retrieval.seen_corpus import BED, HOSPITAL, ROLLER_COASTER, SKYSCRAPERS, TENT, make_seen_index, screenshot
from tests.retrieval.server.requests import problem, search


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Path:
    folder = tmp_path_factory.mktemp("seen")
    make_seen_index(folder, encoder, (ROLLER_COASTER, TENT, BED, HOSPITAL, SKYSCRAPERS))
    return folder


@pytest.fixture(scope="module")
def seeing(folder: Path) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TIKTOK_RETRIEVAL_OCR_ENGINE", "tesseract")  # loads nothing
        with TestClient(create_app(folder / "data", folder / "indexes", follow=False)) as client:
            yield client


def send(client: TestClient, content: bytes) -> Any:
    return client.post("/api/pictures", content=content)


def frame_of(client: TestClient, video_id: str) -> dict[str, Any]:
    """The last picture that is kept of a video."""
    frame: dict[str, Any] = client.get(f"/api/videos/{video_id}").json()["frames"][-1]
    return frame


def test_a_screenshot_finds_its_video_and_leaves_nothing_behind(seeing: TestClient, folder: Path) -> None:
    sent = send(seeing, screenshot(TENT, "hello pancake"))
    assert sent.status_code == 201, sent.text
    made = sent.json()
    assert {"hello", "pancake"} <= set(made["words"])
    answer = search(seeing, "", picture=made["id"], w="seen:0")  # a picture that is searched by counts
    assert answer["hits"][0]["id"] == TENT and answer["total"] == 5 and answer["picture"] == made["id"]
    assert [reason["field"] for reason in answer["hits"][0]["explanation"]] == ["seen"]
    both = search(seeing, "my video number 3", picture=made["id"])
    assert {reason["retriever"] for hit in both["hits"] for reason in hit["explanation"]} >= {"vision", "keyword"}
    exported = seeing.get("/api/export", params={"picture": made["id"], "format": "links", "k": 1})
    assert exported.status_code == 200 and exported.headers["x-generation"] == answer["generation"]

    shown = seeing.get(made["thumbnail_url"])
    assert shown.headers["content-type"] == "image/webp" and shown.headers["cache-control"] == "no-store"
    with Image.open(io.BytesIO(shown.content)) as small:
        assert max(small.size) <= 480
    kept = [path for path in folder.rglob("*") if path.is_file() and shown.content[40:140] in path.read_bytes()]
    assert not kept, "it is in memory only"
    assert seeing.delete(made["thumbnail_url"]).status_code == 204
    assert "Choose it again" in problem(seeing.get("/api/search", params={"q": "", "picture": made["id"]}), 404)
    problem(seeing.get(made["thumbnail_url"]), 404)


def _bomb() -> bytes:
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b"", 422, "Send a picture"),
        (b"<script>alert(1)</script>", 422, "not an image of a known format"),
        (screenshot(TENT)[:2_000], 422, "The image cannot be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", 422, "not an image of a known format"),
        (_bomb(), 422, "larger than 40 megapixels"),
        (b"x" * (MAX_PICTURE + 1), 413, f"{MAX_PICTURE:,} bytes"),
    ],
    ids=["empty", "a page", "cut", "a program", "a bomb", "large"],
)
def test_what_cannot_be_searched_by_is_refused_with_a_reason(
    seeing: TestClient, content: bytes, status: int, says: str
) -> None:
    assert says in problem(send(seeing, content), status)


def test_a_frame_finds_others_like_it_and_not_its_own_video(seeing: TestClient) -> None:
    frame = frame_of(seeing, ROLLER_COASTER)
    assert frame["kind"] == "video" and frame["start_s"] < frame["end_s"]
    assert seeing.get(frame["url"]).headers["content-type"] == "image/webp"
    named = f"{ROLLER_COASTER}:{frame['sha256']}"
    found = search(seeing, "", picture=named)
    assert len(found["hits"]) == found["total"] == 4
    assert ROLLER_COASTER not in [hit["id"] for hit in found["hits"]]
    problem(seeing.get("/api/search", params={"q": "", "picture": f"{TENT}:{frame['sha256']}"}), 404)
    for wrong in ("x", "../../etc/passwd", f"{TENT}:", f"{TENT}:{'0' * 63}"):
        problem(seeing.get("/api/search", params={"q": "", "picture": wrong}), 422)


def test_the_command_gets_from_a_running_server_what_it_finds_by_itself(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOK_RETRIEVAL_MODELS", str(default_cache()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TIKTOK_RETRIEVAL_OCR_ENGINE", "tesseract")
    (tmp_path / "shot.png").write_bytes(screenshot(TENT, "video number"))
    command = ["search", "my", "--image", str(tmp_path / "shot.png"), "--json"]
    command += ["--data", str(folder / "data"), "--indexes", str(folder / "indexes")]
    with TestClient(create_app(folder / "data", folder / "indexes", follow=False, local_answers=True)) as client:
        search(client, "video")
        answered = [_searches(client)]
        asked, alone = (CliRunner().invoke(app.cli, [*command, *more]) for more in ((), ("--no-server",)))
        answered.append(_searches(client))
        assert not cast(FastAPI, client.app).state.service.seen_pictures.asked._kept  # as if it had never been there
    assert answered[1] - answered[0] == 1
    found, wanted = (json.loads(one.stdout) | {"timings_ms": {}} for one in (asked, alone))
    assert found == wanted and found["hits"][0]["id"] == TENT and "video" in found["query"]
    assert asked.stderr == alone.stderr == "words in the picture: video number\n"


def _searches(client: TestClient) -> int:
    found = re.search(r"^\S*search\S*_count\S* (\d+)", client.get("/metrics").text, re.MULTILINE)
    assert found
    return int(found[1])


def test_frames_of_a_removed_video_are_no_longer_searched_by(seeing: TestClient, folder: Path) -> None:
    named = f"{BED}:{frame_of(seeing, BED)['sha256']}"
    with Catalog(folder / "data") as catalog:
        catalog.removals.hide([BED])
        problem(seeing.get("/api/search", params={"q": "", "picture": named}), 404)
        catalog.removals.undo([BED])
    assert search(seeing, "", picture=named)["hits"]


def test_without_a_vision_model_the_answer_says_how_to_get_one(client: TestClient) -> None:
    assert "build --vision MODEL" in problem(send(client, screenshot(TENT)), 409)
    named = f"{TENT}:{'0' * 64}"
    assert "build --vision MODEL" in problem(client.get("/api/search", params={"q": "x", "picture": named}), 409)


def test_pictures_are_forgotten_after_an_hour_and_the_oldest_if_there_are_many(
    seeing: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked_pictures, "MOST", 2)
    kept = cast(FastAPI, seeing.app).state.service.seen_pictures.asked
    first, second = (send(seeing, screenshot(TENT)).json()["id"] for _ in range(2))
    assert kept.get(first).webp  # used last
    third = send(seeing, screenshot(TENT)).json()["id"]
    assert kept.get(first).webp and kept.get(third).webp
    with pytest.raises(UnknownPicture):
        kept.get(second)
    for one in (first, third):
        kept.get(one).used -= asked_pictures.KEPT_S + 1
    with pytest.raises(UnknownPicture):
        kept.get(third)
