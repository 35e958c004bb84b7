"""Fingerprints of videos -> pairs that show the same."""

import itertools
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import copies as made
from ingest.catalog import Catalog
from ingest.catalog.picture_store import Fingerprint, NewPicture, PictureStore
from ingest.copies import HASH_BYTES, MAX_FRAMES, MIRRORED, FrameHashes, hash_of
from ingest.stages.copies import compare
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


def noisy(fingerprint: Fingerprint, bits: int, seed: int) -> Fingerprint:
    """A fingerprint of which so many bits of each frame differ."""
    chance, frames = np.random.default_rng(seed), []
    for frame in np.unpackbits(np.frombuffer(fingerprint.hashes, np.uint8)).reshape(-1, HASH_BYTES * 8):
        frame[chance.choice(len(frame), bits, replace=False)] ^= 1
        frames.append(np.packbits(frame).tobytes())
    return Fingerprint(fingerprint.length_s, b"".join(frames))


def mirrored(fingerprint: Fingerprint) -> Fingerprint:
    hashes = np.frombuffer(fingerprint.hashes, np.uint64).reshape(-1, 4) ^ MIRRORED
    return Fingerprint(fingerprint.length_s, hashes.tobytes())


def connected(store: PictureStore) -> dict[str, set[str]]:
    """The videos that are connected with each, itself too."""
    found: dict[str, set[str]] = defaultdict(set)
    for first, second in pairs_of(store):
        together = found[first] | found[second] | {first, second}
        found |= dict.fromkeys(together, together)
    return found


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
        wanted = connected(store)
        assert len(store.copies()) == 7 * 2 + 3 * 1  # groups of three videos, and of two photo posts
    assert sorted(map(len, wanted.values())) == [2] * 6 + [3] * 21
    with PictureStore(tmp_path / "one_by_one", create=True) as store:
        for number in reversed(range(len(prints))):
            put(store, str(10000 + number), prints[number])
            compare(store)
        assert connected(store) == wanted and not store.not_compared()


@pytest.mark.parametrize(("long_s", "frames"), [(64.1, 64), (128.1, 64), (63.95, 64)])
def test_copies_on_both_sides_of_a_length_from_which_frames_are_farther_apart_are_recognised(
    long_s: float, frames: int
) -> None:
    grey = [np.asarray(ground(seed).convert("L").resize((64, 64)), np.uint8) for seed in range(130)]
    prints = []
    for length_s in (long_s - 0.2, long_s):
        hashes = FrameHashes()
        for tenth in range(int(length_s * 10)):
            hashes.add(tenth / 10, lambda second=tenth // 10: grey[second])  # type: ignore[misc]
        prints.append(hashes.finish(length_s))
    shorter, longer = prints
    assert made.copies(shorter, longer) and made.copies(longer, shorter)
    assert len(shorter.hashes) == frames * HASH_BYTES


def test_pairs_go_with_their_video_and_those_that_it_connected_are_compared_again(tmp_path: Path) -> None:
    ids = ["10001", "10002", "10003", "10004"]
    with PictureStore(tmp_path, create=True) as store:
        for video_id in ids:
            put(store, video_id, random_print(1))
        compare(store)
        assert connected(store)["10001"] == set(ids) and len(pairs_of(store)) == 3
        for video_id in ids[:2]:
            store.forget([video_id])
            compare(store)
            ids.remove(video_id)
            assert connected(store)[ids[0]] == set(ids)
        put(store, "10003", random_print(2))  # it has other media now
        compare(store)
        assert pairs_of(store) == []


def test_a_video_whose_copy_is_erased_while_they_are_compared_is_compared_again(tmp_path: Path) -> None:
    with PictureStore(tmp_path, create=True) as store:
        for video_id in ("10001", "10003"):
            put(store, video_id, random_print(1))
        store.put_copies(store.not_compared(), [("10001", "10002", False), ("10002", "10003", False)])
        assert pairs_of(store) == [] and len(store.not_compared()) == 2
        compare(store)
        assert pairs_of(store) == [("10001", "10003")]


def test_a_thousand_videos_of_one_template_are_one_group_and_few_pairs(tmp_path: Path) -> None:
    template = random_print(1)
    with PictureStore(tmp_path, create=True) as store:
        for number in range(1000):
            put(store, str(10000 + number), noisy(template, 12, number))
        compare(store)
        assert len(pairs_of(store)) == 999 and len(connected(store)["10000"]) == 1000


@pytest.mark.parametrize("frames", [3, 20])
def test_copies_among_thousands_of_equally_long_videos_are_found(tmp_path: Path, frames: int) -> None:
    """Copies differ by as much as one that is cropped by 2 %, every second one is mirrored."""
    videos, copies = 3000, 100
    with PictureStore(tmp_path, create=True) as store:
        for number in range(videos):
            one = random_print(number)
            put(store, str(10000 + number), Fingerprint(20.0, one.hashes[: frames * HASH_BYTES]))
        for number in range(copies):
            one = noisy(Fingerprint(20.0, random_print(number).hashes[: frames * HASH_BYTES]), 32, number)
            put(store, str(20000 + number), mirrored(one) if number % 2 else one)
        compare(store)
        assert store.copies() == [(str(10000 + n), str(20000 + n), bool(n % 2)) for n in range(copies)]


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
        assert [video_id for video_id, _ in store.not_compared()] == ["10001", "10002"]
