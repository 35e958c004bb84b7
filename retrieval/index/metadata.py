"""The metadata of all videos -> which videos match a filter: creator, hashtags, language, date, length, lists."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from ingest.language_names import code_of_tag
from ingest.text.fold import fold
from retrieval.index import ragged
from retrieval.index.encounters import EncounterIndex
from retrieval.index.metadata_part import MetadataPart, parted
from retrieval.index.values import AllKeyed, AllValues, Mask, Numbers
from retrieval.index.video_metadata import VideoMetadata, name_key

MAX_NEAR = 3
MIN_NEAR = 75.0  # of 100, rapidfuzz's ratio: one or two wrong letters in a name of ordinary length
_SHARED = 4  # keys read for each creator to show: several keys may be of one creator


class MetadataIndex:
    """The metadata of all videos of a generation, in its order. Masks have shape (videos,).

    Nothing is known of videos that are not alive: they are in no mask and in no count.
    """

    def __init__(self, parts: Sequence[MetadataPart], alive: Mask) -> None:
        def column(name: str, unknown: Any) -> NDArray[Any]:
            joined = np.concatenate([getattr(part, name) for part in parts])
            joined[~alive] = unknown
            return joined

        self.posted: NDArray[np.datetime64] = column("posted", np.datetime64("NaT"))
        self.dated: Mask = ~np.isnat(self.posted)
        self.duration_s: NDArray[np.float64] = column("duration_s", np.nan)
        self._at_least_s = np.fmax(self.duration_s, column("at_least_s", 0.0))
        self.likes: NDArray[np.float64] = column("likes", np.nan)
        self._creators = AllKeyed([part.creators for part in parts], alive)
        self._tags = AllKeyed([part.tags for part in parts], alive)
        self._languages = AllValues([part.languages for part in parts], alive)
        self._sources = AllValues([part.sources for part in parts], alive)
        self.has_language: Mask = self._languages.any()
        self.encounters = _encounters(parts, alive)

    @classmethod
    def of(cls, videos: Sequence[VideoMetadata]) -> "MetadataIndex":
        """Return the metadata of videos that are in no generation."""
        return cls([MetadataPart.build(videos)], np.ones(len(videos), bool))

    def by_creator(self, name: str) -> Mask:
        """Return videos whose creator's username or nickname is `name`, ignoring case, accents and punctuation."""
        return self._creators.by_key(name_key(name))

    def by_part_of_name(self, name: str) -> Mask:
        """Return videos whose creator's username or nickname contains `name`: names are often several words joined."""
        return self._creators.with_part_of_key(name_key(name))

    def with_tag(self, tag: str) -> Mask:
        return self._tags.by_key(fold(tag))

    def in_language(self, code: str) -> Mask:
        """Return videos in the language of an ISO 639-1 code, or of a tag such as en-US."""
        return self._languages.having(self._languages.find(code_of_tag(code) or code))

    def posted_before(self, day: str) -> Mask:
        """Return videos posted before an ISO date; those without a known date are not among them."""
        return np.asarray(self.posted < np.datetime64(day, "D"))

    def posted_from(self, day: str) -> Mask:
        """Return videos posted on an ISO date or later; those without a known date are not among them."""
        return np.asarray(self.posted >= np.datetime64(day, "D"))

    def posted_in(self, first: date | None, last: date | None) -> Mask:
        """Return videos posted from one day to another; those without a known date are not among them."""
        met = self.dated.copy()
        if first:
            met &= self.posted >= np.datetime64(first, "D")
        if last:
            met &= self.posted <= np.datetime64(last, "D")
        return met

    def as_long_as(self, low: int, high: int | None) -> tuple[Mask, Mask]:
        """Return videos from `low` to less than `high` seconds long, and those of which it is known whether they are.

        Of a video without a known length, it is known that it is at least as long as its texts.
        """
        known = ~np.isnan(self.duration_s)
        if high is None:
            met = np.asarray(self._at_least_s >= low)
            return met, known | met
        return known & (self._at_least_s >= low) & (self._at_least_s < high), known | (self._at_least_s >= high)

    def liked_by(self, low: int, high: int | None) -> tuple[Mask, Mask]:
        """Return videos with `low` to less than `high` likes, and those whose number of likes is known."""
        met = (self.likes >= low) & (self.likes < (np.inf if high is None else high))
        return np.asarray(met), ~np.isnan(self.likes)

    def from_source(self, source: str) -> Mask:
        """Return videos with a record from this source."""
        return self._sources.having(self._sources.find(source.casefold()))

    def sources(self) -> Counter[str]:
        """Return the number of videos by source."""
        return self._sources.counted()

    def near_creators(self, name: str) -> list[str]:
        """Return usernames that are spelt like `name`."""
        counts = self._creators.counts()
        return list(dict.fromkeys(self._username(key, counts) for key in _near(name_key(name), self._creators.keys())))

    def near_tags(self, tag: str) -> list[str]:
        """Return hashtags that are spelt like `tag`."""
        counts = self._tags.counts()
        return [self._written(key, counts) for key in _near(fold(tag), self._tags.keys())]

    def creators_from(self, start: str, limit: int, shown: Mask | None = None) -> list[tuple[str, int]]:
        """Return usernames that begin with `start` and their number of videos, the most frequent first.

        Args:
            shown: the videos that count, shape (videos,); by default all.
        """
        counts, videos = self._creators.counts(shown), dict[str, int]()
        for key, count in self._creators.beginning_with(name_key(start), _SHARED * limit, counts):
            videos.setdefault(self._username(key, counts), count)
        return sorted(videos.items(), key=lambda one: (-one[1], one[0]))[:limit]

    def tags_from(self, start: str, limit: int, shown: Mask | None = None) -> list[tuple[str, int]]:
        """Return hashtags that begin with `start` and their number of videos, the most frequent first.

        Args:
            shown: as for `creators_from`.
        """
        counts = self._tags.counts(shown)
        found = self._tags.beginning_with(fold(start), limit, counts)
        return sorted(((self._written(key, counts), count) for key, count in found), key=lambda one: (-one[1], one[0]))

    def languages(self, shown: Mask | None = None) -> list[tuple[str, int]]:
        """Return the languages by code and their number of videos, the most frequent first. A video may have several.

        Args:
            shown: as for `creators_from`.
        """
        return sorted(self._languages.counted(shown).items(), key=lambda one: (-one[1], one[0]))

    def creators(self, limit: int) -> list[tuple[str, str, int]]:
        """Return usernames, nicknames and numbers of videos of the creators with the most."""
        counted = [(*parted(name), videos) for name, videos in self._creators.most_frequent(limit + 1)]
        named = [(username or nickname, nickname, videos) for username, nickname, videos in counted]
        return sorted((one for one in named if one[0]), key=lambda one: (-one[2], one[0]))[:limit]

    def hashtags(self, video: int) -> list[str]:
        """Return the hashtags of a video."""
        return self._tags.of(video)

    def username(self, video: int) -> str:
        """Return the username of a video's creator, "" if it is not known."""
        return next((parted(name)[0] for name in self._creators.of(video)), "")

    def years(self) -> list[tuple[int, int]]:
        """Return the years in which videos were posted, the latest first, and their numbers of videos."""
        years: Counter[int] = Counter((self.posted[self.dated].astype("datetime64[Y]").astype(int) + 1970).tolist())
        return sorted(years.items(), reverse=True)

    def _username(self, key: str, counts: Numbers) -> str:
        """Return the username that most videos of a creator with this key have."""
        return parted(_most(self._creators.names(key, counts), key))[0] or key

    def _written(self, key: str, counts: Numbers) -> str:
        """Return a hashtag as it is mostly written."""
        return _most(self._tags.names(key, counts), key)


def _most(counted: Counter[str], otherwise: str) -> str:
    return min(counted, key=lambda name: (-counted[name], name), default=otherwise)


def _near(wanted: str, keys: Sequence[str]) -> list[str]:
    found = process.extract(wanted, keys, scorer=fuzz.ratio, score_cutoff=MIN_NEAR, limit=MAX_NEAR)
    return [key for key, *_ in found]


def _encounters(parts: Sequence[MetadataPart], alive: Mask) -> EncounterIndex:
    lists = AllValues([part.lists for part in parts], alive)
    counts = np.concatenate([ragged.lengths_of(part.lists.starts) for part in parts])
    owners = np.repeat(np.arange(len(alive)), counts)
    kept = alive[owners]
    names = [parted(name) for part in parts for name in part.lists.names.strings]
    at = np.concatenate([part.met_at for part in parts])[kept]
    return EncounterIndex(owners[kept], at, lists.flat.astype(np.int64), names, len(alive))
