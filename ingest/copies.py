"""Frames of a video at fixed seconds -> a fingerprint, by which copies of the same video are recognised.

The hash of a frame is PDQ's (Facebook 2019): the signs of the 16 x 16 lowest frequencies of its brightness against
their median. As in vPDQ, a share of the frames of two videos must be almost equal, here those of the same seconds.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

from ingest.catalog.picture_store import Fingerprint, PictureStore
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

COMPARED_AT_ONCE = 256  # videos whose copies are looked for, and stored, together

Named = tuple[str, Fingerprint]  # a video by its id
Grey = NDArray[np.uint8]  # [SIDE, SIDE]

_MIRRORED = np.packbits(np.tile(np.arange(1, FREQUENCIES + 1) % 2 == 1, FREQUENCIES))  # these change their sign


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
        return Fingerprint(round(length_s or self._last_s, 3), b"".join(self._found))


def most_apart_s(length_s: float) -> float:
    """Return by how many seconds the length of a copy may differ."""
    return max(LENGTH_S, LENGTH_SHARE * length_s)


def compare(store: PictureStore) -> None:
    """Look for copies of the videos that were not compared yet. What a killed run has done stays."""
    while new := store.not_compared(COMPARED_AT_ONCE):
        posts = [one for one in new if one[1].length_s is None and one[1].hashes]
        pairs = list(_pairs(posts, store.fingerprints(None))) if posts else []
        for films in _of_like_length([one for one in new if one[1].length_s is not None and one[1].hashes]):
            first, last = films[0][1].length_s or 0.0, films[-1][1].length_s or 0.0
            near = store.fingerprints((first - most_apart_s(last), last + most_apart_s(last)))
            pairs += _pairs(films, near)
        store.put_copies(new, pairs)


def _of_like_length(films: Sequence[Named]) -> Iterator[list[Named]]:
    """Yield films, the shortest first, in groups between whose lengths are gaps."""
    group: list[Named] = []
    for one in films:
        length_s = one[1].length_s or 0.0
        if group and length_s - (group[-1][1].length_s or 0.0) > most_apart_s(length_s):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _pairs(new: Sequence[Named], others: Sequence[Named]) -> Iterator[tuple[str, str, bool]]:
    """Yield the pairs of a new video and one of the others that are copies: the smaller id, the other one, and whether
    one is mirrored. All are sorted by length, or are photo posts."""
    lengths = np.array([one.length_s or 0.0 for _, one in others])
    hashes = stacked([one.hashes for _, one in others])
    for video_id, one in new:
        length_s = one.length_s or 0.0
        apart = most_apart_s(length_s)
        first, last = np.searchsorted(lengths, [length_s - apart, length_s + apart]).tolist()
        same, mirrored = alike(stacked([one.hashes])[0], hashes[first:last])
        for row in np.flatnonzero(same | mirrored).tolist():
            other = others[first + row][0]
            if other != video_id:
                yield min(video_id, other), max(video_id, other), not same[row]


def stacked(hashes: Sequence[bytes]) -> NDArray[np.uint64]:
    """Return the hashes of several videos, shape (videos, MAX_FRAMES, 4), padded with zeros."""
    found = np.zeros((len(hashes), MAX_FRAMES, HASH_BYTES), np.uint8)
    for row, of_video in zip(found, hashes, strict=True):
        whole = of_video[: min(len(of_video) // HASH_BYTES, MAX_FRAMES) * HASH_BYTES]  # it may be damaged
        frames = np.frombuffer(whole, np.uint8).reshape(-1, HASH_BYTES)
        row[: len(frames)] = frames
    return found.view(np.uint64)


def alike(one: NDArray[np.uint64], others: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which of the other videos show the same as one, and which show it mirrored, each of shape (others,).

    Args:
        one: its hashes, shape (MAX_FRAMES, 4).
        others: theirs, shape (others, MAX_FRAMES, 4).
    """
    used = one.any(axis=1)
    most = np.maximum(others.any(axis=2).sum(axis=1), used.sum())
    one, others = one[used], others[:, used]
    both = others.any(axis=2)

    def shown(wanted: NDArray[np.uint64]) -> NDArray[np.bool_]:
        near = np.bitwise_count(others ^ wanted).sum(axis=2) <= NEAR_BITS
        count = both.sum(axis=1)
        enough = (count >= MIN_FRAMES) & (2 * count > most)
        return np.asarray(enough & ((near & both).sum(axis=1) >= SHARE * count))

    return shown(one), shown(one ^ _MIRRORED.view(np.uint64))
