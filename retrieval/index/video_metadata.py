"""What filters know of a video: its creator, hashtags, languages, date, length, lists."""

from dataclasses import dataclass

import regex

from ingest.catalog import languages
from ingest.catalog.entries import Entry
from ingest.language_names import code_of_tag
from ingest.text.fold import fold
from retrieval.index.encounters import Row

_BETWEEN_LETTERS = regex.compile(r"[^\p{L}\p{M}\p{N}]+")


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
