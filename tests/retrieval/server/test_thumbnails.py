"""Small pictures by the API: made once, kept, made again for another cover, and gone with their video."""

import io

from fastapi.testclient import TestClient
from PIL import Image

from ingest.catalog import Catalog
from retrieval.corpus.erasure import erase
from retrieval.server.api import create_app
from tests.retrieval.server.conftest import Folders
from tests.retrieval.server.requests import problem, search
from tests.tiny_corpus import BREAD, KETTLE, PHOTOS, make_picture


def test_small_pictures_are_made_once_kept_and_erased_with_their_video(folders: Folders) -> None:
    data, indexes = folders
    with TestClient(create_app(data, indexes)) as client:
        video = next(hit for hit in search(client, "loaf drum")["hits"] if hit["id"] == BREAD)["video"]
        answer = client.get(video["thumbnail_url"])
        assert answer.headers["content-type"] == "image/webp" and "immutable" in answer.headers["cache-control"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        frames = client.get(video["frames_url"])
        assert Image.open(io.BytesIO(frames.content)).width % len(video["frame_times"]) == 0
        kept = sorted((data / "thumbnails").rglob("*.webp"))
        assert len(kept) == 2
        times = [path.stat().st_mtime_ns for path in kept]
        assert client.get(video["thumbnail_url"]).content == answer.content
        assert [path.stat().st_mtime_ns for path in kept] == times

        with Catalog(data) as catalog:  # another cover, and a hostile one
            make_picture(catalog.media_folder(BREAD) / "cover.jpg", "white")
            catalog.put_media(BREAD, "cover", catalog.media_folder(BREAD) / "cover.jpg", "imported")
            (catalog.media_folder(KETTLE) / "cover.jpg").write_bytes(b"\xff\xd8\xff not a picture")
            catalog.put_media(KETTLE, "cover", catalog.media_folder(KETTLE) / "cover.jpg", "imported")
        assert client.get(f"/media/{BREAD}/thumbnail").content != answer.content
        assert len(list((data / "thumbnails").rglob("*.webp"))) == 2  # the older one is deleted
        problem(client.get(f"/media/{KETTLE}/thumbnail"), 404)
        assert client.get(f"/media/{PHOTOS}/thumbnail").status_code == 200  # of its first slide
        problem(client.get(f"/media/{PHOTOS}/frames"), 404)
        problem(client.get("/media/123/thumbnail"), 404)

        with Catalog(data) as catalog:
            catalog.removals.hide([BREAD])
        problem(client.get(f"/media/{BREAD}/thumbnail"), 404)
        erase(data, indexes, [BREAD])
        assert not list((data / "thumbnails").rglob(f"*{BREAD}*"))


def test_what_is_removed_while_its_picture_is_made_leaves_none(folders: Folders) -> None:
    data, indexes = folders
    app = create_app(data, indexes)
    with Catalog(data, read_only=True) as catalog:
        entry = catalog.get(BREAD)
    assert entry
    with TestClient(app), Catalog(data) as catalog:
        catalog.removals.hide([BREAD])
        assert app.state.service.thumbnails.thumbnail(entry) is None
    assert not list((data / "thumbnails").rglob(f"*{BREAD}*"))
