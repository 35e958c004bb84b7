"""The description of a clip (speech with times, background sound) -> a small mp4 with moving pictures."""

from __future__ import annotations

import math
import subprocess
import tempfile
import wave
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any, TypedDict

import av
import numpy as np
import regex
from numpy.typing import NDArray
from PIL import Image

from data.sample_source.covers import backdrop, emoji_sprite, letter

RATE = 22_050  # samples per second: the rate of espeak-ng
CLIP_SIZE = (270, 480)  # pixels
FRAMES_PER_SECOND = 12  # enough for a bobbing emoji, and half the bytes of 24
# Quality 31 takes about 60 kbit/s for flat pictures of this size. x264's assembly makes mbtree's choices differ from
# run to run; without it, and on one thread, the same pictures give the same bytes.
X264 = {"crf": "31", "preset": "slow", "x264-params": "asm=0:threads=1"}
AUDIO_BITS = 40_000  # a second; mono speech
SPEECH_PEAK, BED_PEAK = 0.8, 0.1  # of full scale: the background is 18 dB below the voice
BED_ALONE_PEAK = 0.4  # of full scale, without speech
LEAD_OUT_S = 0.3  # silence that must be left after the last word
SAY_NOTHING = ("silence", "no audio track")

Samples = NDArray[np.float32]


class Spoken(TypedDict):
    """One sentence of the reference transcript, in seconds from the start of the clip."""

    start_s: float
    end_s: float
    text: str


def film(video: dict[str, Any], path: Path, rng: Random) -> list[Spoken]:
    """Write the clip of one `[[video]]` to `path`. Return its speech with times.

    Raises ValueError where two sentences overlap or the clip ends before its last word.
    """
    clip = video["clip"]
    spoken: list[Spoken] = []
    voice = np.zeros(round(clip["seconds"] * RATE), np.float32)
    for sentence in video.get("speech", []):
        words = speak(sentence["say"], clip["voice"], clip.get("speed", 150), clip.get("pitch", 50))
        start = round(sentence["at"] * RATE)
        end = start + len(words)
        if spoken and sentence["at"] < spoken[-1]["end_s"]:
            raise ValueError(f"{video['slug']}: {sentence['say']!r} starts before the sentence before it ends")
        if end > len(voice) - LEAD_OUT_S * RATE:
            raise ValueError(f"{video['slug']}: make the clip last {end / RATE + LEAD_OUT_S:.1f} s or more")
        voice[start:end] = words * SPEECH_PEAK
        spoken.append({"start_s": sentence["at"], "end_s": round(end / RATE, 2), "text": sentence["say"]})
    sound = voice + bed(clip["bed"], len(voice), rng) * (BED_PEAK if spoken else BED_ALONE_PEAK)
    _write(path, _frames(video, rng), None if clip["bed"] == "no audio track" else sound)
    return spoken


def speak(text: str, voice: str, words_a_minute: int, pitch: int) -> Samples:
    """`text` read by espeak-ng: mono, RATE samples a second, peak 1, no silence at either end."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        options = ["-v", voice, "-s", str(words_a_minute), "-p", str(pitch), "-g", "2", "-w", str(path)]
        subprocess.run(["espeak-ng", *options, text], check=True, timeout=60)
        with wave.open(str(path)) as file:
            if file.getframerate() != RATE:
                raise ValueError(f"espeak-ng spoke at {file.getframerate()} Hz, {RATE} were expected")
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32)
    samples /= np.abs(samples).max()
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return samples[loud[0] : loud[-1] + 1]


def bed(kind: str, count: int, rng: Random) -> Samples:
    """The sound below the voice: `count` samples of a small tune, peak 1, or silence."""
    if kind in ("none", *SAY_NOTHING):
        return np.zeros(count, np.float32)
    notes, beat_s = TUNES[kind]
    sound: Samples = np.zeros(count, np.float32)
    for number in range(math.ceil(count / RATE / beat_s)):
        pitch = notes[number % len(notes)] + (12 if kind == "waltz" and rng.random() < 0.2 else 0)
        tone = _tone(440 * 2 ** ((pitch - 69) / 12), beat_s * 1.6)
        start = round(number * beat_s * RATE)
        room = len(sound[start : start + len(tone)])
        sound[start : start + room] += tone[:room]
    return sound / np.float32(np.abs(sound).max())


TUNES: dict[str, tuple[tuple[int, ...], float]] = {  # MIDI notes, seconds from one to the next
    "chime": ((76, 79, 84, 79), 2.0),
    "drone": ((36, 36, 37, 36), 1.5),
    "fanfare": ((60, 64, 67, 72, 67, 72), 0.4),
    "hum": ((48, 55), 1.2),
    "minor": ((69, 72, 76, 72, 68, 71), 0.5),
    "soft": ((60, 64, 67, 71, 65, 69), 0.8),
    "waltz": ((55, 71, 71, 52, 67, 67, 57, 72, 72, 50, 66, 66), 0.34),
}


def _tone(hertz: float, seconds: float) -> Samples:
    """A plucked tone: three harmonics that die away."""
    t = np.arange(round(seconds * RATE)) / RATE
    wave_form = sum(np.sin(math.tau * hertz * k * t) / k**2 for k in (1, 2, 3))
    return (wave_form * np.exp(-3 * t / seconds) * np.minimum(1, t / 0.01)).astype(np.float32)


def _frames(video: dict[str, Any], rng: Random) -> list[Image.Image]:
    """The pictures of a clip: its emoji bob over a slowly growing scene; the caption stands in the middle third."""
    width, height = CLIP_SIZE
    seconds = video["clip"]["seconds"]
    scene = backdrop(video["scene"], rng)
    glyphs = [emoji_sprite(glyph, 110) for glyph in regex.findall(r"\X", video["emoji"])]
    caption = letter(video["clip"]["caption"], rng.choice(("card", "band")), rng)
    caption = caption.resize((caption.width * 3 // 8, caption.height * 3 // 8), Image.Resampling.LANCZOS)
    frames = []
    for number in range(seconds * FRAMES_PER_SECOND):
        t = number / FRAMES_PER_SECOND
        crop = 24 * t / seconds
        frame = scene.resize(CLIP_SIZE, box=(crop, crop * 16 / 9, scene.width - crop, scene.height - crop * 16 / 9))
        for place, glyph in enumerate(glyphs):
            turned = glyph.rotate(9 * math.sin(2.2 * t + place), Image.Resampling.BICUBIC)
            x = width // 2 + round((place - (len(glyphs) - 1) / 2) * 104)
            y = round(height * 0.58 - 16 * abs(math.sin(2.6 * t + place)))
            frame.paste(turned, (x - turned.width // 2, y - turned.height // 2), turned)
        if seconds / 3 <= t < seconds * 2 / 3:
            frame.paste(caption, ((width - caption.width) // 2, 60), caption)
        frames.append(frame)
    return frames


def _write(path: Path, frames: list[Image.Image], sound: Samples | None) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        picture = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=X264)
        picture.width, picture.height = CLIP_SIZE
        picture.pix_fmt = "yuv420p"
        voice = None
        if sound is not None:
            voice = container.add_stream("aac", rate=RATE, layout="mono")
            voice.bit_rate = AUDIO_BITS
        for image in frames:
            container.mux(picture.encode(av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")))
        container.mux(picture.encode())
        if voice is None or sound is None:
            return
        for start in range(0, len(sound), 1024):  # the frame length of AAC
            block = np.ascontiguousarray(sound[None, start : start + 1024], np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            container.mux(voice.encode(frame))
        container.mux(voice.encode())
