"""A video -> the few frames that differ, with their times, to read the text on the screen."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingest.media import BLANK_STDDEV, MediaError, NoStream, broken, check_pixels, decodable, open_container, upright

STEP_S = 1.0  # between compared frames: text for people stays longer
EVERY_FRAME_S = 180.0  # up to this length every frame is decoded (5 s of work); of longer videos only key frames are
MAX_COMPARED = 600  # frames of one video; of a longer one, those at the beginning
MAX_FRAMES = 8  # of one video: Tesseract needs a third of a second for each
LARGEST = (2560, 2560)  # px of a kept frame: engines use no more
COMPARED = (216, 384)  # px of a frame when compared: text that is readable on a phone is still some pixels high
CELL = 12  # px of a square cell: small enough for one word to change it
CHANGED = 24.0  # levels of 255: the mean or contrast of a cell differs by more if something else is shown there


@dataclass(frozen=True)
class Frame:
    """A picture, upright RGB, and the seconds during which the video shows it or a similar one."""

    start_s: float
    end_s: float
    image: Image.Image


def frames(path: Path, limit: int = MAX_FRAMES) -> list[Frame]:
    """Up to `limit` frames that differ, in order; if there are more, evenly spread ones.

    Blank frames are left out. Of a cut video, the readable frames are returned.

    Raises:
        NoStream: the file has no pictures.
        MediaError: no frame can be read.
    """
    found: list[Frame] = []
    numbers: list[int] = []  # of the frames in `found`, counted among all that differ
    count, every = 0, 1  # every n-th frame that differs is kept, and the last: hundreds would fill the memory
    last: NDArray[np.float32] | None = None
    seen = 0
    try:
        for time_s, image in _sampled(path):
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
    return [found[_nearest(numbers, index * step)] for index in range(limit)]


def fingerprint(image: Image.Image) -> NDArray[np.float32]:
    """Mean and contrast (standard deviation) of luma in each cell, 0 to 255: float32 [2, rows, columns].

    Common perceptual hashes describe the whole picture and miss a line of text on the same background. An outlined
    word may not even change the mean, but it changes the contrast.
    """
    luma = np.asarray(image.convert("L").resize(COMPARED, Image.Resampling.BOX), np.float32)
    cells = luma.reshape(COMPARED[1] // CELL, CELL, COMPARED[0] // CELL, CELL)
    return np.stack([cells.mean(axis=(1, 3)), cells.std(axis=(1, 3))])


def _nearest(numbers: list[int], wanted: float) -> int:
    return min(range(len(numbers)), key=lambda index: abs(numbers[index] - wanted))


def _sampled(path: Path) -> Iterator[tuple[float, Image.Image]]:
    """Frames about STEP_S apart, with their seconds on the timeline of the video."""
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
            if count >= MAX_COMPARED:
                return
