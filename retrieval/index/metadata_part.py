"""The metadata of the videos of a segment, as columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.text.fold import fold
from retrieval.index import ragged
from retrieval.index.arrays import SUFFIX, save_arrays, typed
from retrieval.index.encounters import Row
from retrieval.index.values import KeyedValues, Mask, Values
from retrieval.index.verified import VerifiedFiles
from retrieval.index.video_metadata import VideoMetadata, name_key

FILE = f"metadata{SUFFIX}"
BETWEEN = "\0"  # two names in one string


@dataclass(frozen=True)
class MetadataPart:
    """Columns have shape (videos,). Unknown dates are NaT, other unknown numbers NaN.

    Attributes:
        posted: in days.
        at_least_s: where the last text ends.
        creators: of each video, username and nickname, found by the keys of both.
        tags: found by the form in which they are compared.
        languages: the main one first.
        lists: of each encounter, the list and the name of the collection; `met_at` has the time of each.
    """

    posted: NDArray[np.datetime64]
    duration_s: NDArray[np.float64]
    at_least_s: NDArray[np.float64]
    likes: NDArray[np.float64]
    creators: KeyedValues
    tags: KeyedValues
    languages: Values
    sources: Values
    lists: Values
    met_at: NDArray[np.datetime64]

    @property
    def videos(self) -> int:
        return len(self.posted)

    @classmethod
    def build(cls, videos: Sequence[VideoMetadata]) -> "MetadataPart":
        """Make it from the metadata of each video."""
        names = Values.build([_joined(one.username, one.nickname)] for one in videos)
        tags = Values.build(list({fold(tag): tag for tag in one.hashtags}.values()) for one in videos)
        return cls(
            np.array([one.posted or "NaT" for one in videos], dtype="datetime64[D]"),
            np.array([one.duration_s or np.nan for one in videos], dtype=np.float64),
            np.array([one.at_least_s for one in videos], dtype=np.float64),
            np.array([np.nan if one.likes is None else one.likes for one in videos], dtype=np.float64),
            KeyedValues.of(names, _keys_of_creator),
            KeyedValues.of(tags, _keys_of_tag),
            Values.build(list(dict.fromkeys(one.languages)) for one in videos),
            Values.build(list(dict.fromkeys(source.casefold() for source in one.sources)) for one in videos),
            Values.build([_joined(*_named(row)) for row in one.encounters] for one in videos),
            np.array([row[1] or "NaT" for one in videos for row in one.encounters], dtype="datetime64[s]"),
        )

    @classmethod
    def merge(cls, parts: Sequence["MetadataPart"], keep: Sequence[Mask]) -> "MetadataPart":
        """Return the metadata of the videos that are kept, one part after the other."""

        def column(name: str) -> NDArray[np.float64]:
            return np.concatenate([getattr(part, name)[kept] for part, kept in zip(parts, keep, strict=True)])

        def values(of: Callable[[MetadataPart], Values]) -> Values:
            return Values.merge([of(part) for part in parts], keep)

        met = [ragged.keep(part.met_at, part.lists.starts, kept)[0] for part, kept in zip(parts, keep, strict=True)]
        return cls(
            np.concatenate([part.posted[kept] for part, kept in zip(parts, keep, strict=True)]),
            column("duration_s"),
            column("at_least_s"),
            column("likes"),
            KeyedValues.of(values(lambda part: part.creators.values), _keys_of_creator),
            KeyedValues.of(values(lambda part: part.tags.values), _keys_of_tag),
            values(lambda part: part.languages),
            values(lambda part: part.sources),
            values(lambda part: part.lists),
            np.concatenate(met),
        )

    def save(self, folder: Path) -> None:
        columns = {
            "posted": self.posted.astype(np.int64),
            "met_at": self.met_at.astype(np.int64),
            "duration_s": self.duration_s,
            "at_least_s": self.at_least_s,
            "likes": self.likes,
        }
        named = self.creators.arrays("creators") | self.tags.arrays("tags")
        of_videos = self.languages.arrays("languages") | self.sources.arrays("sources") | self.lists.arrays("lists")
        save_arrays(folder / FILE, columns | named | of_videos)

    @classmethod
    def load(cls, files: VerifiedFiles) -> "MetadataPart":
        """Load what `save` wrote.

        Raises:
            GenerationError: the file is missing or differs from its sha256.
            ValueError: the arrays contradict each other.
        """
        found = files.arrays(FILE)
        part = cls(
            typed(found["posted"], "i8").view("datetime64[D]"),
            typed(found["duration_s"], "f8"),
            typed(found["at_least_s"], "f8"),
            typed(found["likes"], "f8"),
            KeyedValues.load(found.arrays, "creators"),
            KeyedValues.load(found.arrays, "tags"),
            Values.load(found.arrays, "languages"),
            Values.load(found.arrays, "sources"),
            Values.load(found.arrays, "lists"),
            typed(found["met_at"], "i8").view("datetime64[s]"),
        )
        if not files.mapped:
            part.check()
        return part

    def check(self) -> None:
        """Read all of it.

        Raises:
            ValueError: the arrays contradict each other.
        """
        for values in (self.creators, self.tags, self.languages, self.sources, self.lists):
            values.check(self.videos)
        if any(len(column) != self.videos for column in (self.duration_s, self.at_least_s, self.likes)):
            raise ValueError("the metadata is not of the same videos")
        if len(self.met_at) != len(self.lists.flat):
            raise ValueError("the times are not those of the lists")


def _joined(first: str, second: str) -> str:
    return f"{first.replace(BETWEEN, ' ')}{BETWEEN}{second}"


def parted(name: str) -> tuple[str, str]:
    """Return the two names in a string: username and nickname, list and collection."""
    first, _, second = name.partition(BETWEEN)
    return first, second


def _named(row: Row) -> tuple[str, str]:
    return row[0], row[2]


def _keys_of_creator(name: str) -> list[str]:
    return list(dict.fromkeys(key for one in parted(name) if (key := name_key(one))))


def _keys_of_tag(tag: str) -> list[str]:
    return [fold(tag)]
