"""A media file that no record describes -> a record of it: from its name, its tags, and its content."""

import contextlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError
from tinytag import TinyTag

from scraper import file_names, links
from scraper.files import content_sha256
from scraper.local_ids import is_local, local_id
from scraper.parse import ParsedRecord, Problem
from scraper.records import MAX_DURATION_S, Video, parse_posted
from scraper.sidecars import CaptionFile, LocalFile
from scraper.sniff import HEAD_BYTES, is_whole, sniff

SOURCE = "file"  # the source of these records
_CHECKED = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".jpg", ".jpeg", ".png", ".webp", ".gif")  # known by first bytes


def media_record(
    name: str, files: Sequence[LocalFile], captions: Sequence[CaptionFile] = (), *, origin: Path
) -> ParsedRecord | Problem:
    """Return the record of a media file: the first of `files`; the others belong to it.

    Args:
        name: the path as problems show it.
        origin: the file that a person would name as its source.
    """
    kind, _, path = files[0]
    try:
        if problem := _fault(path, kind == "slide"):
            return Problem(name, None, problem)
        named, tags = file_names.read(path.name), _tags(path)
        video_id = named.id or tags.id or local_id(content_sha256(path))
        modified = datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()
        site = not is_local(video_id)
        creator = named.creator or tags.creator
        handle = "" if " " in creator else creator
        video = Video(
            id=video_id,
            permalink=links.permalink(handle, video_id) if site else "",
            creator_username=handle,
            creator_nickname="" if handle else creator,
            description=tags.title or named.title,
            posted=named.posted or links.posted(video_id) or tags.posted or modified,
            duration_s=tags.duration_s,
            file_name=unicodedata.normalize("NFC", path.name),
            source=SOURCE,
        )
    except OSError as error:
        return Problem(name, None, f"cannot be read: {error.strerror}")
    except (ValidationError, ValueError) as error:
        return Problem(name, None, f"cannot be imported: {error}")
    return ParsedRecord(video, files=list(files), captions=list(captions), origin=origin)


def _fault(path: Path, picture: bool) -> str:
    """Why a file cannot be a video or picture, by its first bytes and its structure; "" if it can."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if not head:
            return "is empty"
        kind = sniff(head, "slide" if picture else "video")
        if kind is None and path.suffix.lower() in _CHECKED:
            return f"is not a {'picture' if picture else 'video'} that can be read here"
        if kind and not is_whole(file, kind):
            return "is cut off: its end is missing"
    return ""


@dataclass
class _Tags:
    """What the tags of a file say. Unknown parts are empty."""

    id: str = ""
    creator: str = ""
    title: str = ""
    posted: str = ""
    duration_s: float | None = None


def _tags(path: Path) -> _Tags:
    """Read the tags of a file. TinyTag is plain Python, so a broken file can only make it fail."""
    found = _Tags()
    # whatever a broken file makes it raise, the file has no tags then
    with contextlib.suppress(Exception):
        if not TinyTag.is_supported(path):
            return found
        tag = TinyTag.get(path)
        values = {key: value for key, value in tag.as_dict().items() if value}
        texts = {key: _text(value) for key, value in values.items()}
        if tag.duration and 0 < tag.duration <= MAX_DURATION_S:
            found.duration_s = round(float(tag.duration), 3)
        found.title = next((texts[key] for key in ("description", "synopsis", "title") if texts.get(key)), "")
        found.creator = (texts.get("artist") or "").removeprefix("@")
        found.posted = parse_posted((texts.get("year") or "")[:10], None) or ""
        # yt-dlp writes the address of the video
        address = next((texts[key] for key in ("purl", "comment", "url") if links.in_text(texts.get(key, ""))), "")
        found.id = links.video_id(address)
        if not found.creator:
            found.creator = links.handle(address)
    return found


def _text(value: object) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    return value.strip() if isinstance(value, str) else ""
