"""Media by the API: ranges, caching, and files that are never served."""

from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.catalog import Catalog
from retrieval.server.api import create_app
from tests.retrieval.server.conftest import Folders
from tests.retrieval.server.requests import problem, search
from tests.retrieval.server.test_fuzz import QUICK
from tests.tiny_corpus import BREAD, FALCON, KETTLE, PHOTOS, make_picture

STEPS = ("..", "%2e%2e", "/", "%2f", "\\", BREAD, "video", "cover", "catalog.sqlite", "~", "%00", "?n=-1", "?n=9", ".")


def test_ranges_and_cached_copies_are_answered(client: TestClient) -> None:
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


def test_only_pictures_and_videos_below_the_media_folder_are_served(folders: Folders) -> None:
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


def test_a_missing_file_has_no_address(folders: Folders) -> None:
    data, indexes = folders
    client = TestClient(create_app(data, indexes))
    assert client.get(f"/media/{FALCON}/cover").headers["content-type"] == "image/png"
    with Catalog(data) as catalog:
        (catalog.media_folder(FALCON) / "cover.png").unlink()
    problem(client.get(f"/media/{FALCON}/cover"), 404)
    assert client.get(f"/api/videos/{FALCON}").json()["media"][0]["url"] is None


@settings(QUICK, max_examples=200)
@given(path=st.lists(st.sampled_from(STEPS), max_size=7))
def test_no_path_leads_out_of_the_media(client: TestClient, path: list[str]) -> None:
    answer = client.get("/media/" + "/".join(path))
    assert answer.status_code in (200, 404, 422)
    assert not answer.content.startswith(b"SQLite") and b"root:" not in answer.content
    assert answer.status_code != 200 or answer.headers["content-type"].startswith(("image/", "video/"))
