"""Files -> samples and pictures, made with PyAV and Pillow, whole, broken and hostile."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from ingest import media, sound
from ingest.media import MediaError, NoStream, open_image, poster
from ingest.sound import audio, save_sound
from tests.ingest import media_samples


@pytest.mark.parametrize("cut", [0.02, 0.3, 0.6, 0.9])
def test_a_cut_file_is_an_error_and_not_a_shorter_text(tmp_path: Path, cut: float) -> None:
    whole = media_samples.video(tmp_path / "whole.mp4", media_samples.voice(10), 10).read_bytes()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole[: int(len(whole) * cut)])
    with pytest.raises(MediaError) as raised:
        audio(broken)
    assert not isinstance(raised.value, NoStream)
    assert str(tmp_path) not in str(raised.value)


def check_half(video: Path, folder: Path) -> None:
    whole = video.read_bytes()
    broken = folder / "broken.mp4"
    broken.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match=r"is broken or cut|ends before its claimed length"):
        audio(broken)


def test_a_sample_video_cut_off_is_an_error(sample_corpus: Path, tmp_path: Path) -> None:
    check_half(sample_corpus / "videos" / "9000000000000000027.mp4", tmp_path)


@pytest.mark.research_data("a real video")
def test_a_real_video_cut_off_is_an_error(shared_data: Path, tmp_path: Path) -> None:
    check_half(shared_data / "one_video" / "video.mp4", tmp_path)


def test_zeros_in_the_middle_of_a_file_are_an_error(tmp_path: Path) -> None:
    path = media_samples.video(tmp_path / "video.mp4", media_samples.voice(10), 10)
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = bytes(third)
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"damaged|broken"):
        audio(path)


@pytest.mark.parametrize("codec", ["aac", "flac"])
def test_sound_whose_tag_is_a_number_is_read(codec: str, tmp_path: Path) -> None:
    form = "fltp" if codec == "aac" else "s16"
    with av.open(str(tmp_path / "sound.avi"), "w") as container:
        stream: Any = container.add_stream(codec, rate=media.SAMPLE_RATE, layout="mono", format=form)
        resampler = av.AudioResampler(form, "mono", media.SAMPLE_RATE, 1_024)
        frame = av.AudioFrame.from_ndarray(media_samples.voice(2)[None], "flt", "mono")
        frame.sample_rate, frame.pts = media.SAMPLE_RATE, 0
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    assert np.abs(audio(tmp_path / "sound.avi")[: media.SAMPLE_RATE]).max() > 0.1


def test_a_damaged_packet_costs_milliseconds_whatever_the_decoder_calls_it(tmp_path: Path) -> None:
    path = media_samples.video(tmp_path / "video.mp4", media_samples.voice(3), 3)
    packets, bad = refused_packets(path)
    assert set(bad) >= {"PermissionError", "InvalidDataError"}
    content = path.read_bytes()
    for number, data in bad.values():
        content = content.replace(packets[number], data, 1)
    path.write_bytes(content)
    assert len(audio(path)) / media.SAMPLE_RATE == pytest.approx(3, abs=0.1)


def refused_packets(path: Path) -> tuple[list[bytes], dict[str, tuple[int, bytes]]]:
    """The packets of the sound, and damaged ones: the error of the decoder -> the number of one, and its content."""
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]
    found: dict[str, tuple[int, bytes]] = {}
    random = np.random.default_rng(1)
    for number in range(10, 40):
        for _ in range(20):
            data = np.frombuffer(packets[number], np.uint8).copy()
            data[random.integers(len(data), size=3)] = random.integers(256, size=3)
            try:
                with av.open(str(path)) as container:
                    container.streams.audio[0].codec_context.decode(av.Packet(data.tobytes()))
            except av.FFmpegError as error:
                if number not in {at for at, _ in found.values()}:
                    found.setdefault(type(error).__name__, (number, data.tobytes()))
    return packets, found


def test_audio_is_mono_at_16_khz_and_as_long_as_the_video(tmp_path: Path) -> None:
    samples = audio(media_samples.video(tmp_path / "video.mp4", media_samples.voice(3), 3))
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert len(samples) / media.SAMPLE_RATE == pytest.approx(3, abs=0.1)
    assert 0.1 < np.abs(samples).max() <= 1.5


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("from_s", [0, 2])
def test_late_and_paused_audio_stays_on_the_timeline_of_the_video(tmp_path: Path, suffix: str, from_s: int) -> None:
    path = media_samples.video(tmp_path / f"video.{suffix}", media_samples.voice(4), 7, late={from_s: 3})
    samples = audio(path)
    heard_s = np.flatnonzero(np.abs(samples) > 0.05) / media.SAMPLE_RATE
    assert not np.any((heard_s > from_s + 0.1) & (heard_s < from_s + 2.9))
    assert heard_s[0] == pytest.approx(0 if from_s else 3, abs=0.1)
    assert heard_s[-1] == pytest.approx(6.9, abs=0.1)
    assert len(samples) / media.SAMPLE_RATE == pytest.approx(7, abs=0.15)


def test_an_absurd_time_stamp_adds_no_silence(tmp_path: Path) -> None:
    samples = audio(media_samples.video(tmp_path / "video.mkv", media_samples.voice(4), 4, late={2: 5_000_000}))
    assert len(samples) / media.SAMPLE_RATE == pytest.approx(4, abs=0.1)


def test_audio_that_overlaps_is_cut(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mkv"), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=media.SAMPLE_RATE, layout="mono")
        for number in range(100):  # of 0.1 s, each with a time stamp 0.095 s after the previous one
            frame = av.AudioFrame.from_ndarray(media_samples.voice(0.1)[None], "flt", "mono")
            frame.sample_rate, frame.pts = media.SAMPLE_RATE, 1_520 * number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert len(audio(tmp_path / "sound.mkv")) / media.SAMPLE_RATE == pytest.approx(9.5, abs=0.2)


def test_zeros_in_a_file_with_pauses_are_an_error(tmp_path: Path) -> None:
    path = media_samples.video(tmp_path / "video.mp4", media_samples.voice(10), 13, late={2: 3})
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = bytes(third)
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"damaged|broken"):
        audio(path)


@pytest.mark.parametrize("broken", [slice(None), slice(5_000, 5_001)], ids=["everywhere", "in one sample"])
def test_float_samples_out_of_range_are_scaled(tmp_path: Path, broken: slice) -> None:
    samples = media_samples.voice(2)
    samples[broken] = 1e5 * (samples[broken] + 0.1)
    with av.open(str(tmp_path / "loud.wav"), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=media.SAMPLE_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], "flt", "mono")
        frame.sample_rate = media.SAMPLE_RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    level = np.abs(audio(tmp_path / "loud.wav"))
    assert level.max() <= sound.MAX_PEAK
    assert np.quantile(level, 0.9) > 0.1


@pytest.mark.parametrize("level", [0.3, 1e5])
def test_audio_on_disk_is_the_same_as_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: float) -> None:
    monkeypatch.setattr(sound, "BLOCK", 5_000)
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=media.SAMPLE_RATE, layout="mono")
        for start in range(0, 32_000, 1_000):
            frame = av.AudioFrame.from_ndarray(
                media_samples.voice(2, level)[None, start : start + 1_000], "flt", "mono"
            )
            frame.sample_rate, frame.pts = media.SAMPLE_RATE, start + (40_000 if start >= 16_000 else 0)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    [recording] = save_sound(path, tmp_path / "samples").recordings
    assert np.array_equal(np.fromfile(recording.mix, np.float32), audio(path))


def test_a_video_without_audio_differs_from_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(NoStream):
        audio(media_samples.video(tmp_path / "mute.mp4", None))


@pytest.mark.parametrize(
    ("suffix", "codec"), [("flac", "flac"), ("wav", "pcm_s16le"), ("mp3", "mp3"), ("m4a", "aac"), ("ogg", "libopus")]
)
def test_audio_is_read_from_every_container(tmp_path: Path, suffix: str, codec: str) -> None:
    path = media_samples.sound(tmp_path / f"sound.{suffix}", media_samples.voice(2), codec)
    assert len(audio(path)) / media.SAMPLE_RATE == pytest.approx(2, abs=0.1)


@pytest.mark.research_data("recordings of people")
def test_every_container_of_the_shared_clips_is_read(shared_data: Path) -> None:
    for name in ("jfk.flac", "jfk.wav", "whisper_timestamped/empty.mp3"):
        assert len(audio(shared_data / "speech" / name)) > media.SAMPLE_RATE


def test_a_media_playlist_with_references_is_not_followed(tmp_path: Path) -> None:
    media_samples.video(tmp_path / "inner.mp4", media_samples.voice(2))
    playlist = tmp_path / "video.mp4"
    playlist.write_text("#EXTM3U\n#EXTINF:2,\ninner.mp4\n#EXT-X-ENDLIST\n")
    with pytest.raises(MediaError):
        audio(playlist)


def test_longer_than_the_bound_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = media_samples.video(tmp_path / "video.mp4", media_samples.voice(3), 3)
    monkeypatch.setattr(sound, "MAX_AUDIO_S", 2.0)
    with pytest.raises(MediaError, match="longer than"):
        audio(path)


def test_the_poster_is_the_first_frame_that_is_not_blank(tmp_path: Path) -> None:
    black = Image.new("RGB", (160, 288))
    striped = Image.fromarray(np.repeat(np.arange(288, dtype=np.uint8)[:, None, None] % 32 * 8, 160, 1).repeat(3, 2))
    path = media_samples.video(tmp_path / "video.mp4", None, 4, [black, black, striped, striped])
    assert np.asarray(poster(path)).std() > 20
    assert poster(path).size == (160, 288)


def test_a_poster_needs_no_intact_first_packet_or_clock_from_zero(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (288, 160, 3), np.uint8)
    black, busy = Image.new("RGB", (160, 288)), Image.fromarray(noise)
    source = media_samples.video(tmp_path / "video.mp4", None, 4, [black, black, busy, busy])
    for name, late_s, damaged in (("late.mkv", 100, False), ("damaged.mkv", 0, True)):
        with av.open(str(source)) as read, av.open(str(tmp_path / name), "w") as write:
            stream = write.add_stream_from_template(read.streams.video[0])
            for number, packet in enumerate(read.demux(read.streams.video[0])):
                if packet.dts is None or packet.pts is None or not packet.time_base:
                    continue
                late = round(late_s / packet.time_base)
                moved: av.Packet[Any] = av.Packet(b"\xff" * 50) if damaged and number == 0 else packet
                moved.time_base, moved.pts, moved.dts = packet.time_base, packet.pts + late, packet.dts + late
                moved.stream = stream
                write.mux(moved)
        assert np.asarray(poster(tmp_path / name)).std() > 20, name


def test_a_black_video_has_a_poster(tmp_path: Path) -> None:
    black = Image.new("RGB", (160, 288))
    assert poster(media_samples.video(tmp_path / "video.mp4", None, 2, [black])).size == (160, 288)


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.new("RGB", (300, 100)).save(tmp_path / "turned.jpg", exif=exif)
    assert open_image(tmp_path / "turned.jpg").size == (100, 300)


@pytest.mark.parametrize(
    ("name", "dtype", "top"),
    [("a.png", np.uint16, 60_000), ("a.tif", np.uint16, 60_000), ("b.tif", np.int32, 90_000), ("c.tif", np.float32, 1)],
)
def test_pictures_of_more_than_eight_bits_keep_their_contrast(
    tmp_path: Path, name: str, dtype: type[np.generic], top: float
) -> None:
    levels = np.full((20, 20), top / 2, dtype)
    levels[5:9] = top
    Image.fromarray(levels).save(tmp_path / name)
    assert open_image(tmp_path / name).getextrema() == ((0, 255),) * 3


def test_errors_of_one_kind_have_the_same_message(tmp_path: Path) -> None:
    for name, size in (("a.png", 20_000), ("b.png", 15_000)):
        Image.new("1", (size, size)).save(tmp_path / name)
        with pytest.raises(MediaError, match=r"^the picture is larger than 40 megapixels$"):
            open_image(tmp_path / name)
    Image.new("RGB", (10, 10)).save(tmp_path / "c.png")
    for read in (audio, poster):
        with pytest.raises(MediaError, match=r"^the file is not a video or audio file of a known format$"):
            read(tmp_path / "c.png")


def test_black_text_on_transparency_stays_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert open_image(tmp_path / "clear.png").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif"])
def test_a_truncated_image_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = media_samples.cover(tmp_path / f"cover.{suffix}", "hello")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError):
        open_image(path)


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(MediaError, match=r"megapixels|bomb"):
        open_image(tmp_path / "bomb.png")


def test_formats_that_run_programs_are_not_opened(tmp_path: Path) -> None:
    Image.new("RGB", (10, 10)).save(tmp_path / "page.eps")
    with pytest.raises(MediaError):
        open_image(tmp_path / "page.eps")
