"""Which rows the passages of a field have, and which videos stand for all of them."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

# Videos that say how the cosines of a field with several passages a video are spread: all, if a corpus has no more. A
# deviation of so many is exact to about 1 %, and scores differ by as much only if it were another sample.
SAMPLE_VIDEOS = 4_096


class PassageRows:
    """The rows of a field's passages, the same for every encoder.

    `starts` has length videos + 1: video v has the rows starts[v] to starts[v + 1]. `present` says which videos have a
    passage and are not deleted, `alive` which are not deleted.

    Args:
        sample, common: those of all videos that are among these, if these are a part of them.
    """

    def __init__(
        self,
        starts: NDArray[np.int64],
        alive: NDArray[np.bool_] | None = None,
        sample: NDArray[np.int64] | None = None,
        common: NDArray[np.int64] | None = None,
    ) -> None:
        self.starts = starts
        self._sample, self._common = sample, common
        self.alive = np.ones(len(starts) - 1, np.bool_) if alive is None else alive
        self.all_alive = bool(self.alive.all())
        self.present: NDArray[np.bool_] = (starts[1:] > starts[:-1]) & self.alive

    @property
    def videos(self) -> int:
        return len(self.present)

    @property
    def passages(self) -> int:
        return int(self.starts[-1])

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many passages each video has, shape (videos,)."""
        return np.diff(self.starts)

    def counts_of(self, videos: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many passages each of some videos has."""
        return self.starts[videos + 1] - self.starts[videos]

    def of(self, video: int) -> range:
        """Return the rows of a video's passages."""
        return range(int(self.starts[video]), int(self.starts[video + 1]))

    def first_of(
        self, videos: NDArray[np.int64], most: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of the passages of some videos, or of the first `most` of each, and of each row the number
        that its video has among those given."""
        counts = self.counts_of(videos) if most is None else np.minimum(self.counts_of(videos), most)
        owners = np.repeat(np.arange(len(videos)), counts)
        before = np.cumsum(counts) - counts
        return (self.starts[videos] - before)[owners] + np.arange(len(owners)), owners

    @cached_property
    def having(self) -> int:
        """How many videos are present."""
        return int(np.count_nonzero(self.present))

    @cached_property
    def sample(self) -> NDArray[np.int64]:
        """Up to SAMPLE_VIDEOS videos that have a passage, ascending: the first in an order that is always the same.

        So the samples of all fields have the first SAMPLE_VIDEOS videos of that order in common.
        """
        if self._sample is not None:
            return self._sample
        order = sampled_order(self.videos)
        return np.sort(order[self.present[order]][:SAMPLE_VIDEOS])

    @cached_property
    def common(self) -> NDArray[np.int64]:
        """The first SAMPLE_VIDEOS videos of that order, ascending, whether they have a passage or not."""
        if self._common is not None:
            return self._common
        order = sampled_order(self.videos)
        return np.sort(order[self.alive[order]][:SAMPLE_VIDEOS])


@lru_cache(4)
def sampled_order(videos: int) -> NDArray[np.int64]:
    """Return all videos in the order in which samples take them."""
    return np.random.default_rng(0).permutation(videos)


@dataclass(frozen=True)
class Best:
    """The best passage of each of some videos: its cosine with a question, and its row; NaN and -1 without a passage.

    Both have shape (videos,).
    """

    cosines: NDArray[np.float32]
    rows: NDArray[np.int64]

    def of(self, numbers: NDArray[np.int64]) -> "Best":
        """Return the best passages of some of these videos, by their number among them."""
        return Best(self.cosines[numbers], self.rows[numbers])
