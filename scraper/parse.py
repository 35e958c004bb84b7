"""One parsed JSON element -> a ParsedRecord with its texts and files, or a Problem that says what is wrong."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import ValidationError

from scraper import record_formats
from scraper.record_formats import Json, Kind
from scraper.records import MAX_MADE_TEXT_CHARS, Encounter, MediaKind, TextKind, Video, clean_text
from scraper.sidecars import CaptionFile, Folder, LocalFile

MAX_REASON_CHARS = 300
# Terminal control characters (C0, C1, line separators, bidi embeddings, overrides and isolates), and lone surrogates,
# which UTF-8 cannot encode: they stand for the bytes of a file name that is not UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# raised by the readers and pydantic for hostile values; each affects one record only
_BAD_VALUES = (ValueError, TypeError, LookupError, AttributeError, OverflowError, OSError, RecursionError)


@dataclass(frozen=True)
class ParsedRecord:
    """A record with the texts that came with it (None: they could not be read where they were made), its local files
    (kind, position, path) and its local captions (language, path).

    `encounters` say when and in which list the person met the video. `origin` is the path of the file that the record
    was read from.
    """

    video: Video
    texts: dict[TextKind, str | None] = field(default_factory=dict)
    files: list[LocalFile] = field(default_factory=list)
    captions: list[CaptionFile] = field(default_factory=list)
    encounters: list[Encounter] = field(default_factory=list)
    origin: Path | None = None


@dataclass(frozen=True)
class Problem:
    """A record or file that could not be imported: the file, the index in it (from 0) and the reason. Safe to print."""

    file: str
    index: int | None
    reason: str

    def __post_init__(self) -> None:
        for name in ("file", "reason"):
            object.__setattr__(self, name, _printable(getattr(self, name)))

    def __str__(self) -> str:
        return f"{self.file}{'' if self.index is None else f', record {self.index}'}: {self.reason}"

    def as_dict(self) -> dict[str, object]:
        """The fields, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Skipped:
    """Entries of a file that are no videos, such as comments in a data export, in one count. They are no problem.

    `what` is a plural: "comments", "sounds". Safe to print.
    """

    file: str
    what: str
    count: int

    def __post_init__(self) -> None:
        for name in ("file", "what"):
            object.__setattr__(self, name, _printable(getattr(self, name)))

    def as_dict(self) -> dict[str, object]:
        """The fields, for JSON."""
        return asdict(self)


Found = ParsedRecord | Problem | Skipped  # what a reader yields


def in_words(skipped: Iterable[Skipped]) -> str:
    """What was skipped in all files, for a person: "Not imported: comments (3,000), sounds (12)". "" if nothing was."""
    counts: Counter[str] = Counter()
    for one in skipped:
        counts[one.what] += one.count
    parts = [f"{what} ({count:,})" for what, count in counts.most_common()]
    return f"Not imported: {', '.join(parts)}" if parts else ""


@dataclass(frozen=True)
class File:
    """A file to read: its path, its folder, and its name in problems."""

    path: Path
    folder: Folder
    name: str

    def problem(self, index: int | None, reason: object) -> Problem:
        """A problem in this file."""
        return Problem(self.name, index, clean_text(str(reason), MAX_REASON_CHARS))


def take(
    file: File, index: int | None, item: object, *, kind: Kind | None = None, where: str = "", alone: bool = False
) -> ParsedRecord | Problem:
    """Turn one parsed element into a record. Only one that is `alone` in its file can have sidecar files."""
    try:
        if isinstance(item, Exception):
            raise item
        if isinstance(item, list):
            item = record_formats.gallery_message(item)
        if not isinstance(item, dict):
            raise ValueError(f"a record is a JSON object, but this is {type(item).__name__}")
        match kind or record_formats.kind_of(item):
            case "console":
                return ParsedRecord(Video.model_validate(record_formats.console(item)))
            case "yt-dlp":
                video = Video.model_validate(record_formats.yt_dlp(item))
                return ParsedRecord(video, {}, *(file.folder.of_info(file.path.name) if alone else ()))
            case "gallery-dl":
                video = Video.model_validate(record_formats.gallery_dl(item, file.path.stat().st_mtime))
                return ParsedRecord(video, {}, *(file.folder.of_gallery(file.path.name, item) if alone else ()))
            case "site":
                return ParsedRecord(Video.model_validate(record_formats.site(item, file.path.stat().st_mtime)))
            case "own":
                return _json_lines_record(file.path.parent, item)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        return file.problem(index, f"{where}{name}: {first['msg']} ({error.error_count()} in all)")
    except _BAD_VALUES as error:
        return file.problem(index, f"{where}{error}")


def _json_lines_record(folder: Path, item: Json) -> ParsedRecord:
    """Read a record in this project's format: the fields of Video, texts as `cover_text` and `transcript`, local files
    as `cover_file`, `video_file` and `slide_files`, with paths relative to the file that names them."""
    texts: dict[TextKind, str | None] = {}
    named: tuple[tuple[str, TextKind], ...] = (("cover_text", "cover"), ("transcript", "transcript"))
    for key, kind in named:
        if key in item:
            texts[kind] = made_text(item[key])
    files: list[LocalFile] = []
    keys: tuple[tuple[MediaKind, str], ...] = (
        ("cover", "cover_file"),
        ("video", "video_file"),
        ("slide", "slide_files"),
    )
    for media, key in keys:
        files += [(media, n, _inside(folder, name)) for n, name in enumerate(record_formats.links_in(item.get(key)))]
    return ParsedRecord(Video.model_validate({"source": "json lines", **item}), texts, files)


def _inside(folder: Path, name: str) -> Path:
    """The file `name` in `folder`. A hostile record must not name files elsewhere."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} lies outside of the folder of its record")
    if not path.is_file():
        raise ValueError(f"{name!r} does not exist")
    return path


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def made_text(value: object) -> str | None:
    """A text that was made elsewhere. None means that the media could not be read there."""
    if not isinstance(value, str | None):
        raise ValueError("is not a text")
    return None if value is None else clean_text(value, MAX_MADE_TEXT_CHARS)
