"""The upload route: what it refuses, what it bounds, and what stays on disk."""

import io
import json
import os
import time
import unicodedata
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from page import add_routes, adding, uploads
from page.add_routes import links_in
from page.adding import Additions
from page.jobs import Jobs
from page.upload_names import NotAllowed, check_kind, safe_path
from page.uploads import SWEPT_AFTER_S, Limits, Uploads
from retrieval.server.api import create_app
from retrieval.server.auth import Access
from retrieval.server.problems import Problem

RECORD = json.dumps([{"id": "7200000000000000001", "description": "a walrus"}]).encode()
LIMITS = Limits(file_bytes=100_000, total_bytes=150_000, files=3, uploads=2)


class Served:
    """A server of uploads, without the page."""

    def __init__(self, data: Path, limits: Limits = LIMITS, access: Access | None = None) -> None:
        self.app: FastAPI = create_app(data, data / "indexes", access)
        self.uploads = Uploads(data, limits)
        self.jobs = Jobs(data, data / "indexes")
        self.additions = Additions(self.jobs, self.uploads)
        self.app.include_router(add_routes.routes(self.uploads, self.additions))
        self.client = TestClient(self.app)

    def open(self) -> str:
        return str(self.client.post("/page/uploads").json()["id"])

    def send(self, upload: str, name: str, content: bytes = RECORD) -> tuple[int, str]:
        answer = self.client.put(f"/page/uploads/{upload}/file", params={"name": name}, content=content)
        return answer.status_code, answer.json()["detail"] if answer.content else ""

    def stored(self, upload: str) -> list[str]:
        folder = self.uploads.folder / upload / "files"
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.jobs.close()


HOSTILE_NAMES = {
    "../evil.json": "plain path",
    "a/../../evil.json": "plain path",
    "/etc/evil.json": "relative",
    "C:/evil.json": "relative",
    "a\\..\\evil.json": "relative",
    "a//b.json": "plain path",
    "./b.json": "plain path",
    ".hidden.json": "hidden",
    ".git/b.json": "hidden",
    "a/nul.json": "device",
    "new\nline.json": "control",
    "null\0byte.json": "control",
    "é" * 128 + ".json": "255 bytes",
    "/".join(["d"] * 13) + "/x.json": "deep",
    "x" * 3_000 + ".json": "too long",
    " .json": "hidden",
    "a/ .. /b.json": "plain path",
    "program.exe": "kind of file",
    "no-suffix": "kind of file",
    "page.svg": "kind of file",
}


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_a_hostile_name_is_refused_in_plain_words_and_writes_nothing(served: Served, name: str) -> None:
    upload = served.open()
    status, detail = served.send(upload, name)
    assert status == 422 and HOSTILE_NAMES[name] in detail
    assert not any(path.is_file() for path in served.uploads.folder.parent.rglob("*evil*"))
    assert served.stored(upload) == []


@pytest.mark.parametrize(
    "name",
    ["ein Lied (1).mp4", "a/b/クリップ.webm", "🎬 best.mov", "é" * 125 + ".mp4", "WhatsApp Video 2024-03-03.MP4"],
)
def test_names_that_people_have_are_kept(name: str) -> None:
    assert str(safe_path(unicodedata.normalize("NFD", name))) == name


def test_spaces_around_names_are_dropped_and_a_colon_is_no_drive() -> None:
    assert str(safe_path(" Holiday / beach.mp4")) == "Holiday/beach.mp4"
    if os.name == "posix":
        assert str(safe_path("Q: why.mp4")) == "Q: why.mp4"


@pytest.mark.parametrize(
    ("name", "head", "why"),
    [
        ("a.mp4", b"<!DOCTYPE html><script>alert(1)</script>", "web page"),
        ("a.mp3", b" <svg onload=x>", "web page"),
        ("a.mp4", b"just some text", "not a video"),
        ("a.jpg", b"GIX", "not a video or picture"),
        ("a.json", b"{\0}", "not text"),
        ("a.txt", b"\x7fELF\x02", "program"),
        ("a.m4a", b"MZ\x90", "program"),
        ("a.zip", b"Rar!", "not a zip"),
        ("a.json", b"", "empty"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(name: str, head: bytes, why: str) -> None:
    with pytest.raises(NotAllowed, match=why):
        check_kind(PurePosixPath(name), head)


def test_a_refused_file_leaves_nothing_behind(served: Served) -> None:
    upload = served.open()
    assert served.send(upload, "clip.mp4", b"<html>" + b"x" * 90_000)[0] == 422
    assert [path for path in served.uploads.folder.rglob("*") if path.is_file()] == []


def test_two_files_of_one_name_both_keep_it(served: Served) -> None:
    upload = served.open()
    for _ in range(2):
        assert served.send(upload, "x/batch.json")[0] == 201
    assert served.send(upload, "x", b"")[0] == 422
    assert served.stored(upload) == ["2/x/batch.json", "x/batch.json"]


def test_a_file_keeps_the_date_that_the_browser_tells(served: Served) -> None:
    upload = served.open()
    address = f"/page/uploads/{upload}/file?name=a.json&modified=1500000000000"
    assert served.client.put(address, content=RECORD).status_code == 201
    (stored,) = (path for path in served.uploads.folder.rglob("a.json"))
    assert stored.stat().st_mtime == 1_500_000_000


def test_limits_of_files_bytes_and_uploads(served: Served) -> None:
    upload = served.open()
    status, detail = served.send(upload, "a.json", b"[" + b" " * 100_000)
    assert (status, "One file may have" in detail) == (413, True)
    assert served.send(upload, "a.json", b"[" + b" " * 90_000)[0] == 201
    status, detail = served.send(upload, "b.json", b"[" + b" " * 90_000)
    assert (status, "One upload may have" in detail) == (413, True)
    assert [served.send(upload, f"{n}.json")[0] for n in range(3)] == [201, 201, 413]
    served.open()
    assert served.client.post("/page/uploads").status_code == 429


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path) -> None:
    served = Served(tmp_path, Limits(free_bytes=1 << 60))
    assert served.client.post("/page/uploads").json()["free"] == 0
    status, detail = served.send(served.open(), "a.json")
    assert status == 507 and "too little space" in detail


def test_a_body_without_length_or_for_no_upload_is_refused(served: Served) -> None:
    upload = served.open()
    chunked = served.client.put(f"/page/uploads/{upload}/file?name=a.json", content=iter([b"[]"]))
    assert chunked.status_code == 413
    assert served.send("0" * 32, "a.json")[0] == 404
    assert served.send("..", "a.json")[0] == 404


def test_pages_of_other_sites_and_strangers_cannot_upload(tmp_path: Path) -> None:
    served = Served(tmp_path, access=Access(token="secret"))
    mine = {"Authorization": "Bearer secret"}
    assert served.client.post("/page/uploads").status_code == 401
    assert served.client.post("/page/uploads", headers=mine | {"Sec-Fetch-Site": "cross-site"}).status_code == 403
    upload = served.client.post("/page/uploads", headers=mine).json()["id"]
    address = f"/page/uploads/{upload}/file?name=a.json"
    assert served.client.put(address, content=RECORD).status_code == 401
    assert served.client.put(address, content=RECORD, headers=mine | {"Origin": "http://evil"}).status_code == 403
    assert served.client.put(address, content=RECORD, headers=mine).status_code == 201
    assert served.client.post("/page/add", json={"links": "x" * 70_000}, headers=mine).status_code == 413


def test_uploads_of_yesterday_are_swept_and_recent_ones_offered(served: Served) -> None:
    upload_ids = [served.open(), served.open()]
    for upload_id, age_s in zip(upload_ids, (SWEPT_AFTER_S + 60, 3_600), strict=True):
        assert served.send(upload_id, "batch.json")[0] == 201
        incoming = served.uploads.folder / upload_id / "incoming"
        os.utime(incoming, (time.time() - age_s,) * 2)
    served.uploads.sweep()
    assert [left.id for left in served.uploads.left()] == upload_ids[1:]
    assert upload_ids[1] in served.client.get("/page/add").json()["html"]
    assert served.client.delete(f"/page/uploads/{upload_ids[1]}").status_code == 204
    assert list(served.uploads.folder.iterdir()) == []


def test_an_upload_that_is_deleted_while_a_file_arrives_leaves_nothing(served: Served) -> None:
    upload = served.open()

    async def chunks() -> AsyncIterator[bytes]:
        yield RECORD[:10]
        served.uploads.delete(upload)
        yield RECORD[10:]

    with pytest.raises(Problem):
        _run(served.uploads.receive, upload, "batch.json", len(RECORD), chunks())
    assert list(served.uploads.folder.iterdir()) == []


def test_a_file_that_stops_arriving_ends_and_leaves_nothing(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "IDLE_S", 0.05)
    upload = served.open()

    async def chunks() -> AsyncIterator[bytes]:
        yield RECORD[:10]
        await anyio.sleep(60)

    with pytest.raises(Problem, match="Nothing of the file has arrived"):
        _run(served.uploads.receive, upload, "batch.json", len(RECORD), chunks())
    assert [path for path in served.uploads.folder.rglob("*") if path.is_file()] == []
    assert served.send(upload, "batch.json")[0] == 201


def test_an_upload_that_cannot_wait_any_more_is_not_kept(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adding, "MAX_WAITING", 0)
    assert served.client.post("/page/add", json={"path": str(served.uploads.folder.parent)}).status_code == 429
    assert list(served.uploads.folder.iterdir()) == []


def test_an_addition_that_takes_days_keeps_its_files(served: Served) -> None:
    upload = served.open()
    served.send(upload, "batch.json")
    served.uploads.in_use = lambda: {upload}
    os.utime(served.uploads.folder / upload / "incoming", (1, 1))
    served.open()
    assert served.stored(upload) == ["batch.json"]
    assert served.uploads.left() == []


def test_links_are_told_from_other_text() -> None:
    pasted = "https://vm.tiktok.com/ZMabc/, www.tiktok.com/@x/video/7200000000000000001\nhttps://vm.tiktok.com/ZMabc/"
    assert links_in(pasted) == [
        "https://vm.tiktok.com/ZMabc/",
        "https://www.tiktok.com/@x/video/7200000000000000001",
    ]
    for wrong in ("", "  ", "hello", "https://example.org/x", "file:///etc/passwd", "--data /x"):
        with pytest.raises(Problem):
            links_in(wrong)


def test_a_stopped_addition_keeps_its_files_and_a_finished_one_does_not(served: Served) -> None:
    kept = served.open()
    served.send(kept, "batch.json")
    assert served.client.post("/page/add", json={"upload": kept}).status_code == 202
    assert served.client.post("/page/add", json={"upload": kept}).status_code == 409
    assert served.send(kept, "late.json")[0] == 409
    assert served.client.delete(f"/page/uploads/{kept}").status_code == 409
    assert served.client.delete(f"/page/add/{kept}").status_code == 204
    served.jobs.wait(60)
    assert "data-resume" in served.client.get("/page/add").json()["html"]
    assert served.stored(kept) == ["batch.json"]
    assert served.client.post("/page/add", json={"upload": kept}).status_code == 202
    assert [addition.state for addition in served.additions.shown()] == ["running"]


def test_one_addition_waits_for_the_other(served: Served) -> None:
    first, second = served.open(), served.open()
    for upload in (first, second):
        served.send(upload, "batch.json")
        assert served.client.post("/page/add", json={"upload": upload}).status_code == 202
    assert [addition.state for addition in served.additions.shown()] == ["running", "waiting"]
    assert served.client.delete(f"/page/add/{second}").status_code == 204
    served.client.delete(f"/page/add/{first}")
    served.jobs.wait(60)
    assert [addition.state for addition in served.additions.shown()] == ["stopped"]


def test_a_path_that_does_not_exist_is_a_plain_message(served: Served) -> None:
    answer = served.client.post("/page/add", json={"path": "/no/such <b>folder"})
    assert answer.status_code == 422 and "There is no /no/such <b>folder" in answer.json()["detail"]
    assert list(served.uploads.folder.glob("*")) == []


def test_a_stopped_addition_of_a_path_goes_on(served: Served, tmp_path: Path) -> None:
    (tmp_path / "batch.json").write_bytes(RECORD)
    added = served.client.post("/page/add", json={"path": str(tmp_path / "batch.json")}).json()["id"]
    served.client.delete(f"/page/add/{added}")
    served.jobs.wait(60)
    assert served.client.post("/page/add", json={"upload": added}).status_code == 202
    assert served.additions.path_of(added) == tmp_path / "batch.json"


def test_a_connection_that_breaks_leaves_no_half_file(served: Served) -> None:
    upload = served.open()
    answer = served.client.put(
        f"/page/uploads/{upload}/file?name=a.json", content=io.BytesIO(b"[1]"), headers={"Content-Length": "9000"}
    )
    assert answer.status_code == 422 and "completely" in answer.json()["detail"]
    assert [path for path in served.uploads.folder.rglob("*") if path.is_file()] == []


def _run(*call: Any) -> None:
    """Run a coroutine in a thread of its own: this one may have the event loop of a browser."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: anyio.run(*call)).result()
