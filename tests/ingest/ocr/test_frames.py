"""Generated videos -> the frames that differ, with their times."""

import gc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ingest.media import MediaError, NoStream
from ingest.ocr.frames import MAX_FRAMES, Frame, fingerprint, frames
from tests.ingest import media_samples

WORDS = [
    "the first words",
    "some other line",
    "wait for it",
    "nobody knew",
    "and then",
    "it was a cat",
    "the end, folks",
]


def ground(size: tuple[int, int] = (216, 384)) -> Image.Image:
    noise = np.random.default_rng(1).integers(40, 215, (12, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def captioned(text: str) -> Image.Image:
    picture = ground()
    font = ImageFont.load_default(size=22)
    ImageDraw.Draw(picture).text((12, 200), text, "white", font, stroke_width=2, stroke_fill="black")
    return picture


def test_a_still_video_is_one_frame_for_its_whole_length(tmp_path: Path) -> None:
    [frame] = frames(media_samples.video(tmp_path / "v.mp4", None, 6, [ground()]))
    assert frame.start_s == 0 and frame.end_s >= 4.9
    assert frame.image.size == (216, 384)


def test_a_caption_that_changes_on_the_same_background_is_another_frame(tmp_path: Path) -> None:
    lines = [captioned("POV: my cat"), captioned("POV: my dog"), captioned("wait for it")]
    found = frames(media_samples.video(tmp_path / "v.mp4", None, 12, lines))
    assert [(round(frame.start_s), round(frame.end_s)) for frame in found] == [(0, 3), (4, 7), (8, 11)]


def test_blank_frames_are_left_out(tmp_path: Path) -> None:
    black = Image.new("RGB", (216, 384))
    [frame] = frames(media_samples.video(tmp_path / "v.mp4", None, 6, [black, captioned("after black"), black]))
    assert 2 <= frame.start_s <= frame.end_s < 4
    assert frames(media_samples.video(tmp_path / "b.mp4", None, 2, [black])) == []


def test_a_video_with_many_scenes_gives_evenly_spread_frames(tmp_path: Path) -> None:
    shades = [captioned(WORDS[n % 7]) for n in range(30)]
    found = frames(media_samples.video(tmp_path / "v.mp4", None, 30, shades))
    starts = [frame.start_s for frame in found]
    assert len(found) == MAX_FRAMES
    assert starts[0] == 0 and starts[-1] >= 28
    assert max(np.diff(starts)) <= 5


def test_a_video_with_many_scenes_needs_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []

    def counted(image: Image.Image) -> NDArray[np.float32]:
        held.append(sum(isinstance(one, Frame) for one in gc.get_objects()))
        return fingerprint(image)

    monkeypatch.setattr("ingest.ocr.frames.fingerprint", counted)
    source = media_samples.video(tmp_path / "v.mp4", None, 60, [captioned(WORDS[n % 7]) for n in range(60)])
    gc.freeze()  # files that are there already need not be counted each time
    try:
        found = frames(source, 3)
    finally:
        gc.unfreeze()
    assert len(held) == 60 and max(held) <= 7
    assert [round(frame.start_s / 10) for frame in found] == [0, 3, 6]


def test_times_count_from_the_start_of_the_video(tmp_path: Path) -> None:
    import av

    source = media_samples.video(tmp_path / "v.mp4", None, 4, [captioned("one"), captioned("two and more")])
    with av.open(str(source)) as read, av.open(str(tmp_path / "late.mkv"), "w") as write:
        stream = write.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(read.streams.video[0]):
            if packet.dts is not None and packet.pts is not None and packet.time_base:
                packet.pts += round(100 / packet.time_base)
                packet.dts += round(100 / packet.time_base)
                packet.stream = stream
                write.mux(packet)
    assert [round(frame.start_s) for frame in frames(tmp_path / "late.mkv")] == [0, 2]


def test_a_cut_video_gives_its_readable_frames(tmp_path: Path) -> None:
    whole = media_samples.video(tmp_path / "v.mp4", None, 14, [captioned(word) for word in WORDS])
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    assert 1 <= len(frames(broken)) < len(frames(whole))


def test_no_pictures_and_no_video_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoStream):
        frames(media_samples.sound(tmp_path / "x.flac", media_samples.voice(1), "flac"))
    nothing = tmp_path / "x.mp4"
    nothing.write_bytes(b"no video at all")
    with pytest.raises(MediaError):
        frames(nothing)
