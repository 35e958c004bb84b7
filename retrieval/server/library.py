"""All videos of the catalog -> what a person browses: filtered, sorted, with counts of what the filters can be set to.

The catalog is read when it has changed, and kept in memory, so that a page of 10,000 videos takes some milliseconds.
Videos that the index does not have yet are among them.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ingest.catalog import Catalog
from ingest.catalog.database import FILE_NAME
from ingest.catalog.listed import ListedVideo
from ingest.language_names import name_of
from ingest.text.fold import fold
from retrieval.index.metadata import MetadataIndex
from retrieval.index.values import Mask
from retrieval.index.video_metadata import VideoMetadata, name_key
from retrieval.search.conditions import Condition
from retrieval.search.filters import metadata_meeting
from retrieval.search.lists import operator_value

LibrarySort = Literal["saved", "seen", "newest", "oldest"]
MAX_VALUES = 200  # of a facet; the rest is found by words
NO_MONTH = ""


@dataclass(frozen=True)
class Value:
    """A value that a filter can have: what the filter takes, what a person reads, and how many videos have it."""

    value: str
    label: str
    videos: int


@dataclass(frozen=True)
class Shown:
    """A page of the library.

    Attributes:
        ids: of its videos, in their order.
        months: of each of them, the month by which it is sorted, such as 2024-03; "" if it is unknown.
        total: how many videos meet the filters.
        facets: by filter, its values among the videos that meet all other filters, those with the most videos first;
            months in the order of the videos.
    """

    ids: list[str]
    months: list[str]
    total: int
    facets: dict[str, list[Value]]


class Shelf:
    """All videos, as they were in the catalog at one time."""

    def __init__(self, videos: Sequence[ListedVideo]) -> None:
        self.ids = [one.id for one in videos]
        self.metadata = MetadataIndex.of([_metadata(one) for one in videos])
        self.kept: Mask = np.array([one.is_kept for one in videos], dtype=bool)
        self._texts = [
            fold(" \n ".join((one.id, one.username, one.nickname, one.description, one.file_name))) for one in videos
        ]
        imported = np.array([one.imported_at for one in videos], dtype=np.float64).astype("datetime64[s]")
        met = self.metadata.encounters
        not_watched = met.in_lists(("favorites", "collection", "likes", "shares", "reposts", "posts"))
        saved, seen = met.latest(not_watched), met.latest(np.ones(len(met), dtype=bool))
        self._times: Mapping[LibrarySort, NDArray[np.datetime64]] = {
            # when a person saved it; else when they saw it; else when it was imported
            "saved": np.where(np.isnat(saved), np.where(np.isnat(seen), imported, seen), saved),
            "seen": seen,
            "newest": self.metadata.posted.astype("datetime64[s]"),
            "oldest": self.metadata.posted.astype("datetime64[s]"),
        }
        self._creator = [name_key(one.username or one.nickname) for one in videos]
        self._creator_labels = {
            key: one.username or one.nickname for key, one in zip(self._creator, videos, strict=True)
        }
        self._tags = [[(fold(tag), tag) for tag in one.hashtags] for one in videos]
        self._lists = [list(dict.fromkeys((kind, name) for kind, _, name in one.met)) for one in videos]
        self._languages = [one.languages for one in videos]

    def show(
        self,
        words: str = "",
        conditions: Sequence[Condition] = (),
        month: str = "",
        kept: bool = False,
        sort: LibrarySort = "saved",
        offset: int = 0,
        limit: int = 60,
    ) -> Shown:
        """Return the page of `limit` videos after the first `offset` ones that meet the filters.

        Args:
            words: all of them are in the id, the name of the creator, the description or the name of the file.
            month: such as 2024-03, of the time by which the videos are sorted.
            kept: only those with a video file.
        """
        times = self._times[sort]
        months = np.where(np.isnat(times), NO_MONTH, times.astype("datetime64[M]").astype(str))
        always = self._with_words(words) & (self.kept if kept else True)
        masks: dict[str, Mask] = {}
        for condition in conditions:
            met, known, _ = metadata_meeting(self.metadata, condition)
            masks[condition.kind] = masks.get(condition.kind, always) & (known & ~met if condition.exclude else met)
        if month:
            masks["month"] = months == month
        mask = np.logical_and.reduce([always, *masks.values()])
        order = self._order(np.flatnonzero(mask), sort)
        page = order[offset : offset + limit]

        def others(facet: str) -> list[int]:
            rest = [one for kind, one in masks.items() if kind != facet]
            return np.flatnonzero(np.logical_and.reduce([always, *rest])).tolist()

        return Shown(
            [self.ids[video] for video in page.tolist()],
            months[page].tolist(),
            len(order),
            {
                "in": self._lists_of(others("in")),
                "month": _months(months[self._order(np.array(others("month"), np.int64), sort)]),
                "creator": _counted((self._creator[video] for video in others("creator")), self._creator_labels),
                "tag": self._tags_of(others("tag")),
                "lang": _counted((code for video in others("lang") for code in self._languages[video]), None, name_of),
            },
        )

    def _with_words(self, words: str) -> Mask:
        wanted = [word.removeprefix("@").removeprefix("#") for word in fold(words).split()]
        if not wanted:
            return np.ones(len(self.ids), dtype=bool)
        return np.array([all(word in text for word in wanted) for text in self._texts], dtype=bool)

    def _order(self, videos: NDArray[np.int64], sort: LibrarySort) -> NDArray[np.int64]:
        """Return videos by time, those without one last; of equal ones the newest post first, then the highest id."""
        times, posted = self._times[sort][videos], self.metadata.posted[videos]
        numbers = times.astype(np.int64)
        keys = (-videos, -posted.astype(np.int64), np.isnat(posted), numbers if sort == "oldest" else -numbers)
        return videos[np.lexsort((*keys, np.isnat(times)))]

    def _lists_of(self, videos: Sequence[int]) -> list[Value]:
        counts: dict[tuple[str, str], int] = {}
        for video in videos:
            for of in self._lists[video]:
                counts[of] = counts.get(of, 0) + 1
        found = [
            Value(name if kind == "collection" and name else kind, name or operator_value(kind), count)  # type: ignore[arg-type]
            for (kind, name), count in counts.items()
        ]
        return sorted(found, key=lambda one: (-one.videos, one.label))[:MAX_VALUES]

    def _tags_of(self, videos: Sequence[int]) -> list[Value]:
        tags = [tag for video in videos for tag in self._tags[video]]
        return _counted((key for key, _ in tags), dict(tags))


class Library:
    """The videos of a data folder, read again when the catalog has changed. It can be used by several threads."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._lock = threading.Lock()
        self._known: tuple[object, Shelf] | None = None

    def shelf(self) -> Shelf:
        """Return the videos as they are now.

        Raises:
            CatalogError: the catalog cannot be used.
        """
        with self._lock:
            state = self._state()
            if self._known is None or self._known[0] != state:
                with Catalog(self._data, read_only=True) as catalog:
                    self._known = state, Shelf(catalog.browser.listed())
            return self._known[1]

    def _state(self) -> object:
        file, log = self._data / FILE_NAME, self._data / f"{FILE_NAME}-wal"
        status = [path.stat() if path.is_file() else None for path in (file, log)]
        # an empty log is as good as none: whoever only reads makes it
        return [(one.st_mtime_ns, one.st_size, one.st_ino) for one in status if one and one.st_size]


def _metadata(one: ListedVideo) -> VideoMetadata:
    return VideoMetadata(
        one.username,
        one.nickname,
        one.hashtags,
        one.languages,
        one.posted,
        one.met,
        one.duration_s,
        0.0,
        one.likes,
        one.sources,
    )


def _counted(values: Iterable[str], labels: Mapping[str, str] | None, named: Callable[[str], str] = str) -> list[Value]:
    counts = Counter(value for value in values if value)
    first = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:MAX_VALUES]
    if labels:
        return [Value(labels[value], labels[value], videos) for value, videos in first]
    return [Value(value, named(value), videos) for value, videos in first]


def _months(months: NDArray[np.str_]) -> list[Value]:
    """Return months with their counts in the order of the videos."""
    return [Value(month, month, count) for month, count in Counter(months.tolist()).items() if month]
