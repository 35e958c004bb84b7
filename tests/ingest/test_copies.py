"""Fingerprints of videos -> pairs that show the same."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import copies as made
from ingest.catalog import Catalog
from ingest.catalog.picture_store import Fingerprint, NewPicture, PictureStore
from ingest.copies import HASH_BYTES, MAX_FRAMES, FrameHashes, compare, hash_of
from ingest.stages.pictures import run_pictures
from scraper.records import Video
from tests.ingest import media_samples


def ground(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (36, 20, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((216, 384), Image.Resampling.BICUBIC)


def film(path: Path, seeds: list[int], seconds: float = 6) -> Path:
    return media_samples.video(path, None, seconds, [ground(seed) for seed in seeds])


def random_print(seed: int, length_s: float | None = 20.0) -> Fingerprint:
    return Fingerprint(length_s, np.random.default_rng(seed).bytes(20 * HASH_BYTES))


def put(store: PictureStore, video_id: str, fingerprint: Fingerprint) -> None:
    store.put(video_id, "inputs", "recipe", [NewPicture("cover", None, None, video_id.encode())], "", fingerprint)


def pairs_of(store: PictureStore) -> list[tuple[str, str]]:
    return [(first, second) for first, second, _ in store.copies()]


@pytest.mark.parametrize(
    ("change", "recognised"),
    [("half_the_size", True), ("name_in_a_corner", True), ("mirrored", True), ("black_bars", False)],
)
def test_copies_that_are_changed_a_little_are_recognised(tmp_path: Path, change: str, recognised: bool) -> None:
    original = film(tmp_path / "original.mp4", [1, 2, 3])
    made.remake(original, tmp_path / "copy.mp4", made.CHANGES[change])
    assert made.copies(made.fingerprint(original), made.fingerprint(tmp_path / "copy.mp4")) == recognised


def test_other_videos_of_the_same_length_and_those_of_another_length_are_no_copies(tmp_path: Path) -> None:
    films = [film(tmp_path / f"{n}.mp4", seeds) for n, seeds in enumerate([[1, 2, 3], [4, 5, 6], [1, 5, 6], [3, 2, 1]])]
    films.append(film(tmp_path / "longer.mp4", [1, 2, 3], 7))
    assert not any(made.copies(*pair) for pair in itertools.combinations(map(made.fingerprint, films), 2))


def test_a_photo_post_and_its_copy_are_a_pair_and_one_of_two_slides_is_not(tmp_path: Path) -> None:
    with Catalog(tmp_path / "data", create=True) as catalog:
        for video_id, seeds in (
            ("10001", [1, 2]),
            ("10002", [1, 2]),
            ("10003", [1, 3]),
            ("10004", [1]),
            ("10005", [1, 2, 4, 5]),
        ):
            catalog.put_video(Video(id=video_id))
            folder = catalog.media_folder(video_id)
            for number, seed in enumerate(seeds):
                slide = folder / f"slide_{number}.jpg"
                ground(seed).save(slide, quality=60 + int(video_id) % 10 * 8)
                catalog.put_media(video_id, "slide", slide, "imported", position=number)
        run_pictures(catalog, processes=1)
        with PictureStore(catalog.data) as store:
            assert store.copies() == [("10001", "10002", False)]


def test_a_long_video_has_few_hashes_at_even_steps() -> None:
    hashes, grey = FrameHashes(), np.asarray(ground(1).convert("L").resize((64, 64)), np.uint8)
    for tenth in range(2000):
        hashes.add(tenth / 10, lambda: grey)
    found = hashes.finish(0)
    assert hashes.step_s == 4 and len(found.hashes) == 50 * HASH_BYTES <= MAX_FRAMES * HASH_BYTES
    assert found.length_s == pytest.approx(199.9) and hash_of(np.zeros((64, 64), np.uint8)) == bytes(HASH_BYTES)


def test_new_videos_are_compared_with_all_others_and_in_any_order(tmp_path: Path) -> None:
    prints = [random_print(n % 7, 20.0 + n % 7) for n in range(21)] + [random_print(n % 3, None) for n in range(6)]
    for folder in ("at_once", "one_by_one"):
        (tmp_path / folder).mkdir()
    with PictureStore(tmp_path / "at_once", create=True) as store:
        for number, one in enumerate(prints):
            put(store, str(10000 + number), one)
        compare(store)
        wanted = store.copies()
    assert len(wanted) == 7 * 3 + 3 * 1  # groups of three videos, and of two photo posts
    with PictureStore(tmp_path / "one_by_one", create=True) as store:
        for number in reversed(range(len(prints))):
            put(store, str(10000 + number), prints[number])
            compare(store)
        assert store.copies() == wanted and not store.not_compared()


def test_pairs_go_with_their_video_and_come_again_with_it(tmp_path: Path) -> None:
    with PictureStore(tmp_path, create=True) as store:
        for video_id in ("10001", "10002", "10003"):
            put(store, video_id, random_print(1))
        compare(store)
        assert pairs_of(store) == [("10001", "10002"), ("10001", "10003"), ("10002", "10003")]
        store.forget(["10002"])
        assert pairs_of(store) == [("10001", "10003")]
        put(store, "10003", random_print(2))  # it has other media now
        compare(store)
        assert pairs_of(store) == []
        put(store, "10002", random_print(1))
        store.put_copies([], [("10002", "10009", False)])  # 10009 was erased while it was compared
        compare(store)
        assert pairs_of(store) == [("10001", "10002")]


def test_damaged_hashes_are_unknown_and_hashes_that_have_changed_are_compared_again(tmp_path: Path) -> None:
    with PictureStore(tmp_path, create=True) as store:
        for video_id, one in (
            ("10001", random_print(1)),
            ("10002", random_print(1)),
            ("10003", Fingerprint(20.0, b"x")),
        ):
            put(store, video_id, one)
        compare(store)
        assert pairs_of(store) == [("10001", "10002")]
        put(store, "10002", random_print(2))
        store.put_copies([("10002", random_print(1))], [])
        assert [video_id for video_id, _ in store.not_compared()] == ["10002"]
