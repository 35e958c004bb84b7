"""When and in which lists a person met the videos -> which videos meet a condition on it.

All encounters are rows of a few arrays, so that a watch history of 50,000 entries is filtered in a millisecond.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ingest.text.fold import fold
from retrieval.index.analysis import plain, terms
from scraper.records import ListKind

Row = tuple[ListKind, str, str]  # list, time in UTC or "", name of a collection or ""
Mask = NDArray[np.bool_]
Times = NDArray[np.datetime64]


@dataclass(frozen=True)
class ListSummary:
    """A list, or a collection by its `name`: how many videos it has, and its first and last day ("" if unknown)."""

    list: ListKind
    name: str
    videos: int
    first: str
    last: str


def list_key(name: str) -> str:
    """Return a collection's name in the form in which names are compared."""
    return " ".join(terms(name, plain)) or fold(name).strip()


class EncounterIndex:
    """The encounters of all videos of a generation.

    Arrays have shape (encounters,) unless they are called videos; those have shape (videos,).
    """

    def __init__(
        self,
        video: NDArray[np.int64],
        at: Times,
        of_list: NDArray[np.int64],
        names: Sequence[tuple[str, str]],
        videos: int,
    ) -> None:
        """Take encounters in the order of their videos.

        Args:
            video, at: of each encounter, the number of its video and the time.
            of_list: the number of its list in `names`, which has lists and names of collections. Several may be equal,
                and some of no encounter.
        """
        self._videos = videos
        self._video, self.at = video, at
        used, place = np.unique(of_list, return_inverse=True)
        of_used = [cast(tuple[ListKind, str], names[number]) for number in used.tolist()]
        self.names = list(dict.fromkeys(of_used))
        number = {name: n for n, name in enumerate(self.names)}
        self._list = np.array([number[name] for name in of_used], dtype=np.int64)[place]
        self._keys = [list_key(name) for _, name in self.names]

    @classmethod
    def of(cls, by_video: Iterable[Iterable[Row]], videos: int) -> "EncounterIndex":
        """Return the encounters of each video, in the order of the videos."""
        rows = [(video, *row) for video, met in enumerate(by_video) for row in met]
        names = list(dict.fromkeys((row[1], row[3]) for row in rows))
        number = {name: n for n, name in enumerate(names)}
        return cls(
            np.array([row[0] for row in rows], dtype=np.int64),
            np.array([row[2] or "NaT" for row in rows], dtype="datetime64[s]"),
            np.array([number[row[1], row[3]] for row in rows], dtype=np.int64),
            names,
            videos,
        )

    def __len__(self) -> int:
        return len(self._video)

    def in_lists(self, kinds: Collection[ListKind]) -> Mask:
        """Return the encounters in these lists; all if there are none."""
        if not kinds:
            return np.ones(len(self), dtype=bool)
        return self._of([n for n, (kind, _) in enumerate(self.names) if kind in kinds])

    def in_collection(self, name: str) -> Mask:
        """Return the encounters in the collection of this name, or in those whose name contains it."""
        key = list_key(name)
        exact = [n for n, (kind, _) in enumerate(self.names) if kind == "collection" and self._keys[n] == key]
        part = [n for n, (kind, _) in enumerate(self.names) if kind == "collection" and key in self._keys[n]]
        return self._of(exact or part)

    def between(self, first: date | None, last: date | None) -> Mask:
        """Return the encounters on these days, both included. Unknown times are not among them."""
        mask = ~np.isnat(self.at)
        if first:
            mask &= self.at >= np.datetime64(first, "s")
        if last:
            mask &= self.at < np.datetime64(last, "D") + np.timedelta64(1, "D")
        return np.asarray(mask)

    def videos(self, encounters: Mask) -> Mask:
        """Return which videos have one of these encounters, shape (videos,)."""
        mask = np.zeros(self._videos, dtype=bool)
        mask[self._video[encounters]] = True
        return mask

    def videos_with_time(self, encounters: Mask) -> Mask:
        """Return which videos have one of these encounters with a known time, shape (videos,)."""
        return self.videos(encounters & ~np.isnat(self.at))

    def latest(self, encounters: Mask) -> Times:
        """Return when each video was last met in these encounters, shape (videos,); NaT if it is not known."""
        known = encounters & ~np.isnat(self.at)
        last = np.full(self._videos, np.iinfo(np.int64).min, dtype=np.int64)  # the number of NaT
        np.maximum.at(last, self._video[known], self.at[known].astype(np.int64))
        return last.astype("datetime64[s]")

    def days(self, encounters: Mask) -> tuple[date, date] | None:
        """Return the first and the last day of these encounters, or None if no time is known."""
        known = self.at[encounters & ~np.isnat(self.at)]
        if not len(known):
            return None
        first, last = (np.datetime64(end, "D").astype(date) for end in (known.min(), known.max()))
        return first, last

    @cached_property
    def summaries(self) -> list[ListSummary]:
        """Return all lists and collections, the longest first."""
        found = []
        order = np.argsort(self._list, kind="stable")
        ends = np.searchsorted(self._list[order], np.arange(len(self.names) + 1))
        for number, (kind, name) in enumerate(self.names):
            rows = order[ends[number] : ends[number + 1]]
            known = self.at[rows][~np.isnat(self.at[rows])]
            first, last = (str(end)[:10] for end in (known.min(), known.max())) if len(known) else ("", "")
            found.append(ListSummary(kind, name, len(np.unique(self._video[rows])), first, last))
        return sorted(found, key=lambda one: (-one.videos, one.list, one.name))

    def begins_with(self, start: str) -> list[ListSummary]:
        """Return the lists and collections whose names begin with `start`, the longest first."""
        wanted = fold(start).strip()
        return [
            one for one in self.summaries if fold(one.name if one.list == "collection" else one.list).startswith(wanted)
        ]

    def _of(self, numbers: list[int]) -> Mask:
        return np.isin(self._list, numbers)
