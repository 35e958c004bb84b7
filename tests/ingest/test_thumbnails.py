"""Thumbnails and strips of frames: small, upright, of any picture, and errors for files that cannot be read."""

from pathlib import Path

import pytest
from PIL import Image

from ingest.media import MediaError
from ingest.thumbnails import FRAME, SIZE, poster_thumbnail, strip, thumbnail
from tests.tiny_corpus import VIDEO_S, make_video


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "video.mp4"
    make_video(path)
    return path


@pytest.mark.parametrize("size", [(900, 1200), (1600, 100), (1, 4000), (40, 40)])
def test_a_thumbnail_fits_its_box_and_is_small(size: tuple[int, int], tmp_path: Path) -> None:
    Image.effect_noise(size, 80).convert("RGB").save(tmp_path / "cover.png", icc_profile=b"x" * 100_000)
    thumbnail(tmp_path / "cover.png", tmp_path / "small.webp")
    with Image.open(tmp_path / "small.webp") as small:
        assert small.format == "WEBP" and small.width <= SIZE[0] and small.height <= SIZE[1]
    assert (tmp_path / "small.webp").stat().st_size < 60_000


def test_a_broken_picture_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    with pytest.raises(MediaError):
        thumbnail(tmp_path / "cover.jpg", tmp_path / "small.webp")
    assert [path.name for path in tmp_path.iterdir()] == ["cover.jpg"]


def test_a_strip_shows_the_frames_of_its_times(video: Path, tmp_path: Path) -> None:
    times = [1.0, VIDEO_S / 2, VIDEO_S - 1.0]  # the video brightens evenly from black to white
    strip(video, times, tmp_path / "strip.webp")
    with Image.open(tmp_path / "strip.webp") as image:
        cell = image.width // len(times)
        assert image.width % len(times) == 0 and cell <= FRAME[0] and image.height <= FRAME[1]
        grey = image.convert("L")
        shades = [float(grey.getpixel((cell * n + cell // 2, 50))) for n in range(len(times))]  # type: ignore[arg-type]
    assert shades == pytest.approx([255 * time / VIDEO_S for time in times], abs=12)


def test_times_after_the_end_show_the_last_frame(video: Path, tmp_path: Path) -> None:
    strip(video, [VIDEO_S * 0.5, VIDEO_S * 10], tmp_path / "strip.webp")
    with Image.open(tmp_path / "strip.webp") as image:
        assert float(image.convert("L").getpixel((image.width * 3 // 4, 50))) > 100  # type: ignore[arg-type]


def test_a_video_without_a_cover_is_shown_by_its_first_frame_that_is_not_blank(video: Path, tmp_path: Path) -> None:
    poster_thumbnail(video, tmp_path / "small.webp")
    assert (tmp_path / "small.webp").stat().st_size


def test_a_broken_video_has_no_strip(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").write_bytes(b"\0\0\0\x18ftypmp42 not a video")
    with pytest.raises(MediaError):
        strip(tmp_path / "video.mp4", [1.0], tmp_path / "strip.webp")
    assert not (tmp_path / "strip.webp").exists()
