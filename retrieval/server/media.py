"""Files of a video -> what HTTP serves of them: types, headers and byte ranges."""

import re

from ingest.catalog.entries import MediaKind
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

# what a browser may be handed, by what it is kept as: never a page or a drawing with a script in it
MEDIA_TYPES: dict[MediaKind, dict[str, str]] = {"cover": _IMAGES, "slide": _IMAGES, "video": _VIDEOS}

MAX_RANGES = 8  # of a file in one request; browsers ask for one

_RANGE = re.compile(r"[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18}")

MEDIA_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",  # kept by the browser, asked about each time: a file may be fetched anew
}


def readable_ranges(wanted: str, size: int) -> str | None:
    """A Range header of a file of `size` bytes with those of its ranges that the file has, each with both ends; None
    where it is to be passed over: of another unit, malformed, or of more than MAX_RANGES (RFC 9110, 14.2).

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
        raise Problem(416, f"the file has {size} bytes and none of these", {"Content-Range": f"bytes */{size}"})
    return f"bytes={','.join(ranges)}"
