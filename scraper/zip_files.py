"""A zip -> the texts in it, or all of its files in a temporary folder that vanishes when nobody refers to it any more.

A zip is hostile: no name in it is used as a path unchecked, no link is unpacked, and sizes and numbers are bounded.
"""

import calendar
import itertools
import lzma
import os
import re
import shutil
import stat
import struct
import tempfile
import unicodedata
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from scraper import links
from scraper.disk import DiskError, concerns_all
from scraper.own_media import SUFFIXES as MEDIA_SUFFIXES
from scraper.records import clean_text
from scraper.sidecars import SOURCE_SUFFIXES
from scraper.text_decoding import Decoded, decode

MAX_TEXT_BYTES = 200 * 1024**2  # of the texts in a zip: an export of 100,000 links has some 12 MB
MAX_FILES = 50_000
MAX_NAME_BYTES = 200
MAX_DEPTH = 12
MAX_RATIO = 100  # of the files to the zip: texts of real exports reach 20, and media hardly shrink at all
SPARE_BYTES = 500 * 1024**2  # that unpacking leaves free on the disk
SMALL_BYTES = 10 * 1024**2  # of a file that may shrink to any size
CHUNK_BYTES = 1 << 20
ENCRYPTED = "a zip with a password: unpack it and add the folder"
MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
TEXTS = tuple(suffix for suffix in SOURCE_SUFFIXES if suffix not in (".zip", ".html", ".htm"))
BAD_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError, OSError)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\\ud800-\udfff]')


class Unpacked:
    """The files of a zip in a temporary folder, which is removed when the last reference to this object is gone."""

    def __init__(self, archive: Path) -> None:
        """Unpack a zip.

        Raises:
            ValueError: it is broken, too large for the disk, or has too many files.
        """
        self.path = Path(tempfile.mkdtemp(prefix="tiktok-retrieval-zip-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
        self.refused: list[str] = []  # names that are no safe paths; links, and what is encrypted
        self.broken: list[str] = []  # names of files that cannot be unpacked
        try:
            with zipfile.ZipFile(archive) as opened:
                self._unpack(opened)
        except (*BAD_ZIP, DiskError) as error:
            raise ValueError(f"a zip that cannot be unpacked: {error}") from error

    def _unpack(self, archive: zipfile.ZipFile) -> None:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if entries and all(entry.flag_bits & 1 for entry in entries):
            raise ValueError(ENCRYPTED)
        self.broken = [
            f"{_shown(entry)} ({MAX_RATIO} times as large as packed)" for entry in entries if _is_bomb(entry)
        ]
        entries = [entry for entry in entries if not _is_bomb(entry)]
        needed = sum(entry.file_size for entry in entries)
        free = shutil.disk_usage(self.path).free
        if len(entries) > MAX_FILES:
            raise ValueError(f"it has more than {MAX_FILES:,} files")
        if needed > MAX_RATIO * max(1, sum(entry.compress_size for entry in entries)):
            raise ValueError(f"its files are more than {MAX_RATIO} times as large as the zip")
        if needed + SPARE_BYTES > free:
            raise ValueError(
                f"its files need {needed >> 20:,} MB of the temporary folder, and {free >> 20:,} MB are free"
            )
        for entry in entries:
            name = _safe_name(entry)
            if name is None or entry.flag_bits & 1:
                self.refused.append(_shown(entry))
                continue
            target = _free(self.path / name)
            try:
                _extract(archive, entry, target)
            except BAD_ZIP as error:
                target.unlink(missing_ok=True)
                if known := concerns_all(error, self.path):
                    raise known from error
                self.broken.append(_shown(entry))


def _safe_name(entry: zipfile.ZipInfo) -> PurePosixPath | None:
    """The path of an entry below the folder, or None if it must not be unpacked."""
    if stat.S_ISLNK(entry.external_attr >> 16):
        return None
    parts = [part for part in entry.filename.replace("\\", "/").split("/") if part not in ("", ".")]
    if not parts or ".." in parts or len(parts) > MAX_DEPTH or re.fullmatch(r"[A-Za-z]:", parts[0]):
        return None
    return PurePosixPath(*(_short(_UNSAFE.sub("_", unicodedata.normalize("NFC", part))) for part in parts))


def _short(name: str) -> str:
    """A name cut to the bytes that a file system takes; its end stays, where the suffix and an id may be."""
    data = name.encode()
    return name if len(data) <= MAX_NAME_BYTES else data[-MAX_NAME_BYTES:].decode(errors="ignore")


def _is_bomb(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry unpacks to far more than any real file."""
    return entry.file_size > max(MAX_RATIO * entry.compress_size, SMALL_BYTES)


def _shown(entry: zipfile.ZipInfo) -> str:
    return clean_text(entry.filename, links.MAX_SHOWN_CHARS)


def _free(path: Path) -> Path:
    """The path, or a similar one if another file of the zip has it: cleaned names can be the same."""
    numbers = itertools.count(2)
    free = path
    while os.path.lexists(free):
        free = path.with_name(f"{next(numbers)}_{path.name}")
    return free


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    """Write one entry, up to its declared size."""
    target.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size
    with archive.open(entry) as packed, target.open("xb") as file:
        while chunk := packed.read(CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise ValueError("a file in it is larger than it says")
            file.write(chunk)
    seconds = _modified(entry)
    if seconds:
        os.utime(target, (seconds, seconds))


def _modified(entry: zipfile.ZipInfo) -> float | None:
    try:
        return float(calendar.timegm((*entry.date_time, 0, 0, 0)))
    except (ValueError, OverflowError):
        return None


def has_media(archive: Path) -> bool:
    """Whether a zip has media files; if it cannot be read, no."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return any(name.lower().endswith(MEDIA_SUFFIXES) for name in opened.namelist())
    except BAD_ZIP:
        return False


def texts(path: Path) -> Iterator[tuple[str, Decoded | ValueError]]:
    """Yield (name, text) of the texts in a zip, such as TikTok's data export. No name in it is used as a path."""
    left = MAX_TEXT_BYTES
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [entry for entry in archive.infolist() if entry.filename.lower().endswith(TEXTS)]
            if not inside:
                yield "", ValueError("a zip without videos, pictures, JSON, tables or texts")
            elif all(entry.flag_bits & 1 for entry in inside):
                yield "", ValueError(ENCRYPTED)
                return
            for entry in inside:
                content = _text(archive, entry, left)
                left -= entry.file_size if isinstance(content, Decoded) else 0
                yield _shown(entry), content
    except BAD_ZIP as error:
        yield "", ValueError(f"a zip that cannot be unpacked: {error}")


def _text(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, left: int) -> Decoded | ValueError:
    """One text, or why it cannot be read. `left` is how many bytes it may have."""
    if _is_bomb(entry):
        return ValueError(f"unpacks to more than {MAX_RATIO} times its size, which no real file does")
    if entry.file_size > left:
        return ValueError(f"is left out: a zip may have {MAX_TEXT_BYTES // 1024**2} MB of text in it")
    try:
        with archive.open(entry) as opened:
            return decode(opened.read(entry.file_size))
    except BAD_ZIP as error:
        return ValueError(ENCRYPTED if entry.flag_bits & 1 else f"cannot be unpacked: {error}")
