"""The metadata of all videos -> which videos match a filter: creator, hashtags, language, date, length, lists."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np
import regex
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from ingest.catalog import languages
from ingest.catalog.entries import Entry
from ingest.language_names import code_of_tag
from ingest.text.fold import fold
from retrieval.index.encounters import EncounterIndex, Row
from retrieval.index.verified import VerifiedFiles

FILE = "facts.json"
_BETWEEN_LETTERS = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
MAX_NEAR = 3
MIN_NEAR = 75.0  # of 100, rapidfuzz's ratio: one or two wrong letters in a name of ordinary length
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class VideoMetadata:
    """What filters know of a video. Unknown values are empty.

    Attributes:
        languages: ISO 639-1 codes, the main one first: of the speech and the description, or if there are none, of the
            on-screen text or the comments.
        posted: an ISO date.
        encounters: in which lists and when a person met the video.
        duration_s: its length.
        at_least_s: where its last text ends: it is at least so long.
        sources: what its records came from: yt-dlp, file, data export.
    """

    username: str = ""
    nickname: str = ""
    hashtags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    posted: str = ""
    encounters: tuple[Row, ...] = ()
    duration_s: float | None = None
    at_least_s: float = 0.0
    likes: int | None = None
    sources: tuple[str, ...] = ()


UNKNOWN = VideoMetadata()


def metadata_of(entry: Entry) -> VideoMetadata:
    """Return the metadata of a catalog entry."""
    video = entry.video
    ends = [segment.end_s for text in entry.texts.values() for segment in text.segments]
    return VideoMetadata(
        video.creator_username,
        video.creator_nickname,
        tuple(video.hashtags),
        languages_of_video(entry),
        video.posted or "",
        tuple((met.list, met.at, met.name) for met in entry.encounters),
        video.duration_s,
        max(ends, default=0.0),
        video.likes,
        tuple(source for part in video.source.split(",") if (source := part.strip())),
    )


def languages_of_video(entry: Entry) -> tuple[str, ...]:
    """Return the languages of a video, the main one first: those of its speech and description, else of other texts."""
    of, transcript = dict(entry.languages), entry.texts.get("transcript")
    if transcript and not of.get("transcript") and (code := code_of_tag(transcript.language)):
        of["transcript"] = (code,)
    return languages.of_video(of)


def name_key(name: str) -> str:
    """Return the letters and digits of a name: crumb.and.crust, "crumb and crust" and crumbandcrust are equal."""
    folded = fold(name)
    return _BETWEEN_LETTERS.sub("", folded) or folded.strip()


class MetadataIndex:
    """The metadata of all videos of a generation, in its order. Masks have shape (videos,)."""

    def __init__(self, videos: Sequence[VideoMetadata]) -> None:
        self._videos = len(videos)
        self.posted: NDArray[np.datetime64] = np.array([one.posted or "NaT" for one in videos], dtype="datetime64[D]")
        self.dated: Mask = ~np.isnat(self.posted)
        self.has_language: Mask = np.array([bool(one.languages) for one in videos], dtype=bool)
        self._creators: dict[str, list[int]] = {}
        self._tags: dict[str, list[int]] = {}  # by the form in which tags are compared
        self._written: dict[str, str] = {}
        self._languages: dict[str, list[int]] = {}
        self._sources: dict[str, list[int]] = {}
        self._usernames: dict[str, str] = {}
        key_of = cache(name_key)  # most creators have several videos
        for number, known in enumerate(videos):
            for name in {key_of(known.username), key_of(known.nickname)} - {""}:
                self._creators.setdefault(name, []).append(number)
                self._usernames.setdefault(name, known.username)
            for key, tag in {fold(tag): tag for tag in known.hashtags}.items():
                self._tags.setdefault(key, []).append(number)
                self._written.setdefault(key, tag)
            for code in known.languages:
                self._languages.setdefault(code, []).append(number)
            for source in known.sources:
                self._sources.setdefault(source.casefold(), []).append(number)
        self.encounters = EncounterIndex((one.encounters for one in videos), len(videos))
        self.duration_s = np.array([one.duration_s or np.nan for one in videos], dtype=np.float64)
        self._at_least_s = np.fmax(self.duration_s, np.array([one.at_least_s for one in videos], dtype=np.float64))
        self.likes = np.array([np.nan if one.likes is None else one.likes for one in videos], dtype=np.float64)

    @classmethod
    def load(cls, files: VerifiedFiles) -> "MetadataIndex":
        """Load the file that `save` wrote. An earlier version wrote fewer keys, a later one may write more."""
        rows = json.loads(files.read(FILE))
        known = {one.name for one in fields(VideoMetadata)}
        for row in rows:
            if (tag := row.pop("language", "")) and (code := code_of_tag(tag)):  # as an earlier version wrote it
                row["languages"] = (code,)
        if set().union(*rows) - known:
            rows = [{key: value for key, value in row.items() if key in known} for row in rows]
        return cls([VideoMetadata(**row) for row in rows])

    def by_creator(self, name: str) -> Mask:
        """Return videos whose creator's username or nickname is `name`, ignoring case, accents and punctuation."""
        return self._mask(self._creators.get(name_key(name)))

    def by_part_of_name(self, name: str) -> Mask:
        """Return videos whose creator's username or nickname contains `name`: names are often several words joined."""
        part = name_key(name)
        return self._mask([number for key, numbers in self._creators.items() if part in key for number in numbers])

    def with_tag(self, tag: str) -> Mask:
        return self._mask(self._tags.get(fold(tag)))

    def in_language(self, code: str) -> Mask:
        """Return videos in the language of an ISO 639-1 code, or of a tag such as en-US."""
        return self._mask(self._languages.get(code_of_tag(code) or code))

    def posted_before(self, day: str) -> Mask:
        """Return videos posted before an ISO date; those without a known date are not among them."""
        return np.asarray(self.posted < np.datetime64(day, "D"))

    def posted_from(self, day: str) -> Mask:
        """Return videos posted on an ISO date or later; those without a known date are not among them."""
        return np.asarray(self.posted >= np.datetime64(day, "D"))

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
        return self._mask(self._sources.get(source.casefold()))

    def sources(self) -> Counter[str]:
        """Return the number of videos by source."""
        return Counter({source: len(numbers) for source, numbers in self._sources.items()})

    def near_creators(self, name: str) -> list[str]:
        """Return usernames that are spelt like `name`."""
        found = process.extract(
            name_key(name), list(self._creators), scorer=fuzz.ratio, score_cutoff=MIN_NEAR, limit=MAX_NEAR
        )
        return list(dict.fromkeys(self._usernames[key] or key for key, *_ in found))

    def near_tags(self, tag: str) -> list[str]:
        """Return hashtags that are spelt like `tag`."""
        found = process.extract(fold(tag), list(self._tags), scorer=fuzz.ratio, score_cutoff=MIN_NEAR, limit=MAX_NEAR)
        return [self._written[key] for key, *_ in found]

    def creators_from(self, start: str, limit: int, shown: Mask | None = None) -> list[tuple[str, int]]:
        """Return usernames that begin with `start` and their number of videos, the most frequent first.

        Args:
            shown: the videos that count, shape (videos,); by default all.
        """
        begun = [
            (self._usernames[key] or key, count)
            for key, of in self._creators.items()
            if key.startswith(name_key(start)) and (count := _count(of, shown))
        ]
        return sorted(dict(begun).items(), key=lambda one: (-one[1], one[0]))[:limit]

    def tags_from(self, start: str, limit: int, shown: Mask | None = None) -> list[tuple[str, int]]:
        """Return hashtags that begin with `start` and their number of videos, the most frequent first.

        Args:
            shown: as for `creators_from`.
        """
        begun = [
            (self._written[tag], count)
            for tag, of in self._tags.items()
            if tag.startswith(fold(start)) and (count := _count(of, shown))
        ]
        return sorted(begun, key=lambda one: (-one[1], one[0]))[:limit]

    def languages(self, shown: Mask | None = None) -> list[tuple[str, int]]:
        """Return the languages by code and their number of videos, the most frequent first. A video may have several.

        Args:
            shown: as for `creators_from`.
        """
        counted = [(code, count) for code, of in self._languages.items() if (count := _count(of, shown))]
        return sorted(counted, key=lambda one: (-one[1], one[0]))

    def _mask(self, numbers: list[int] | None) -> Mask:
        mask = np.zeros(self._videos, dtype=bool)
        mask[numbers or []] = True
        return mask


def _count(videos: list[int], shown: Mask | None) -> int:
    return len(videos) if shown is None else int(shown[videos].sum())


def save(videos: Sequence[VideoMetadata], folder: Path) -> None:
    """Write the file that `MetadataIndex.load` reads. Values that are not known are left out."""
    unknown = {one.name: one.default for one in fields(VideoMetadata)}
    rows = [{name: value for name in unknown if (value := getattr(known, name)) != unknown[name]} for known in videos]
    (folder / FILE).write_text(json.dumps(rows), encoding="utf-8")
