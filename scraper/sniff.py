"""The first bytes of a file -> the suffix of its type; its structure -> whether it is complete.

The URL and Content-Type are ignored. We keep our own magic numbers because libraries misread ISO files: of 711 images
and videos, filetype 1.2 does not recognise 17 (fragmented MP4, image sequences) and puremagic 1.30 takes AVIF and HEIC
for MP4 seven times. The table below misses one, which lacks its first box.
"""

import json
import os
import re
from collections.abc import Callable
from typing import BinaryIO

from scraper.records import MediaKind
from scraper.text_decoding import decode

HEAD_BYTES = 1024  # that `sniff` needs; brands, DOCTYPE and a caption's first cue lie within
TAIL_BYTES = 4096  # of an image, searched for its end mark: some have a few bytes after it
MAX_BOXES = 10_000  # of an ISO file that are checked: an hour in fragments of a second has 7,200
IMAGES = (".jpg", ".png", ".webp", ".gif", ".avif", ".heic")
VIDEOS = (".mp4", ".mov", ".webm", ".mkv")
CAPTIONS = (".vtt", ".srt", ".json")
# Formats without a magic number below that the decoders (ingest.media) can read: recognised by the file name.
_MORE_IMAGES = (".jpeg", ".jfif", ".mpo", ".bmp", ".tif", ".tiff", ".jp2", ".ppm", ".pgm", ".pbm")
_MORE_VIDEOS = (".m4v", ".3gp", ".avi", ".flv", ".wmv", ".asf", ".ts", ".m2ts", ".mpg", ".mpeg", ".ogv", ".ogg")
# videos without pictures
_SOUND = (".m4a", ".mp3", ".wav", ".flac", ".opus", ".aac", ".wma", ".caf", ".aiff", ".amr")
SUFFIXES: dict[MediaKind, tuple[str, ...]] = {
    "cover": IMAGES + _MORE_IMAGES,
    "slide": IMAGES + _MORE_IMAGES,
    "video": VIDEOS + _MORE_VIDEOS + _SOUND,
    "caption": CAPTIONS,
}

_MAGICS = [
    (re.compile(rb"\xff\xd8\xff"), ".jpg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), ".png"),
    (re.compile(rb"GIF8[79]a"), ".gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), ".webp"),
    (re.compile(rb"\x1a\x45\xdf\xa3.{0,64}\x42\x82.{1,2}webm", re.DOTALL), ".webm"),
    (re.compile(rb"\x1a\x45\xdf\xa3.{0,64}\x42\x82.{1,2}matroska", re.DOTALL), ".mkv"),
    (re.compile(rb"\s*WEBVTT[\s]"), ".vtt"),
    (re.compile(rb"\s*(?:\d+\s+)?(?:\d+:)?\d+:\d\d(?:[,.:]\d+)?\s*-+(?:>|&gt;)\s*\d"), ".srt"),
    (re.compile(rb"\s*[\[{]"), ".json"),
]
_BRANDS = [  # of ISO files (ISO/IEC 14496-12): the first known brand of a file decides
    (re.compile(rb"avi[fs]"), ".avif"),
    (re.compile(rb"he(?:ic|ix|im|is|vc|vx)"), ".heic"),
    (re.compile(rb"qt  "), ".mov"),
    (re.compile(rb"iso[m1-9a-c]|mp4[12]|avc1|dash|cmf[cfs2]|M4V[ HP]|MSNV|3gp[4-9]"), ".mp4"),
]


def sniff(head: bytes, kind: MediaKind) -> str | None:
    """The suffix of the file that begins with `head`, or None if it is not of this kind."""
    if kind == "caption":
        head = decode(head).text.encode()
    if head[4:8] == b"ftyp":
        end = min(int.from_bytes(head[:4], "big"), len(head))
        brands = [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]
        found = next((suffix for brand in brands for like, suffix in _BRANDS if like.fullmatch(brand)), None)
    else:
        found = next((suffix for like, suffix in _MAGICS if like.match(head)), None)
    return found if found in SUFFIXES[kind] else None


def is_whole(file: BinaryIO, suffix: str) -> bool:
    """Whether a file is complete, by its structure: a response without a length, or with a wrong one, may be cut.

    If the format cannot be checked, return True; the decoders will find out.
    """
    check = _ENDS.get(suffix)
    return check is None or check(file)


def _tail(file: BinaryIO) -> bytes:
    file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
    return file.read()


def _has_all_boxes(file: BinaryIO) -> bool:
    size, at = file.seek(0, os.SEEK_END), 0
    for _ in range(MAX_BOXES):
        file.seek(at)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8 or len(header) < 8:  # the box extends to the end, or something else follows the last one
            return True
        at += length
        if at >= size:
            return at == size
    return True


def _has_all_of_riff(file: BinaryIO) -> bool:
    file.seek(4)
    return int.from_bytes(file.read(4), "little") + 8 <= file.seek(0, os.SEEK_END)


def _is_text(file: BinaryIO) -> bool:
    file.seek(0)
    return "\0" not in decode(file.read()).text  # how much of it is lost, `scraper.captions` counts


def _is_json(file: BinaryIO) -> bool:
    file.seek(0)
    try:
        json.loads(decode(file.read()).text)
    except (ValueError, RecursionError):
        return False
    return True


_ENDS: dict[str, Callable[[BinaryIO], bool]] = {
    ".jpg": lambda file: b"\xff\xd9" in _tail(file),
    ".png": lambda file: b"IEND" in _tail(file),
    ".gif": lambda file: _tail(file).rstrip(b"\0").endswith(b";"),
    ".webp": _has_all_of_riff,
    **dict.fromkeys((".mp4", ".mov", ".avif", ".heic"), _has_all_boxes),
    ".vtt": _is_text,
    ".srt": _is_text,
    ".json": _is_json,
}
