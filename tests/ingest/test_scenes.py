"""Generated videos with known cuts -> the cuts and the pictures that are found."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks import scenes as generated
from ingest.ocr.frames import frames, look
from ingest.scenes import CutDetector, near, thumb_of
from tests.ingest import media_samples


def ground(seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (9, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((216, 384), Image.Resampling.BICUBIC)


def thumb(level: int) -> NDArray[np.float32]:
    return thumb_of(np.full((64, 64, 3), level, np.uint8))


def test_cuts_of_generated_videos_are_found_within_a_fifth_of_a_second(tmp_path: Path) -> None:
    rng = Random(5)
    wanted = hits = named = 0
    for number in range(2):
        film = generated.film(tmp_path / f"{number}.mp4", rng, 15)
        cuts = look(film.path, pictures=12).cuts
        wanted, named = wanted + len(film.cuts), named + len(cuts)
        hits += generated.matched(film.cuts, cuts)
    assert hits >= 0.9 * wanted > 0 and hits >= 0.9 * named


def test_a_flash_of_one_frame_is_no_cut() -> None:
    detector = CutDetector()
    levels = [60] * 6 + [240] + [60] * 6 + [180] * 6
    cuts = [detector.add(float(number), thumb(level)) for number, level in enumerate(levels)]
    assert [cut for cut in cuts if cut is not None] == [13.0]


def test_each_scene_has_a_picture_with_its_seconds(tmp_path: Path) -> None:
    video = media_samples.video(tmp_path / "v.mp4", None, 9, [ground(1), ground(2), ground(3)])
    shown = look(video, pictures=12).pictures
    assert [round(picture.start_s) for picture in shown] == [0, 3, 6]
    assert [round(picture.end_s) for picture in shown] == [2, 6, 9] or [p.end_s > p.start_s for p in shown] == [
        True
    ] * 3
    assert shown[1].image.size == (216, 384)


def test_blank_pictures_and_scenes_that_come_again_are_left_out(tmp_path: Path) -> None:
    black = Image.new("RGB", (216, 384))
    scenes = [black, ground(1), ground(2), ground(1), black, ground(2)]
    shown = look(media_samples.video(tmp_path / "v.mp4", None, 12, scenes), pictures=12).pictures
    assert [round(picture.start_s) for picture in shown] == [2, 4]


def test_a_video_with_many_scenes_gives_evenly_spread_pictures(tmp_path: Path) -> None:
    video = media_samples.video(tmp_path / "v.mp4", None, 40, [ground(number) for number in range(40)])
    starts = [picture.start_s for picture in look(video, pictures=6).pictures]
    assert len(starts) == 6 and starts[0] < 1 and starts[-1] > 37
    assert max(np.diff(starts)) < 2 * min(np.diff(starts))


@pytest.mark.parametrize("limit", [0, 8])
def test_pictures_do_not_change_the_frames_to_read(tmp_path: Path, limit: int) -> None:
    video = media_samples.video(tmp_path / "v.mp4", None, 10, [ground(number) for number in range(5)])
    alone, together = frames(video, limit), look(video, limit, pictures=12).frames
    assert [(one.start_s, one.end_s) for one in alone] == [(one.start_s, one.end_s) for one in together]
    assert len(alone) == min(limit, 5)


def test_another_caption_on_the_same_scene_is_not_almost_equal() -> None:
    first = np.full((64, 64, 3), 90, np.uint8)
    second = first.copy()
    second[24:32, 8:56] = 250
    assert near(thumb_of(first), thumb_of(first)) and not near(thumb_of(first), thumb_of(second))
