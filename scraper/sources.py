"""A file or folder of records in any format -> ParsedRecords. A bad record is a Problem and does not affect others.

The format is detected from the content: JSON (a list, lines, or one document) of the console script, yt-dlp,
gallery-dl, TikTok's data export or this project; a zip with such files; a saved page; a text with links.
"""

import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from scraper import json_stream, links
from scraper.contents import read_text
from scraper.errors import UserError
from scraper.parse import File, Found, ParsedRecord, Problem, Skipped, made_text
from scraper.records import TextKind, clean_text
from scraper.sidecars import STUDY_MEDIA, Folder, of_study

__all__ = ["ParsedRecord", "Problem", "Skipped", "SourceError", "check", "read", "read_links"]

MAX_UNPACKED_BYTES = 200 * 1024**2  # of the text in a zip: an export of 100,000 links has some 12 MB
MEMBER_SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt")  # of files in a zip that are read
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError, OSError)
_LINKED = "is a symbolic link, which is not followed: replace it with the file or folder that it leads to"


class SourceError(UserError):
    """A source cannot be read. The message says what was expected."""


def check(source: Path) -> None:
    """Check that there is something to read, without reading a record.

    Raises:
        SourceError: the source does not exist, or a folder has no file that can be read.
    """
    if (source / "info").is_dir():
        if (source / "info").is_symlink():
            raise SourceError(f"{source / 'info'} {_LINKED}")
        if not _batches(source):
            raise SourceError(f"{source / 'info'} has no .json file")
    elif source.is_dir():
        if not Folder(source).sources():
            raise SourceError(f"{source} has no info/ folder and no .json, .jsonl, .html, .txt or .zip file")
    elif not source.is_file():
        raise SourceError(f"{source} does not exist")


def read(source: Path) -> Iterator[Found]:
    """Yield all records of a file or folder in order. Records of gallery-dl, one per file, are joined at the end.

    Raises:
        SourceError: see `check`.
    """
    check(source)
    posts: dict[str, ParsedRecord] = {}
    for found in _read(source):
        if not isinstance(found, ParsedRecord) or found.video.source != "gallery-dl":
            yield found
        elif (post := posts.get(found.video.id)) is None:
            posts[found.video.id] = found
        else:
            files = {(kind, position): path for kind, position, path in [*found.files, *post.files]}
            together = [(kind, position, files[kind, position]) for kind, position in sorted(files)]
            posts[found.video.id] = replace(post, files=together, captions=[*post.captions, *found.captions])
    for post in posts.values():
        translated = {track.language for track in post.video.captions if track.source.upper() == "MT"}
        yield replace(post, captions=sorted(post.captions, key=lambda caption: caption[0] in translated))


def read_links(given: Sequence[str]) -> Iterator[Found]:
    """Yield the videos that links of the command line lead to."""
    return read_text(File(Path(), Folder(Path()), "link"), "\n".join(given))


def _read(source: Path) -> Iterator[Found]:
    if source.is_file():
        yield from _read_file(source, Folder(source.parent))
    elif (source / "info").is_dir():
        yield from _read_study(source)
    elif source.is_dir():
        folder = Folder(source)
        for path in folder.sources():
            yield from [Problem(str(path), None, _LINKED)] if path.is_symlink() else _read_file(path, folder)


def _read_file(path: Path, folder: Folder) -> Iterator[Found]:
    file = File(path, folder, str(path))
    try:
        with path.open("rb") as opened:
            packed = opened.read(4) in _ZIP
        text = "" if packed else json_stream.decoded(path.read_bytes())
    except OSError as error:
        yield file.problem(None, f"cannot be read: {error.strerror}")
        return
    for found in _read_zip(file) if packed else read_text(file, text):
        yield replace(found, origin=path) if isinstance(found, ParsedRecord) else found


def _read_zip(file: File) -> Iterator[Found]:
    for name, content in _unpacked(file.path):
        if isinstance(content, ValueError):
            yield file.problem(None, content)
        else:
            yield from read_text(replace(file, name=f"{file.name}: {name}"), content)


def _unpacked(path: Path) -> Iterator[tuple[str, str | ValueError]]:
    """(name, text) of the files of records in a zip, such as TikTok's data export. No name in it is used as a path."""
    left = MAX_UNPACKED_BYTES
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [entry for entry in archive.infolist() if entry.filename.lower().endswith(MEMBER_SUFFIXES)]
            if not inside:
                yield "", ValueError(f"a zip without files of records ({', '.join(MEMBER_SUFFIXES)})")
            for entry in inside:
                with archive.open(entry) as opened:
                    data = opened.read(left + 1)
                left -= len(data)
                if left < 0:
                    yield "", ValueError(f"a zip with more than {MAX_UNPACKED_BYTES // 1024**2} MB of text in it")
                    return
                yield clean_text(entry.filename, links.MAX_SHOWN_CHARS), json_stream.decoded(data)
    except _BAD_ZIP as error:
        yield "", ValueError(f"a zip that cannot be unpacked: {error}")


def _read_study(folder: Path) -> Iterator[Found]:
    """Records in `info/*.json`, with texts and media by id. The texts are marked as imported."""
    texts: dict[TextKind, dict[str, object]] = {}
    named: tuple[tuple[TextKind, str], ...] = (("cover", "ocr.json"), ("transcript", "speech_to_text.json"))
    for kind, name in named:
        if (folder / name).is_file():
            try:
                if (folder / name).is_symlink():
                    raise ValueError(_LINKED)
                loaded = json_stream.whole(json_stream.decoded((folder / name).read_bytes()))
                if not isinstance(loaded, dict):
                    raise ValueError("is not a JSON object of texts by id")
                texts[kind] = loaded
            except (ValueError, OSError) as error:
                yield Problem(str(folder / name), None, f"{error}")
    for name in STUDY_MEDIA:
        if (folder / name).is_symlink():
            yield Problem(str(folder / name), None, _LINKED)
    for batch in _batches(folder):
        if batch.is_symlink():
            yield Problem(str(batch), None, _LINKED)
            continue
        for found in _read_file(batch, Folder(batch.parent)):
            if not isinstance(found, ParsedRecord):
                yield found
                continue
            video_id = found.video.id
            found_texts: dict[TextKind, str | None] = {}
            for kind, by_id in texts.items():
                if video_id in by_id:
                    try:
                        found_texts[kind] = made_text(by_id[video_id])
                    except ValueError as error:
                        yield Problem(str(folder), None, f"the {kind} text of {video_id} {error}")
            yield replace(found, texts=found_texts, files=of_study(folder, video_id))


def _batches(folder: Path) -> list[Path]:
    """The record files of a study, ordered by the numbers in their names."""
    return sorted((folder / "info").glob("*.json"), key=lambda p: [int(x) for x in re.findall(r"\d+", p.stem)])
