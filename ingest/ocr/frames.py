"""A video -> the few frames of it that differ, with their times: where words on the screen are to be read."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingest.media import BLANK_STDDEV, MediaError, NoStream, broken, check_pixels, decodable, open_container, upright

STEP_S = 1.0  # between frames that are looked at: words that are to be read stay longer
EVERY_FRAME_S = 180.0  # up to this length every frame is decoded (5 s of work); longer videos give their key frames
MAX_LOOKED_AT = 600  # frames of one video; of what is longer, the beginning
MAX_FRAMES = 8  # given of one video: each costs Tesseract a third of a second
LARGEST = (2560, 2560)  # px that a frame is kept in: engines look at no more
LOOK = (216, 384)  # pixels that a frame is compared in: words one reads on a phone are still some of them high ...
CELL = 12  # ... and in square cells of so many, small enough for one word to stand out
CHANGED = 24.0  # levels of 255 by which the mean or the contrast of a cell differs when something else is shown there


@dataclass(frozen=True)
class Frame:
    """A picture, upright RGB, and the seconds during which the video shows it or one like it."""

    start_s: float
    end_s: float
    image: Image.Image


def frames(path: Path, limit: int = MAX_FRAMES) -> list[Frame]:
    """Up to `limit` frames that differ, in order; those between them are spread evenly where there are more.

    Blank ones are left out. A video that breaks off gives what can be read of it.

    Raises:
        NoStream: the file has no pictures.
        MediaError: no frame of it can be read.
    """
    found: list[Frame] = []
    numbers: list[int] = []  # of those in `found`, among all that differ
    count, every = 0, 1  # each so many-th of all that differ is kept, and the last: hundreds would fill the memory
    last: NDArray[np.float32] | None = None
    seen = 0
    try:
        for time_s, image in _looked_at(path):
            seen += 1
            now = fingerprint(image)
            if now[1].max() < BLANK_STDDEV and np.ptp(now[0]) < BLANK_STDDEV:
                last = None
                continue
            if last is not None and np.abs(now - last).max() <= CHANGED:
                found[-1] = Frame(found[-1].start_s, time_s, found[-1].image)
                continue
            if numbers and numbers[-1] % every:
                found.pop()
                numbers.pop()
            if len(found) > 2 * limit:
                every *= 2
                found, numbers = found[::2], numbers[::2]
            image.thumbnail(LARGEST)
            found.append(Frame(time_s, time_s, image))
            numbers.append(count)
            count, last = count + 1, now
    except (av.FFmpegError, OSError, ValueError, UnicodeError) as error:
        if not seen:
            raise broken(error) from error
    if not seen:
        raise MediaError("no frame of the video can be read")
    if len(found) <= limit:
        return found
    step = numbers[-1] / max(1, limit - 1)
    return [found[_nearest(numbers, place * step)] for place in range(limit)]


def fingerprint(image: Image.Image) -> NDArray[np.float32]:
    """Mean and contrast (standard deviation) of luma in each cell, 0 to 255: float32 [2, rows, columns].

    Usual perceptual hashes look at the picture as a whole and miss a line of words on the same ground; an outlined
    word leaves even the mean as it was, but not the contrast.
    """
    luma = np.asarray(image.convert("L").resize(LOOK, Image.Resampling.BOX), np.float32)
    cells = luma.reshape(LOOK[1] // CELL, CELL, LOOK[0] // CELL, CELL)
    return np.stack([cells.mean(axis=(1, 3)), cells.std(axis=(1, 3))])


def _nearest(numbers: list[int], wanted: float) -> int:
    return min(range(len(numbers)), key=lambda place: abs(numbers[place] - wanted))


def _looked_at(path: Path) -> Iterator[tuple[float, Image.Image]]:
    """Frames about STEP_S apart with their seconds on the video's own timeline."""
    with open_container(path) as container:
        if not container.streams.video:
            raise NoStream("the file has no video track")
        stream = container.streams.video[0]
        check_pixels(stream.codec_context.width, stream.codec_context.height)
        start_s = (container.start_time or 0) / av.time_base
        if (container.duration or 0) / av.time_base > EVERY_FRAME_S:
            stream.codec_context.skip_frame = "NONKEY"
        next_s, count = 0.0, 0
        for frame in decodable(container, stream):
            time_s = max(0.0, (frame.time or 0.0) - start_s)
            if time_s < next_s:
                continue
            check_pixels(frame.width, frame.height)
            yield time_s, upright(frame)
            next_s, count = time_s + STEP_S, count + 1
            if count >= MAX_LOOKED_AT:
                return
