"""The ids of the videos in the order of their numbers, and the number of an id."""

from collections.abc import ItemsView, Iterator, Mapping, Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from retrieval.index.arrays import SUFFIX, save_arrays, smallest, typed
from retrieval.index.keys import KEY_BYTES
from retrieval.index.strings import Arrays, Strings
from retrieval.index.verified import VerifiedFiles
from retrieval.index.vocabulary import Hashes, hashes_of

FILE = f"videos{SUFFIX}"
Digests = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class VideoPart:
    """The videos of a segment.

    Attributes:
        ids: in the order of their numbers.
        keys, contents: digests of what each was made from and of its document, shape (videos, KEY_BYTES).
        hashes: those of the ids, ascending; `order` has the number of the video of each.
    """

    def __init__(
        self, ids: Strings, keys: Digests, contents: Digests, hashes: Hashes, order: NDArray[np.uint16 | np.uint32]
    ) -> None:
        self.ids, self.keys, self.contents, self.hashes, self.order = ids, keys, contents, hashes, order
        self.videos = len(ids)

    @classmethod
    def build(cls, ids: Sequence[str], keys: Sequence[bytes] = (), contents: Sequence[bytes] = ()) -> "VideoPart":
        """Make it from ids, each once, and digests of KEY_BYTES; those that are not given are 0."""
        return cls._ordered(Strings.of(ids), _rows(keys, len(ids)), _rows(contents, len(ids)), hashes_of(ids))

    @classmethod
    def _ordered(cls, ids: Strings, keys: Digests, contents: Digests, hashes: Hashes) -> "VideoPart":
        order = np.argsort(hashes, kind="stable")
        return cls(ids, keys, contents, hashes[order], smallest(order, len(order)))

    @classmethod
    def merge(cls, parts: Sequence["VideoPart"], keep: Sequence[Mask]) -> "VideoPart":
        """Return the videos that are kept, one part after the other."""
        ids = [part.ids.take(np.flatnonzero(kept)) for part, kept in zip(parts, keep, strict=True)]
        keys = np.concatenate([part.keys[kept] for part, kept in zip(parts, keep, strict=True)])
        contents = np.concatenate([part.contents[kept] for part, kept in zip(parts, keep, strict=True)])
        hashes = [part._by_video()[kept] for part, kept in zip(parts, keep, strict=True)]
        return cls._ordered(Strings.join(ids), keys, contents, np.concatenate(hashes))

    def _by_video(self) -> Hashes:
        found = np.empty(self.videos, np.uint64)
        found[self.order] = self.hashes
        return found

    def save(self, folder: Path) -> None:
        digests: Arrays = {"keys": self.keys, "contents": self.contents}
        save_arrays(folder / FILE, digests | {"hashes": self.hashes, "order": self.order} | self.ids.arrays("ids"))

    @classmethod
    def load(cls, files: VerifiedFiles) -> "VideoPart":
        """Load what `save` wrote.

        Raises:
            GenerationError: the file is missing or differs from its sha256.
            ValueError: the arrays contradict each other.
        """
        found = files.arrays(FILE)
        ids = Strings.load(found.arrays, "ids")
        keys, contents = typed(found["keys"], "u1", 2), typed(found["contents"], "u1", 2)
        part = cls(ids, keys, contents, typed(found["hashes"], "u8"), typed(found["order"], "u"))
        if not files.mapped:
            part.check()
        return part

    def check(self) -> None:
        """Read all of it.

        Raises:
            ValueError: the arrays contradict each other.
        """
        self.ids.check()
        shapes = {self.keys.shape, self.contents.shape}
        if shapes != {(self.videos, KEY_BYTES)} or not len(self.hashes) == len(self.order) == self.videos:
            raise ValueError("the ids of the videos contradict each other")
        if (self.hashes[1:] < self.hashes[:-1]).any() or (self.order >= self.videos).any():
            raise ValueError("the ids of the videos are not in order")

    def numbers(self, video_id: str, hashes: Hashes) -> Iterator[int]:
        """Yield the number of a video by its id and the hash of it, if it is here."""
        at = int(np.searchsorted(self.hashes, hashes[0]))
        while at < self.videos and self.hashes[at] == hashes[0]:
            if self.ids[number := int(self.order[at])] == video_id:
                yield number
            at += 1


def _rows(digests: Sequence[bytes], videos: int) -> Digests:
    return np.frombuffer(b"".join(digests) or bytes(KEY_BYTES * videos), np.uint8).reshape(videos, KEY_BYTES)


class VideoIds(Sequence[str]):
    """The ids of all videos of a generation by their numbers, those of deleted ones included.

    `alive` has shape (videos,): a video that was changed or removed keeps its number, and is not alive.
    """

    def __init__(self, parts: Sequence[VideoPart], alive: Mask) -> None:
        self.alive = alive
        self._parts = list(parts)
        self._starts = np.concatenate([[0], np.cumsum([part.videos for part in parts], dtype=np.int64)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, video: int) -> str: ...
    @overload
    def __getitem__(self, video: slice) -> list[str]: ...
    def __getitem__(self, video: int | slice) -> str | list[str]:
        if isinstance(video, slice):
            return [self[number] for number in range(*video.indices(len(self)))]
        number = int(video) + (len(self) if video < 0 else 0)
        if not 0 <= number < len(self):
            raise IndexError(video)
        part = int(np.searchsorted(self._starts, number, side="right")) - 1
        return self._parts[part].ids[number - int(self._starts[part])]

    def __iter__(self) -> Iterator[str]:
        for part in self._parts:
            yield from part.ids

    def find(self, video_id: str) -> int | None:
        """Return the number of the video of an id that is alive, None if there is none."""
        hashes = hashes_of([video_id])
        for part, start in zip(self._parts, self._starts.tolist(), strict=False):
            for number in part.numbers(video_id, hashes):
                if self.alive[start + number]:
                    return int(start + number)
        return None


class Positions(Mapping[str, int]):
    """By id, the number of each video of a generation that is alive."""

    def __init__(self, ids: VideoIds) -> None:
        self._ids = ids

    def __getitem__(self, video_id: str) -> int:
        found = self._ids.find(video_id)
        if found is None:
            raise KeyError(video_id)
        return found

    def __iter__(self) -> Iterator[str]:
        return (video_id for video_id, alive in zip(self._ids, self._ids.alive, strict=True) if alive)

    def __len__(self) -> int:
        return int(self._ids.alive.sum())

    def items(self) -> ItemsView[str, int]:
        return _Items(self, self._ids)


class _Items(ItemsView[str, int]):
    """Ids and numbers without looking up each id."""

    def __init__(self, positions: Positions, ids: VideoIds) -> None:
        super().__init__(positions)
        self._ids = ids

    def __iter__(self) -> Iterator[tuple[str, int]]:
        of_all = zip(self._ids, range(len(self._ids)), self._ids.alive.tolist(), strict=True)
        return ((video_id, number) for video_id, number, alive in of_all if alive)
