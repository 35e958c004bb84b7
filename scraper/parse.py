"""One parsed JSON element -> a ParsedRecord with its texts and files, or a Problem that says what is wrong."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import ValidationError

from scraper import columns, foreign_formats, record_formats
from scraper.record_formats import Json, Kind
from scraper.records import MAX_MADE_TEXT_CHARS, Encounter, MediaKind, TextKind, Video, clean_text
from scraper.sidecars import CaptionFile, Folder, LocalFile

MAX_REASON_CHARS = 300
MAX_ENCOUNTERS = 10_000  # of one video; nobody watches one more often
# Terminal control characters (C0, C1, line separators, bidi embeddings, overrides and isolates), and lone surrogates,
# which UTF-8 cannot encode: they stand for the bytes of a file name that is not UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# keys of this project's format
_OWN_FILES = ("cover_text", "transcript", "cover_file", "video_file", "slide_files")
_OWN_KEYS = frozenset((*Video.model_fields, *_OWN_FILES))
_OWN_ADDRESS = frozenset(("permalink", "creator_username", *_OWN_FILES))
_ALWAYS = frozenset(("id", "permalink", "source", "scraped_at", "posted"))  # they do not need the item's own texts
# raised by the readers and pydantic for hostile values; each affects one record only
_BAD_VALUES = (ValueError, TypeError, LookupError, AttributeError, OverflowError, OSError, RecursionError)


@dataclass(frozen=True)
class ParsedRecord:
    """A record with the texts that came with it (None: they could not be read where they were made), its local files
    (kind, position, path) and its local captions (language, path).

    `encounters` say when and in which list the person met the video. `origin` is the path of the file that the record
    was read from. As long as there is the object `keeps`, there are files that were unpacked from a zip.
    """

    video: Video
    texts: dict[TextKind, str | None] = field(default_factory=dict)
    files: list[LocalFile] = field(default_factory=list)
    captions: list[CaptionFile] = field(default_factory=list)
    encounters: list[Encounter] = field(default_factory=list)
    origin: Path | None = None
    keeps: object = None


@dataclass(frozen=True)
class Problem:
    """A record or file that could not be imported: the file, the index in it (from 0) and the reason. Safe to print."""

    file: str
    index: int | None
    reason: str

    def __post_init__(self) -> None:
        for name in ("file", "reason"):
            object.__setattr__(self, name, printable(getattr(self, name)))

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
            object.__setattr__(self, name, printable(getattr(self, name)))

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
    file: File,
    index: int | None,
    item: object,
    *,
    kind: Kind | None = None,
    where: str = "",
    alone: bool = False,
    source: str = "",
    saved_at: float | None = None,
) -> ParsedRecord | Problem:
    """Turn one parsed element into a record. Only one that is `alone` in its file can have sidecar files.

    `source` names the program, and `saved_at` the time in seconds, where the item does not say.
    """
    try:
        if isinstance(item, Exception):
            raise item
        if isinstance(item, list):
            item = record_formats.gallery_message(item)
        if not isinstance(item, dict):
            raise ValueError(f"a record is a JSON object, but this is {type(item).__name__}")
        return _read(file, item, kind or record_formats.kind_of(item), alone, source, saved_at)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        return file.problem(index, f"{where}{name}: {first['msg']} ({error.error_count()} in all)")
    except _BAD_VALUES as error:
        return file.problem(index, f"{where}{error}")


def _read(file: File, item: Json, kind: Kind, alone: bool, source: str, saved_at: float | None) -> ParsedRecord:
    """Read an item with the reader of its format."""
    match kind:
        case "console":
            return ParsedRecord(Video.model_validate(record_formats.console(item)))
        case "yt-dlp":
            video = Video.model_validate(record_formats.yt_dlp(item))
            return ParsedRecord(video, {}, *(file.folder.of_info(file.path.name) if alone else ()))
        case "gallery-dl":
            video = Video.model_validate(record_formats.gallery_dl(item, file.path.stat().st_mtime))
            return ParsedRecord(video, {}, *(file.folder.of_gallery(file.path.name, item) if alone else ()))
    if kind == "own" and not _OWN_KEYS.issuperset(item) and _OWN_ADDRESS.isdisjoint(item):
        kind = "row" if columns.has_page(item) else "own"
    saved_at = file.path.stat().st_mtime if saved_at is None else saved_at
    transcript: object = ""
    match kind:
        case "scraper":
            values = foreign_formats.scraper_item(item, saved_at, source)
        case "research":
            values, transcript = foreign_formats.research_api(item, saved_at), item.get("voice_to_text")
        case "mobile":
            values = foreign_formats.mobile(item, saved_at)
        case "row":
            values, transcript = columns.row(item, saved_at)
        case "site":
            values = record_formats.site(item, saved_at, source or "saved page")
        case _:
            return _understood(_json_lines_record(file.path.parent, item), item)
    texts: dict[TextKind, str | None] = {"transcript": made_text(transcript)} if transcript else {}
    return _understood(ParsedRecord(Video.model_validate(values), texts), item)


def _understood(found: ParsedRecord, item: Json) -> ParsedRecord:
    """The record, if more of the item than its id was read, or the id or a link is all that it has.

    Raises:
        ValueError: the other keys are unknown.
    """
    read = found.video.model_dump(exclude_defaults=True).keys() - _ALWAYS
    if read or found.texts or found.files or _OWN_KEYS.issuperset(item) or columns.has_page(item):
        return found
    raise ValueError(f"only its id can be read; its keys are {foreign_formats.keys_of(item)}")


def _json_lines_record(folder: Path, item: Json) -> ParsedRecord:
    """Read a record in this project's format: the fields of Video, texts as `cover_text` and `transcript`, local files
    as `cover_file`, `video_file` and `slide_files`, with paths relative to the file that names them, lists and times as
    `encounters`."""
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
    met = item.get("encounters") or []
    if not isinstance(met, list) or len(met) > MAX_ENCOUNTERS:
        raise ValueError(f"encounters: not a list of at most {MAX_ENCOUNTERS}")
    encounters = [Encounter.model_validate(one) for one in met]
    return ParsedRecord(Video.model_validate({"source": "json lines", **item}), texts, files, encounters=encounters)


def _inside(folder: Path, name: str) -> Path:
    """The file `name` in `folder`. A hostile record must not name files elsewhere."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} lies outside of the folder of its record")
    if not path.is_file():
        raise ValueError(f"{name!r} does not exist")
    return path


def printable(text: str) -> str:
    """Escape what a terminal would obey, and bytes of a file name that are not UTF-8."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def made_text(value: object) -> str | None:
    """A text that was made elsewhere. None means that the media could not be read there."""
    if not isinstance(value, str | None):
        raise ValueError("is not a text")
    return None if value is None else clean_text(value, MAX_MADE_TEXT_CHARS)
