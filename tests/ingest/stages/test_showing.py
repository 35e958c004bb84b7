"""What videos show is looked at while their texts are read, and what failed can be tried again."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.catalog import Catalog
from ingest.catalog.picture_store import FILE_NAME, PictureStore
from ingest.ocr import frames
from ingest.settings import Settings
from ingest.stages.pictures import run_pictures
from ingest.stages.pipeline import run_stage
from scraper.records import Video
from tests.ingest import media_samples

OCR = Settings(ocr_engine="tesseract", frames=3)


def ground(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (18, 10, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((216, 384), Image.Resampling.BICUBIC)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = Catalog(tmp_path / "data", create=True)
    for video_id in ("10001", "10002", "10003"):
        catalog.put_video(Video(id=video_id))
        folder = catalog.media_folder(video_id)
        if video_id != "10003":
            film = media_samples.video(folder / "video.mp4", None, 4, [ground(int(video_id)), ground(3)])
            catalog.put_media(video_id, "video", film, "imported")
        if video_id != "10001":
            ground(int(video_id) + 7).save(folder / "cover.png")
            catalog.put_media(video_id, "cover", folder / "cover.png", "imported")
    return catalog


def stored(data: Path) -> tuple[object, object, object]:
    with PictureStore(data) as store:
        return store.shown(), store.known(), store.fingerprints((0, 100))


def test_a_video_is_decoded_once_for_its_text_and_its_pictures(catalog: Catalog, tmp_path: Path) -> None:
    run_pictures(catalog, processes=1)
    wanted = stored(catalog.data)
    (catalog.data / FILE_NAME).unlink()
    run_stage(catalog, "ocr", OCR, processes=1)
    texts = [entry.texts["cover"] for entry in catalog.entries(catalog.ids())]
    assert not (catalog.data / FILE_NAME).exists()  # nobody has asked for pictures

    PictureStore(catalog.data, create=True).close()
    for entry in list(catalog.entries(catalog.ids())):
        catalog.ledger.set(entry.video.id, "ocr", "due")
    report = run_stage(catalog, "ocr", OCR, processes=1)
    assert report.done == 3 and stored(catalog.data) == wanted
    assert [entry.texts["cover"] for entry in catalog.entries(catalog.ids())] == texts
    again = run_pictures(catalog, processes=1)
    assert (again.done, again.failed) == (0, 0)
    with PictureStore(catalog.data) as store:
        assert store.not_compared() == []


def test_frames_are_the_same_with_pictures_and_without(catalog: Catalog) -> None:
    film = catalog.media_folder("10001") / "video.mp4"
    alone, together, pictures = frames.look(film, 3), frames.look(film, 3, 12), frames.look(film, 0, 12)
    assert [(f.start_s, f.end_s) for f in alone.frames] == [(f.start_s, f.end_s) for f in together.frames]
    assert together.fingerprint == pictures.fingerprint and alone.fingerprint is None
    assert [p.image.tobytes() for p in together.pictures] == [p.image.tobytes() for p in pictures.pictures]


def test_failures_are_counted_and_named_and_due_again_after_retry(catalog: Catalog) -> None:
    catalog.put_video(Video(id="10004"))
    broken = catalog.media_folder("10004") / "cover.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 500)
    catalog.put_media("10004", "cover", broken, "imported")
    run_pictures(catalog, ids=["10001", "10004"], processes=1)
    with PictureStore(catalog.data) as store:
        counts = store.stage_counts(catalog.media())
        assert (counts["due"], counts["done"], counts["failed"]) == (2, 1, 1)
        [failure] = store.failures()
        assert failure["video_id"] == "10004" and failure["stage"] == "pictures" and failure["tries"] == 1
        assert list(counts["errors"]) == [failure["error"]]  # type: ignore[call-overload]
        assert run_pictures(catalog, processes=1).failed == 0
        assert store.retry(error="no such error") == 0 == store.retry(["10001"])
        assert store.retry(["10004"], error="cover") == 1 and store.failures() == []
        counts = store.stage_counts(catalog.media())
        assert (counts["due"], counts["done"], counts["failed"]) == (1, 3, 0)
        assert run_pictures(catalog, processes=1).failed == 1 and store.failures()[0]["tries"] == 2


def test_a_video_whose_files_are_damaged_is_not_due(catalog: Catalog) -> None:
    for name in ("10001/video.mp4", "10003/cover.png"):
        [file] = catalog.data.rglob(name)
        file.write_bytes(b"")
    (catalog.media_folder("10002") / "video.mp4").unlink()  # it has a cover
    report = run_pictures(catalog, processes=1)
    with PictureStore(catalog.data) as store:
        counts = store.stage_counts(catalog.media())
    assert (counts["due"], counts["done"], counts["failed"]) == (0, 1, 0) == (0, report.done, report.failed)
