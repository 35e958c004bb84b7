"""The name and the first bytes of a file from a browser -> a path that is safe to write, or why it is refused."""

import os
import re
import unicodedata
from pathlib import PurePosixPath

from scraper.sidecars import SOURCE_SUFFIXES
from scraper.sniff import CAPTIONS, IMAGES, SUFFIXES, VIDEOS, sniff

MAX_NAME_BYTES = 255  # of one component: what file systems allow
MAX_DEPTH = 12  # folders in folders: exports and downloaders use three
MAX_PATH_BYTES = 2_000  # of all components, with room below the 4,096 of Linux for the folder of uploads
MEDIA = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
TEXTS = frozenset((*SOURCE_SUFFIXES, *CAPTIONS, ".csv", ".htm", ".description", ".archive")) - {".zip"}
ALLOWED = MEDIA | TEXTS | {".zip", ".image"}  # yt-dlp names a cover .image if its link has no suffix
_DRIVE = re.compile(r"[A-Za-z]:(/|$)")
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
_PROGRAMS = (b"MZ", b"\x7fELF", b"#!", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"!<arch>")
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<svg", b"<script")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


class NotAllowed(ValueError):
    """A file is not taken. The message ends a sentence that begins with its name."""


def safe_path(name: str) -> PurePosixPath:
    """Return the relative path that a browser gives, with components that are safe on every file system.

    Raises:
        NotAllowed: it is absolute, leaves its folder, is hidden, too long or too deep, or not a kind of file to add.
    """
    name = unicodedata.normalize("NFC", name)
    if not name.strip() or len(name) > MAX_PATH_BYTES:
        raise NotAllowed("has no name, or one that is too long")
    if "\\" in name or name.startswith("/") or _DRIVE.match(name) or (os.name == "nt" and ":" in name):
        raise NotAllowed("has a name that is not a relative path")
    parts = [part.strip(" ") for part in name.split("/")]  # Windows has no folder “Holiday ”, other systems have
    if len(parts) > MAX_DEPTH:
        raise NotAllowed(f"lies more than {MAX_DEPTH} folders deep")
    for part in parts:
        _check(part)
    path = PurePosixPath(*parts)
    if len(str(path).encode()) > MAX_PATH_BYTES:
        raise NotAllowed("has a name that is too long")
    if path.suffix.lower() not in ALLOWED:
        raise NotAllowed("is not a kind of file that can be added")
    return path


def _check(part: str) -> None:
    if part in ("", ".", ".."):
        raise NotAllowed("has a name that is not a plain path")
    if part.startswith("."):
        raise NotAllowed("is hidden")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in part):
        raise NotAllowed("has control characters in its name")
    if len(part.encode()) > MAX_NAME_BYTES:
        raise NotAllowed(f"has a name of more than {MAX_NAME_BYTES} bytes")
    if part.partition(".")[0].lower() in _DEVICES:
        raise NotAllowed("has the name of a device")


def check_kind(path: PurePosixPath, head: bytes) -> None:
    """Check that a file begins as its name promises.

    Raises:
        NotAllowed: it is empty, a program, or something else than its suffix says.
    """
    suffix = path.suffix.lower()
    if not head:
        raise NotAllowed("is empty")
    if head.startswith(_PROGRAMS):
        raise NotAllowed("is a program")
    if suffix == ".zip":
        if not head.startswith(_ZIPS):
            raise NotAllowed("is not a zip")
    elif suffix in TEXTS:
        if b"\0" in head and not head.startswith(_UTF16):
            raise NotAllowed("is not text")
    elif head.lstrip().lower().startswith(_PAGES):
        raise NotAllowed("is a web page, not a video or picture")
    elif suffix in (*VIDEOS, *IMAGES) and not (sniff(head, "video") or sniff(head, "cover")):
        raise NotAllowed("is not a video or picture")
