"""Frames of a video at fixed seconds -> a fingerprint, by which copies of the same video are recognised.

The hash of a frame is PDQ's (Facebook 2019): the signs of the 16 x 16 lowest frequencies of its brightness against
their median. As in vPDQ, a share of the frames of two videos must be almost equal, here those of the same seconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

from ingest.catalog.picture_store import Fingerprint
from ingest.media import BLANK_STDDEV

SIDE = 64  # px of the square that a frame is scaled to
FREQUENCIES = 16  # in each direction; the mean brightness is left out
HASH_BYTES = FREQUENCIES * FREQUENCIES // 8
STEP_S = 1.0  # between frames, twice as many for a video with more than MAX_FRAMES of them, and so on
MAX_FRAMES = 64
NEAR_BITS = 48  # of 256: frames that differ by no more are almost equal (benchmarks/copies.py); PDQ advises 31
SHARE = 0.75  # of the seconds, at which two copies show almost the same
MIN_FRAMES = 2  # that both have: one picture says too little
LENGTH_S, LENGTH_SHARE = 0.3, 0.005  # by which the lengths of copies differ at most, whichever is more

Grey = NDArray[np.uint8]  # [SIDE, SIDE]
Hashes = NDArray[np.uint64]  # of frames, [..., HASH_BYTES // 8]; zeros if nothing is known

# These bits change in the hash of a mirrored frame.
MIRRORED: Hashes = np.packbits(np.tile(np.arange(1, FREQUENCIES + 1) % 2 == 1, FREQUENCIES)).view(np.uint64)


def grey_of(image: Image.Image) -> Grey:
    """Return a picture scaled down."""
    small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(small, np.uint8)


def hash_of(grey: Grey) -> bytes:
    """Return the hash of a frame; zeros if it is blank."""
    if grey.std() < BLANK_STDDEV:
        return bytes(HASH_BYTES)
    frequencies = dctn(grey.astype(np.float32))[1 : FREQUENCIES + 1, 1 : FREQUENCIES + 1]
    return np.packbits(frequencies > np.median(frequencies)).tobytes()


@dataclass
class FrameHashes:
    """Collects the hashes of the frames of a video that are the first at or after each step."""

    step_s: float = STEP_S
    _found: list[bytes] = field(default_factory=list)
    _last_s: float = 0.0

    def add(self, time_s: float, grey: Callable[[], Grey]) -> None:
        """Take the next frame; `grey` scales it down."""
        self._last_s = time_s
        step = int(time_s / self.step_s)
        if step < len(self._found):
            return
        if step >= MAX_FRAMES:
            self._found, self.step_s = self._found[::2], self.step_s * 2
            self.add(time_s, grey)
            return
        self._found += [bytes(HASH_BYTES)] * (step - len(self._found))
        self._found.append(hash_of(grey()))

    def finish(self, length_s: float) -> Fingerprint:
        """Return the fingerprint of a video of this length; if it is 0, not known, it lasts until the last frame."""
        whole_s = round(max(length_s, self._last_s), 3)
        every = round(step_of(whole_s) / self.step_s)
        return Fingerprint(whole_s, b"".join(self._found[::every]))


def step_of(length_s: float | None) -> float:
    """Return the seconds between the frames of the fingerprint of a video; STEP_S for a photo post."""
    step_s = STEP_S
    while length_s is not None and length_s >= MAX_FRAMES * step_s:
        step_s *= 2
    return step_s


def most_apart_s(length_s: float) -> float:
    """Return by how many seconds the length of a copy may differ."""
    return max(LENGTH_S, LENGTH_SHARE * length_s)


def stacked(prints: Sequence[Fingerprint]) -> Hashes:
    """Return the hashes of several videos at the same seconds, shape (videos, frames, 4), padded with zeros.

    Of videos on both sides of a length from which the frames are farther apart, those of the longest count.
    """
    step_s = max((step_of(one.length_s) for one in prints), default=STEP_S)
    rows = []
    for one in prints:
        whole = one.hashes[: min(len(one.hashes) // HASH_BYTES, MAX_FRAMES) * HASH_BYTES]  # it may be damaged
        every = round(step_s / step_of(one.length_s))
        rows.append(np.frombuffer(whole, np.uint64).reshape(-1, HASH_BYTES // 8)[::every])
    found = np.zeros((len(rows), max(map(len, rows), default=0), HASH_BYTES // 8), np.uint64)
    for place, row in zip(found, rows, strict=True):
        place[: len(row)] = row
    return found


def alike(some: Hashes, others: Hashes) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which of the other videos show the same as some, and which show it mirrored, each of shape (...,).

    Args:
        some: their hashes at the same seconds, shape (..., frames, 4).
        others: theirs.
    """
    used, used_by_others = some.any(axis=-1), others.any(axis=-1)
    most = np.maximum(used.sum(axis=-1), used_by_others.sum(axis=-1))
    both = used & used_by_others
    count = both.sum(axis=-1)
    enough = (count >= MIN_FRAMES) & (2 * count > most)
    differing = some ^ others

    def shown(bits: Hashes) -> NDArray[np.bool_]:
        near = np.bitwise_count(bits).sum(axis=-1) <= NEAR_BITS
        return np.asarray(enough & ((near & both).sum(axis=-1) >= SHARE * count))

    return shown(differing), shown(differing ^ MIRRORED)
