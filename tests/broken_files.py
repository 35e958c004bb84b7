"""Media and caption files that are damaged, cut, empty or lie about themselves: what a decoder must survive."""

import functools
import io
import random
import struct
import zlib

from PIL import Image

from tests.hostile_strings import HOSTILE_STRINGS
from tests.scraper.faulty_answers import JSON, SRT, VTT, picture, video

PICTURES = ("jpeg", "png", "gif", "webp", "avif", "tiff", "bmp", "ppm", "jpeg2000", "tga", "ico")
VIDEOS = {"mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm", "avi": "avi"}
CAPTIONS = {"vtt": VTT, "srt": SRT, "json": JSON}


def damaged(data: bytes, chance: random.Random) -> dict[str, bytes]:
    """Return a file damaged in the ways that downloads and disks damage files."""
    third = len(data) // 3
    flipped = bytearray(data)
    for _ in range(1 + len(data) // 200):
        flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return {
        "head": data[:24],
        "cut": data[: 2 * third],
        "zeros": data[:third] + bytes(third) + data[2 * third :],
        "flipped": bytes(flipped),
        "shifted": data[1:],
        "noise": data[:64] + chance.randbytes(len(data)),
        "huge sizes": data[:16] + b"\xff" * 16 + data[32:],
    }


def png(width: int, height: int, pixels: bytes = b"") -> bytes:
    """Return a PNG that claims a size, whatever its pixels are."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


@functools.cache
def broken_pictures() -> dict[str, bytes]:
    """Return pictures by name: every format damaged in every way, and some that claim what they do not hold."""
    chance = random.Random(5)
    frames = [Image.new("P", (8, 8), number) for number in range(300)]
    animation = io.BytesIO()
    frames[0].save(animation, "GIF", save_all=True, append_images=frames[1:])
    files = {
        f"{name}, {how}.{name}": content
        for name in PICTURES
        for how, content in damaged(picture(name.upper()), chance).items()
    }
    return files | {
        "empty.jpg": b"",
        "text.jpg": b"<html><body>Not found</body></html>",
        "a video.jpg": video(),
        "no pixels.png": png(64, 64),
        "a line of no height.png": png(64, 0),
        "more pixels than memory.png": png(2**31 - 1, 2**31 - 1),
        "a large black square, tightly packed.png": png(30_000, 30_000, bytes(30_001 * 1_000)),
        "a thread.png": png(60_000, 1, bytes(60_001)),
        "300 frames.gif": animation.getvalue(),
    }


@functools.cache
def broken_videos() -> dict[str, bytes]:
    """Return videos by name: every container damaged in every way, and boxes that nest or never end."""
    chance = random.Random(6)
    files = {
        f"{name}, {how}.{name}": content
        for name, form in VIDEOS.items()
        for how, content in damaged(video(form, "vp8" if name == "webm" else "mpeg4"), chance).items()
    }
    start = b"\0\0\0\x14ftypisom\0\0\0\0isom"
    nested = b"".join(struct.pack(">I", 8 * (100 - depth)) + b"moov" for depth in range(100))
    return files | {
        "empty.mp4": b"",
        "text.mp4": b"<html><body>Not found</body></html>",
        "a picture.mp4": picture(),
        "only a start.mp4": start,
        "boxes in boxes.mp4": start + nested,
        "a box of no size.mp4": start + b"\0\0\0\0moov" + bytes(64),
        "a box larger than the file.mp4": start + b"\0\0\0\x01mdat" + b"\x7f" + b"\xff" * 7,
        "free boxes without end.mp4": start + b"\0\0\0\x08free" * 20_000,
        "a playlist.mp4": b"#EXTM3U\n#EXTINF:2,\n/etc/hostname\n#EXT-X-ENDLIST\n",
        "a list of files.mp4": b"ffconcat version 1.0\nfile /etc/hostname\n",
    }


@functools.cache
def broken_captions() -> dict[str, bytes]:
    """Return caption files by name: damaged ones, and hostile strings as files and as captions."""
    chance = random.Random(7)
    files = {
        f"{name}, {how}.{name}": content
        for name, data in CAPTIONS.items()
        for how, content in damaged(data, chance).items()
    }
    for number, text in enumerate(HOSTILE_STRINGS):
        files[f"string {number}.txt"] = text.encode()
        files[f"string {number}, in UTF-16.txt"] = text.encode("utf-16")
        files[f"string {number}.vtt"] = b"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n" + text.encode()
    return files


def broken_files() -> dict[str, bytes]:
    """Return all of them by name."""
    return broken_pictures() | broken_videos() | broken_captions()
