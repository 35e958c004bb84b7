"""Files of a video -> what HTTP serves of them: paths, types, headers, byte ranges and lengths."""

import re
from functools import lru_cache
from pathlib import Path

from tinytag import TinyTag

from ingest.catalog.entries import Media, MediaKind
from ingest.catalog.media_damage import damage
from retrieval.server.problems import Problem

_IMAGES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
}
_VIDEOS = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime"}
_SOUNDS = {
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".aac": "audio/aac",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
}
# What a browser may get, by kind: never HTML or SVG, which can hold scripts.
MEDIA_TYPES: dict[MediaKind, dict[str, str]] = {
    "cover": _IMAGES,
    "slide": _IMAGES,
    "video": _VIDEOS | _SOUNDS,
    "caption": {},
}
MEDIA_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",  # cached, but checked each time: a file may be downloaded again
}
MADE_HEADERS = MEDIA_HEADERS | {"Cache-Control": "private, max-age=31536000, immutable"}  # the address has a version
MAX_RANGES = 8  # of a file in one request; browsers ask for one
MAX_DURATION_S = 86_400.0  # a header that claims more is broken
_RANGE = re.compile(r"[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18}")


class MediaFiles:
    """The media folder of a catalog: which of its files may be served, and under which address below `base`."""

    def __init__(self, data: Path, base: str = "") -> None:
        self._base = base
        self._root = (data / "media").resolve()

    def servable(self, media: Media) -> tuple[Path, str] | None:
        """Return path and content type of a file, or None if it must not or cannot be served: it lies outside the
        media folder, is missing or damaged, or has a type that its kind may not have."""
        path = media.path.resolve()
        content_type = MEDIA_TYPES[media.kind].get(path.suffix.lower())
        if content_type and path.is_relative_to(self._root) and not damage(media):
            return path, content_type
        return None

    def url(self, video_id: str, media: Media | None) -> str | None:
        """Return the path of a file on this server, or None if it cannot be served."""
        if media is None or not self.servable(media):
            return None
        return f"{self._base}/media/{video_id}/{media.kind}" + (f"?n={media.position}" if media.kind == "slide" else "")

    def made_url(self, video_id: str, name: str, source: Media | None) -> str | None:
        """Return the path of a picture that this server makes of a file; it changes with the file."""
        return f"{self._base}/media/{video_id}/{name}?v={source.sha256[:8]}" if source else None

    def asked_url(self, picture_id: str) -> str:
        """Return the path of a picture that somebody searches by."""
        return f"{self._base}/api/pictures/{picture_id}"

    def seen_url(self, video_id: str, sha256: str) -> str:
        """Return the path of a picture of what a video shows."""
        return f"{self._base}/media/{video_id}/seen/{sha256}"


@lru_cache(10_000)
def duration_s(path: Path, sha256: str) -> float | None:
    """Return the seconds that a video file claims to last, read from its header; `sha256` invalidates the cache.

    The file is not trusted, so pure Python reads it: the decoders of `ingest.media` are C, and may crash the process.
    """
    try:
        seconds = TinyTag.get(path, tags=False).duration
    except Exception:  # a broken header may raise anything; the video is shown without its length
        return None
    return seconds if seconds and 0 < seconds < MAX_DURATION_S else None


def readable_ranges(wanted: str, size: int) -> str | None:
    """Return a Range header with those ranges that a file of `size` bytes has, each with both ends.

    None if the header must be ignored: it has another unit, is malformed, or has more than MAX_RANGES (RFC 9110, 14.2).

    Raises:
        Problem: 416, the file has none of them.
    """
    unit, _, listed = wanted.partition("=")
    parts = [part.strip() for part in listed.split(",")]
    if unit.strip().lower() != "bytes" or len(parts) > MAX_RANGES or not all(map(_RANGE.fullmatch, parts)):
        return None
    ranges = []
    for part in parts:
        first, _, last = part.partition("-")
        if first and last and int(last) < int(first):
            return None
        start = int(first) if first else max(0, size - int(last))
        end = min(int(last), size - 1) if first and last else size - 1
        if start <= end:
            ranges.append(f"{start}-{end}")
    if not ranges:
        raise Problem(416, f"The file has {size} bytes and none of these.", {"Content-Range": f"bytes */{size}"})
    return f"bytes={','.join(ranges)}"
