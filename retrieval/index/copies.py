"""Which videos of a generation are copies of the same one: groups of ids, in a file if there are any."""

import json
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.index.values import Mask
from retrieval.index.verified import VerifiedFiles
from retrieval.index.videos import VideoIds

FILE = "copies.json"  # in the folder of a generation
Copies = tuple[tuple[str, ...], ...]  # groups of at least two ids, each sorted


def read_copies(files: VerifiedFiles) -> Copies:
    """Return the groups of a generation.

    Raises:
        GenerationError: the file is missing or damaged.
        ValueError: it has other things than groups.
    """
    if FILE not in files:
        return ()
    groups = json.loads(files.read(FILE))
    if not all(isinstance(of, list) and len(of) > 1 and all(isinstance(one, str) for one in of) for of in groups):
        raise ValueError(f"{FILE} has no groups of ids")
    return tuple(tuple(group) for group in groups)


def among(copies: Copies, ids: VideoIds) -> Copies:
    """Return the groups without the videos that a generation does not have."""
    left = (tuple(one for one in group if ids.find(one) is not None) for group in copies)
    return tuple(group for group in left if len(group) > 1)


class CopyGroups:
    """The groups of a generation by the numbers of its videos."""

    def __init__(self, copies: Copies, ids: VideoIds) -> None:
        found = [[number for one in group if (number := ids.find(one)) is not None] for group in copies]
        self._groups = [group for group in found if len(group) > 1]
        self._members = np.array(sorted(video for group in self._groups for video in group), np.int64)
        self._group_of = np.full(len(ids) if self._groups else 0, -1, np.int32)
        for number, group in enumerate(self._groups):
            self._group_of[group] = number
        self._largest = max(map(len, self._groups), default=1)

    def others(self, video: int) -> Sequence[int]:
        """Return the other copies of a video."""
        number = self._group_of[video] if self._groups else -1
        return () if number < 0 else [other for other in self._groups[number] if other != video]

    def with_copies(self, videos: Iterable[int]) -> list[int]:
        """Return videos and all their copies."""
        return [one for video in videos for one in (video, *self.others(video))]

    def first(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return videos, in order, without those of which a copy comes before them."""
        if not self._groups:
            return order
        groups = self._group_of[order]
        members = np.flatnonzero(groups >= 0)
        _, firsts = np.unique(groups[members], return_index=True)
        kept = groups < 0
        kept[members[firsts]] = True
        return order[kept]

    def needed(self, hits: int) -> int:
        """Return how many of the best videos have at least so many hits among them."""
        return min(hits * self._largest, hits + len(self._members) - len(self._groups))

    def more(self, among: Mask) -> int:
        """Return how many videos in a mask, shape (videos,), are further copies of others in it."""
        members = self._members[among[self._members]]
        return len(members) - len(np.unique(self._group_of[members])) if self._groups else 0
