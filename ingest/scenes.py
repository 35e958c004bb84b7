"""The decoded frames of a video, one by one -> the cuts between its scenes, and a few pictures of what it shows.

A cut is where a frame differs from the one before it, and by far more than each of the frames around it does from its
own. PySceneDetect's AdaptiveDetector compares with their mean, so that a flash of one frame is a cut for it.

A picture is kept after a cut, and within a scene when something else is shown or after a long time. Blank pictures, and
those that are almost equal to one that is kept, are left out.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingest.media import BLANK_STDDEV

Thumb = NDArray[np.float32]  # [SIDE / 2, SIDE / 2, 3], levels from 0 to 255

SIDE = 64  # px of the square that a frame is sampled to, for comparison
AROUND = 2  # frames on each side of a cut that it is compared with
LEAST = 14.0  # levels: two frames of different scenes differ by more, as a mean over the picture
RATIO = 2.5  # of the difference at a cut to the largest of those around it
STILL = 1.0  # levels that the frames around a cut are taken to differ by at least: noise
SETTLED_S = 0.4  # after a cut: encoders save on the first frames of a scene
STEP_S = 0.5  # between pictures that are compared within a scene
MOVED = 18.0  # levels: another thing is shown, as a mean over the picture
MIN_GAP_S = 2.0  # between pictures of one scene
LONG_GAP_S = 10.0  # after which a picture is kept if it differs at all
NEAR = 6.0  # levels, as a mean over the picture: pictures that differ by less are almost equal
NEAR_PART = 40.0  # levels, in each part of them
PARTS = 8  # in each direction: a word on the screen fills one
MAX_PICTURES = 12  # of one video
LARGEST = (480, 480)  # px of a kept picture: models look at squares of 224 to 384, and a card shows no more


@dataclass(frozen=True)
class Picture:
    """What a video shows from one second to another: a picture of it, upright RGB, within LARGEST."""

    start_s: float
    end_s: float
    image: Image.Image


class CutDetector:
    """Find the cuts among frames. It looks AROUND frames ahead."""

    def __init__(self) -> None:
        self._last: Thumb | None = None
        self._changes: deque[tuple[float, float]] = deque(
            maxlen=2 * AROUND + 1
        )  # seconds, difference to the one before

    def add(self, time_s: float, thumb: Thumb) -> float | None:
        """Take the next frame. Return the time of the first frame after a cut, if one is found now."""
        change = 0.0 if self._last is None else _difference(thumb, self._last)
        self._last = thumb
        self._changes.append((time_s, change))
        return self._at(AROUND) if len(self._changes) == 2 * AROUND + 1 else None

    def finish(self) -> float | None:
        """Return the time of a cut just before the end, if there is one."""
        found = (self._at(index) for index in range(AROUND + 1, len(self._changes)))
        return next((time_s for time_s in found if time_s is not None), None)

    def _at(self, index: int) -> float | None:
        time_s, change = self._changes[index]
        around = [other for number, (_, other) in enumerate(self._changes) if number != index]
        usual = max(*around, STILL)
        return time_s if change >= LEAST and change >= RATIO * usual else None


@dataclass
class _Kept:
    thumb: Thumb
    start_s: float
    end_s: float
    image: Image.Image
    number: int  # among all that were kept


@dataclass
class SceneWatcher:
    """Collect the cuts and the pictures of a video, at most `limit`; if there are more, evenly spread ones."""

    limit: int = MAX_PICTURES
    cuts: list[float] = field(default_factory=list)
    _kept: list[_Kept] = field(default_factory=list)
    _detector: CutDetector = field(default_factory=CutDetector)
    _shown: _Kept | None = None  # the kept picture that is like what is shown
    _due_s: float = 0.0  # when to compare the next time
    _fresh: bool = True  # whether nothing was kept since the last cut or blank frame
    _count: int = 0
    _every: int = 1

    def add(self, time_s: float, thumb: Thumb, image: Callable[[], Image.Image]) -> None:
        """Take the next frame; `image` gives its picture."""
        cut = self._detector.add(time_s, thumb)
        if cut is not None:
            self._cut(cut)
        if time_s < self._due_s:
            return
        self._due_s = time_s + STEP_S
        if is_blank(thumb):
            self._shown, self._fresh = None, True
            return
        if self._wanted(time_s, thumb):
            self._keep(time_s, thumb, image)
        elif self._shown:
            self._shown.end_s = time_s

    def finish(self) -> list[Picture]:
        """Return the pictures, in order of time."""
        if (cut := self._detector.finish()) is not None:
            self.cuts.append(cut)
        kept = self._kept
        if len(kept) > self.limit:
            step = kept[-1].number / max(1, self.limit - 1)
            numbers = [one.number for one in kept]
            kept = [kept[_nearest(numbers, index * step)] for index in range(self.limit)]
        return [Picture(one.start_s, one.end_s, one.image) for one in kept]

    def _cut(self, time_s: float) -> None:
        self.cuts.append(time_s)
        self._due_s = time_s + SETTLED_S
        self._fresh = True

    def _wanted(self, time_s: float, thumb: Thumb) -> bool:
        if self._shown is None or self._fresh:
            return True
        gap_s = time_s - self._shown.start_s
        if gap_s < MIN_GAP_S:
            return False
        return (
            gap_s >= LONG_GAP_S or _difference(thumb, self._shown.thumb) >= MOVED or not near(thumb, self._shown.thumb)
        )

    def _keep(self, time_s: float, thumb: Thumb, image: Callable[[], Image.Image]) -> None:
        self._fresh = False
        like = next((one for one in reversed(self._kept) if near(thumb, one.thumb)), None)
        if like is not None:
            if like is self._shown:
                like.end_s = time_s
            self._shown = like
            return
        if self._kept and self._kept[-1].number % self._every:
            self._kept.pop()
        if len(self._kept) > 2 * self.limit:
            self._every *= 2
            self._kept = self._kept[::2]
        picture = image()
        picture.thumbnail(LARGEST)
        self._shown = _Kept(thumb, time_s, time_s, picture, self._count)
        self._kept.append(self._shown)
        self._count += 1


def near(first: Thumb, second: Thumb) -> bool:
    """Whether two frames are almost equal, as a whole and in each part."""
    difference = np.abs(first - second).mean(axis=2)
    if float(difference.mean()) >= NEAR:
        return False
    side = len(difference) // PARTS
    return float(difference.reshape(PARTS, side, PARTS, side).mean(axis=(1, 3)).max()) < NEAR_PART


def is_blank(thumb: Thumb) -> bool:
    """Whether a frame is one colour with noise."""
    return float(thumb.mean(axis=2).std()) < BLANK_STDDEV


def thumb_of(pixels: NDArray[np.uint8]) -> Thumb:
    """Return a frame for comparison, from its RGB pixels [SIDE, SIDE, 3]."""
    half = SIDE // 2
    thumb: Thumb = pixels.reshape(half, 2, half, 2, 3).mean(axis=(1, 3), dtype=np.float32)
    return thumb


def _difference(first: Thumb, second: Thumb) -> float:
    return float(np.abs(first - second).mean())


def _nearest(numbers: Sequence[int], wanted: float) -> int:
    return min(range(len(numbers)), key=lambda index: abs(numbers[index] - wanted))
