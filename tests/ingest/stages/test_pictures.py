"""Media in a catalog -> small pictures with seconds, next to it."""

import hashlib
import io
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.catalog import Catalog
from ingest.catalog.picture_store import FILE_NAME, NewPicture, PictureStore
from ingest.stages.pictures import run_pictures
from scraper.records import Video
from tests.ingest import media_samples


def ground(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (9, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((216, 384), Image.Resampling.BICUBIC)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "data", create=True) as catalog:
        for video_id in ("10001", "10002", "10003"):
            catalog.put_video(Video(id=video_id))
        folder = catalog.media_folder("10001")
        film = media_samples.video(folder / "video.mp4", None, 6, [ground(1), ground(2), ground(3)])
        catalog.put_media("10001", "video", film, "imported")
        ground(2).save(folder / "cover.png")
        catalog.put_media("10001", "cover", folder / "cover.png", "imported")
        folder = catalog.media_folder("10002")
        for number in range(2):
            ground(10 + number).resize((1080, 1920)).save(folder / f"slide_{number}.png")
            catalog.put_media("10002", "slide", folder / f"slide_{number}.png", "imported", position=number)
        yield catalog


def test_covers_slides_and_scenes_become_pictures_with_their_seconds(catalog: Catalog) -> None:
    report = run_pictures(catalog, processes=1)
    assert (report.done, report.failed, report.pictures) == (2, 0, 5)
    with PictureStore(catalog.data) as store:
        shown = store.shown()
        [first, *_] = shown["10002"]
        image = Image.open(io.BytesIO(store.webp(first.sha256) or b""))
    film = shown["10001"]  # its cover is like one of its scenes
    assert [(one.kind, round(one.start_s or 0)) for one in film] == [("video", 0), ("video", 2), ("video", 4)]
    assert [(one.kind, one.start_s) for one in shown["10002"]] == [("slide", None), ("slide", None)]
    assert image.size == (270, 480)


def test_nothing_is_made_twice_and_changed_media_are_looked_at_again(catalog: Catalog) -> None:
    run_pictures(catalog, processes=1)
    assert run_pictures(catalog, processes=1).done == 0
    folder = catalog.media_folder("10002")
    ground(20).save(folder / "slide_0.png")
    catalog.put_media("10002", "slide", folder / "slide_0.png", "imported", position=0)
    before = PictureStore(catalog.data).shown()["10002"]
    assert run_pictures(catalog, processes=1).done == 1
    assert PictureStore(catalog.data).shown()["10002"] != before


def test_a_hostile_picture_affects_only_itself(catalog: Catalog) -> None:
    folder = catalog.media_folder("10003")
    (folder / "slide_0.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 500)
    Image.new("1", (20_000, 20_000)).save(folder / "slide_1.png")
    ground(30).save(folder / "slide_2.png")
    for number in range(3):
        catalog.put_media("10003", "slide", folder / f"slide_{number}.png", "imported", position=number)
    report = run_pictures(catalog, processes=1)
    assert (report.done, report.failed, report.pictures) == (2, 1, 6)
    [failure] = report.failures
    assert failure["video_id"] == "10003" and "slide 1" in failure["error"] and "megapixels" in failure["error"]
    assert run_pictures(catalog, processes=1).failed == 0  # it is not tried again and again
    assert run_pictures(catalog, processes=1, retry_failed=True).failed == 1


def test_pictures_of_videos_that_are_gone_are_deleted(catalog: Catalog) -> None:
    run_pictures(catalog, processes=1)
    catalog.removals.hide(["10001"])
    run_pictures(catalog, processes=1)
    assert set(PictureStore(catalog.data).shown()) == {"10002"}


def test_a_damaged_store_is_made_again(catalog: Catalog) -> None:
    run_pictures(catalog, processes=1)
    path = catalog.data / FILE_NAME
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    assert run_pictures(catalog, processes=1).pictures == 5


def test_a_flipped_bit_in_a_picture_is_noticed_and_the_picture_made_again(tmp_path: Path) -> None:
    with PictureStore(tmp_path, create=True) as store:
        store.put("10001", "inputs", "recipe", [NewPicture("cover", None, None, b"a picture")])
        sha256 = hashlib.sha256(b"a picture").hexdigest()
        assert store.webp(sha256) == b"a picture"
        with sqlite3.connect(store.path) as db:
            db.execute("UPDATE pictures SET webp = ?", (b"a qicture",))
        assert store.webp(sha256) is None and store.known() == {}


def test_a_store_that_was_never_made_has_no_pictures_and_makes_no_file(tmp_path: Path) -> None:
    with PictureStore(tmp_path) as store:
        assert not store.exists and store.shown() == {} and store.webp("ab") is None
    assert not (tmp_path / FILE_NAME).exists()
