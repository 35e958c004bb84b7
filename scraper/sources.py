"""Every format that records come in -> Video, one small reader each; a bad record is a Problem and costs only itself.

Read are: the console script's JSON batches, folders in the study layout (`info/*.json` with `ocr.json`,
`speech_to_text.json`, `coverphotos/`, `videos/`, `slides/` beside it), saved pages of the site (a `.html` file, its
`video.*` and `cover.*` beside it), and JSON Lines of either form.
"""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from scraper.records import MAX_MADE_TEXT_CHARS, Video, clean_text, parse_count

MAX_REASON_CHARS = 300
TextKind = Literal["cover", "transcript"]
MediaKind = Literal["cover", "video", "slide"]
Json = dict[str, Any]
MEDIA_SUFFIXES: dict[MediaKind, tuple[str, ...]] = {
    "cover": (".jpg", ".jpeg", ".png", ".webp", ".gif"),
    "video": (".mp4", ".webm", ".mov", ".mkv", ".m4v"),
}
_ID_IN_LINK = re.compile(r"/(?:video|photo|v)/([0-9]{5,25})(?![0-9])")
_JSON_SPACE = re.compile(r"[ \t\r\n]*")


class SourceError(Exception):
    """Nothing can be read from a source; the message says what was looked for."""


@dataclass(frozen=True)
class Found:
    """A record with the texts that came with it (None: unreadable there) and its local files (kind, position, path)."""

    video: Video
    texts: dict[TextKind, str | None] = field(default_factory=dict)
    files: list[tuple[MediaKind, int, Path]] = field(default_factory=list)


@dataclass(frozen=True)
class Problem:
    """A record or file that could not be taken: which, where in it (from 0), and why."""

    file: str
    index: int | None
    reason: str

    def __str__(self) -> str:
        return f"{self.file}{'' if self.index is None else f', record {self.index}'}: {self.reason}"

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def read(source: Path) -> Iterator[Found | Problem]:
    """All records of a file or folder, in order.

    Raises:
        SourceError: the source is not there, or a folder holds nothing that is read here.
    """
    if source.is_file():
        yield from _read_file(source)
    elif (source / "info").is_dir():
        yield from _read_study(source)
    elif source.is_dir():
        files = sorted(p for p in source.iterdir() if p.suffix.lower() in (".json", ".jsonl", ".ndjson", ".html"))
        pages = [p for p in files if p.suffix.lower() == ".html"]
        # a saved page has its media and other people's sidecar files beside it: those are no records
        if not files:
            raise SourceError(f"{source} holds no info/ folder and no .json, .jsonl or .html file")
        for path in pages or files:
            yield from _read_file(path)
    else:
        raise SourceError(f"{source} is not there")


def _read_file(path: Path) -> Iterator[Found | Problem]:
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        yield Problem(str(path), None, f"cannot be read: {error.strerror}")
        return
    start = text.lstrip()[:1]
    if start == "<":
        yield from _saved_page(path, text)
    elif start == "[":
        for index, item in _elements(text):
            yield _found(path, index, item)
    elif start == "{" or path.suffix.lower() in (".jsonl", ".ndjson"):
        yield from _json_lines(path, text)
    else:
        yield Problem(str(path), None, "is neither JSON (a list or lines of records) nor a saved page")


def _elements(text: str) -> Iterator[tuple[int, object]]:
    """The elements of a JSON list one by one, so that what stands before a break is kept; an error is an element."""
    decoder = _decoder()
    at, index = text.index("[") + 1, 0
    while True:
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            at = _skip(text, at + 1)
            if at == len(text):
                return
            if text[at] != "[":
                yield index, ValueError("there is more behind the end of the list, which is not read")
                return
            at = _skip(text, at + 1)  # batches written one behind the other
            continue
        try:
            item, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            yield index, ValueError(f"the JSON breaks off here, nothing behind it can be read: {error}")
            return
        yield index, item
        index, at = index + 1, _skip(text, at)
        if text[at : at + 1] == ",":
            at += 1
        elif text[at : at + 1] != "]":
            yield index, ValueError("the JSON breaks off here: a comma or the end of the list is missing")
            return


def _decoder() -> json.JSONDecoder:
    """A whole number that Python would refuse to read (over 4,300 digits) costs its record, not the file."""
    return json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) < 1000 else digits)


def _skip(text: str, at: int) -> int:
    match = _JSON_SPACE.match(text, at)
    return match.end() if match else at


def _json_lines(path: Path, text: str) -> Iterator[Found | Problem]:
    try:  # one record written over several lines is a JSON file, not JSON Lines
        yield _found(path, 0, _decoder().decode(text))
        return
    except (ValueError, RecursionError):
        pass
    for index, line in enumerate(text.split("\n")):
        if line.strip():
            try:
                item: object = _decoder().decode(line.strip())
            except (ValueError, RecursionError) as error:
                item = ValueError(f"no JSON: {error}")
            yield _found(path, index, item)


def _found(path: Path, index: int | None, item: object) -> Found | Problem:
    """One parsed element as a record, whichever form it has."""
    try:
        if isinstance(item, Exception):
            raise item
        if not isinstance(item, dict):
            raise ValueError(f"a record is a JSON object, this is {type(item).__name__}")
        console = any(key in item for key in ("creator-username", "video-src", "web-id", "scrape-timestamp"))
        if console:
            return Found(Video.model_validate(_console(item)))
        return _plain(path, item)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return Problem(str(path), index, f"{where}: {first['msg']} ({error.error_count()} in all)"[:MAX_REASON_CHARS])
    except (ValueError, TypeError, OverflowError, OSError, RecursionError) as error:
        return Problem(str(path), index, str(error)[:MAX_REASON_CHARS])


def _console(item: Json) -> Json:
    """The console script's record -> the values of a Video; the 2022 script wrote `timeposted`, later `time-posted`."""
    permalink = _string(item.get("permalink"))
    in_link = _ID_IN_LINK.search(permalink)
    comments = item.get("comments") or []
    if not isinstance(comments, list):
        raise ValueError("comments: not a list")
    return {
        "id": item.get("id") or (in_link[1] if in_link else ""),
        "permalink": permalink,
        "web_id": item.get("web-id"),
        "creator_username": item.get("creator-username"),
        "creator_nickname": item.get("creator-nickname"),
        "description": item.get("description"),
        "music_title": item.get("music-title"),
        "music_link": item.get("music-src"),
        "likes_shown": item.get("like-count"),
        "comments_shown": item.get("comment-count"),
        "posted_shown": item.get("time-posted", item.get("timeposted")),
        "comments": [_console_comment(comment) for comment in comments],
        "video_sources": _links(item.get("video-src")),
        "cover_sources": _links(item.get("coverphoto-src")),
        "slide_sources": _links(item.get("slides-src")),
        "scraped_at": item.get("scrape-timestamp"),
        "source": "console script",
    }


def _console_comment(item: object) -> Json:
    if not isinstance(item, dict):
        raise ValueError("comments: a comment is a JSON object")
    return {
        "username": item.get("commenter-username"),
        "text": item.get("comment-text"),
        "likes_shown": item.get("like-count"),
        "likes": parse_count(_string(item.get("like-count"))),
        "replies": parse_count(_string(item.get("replies-count"))),
        "posted_shown": item.get("time-posted"),
    }


def _plain(path: Path, item: Json) -> Found:
    """A line in the project's own form: the fields of Video, texts as `cover_text` and `transcript`, local files
    as `cover_file`, `video_file` and `slide_files`, relative to the file that names them."""
    texts: dict[TextKind, str | None] = {}
    named: tuple[tuple[str, TextKind], ...] = (("cover_text", "cover"), ("transcript", "transcript"))
    for key, kind in named:
        if key in item:
            texts[kind] = _made_text(item[key])
    files: list[tuple[MediaKind, int, Path]] = []
    keys: tuple[tuple[MediaKind, str], ...] = (
        ("cover", "cover_file"),
        ("video", "video_file"),
        ("slide", "slide_files"),
    )
    for media, key in keys:
        files += [(media, n, _inside(path.parent, name)) for n, name in enumerate(_links(item.get(key)))]
    return Found(Video.model_validate({"source": "json lines", **item}), texts, files)


def _inside(folder: Path, name: str) -> Path:
    """The file `name` in `folder`; a record is hostile and may not name files elsewhere."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} lies outside the folder of its record")
    if not path.is_file():
        raise ValueError(f"{name!r} is not there")
    return path


def _read_study(folder: Path) -> Iterator[Found | Problem]:
    """Records in `info/*.json`; texts and media by id beside it. Texts there enter as imported."""
    texts: dict[TextKind, dict[str, object]] = {}
    named: tuple[tuple[TextKind, str], ...] = (("cover", "ocr.json"), ("transcript", "speech_to_text.json"))
    for kind, name in named:
        if (folder / name).is_file():
            try:
                loaded = json.loads((folder / name).read_text(encoding="utf-8-sig", errors="replace"))
                if not isinstance(loaded, dict):
                    raise ValueError("is no JSON object of texts by id")
                texts[kind] = loaded
            except (ValueError, RecursionError, OSError) as error:
                yield Problem(str(folder / name), None, f"{error}")
    batches = sorted((folder / "info").glob("*.json"), key=lambda p: [int(x) for x in re.findall(r"\d+", p.stem)])
    if not batches:
        raise SourceError(f"{folder / 'info'} holds no .json file")
    for batch in batches:
        for found in _read_file(batch):
            if isinstance(found, Problem):
                yield found
                continue
            video_id = found.video.id
            own: dict[TextKind, str | None] = {}
            for kind, by_id in texts.items():
                if video_id in by_id:
                    try:
                        own[kind] = _made_text(by_id[video_id])
                    except ValueError as error:
                        yield Problem(str(folder), None, f"the {kind} text of {video_id} {error}")
            yield Found(found.video, own, _study_files(folder, video_id))


def _study_files(folder: Path, video_id: str) -> list[tuple[MediaKind, int, Path]]:
    files: list[tuple[MediaKind, int, Path]] = []
    folders: tuple[tuple[MediaKind, str], ...] = (("cover", "coverphotos"), ("video", "videos"))
    for kind, subfolder in folders:
        for suffix in MEDIA_SUFFIXES[kind]:
            if _own_file(path := folder / subfolder / f"{video_id}{suffix}"):
                files.append((kind, 0, path))
                break
    for number in range(1, 100):
        slides = [folder / "slides" / f"{video_id}_{number}{suffix}" for suffix in MEDIA_SUFFIXES["cover"]]
        slide = next((path for path in slides if _own_file(path)), None)
        if slide is None:
            break
        files.append(("slide", number - 1, slide))
    return files


def _own_file(path: Path) -> bool:
    """Whether a file is there and is itself: a link among hostile files could name any other on this machine."""
    return path.is_file() and not path.is_symlink()


def _saved_page(path: Path, text: str) -> Iterator[Found | Problem]:
    """The videos in the data that a page of the site carries in itself (SIGI_STATE, or the rehydration data)."""
    items: dict[str, Json] = {}
    for name in ("SIGI_STATE", "__UNIVERSAL_DATA_FOR_REHYDRATION__"):
        script = re.search(rf'<script[^>]*\bid="{name}"[^>]*>(.*?)</script>', text, re.DOTALL)
        if script:
            try:
                data = json.loads(script[1])
                found = data.get("ItemModule", {}) if name == "SIGI_STATE" else _detail(data)
                items.update({str(key): item for key, item in found.items() if isinstance(item, dict)})
            except (ValueError, RecursionError, AttributeError) as error:
                yield Problem(str(path), None, f"its {name} cannot be read: {error}"[:MAX_REASON_CHARS])
    if not items:
        yield Problem(str(path), None, "the page carries no video data")
    beside: list[tuple[MediaKind, int, Path]] = []
    if len(items) == 1:  # with several videos on a page nobody can tell whose the files are
        kinds: tuple[MediaKind, ...] = ("cover", "video")
        for kind in kinds:
            names = [path.parent / f"{kind}{suffix}" for suffix in MEDIA_SUFFIXES[kind]]
            beside += [(kind, 0, file) for file in names if _own_file(file)][:1]
    for index, item in enumerate(items.values()):
        try:
            found_item = _found(path, index, _page_item(item, path.stat().st_mtime))
        except (AttributeError, TypeError, ValueError, OverflowError, LookupError, OSError) as error:
            yield Problem(str(path), index, f"the video's data has an unknown form: {error}"[:MAX_REASON_CHARS])
            continue
        yield found_item if isinstance(found_item, Problem) else Found(found_item.video, {}, beside)


def _detail(data: Json) -> dict[str, Json]:
    scope = data.get("__DEFAULT_SCOPE__", {})
    item = scope.get("webapp.video-detail", {}).get("itemInfo", {}).get("itemStruct")
    return {str(item.get("id")): item} if isinstance(item, dict) else {}


def _page_item(item: Json, saved_at: float) -> Json:
    """The site's own item -> the values of a Video (see `_plain`)."""
    video, author, music, stats = (item.get(key) or {} for key in ("video", "author", "music", "stats"))
    if not isinstance(author, dict):  # SIGI_STATE names the author flat, the rehydration data as an object
        author = {"uniqueId": author, "nickname": item.get("nickname")}
    posted = item.get("createTime")
    images = (item.get("imagePost") or {}).get("images") or []
    return {
        "id": item.get("id"),
        "permalink": f"https://www.tiktok.com/@{author.get('uniqueId', '')}/video/{item.get('id')}",
        "creator_username": author.get("uniqueId"),
        "creator_nickname": author.get("nickname"),
        "description": html.unescape(_string(item.get("desc"))),
        "hashtags": [_string(tag.get("hashtagName")) for tag in item.get("textExtra") or [] if tag.get("hashtagName")],
        "music_title": music.get("title"),
        "music_link": "",
        "likes_shown": stats.get("diggCount"),
        "comments_shown": stats.get("commentCount"),
        "posted": datetime.fromtimestamp(int(posted), UTC).date().isoformat() if posted else None,
        "captions": [
            {
                "language": info.get("LanguageCodeName"),
                "source": info.get("Source"),
                "format": info.get("Format"),
                "url": info.get("Url"),
            }
            for info in video.get("subtitleInfos") or []
        ],
        "video_sources": _links([video.get("playAddr"), video.get("downloadAddr")]),
        "cover_sources": _links([video.get("originCover"), video.get("cover")]),
        "slide_sources": _links([((image.get("imageURL") or {}).get("urlList") or [None])[0] for image in images]),
        "scraped_at": saved_at,
        "source": "saved page",
    }


def _made_text(value: object) -> str | None:
    """A text that was made elsewhere; None says that the media could not be read there."""
    if not isinstance(value, str | None):
        raise ValueError("is not a text")
    return None if value is None else clean_text(value, MAX_MADE_TEXT_CHARS)


def _string(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _links(value: object) -> list[str]:
    """One link, a list of links or nothing -> a list of non-empty texts."""
    values = value if isinstance(value, list) else [value]
    return [link.strip() for link in values if isinstance(link, str) and link.strip()]
