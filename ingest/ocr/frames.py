"""A video -> the few frames that differ, to read the text on the screen, and pictures of its scenes, with their times.

Both come from one pass over the video.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image

from ingest.catalog.picture_store import Fingerprint
from ingest.copies import SIDE as HASHED_SIDE
from ingest.copies import FrameHashes
from ingest.media import (
    BLANK_STDDEV,
    DAMAGED_PACKET,
    MediaError,
    broken,
    check_pixels,
    decodable,
    films,
    open_container,
    upright,
    video_tracks,
)
from ingest.scenes import SIDE, Picture, SceneWatcher, thumb_of

STEP_S = 1.0  # between compared frames: text for people stays longer
EVERY_FRAME_S = 180.0  # up to this length every frame is decoded (5 s of work); of longer videos only key frames are
MAX_KEY_GAP_S = 5.0  # between key frames, where the frames between them are decoded as well
MAX_DECODED = 30e9  # pixels of those frames, about 50 s of work; behind them, a video is read by its key frames only
MAX_COMPARED = 600  # frames of one video; those of a longer one are farther apart than STEP_S
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


@dataclass(frozen=True)
class Seen:
    """What one pass over a video gives: frames to read, pictures of its scenes, the seconds of its cuts, and by what
    copies of it are recognised; None without pictures."""

    frames: list[Frame]
    pictures: list[Picture] = field(default_factory=list)
    cuts: list[float] = field(default_factory=list)
    fingerprint: Fingerprint | None = None


class _Watcher:
    """What is given every decoded frame of a track, to choose at most `limit` pictures."""

    def __init__(self, limit: int) -> None:
        self._scenes, self._hashes = SceneWatcher(limit), FrameHashes()
        self._small = VideoReformatter()  # one for each size, or it is set up for each frame
        self._grey = VideoReformatter()
        self.length_s = 0.0

    def add(self, time_s: float, frame: av.VideoFrame) -> None:
        check_pixels(frame.width, frame.height)
        self._scenes.add(time_s, self._thumb(frame), partial(upright, frame))
        self._hashes.add(time_s, partial(self._grey_of, frame))

    def finish(self, found: list[Frame]) -> Seen:
        return Seen(found, self._scenes.finish(), self._scenes.cuts, self._hashes.finish(self.length_s))

    def _thumb(self, frame: av.VideoFrame) -> NDArray[np.float32]:
        """A frame for comparison. Nearest pixels: averages of all of them take ten times as long."""
        shown = self._small.reformat(frame, SIDE, SIDE, "rgb24", interpolation=Interpolation.POINT)
        return thumb_of(np.asarray(shown.to_ndarray(), np.uint8))

    def _grey_of(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """A frame, upright, for its hash."""
        shown = self._grey.reformat(frame, HASHED_SIDE, HASHED_SIDE, "gray", interpolation=Interpolation.AREA)
        return np.rot90(np.asarray(shown.to_ndarray(), np.uint8), round(frame.rotation / 90))


def frames(path: Path, limit: int = MAX_FRAMES) -> list[Frame]:
    """Up to `limit` frames that differ, in order; if there are more, evenly spread ones. See `look`."""
    return look(path, limit).frames


def look(path: Path, limit: int = MAX_FRAMES, pictures: int = 0) -> Seen:
    """Up to `limit` frames that differ, and up to `pictures` pictures of scenes (`ingest.scenes`).

    Blank frames are left out. Of a cut video, the readable frames are returned. If a video track has only blank frames
    or cannot be read, the next is tried: attached covers come last.

    Raises:
        NoStream: the file has no pictures.
        MediaError: no frame can be read.
    """
    errors: list[MediaError] = []
    tracks = video_tracks(path)
    for number in range(tracks):
        watcher = _Watcher(pictures) if pictures else None
        try:
            found = _differing(path, number, limit, watcher)
        except MediaError as error:
            errors.append(error)
            continue
        seen = watcher.finish(found) if watcher else Seen(found)
        if seen.frames or seen.pictures:
            return seen
    if len(errors) == tracks:
        raise errors[0]
    return Seen([])


def _differing(path: Path, track: int, limit: int, watcher: _Watcher | None) -> list[Frame]:
    """The frames of one of the tracks of `films`. The watcher is given all that are decoded."""
    found: list[Frame] = []
    numbers: list[int] = []  # of the frames in `found`, counted among all that differ
    count, every = 0, 1  # every n-th frame that differs is kept, and the last: hundreds would fill the memory
    last: NDArray[np.float32] | None = None
    seen = 0
    try:
        for time_s, shown in _sampled(path, track, watcher):
            seen += 1
            if not limit:
                continue
            image = upright(shown)
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


def _sampled(path: Path, track: int, watcher: _Watcher | None) -> Iterator[tuple[float, av.VideoFrame]]:
    """Frames about STEP_S apart, with their seconds on the timeline of the video. The watcher is given all frames."""
    with open_container(path) as container:
        stream = films(container)[track]
        check_pixels(stream.codec_context.width, stream.codec_context.height)
        start_s = (container.start_time or 0) / av.time_base
        length_s = (container.duration or 0) / av.time_base
        shown = _some_frames(path, container, stream) if length_s > EVERY_FRAME_S else decodable(container, stream)
        step_s = max(STEP_S, length_s / MAX_COMPARED)
        next_s, count = 0.0, 0
        if watcher:
            watcher.length_s = length_s
        for frame in shown:
            time_s = max(0.0, (frame.time or 0.0) - start_s)
            if watcher:
                watcher.add(time_s, frame)
            if time_s < next_s:
                continue
            check_pixels(frame.width, frame.height)
            yield time_s, frame
            next_s, count = time_s + step_s, count + 1
            if count > MAX_COMPARED:
                return


def _some_frames(path: Path, container: InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """The key frames of a track, and where they are far apart the frames between them as well."""
    distant = _before_gaps(path, stream.index)
    context = stream.codec_context
    pixels = 0
    context.skip_frame = "NONKEY"
    for packet in container.demux(stream):
        if packet.is_keyframe:
            context.skip_frame = "DEFAULT" if packet.pts in distant and pixels < MAX_DECODED else "NONKEY"
        try:
            for frame in stream.decode(packet):
                pixels += frame.width * frame.height
                yield frame
        except DAMAGED_PACKET:
            continue


def _before_gaps(path: Path, index: int) -> set[int | None]:
    """The time stamps of the key frames of a track after which none follows for MAX_KEY_GAP_S. Nothing is decoded."""
    found: set[int | None] = set()
    with open_container(path) as container:
        stream = container.streams[index]
        longest = MAX_KEY_GAP_S / float(stream.time_base or 1)
        key: int | None = None
        for packet in container.demux(stream):
            if packet.pts is None:
                continue
            if key is not None and packet.pts - key > longest:
                found.add(key)
            if packet.is_keyframe:
                key = packet.pts
    return found
