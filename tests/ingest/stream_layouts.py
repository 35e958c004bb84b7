"""Write media files of any stream layout: several audio and video tracks, flags, attached covers, unknown codecs."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingest.media import SAMPLE_RATE
from tests.ingest import media_samples

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Audio:
    """An audio track: samples [n] or [n, channels]; without any it is there but has no packet."""

    samples: Float | None
    codec: str = "pcm_f32le"
    layout: str = ""
    language: str = ""
    flags: int = 0


@dataclass(frozen=True)
class Film:
    """A video track: pictures, each shown for a second."""

    pictures: Sequence[Image.Image]
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    flags: int = 0
    key_every: int = 12  # pictures


LAYOUTS = {1: "mono", 2: "stereo", 4: "quad", 6: "5.1"}


def write(path: Path, audio: Sequence[Audio] = (), video: Sequence[Film] = (), fps: int = 5) -> Path:
    """Write the tracks in their order, those of video first."""
    with av.open(str(path), "w") as container:
        films = [_film_stream(container, film, fps) for film in video]
        sounds = [_audio_stream(container, track) for track in audio]
        for film, stream in zip(video, films, strict=True):
            for number in range(len(film.pictures) * fps if len(film.pictures) > 1 else 1):
                image = film.pictures[number // fps]
                frame = av.VideoFrame.from_ndarray(np.asarray(image), "rgba" if image.mode == "RGBA" else "rgb24")
                frame.pts, frame.time_base = number, Fraction(1, fps)
                if number % (film.key_every * fps) == 0:
                    frame.pict_type = av.video.frame.PictureType.I
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        for track, stream in zip(audio, sounds, strict=True):
            if track.samples is not None:
                _encode(container, stream, _columns(track.samples))
    return path


def _film_stream(container: Any, film: Film, fps: int) -> Any:
    options = {"g": "100000", "sc_threshold": "0"} if film.codec == "libx264" else {}
    stream = container.add_stream(film.codec, rate=fps, options=options)
    stream.width, stream.height, stream.pix_fmt = *film.pictures[0].size, film.pix_fmt
    stream.disposition = film.flags
    return stream


def _audio_stream(container: Any, track: Audio) -> Any:
    channels = 1 if track.samples is None else _columns(track.samples).shape[1]
    stream = container.add_stream(track.codec, rate=SAMPLE_RATE, layout=track.layout or LAYOUTS[channels])
    if track.language:
        stream.metadata["language"] = track.language
    stream.disposition = track.flags
    return stream


def _encode(container: Any, stream: Any, samples: Float) -> None:
    resampler = av.AudioResampler(stream.format, stream.layout, SAMPLE_RATE, stream.frame_size or 4_096)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.reshape(1, -1)), "flt", stream.layout.name)
    frame.sample_rate, frame.pts = SAMPLE_RATE, 0
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(piece))
    container.mux(stream.encode(None))


def _columns(samples: Float) -> Float:
    return samples.astype(np.float32).reshape(len(samples), -1)


def wav(path: Path, samples: Float) -> Path:
    """A WAV of any number of channels without a layout, as recorders write."""
    channels = samples.shape[1]
    data = (samples.clip(-1, 1) * 32_767).astype("<i2").tobytes()
    form = struct.pack("<IHHIIHH", 16, 1, channels, SAMPLE_RATE, SAMPLE_RATE * 2 * channels, 2 * channels, 16)
    chunks = b"WAVEfmt " + form + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks)) + chunks)
    return path


def replace(path: Path, old: bytes, new: bytes, occurrence: int = 0) -> Path:
    """Overwrite one occurrence of bytes by as many others: a codec by an unknown one."""
    content, at = path.read_bytes(), -1
    for _ in range(occurrence + 1):
        at = content.index(old, at + 1)
    path.write_bytes(content[:at] + new + content[at + len(old) :])
    return path


def cover_first(path: Path) -> Path:
    """Move the tags of an mp4 (with its attached cover) in front of its tracks, as mutagen does."""
    content = path.read_bytes()
    start = content.index(b"moov") - 4
    end = start + int.from_bytes(content[start : start + 4], "big")
    assert end == len(content), "the media data would move"
    boxes, at = [], start + 8
    while at < end:
        size = int.from_bytes(content[at : at + 4], "big")
        boxes.append(content[at : at + size])
        at += size
    boxes.sort(key=lambda box: (box[4:8] != b"mvhd", box[4:8] != b"udta"))
    path.write_bytes(content[: start + 8] + b"".join(boxes))
    return path


def babble(seconds: float = 3.0, level: float = 0.3, pitch_hz: float = 130.0) -> Float:
    """What Silero takes for speech."""
    return media_samples.speech(seconds, level, pitch_hz)


def music(seconds: float = 3.0, level: float = 0.3) -> Float:
    """A chord, which is no speech."""
    time_s = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave = sum(np.sin(2 * np.pi * hertz * time_s) for hertz in (220, 277, 330))
    return np.asarray(level / 3 * wave, np.float32)


def silence(seconds: float = 3.0) -> Float:
    """Zeros."""
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def channels(*parts: Float) -> Float:
    """Samples [n, channels]."""
    return np.stack(parts, axis=1)
