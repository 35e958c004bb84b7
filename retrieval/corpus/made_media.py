"""Films of our own making: captions on the screen and babble that Silero takes for speech, to measure reading with."""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ingest.media import SAMPLE_RATE

SIZE = (576, 1024)
FPS = 10
SHADES = 8  # the background changes so often: that many frames differ
CAPTION = "POV: the recipe you saved\nand never found again\nsalt, flour, two eggs"
VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (570, 840, 2410), (440, 1020, 2240), (530, 1840, 2480))  # formants, Hz


def speech(seconds: float, level: float = 0.3, pitch_hz: float = 130.0) -> NDArray[np.float32]:
    """Babble that Silero takes for speech: vowels with a moving pitch through three resonances, hissed consonants."""
    random = np.random.default_rng(1)
    time_s = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    syllable, within = np.divmod(time_s / 0.2, 1)
    vowel = random.integers(0, len(VOWELS), int(syllable[-1]) + 1)[syllable.astype(int)]
    pitch = pitch_hz * (1 + 0.25 * np.sin(2 * np.pi * 0.6 * time_s) - 0.1 * within)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    formants = [np.convolve(np.array(VOWELS)[vowel, n], np.full(1200, 1 / 1200), "same") for n in range(3)]
    voiced = np.zeros(len(time_s))
    for harmonic in range(1, 40):
        hertz = pitch * harmonic
        gain = np.where(hertz < 7600, 1 / harmonic, 0)
        for formant, width_hz in zip(formants, (60, 90, 150), strict=True):
            gain = gain * formant**2 / np.hypot(formant**2 - hertz**2, width_hz * hertz)
        voiced += gain * np.sin(harmonic * phase)
    voiced *= np.clip(np.minimum((within - 0.2) / 0.15, (1 - within) / 0.15), 0, 1) / np.abs(voiced).max()
    hiss = np.diff(random.standard_normal(len(time_s) + 1)) * np.clip(1 - np.abs(within - 0.1) / 0.1, 0, 1)
    wave = voiced + 0.15 * hiss * (vowel % 2 == 0)
    return np.asarray(wave / np.abs(wave).max() * level, dtype=np.float32)


def film(path: Path, seconds: float) -> Path:
    """Write an mp4 with captions on changing backgrounds, and babble for its whole length."""
    samples = speech(seconds)
    with av.open(str(path), "w") as container:
        moving = container.add_stream("libx264", rate=FPS)
        moving.width, moving.height, moving.pix_fmt = *SIZE, "yuv420p"
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        count = round(seconds * FPS)
        shown = [_picture(shade) for shade in range(SHADES)]
        for number in range(count):
            container.mux(moving.encode(av.VideoFrame.from_ndarray(shown[number * SHADES // count], "rgb24")))
        container.mux(moving.encode())
        frame = av.AudioFrame.from_ndarray(samples[None], "fltp", "mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path


def _picture(shade: int) -> NDArray[np.uint8]:
    image = Image.new("RGB", SIZE, (30 * shade, 90, 250 - 30 * shade))
    draw = ImageDraw.Draw(image)
    place = (30, 120 + 90 * shade)
    draw.multiline_text(place, CAPTION, "white", ImageFont.load_default(size=36), stroke_width=2, stroke_fill="black")
    return np.asarray(image)
