"""A file or folder of records in any format -> ParsedRecords. A bad record is a Problem and does not affect others.

The format is detected from the content: JSON (a list, lines, or one document) of the console script, yt-dlp,
gallery-dl, TikTok's data export or this project; a zip with such files; a saved page; a text with links.
"""

import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from scraper import json_stream, links, record_formats
from scraper.errors import UserError
from scraper.parse import File, ParsedRecord, Problem, made_text, take
from scraper.record_formats import Json
from scraper.records import TextKind, clean_text
from scraper.sidecars import STUDY_MEDIA, Folder, of_study

__all__ = ["ParsedRecord", "Problem", "SourceError", "check", "read"]

MAX_UNPACKED_BYTES = 200 * 1024**2  # of the JSON in a zip: an export of 100,000 links has some 12 MB
_LINES = (".jsonl", ".ndjson")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError, OSError)
_GALLERY_LINE = re.compile(r"\s*\[\s*-?[0-9]+\s*,")  # `gallery-dl -j` with one message per line
_RECORDS = re.compile(
    r'\s*(?:\[\s*)?(?:\{\s*["}]|\[\s*-?[0-9]+\s*,)'
)  # the beginning of JSON with records, broken or not
_PAGE = re.compile(r"<(?:!doctype\s+html|html|head|body|script)\b", re.IGNORECASE)
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


def read(source: Path) -> Iterator[ParsedRecord | Problem]:
    """Yield all records of a file or folder in order. Records of gallery-dl, one per file, are joined at the end.

    Raises:
        SourceError: see `check`.
    """
    check(source)
    posts: dict[str, ParsedRecord] = {}
    for found in _read(source):
        if isinstance(found, Problem) or found.video.source != "gallery-dl":
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


def _read(source: Path) -> Iterator[ParsedRecord | Problem]:
    if source.is_file():
        yield from _read_file(source, Folder(source.parent))
    elif (source / "info").is_dir():
        yield from _read_study(source)
    elif source.is_dir():
        folder = Folder(source)
        for path in folder.sources():
            yield from [Problem(str(path), None, _LINKED)] if path.is_symlink() else _read_file(path, folder)


def _read_file(path: Path, folder: Folder) -> Iterator[ParsedRecord | Problem]:
    file = File(path, folder, str(path))
    try:
        with path.open("rb") as opened:
            packed = opened.read(4) in _ZIP
        text = "" if packed else json_stream.decoded(path.read_bytes())
    except OSError as error:
        yield file.problem(None, f"cannot be read: {error.strerror}")
        return
    yield from _read_zip(file) if packed else _read_text(file, text)


def _read_zip(file: File) -> Iterator[ParsedRecord | Problem]:
    for name, content in _unpacked(file.path):
        if isinstance(content, ValueError):
            yield file.problem(None, content)
        else:
            yield from _read_text(replace(file, name=f"{file.name}: {name}"), content)


def _unpacked(path: Path) -> Iterator[tuple[str, str | ValueError]]:
    """(name, text) of the JSON files in a zip, such as TikTok's data export. No name in it is used as a path."""
    left = MAX_UNPACKED_BYTES
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [entry for entry in archive.infolist() if entry.filename.lower().endswith(".json")]
            if not inside:
                yield "", ValueError("a zip without JSON: request your data from TikTok as JSON, not as text")
            for entry in inside:
                with archive.open(entry) as opened:
                    data = opened.read(left + 1)
                left -= len(data)
                if left < 0:
                    yield "", ValueError(f"a zip with more than {MAX_UNPACKED_BYTES // 1024**2} MB of JSON in it")
                    return
                yield clean_text(entry.filename, links.MAX_SHOWN_CHARS), json_stream.decoded(data)
    except _BAD_ZIP as error:
        yield "", ValueError(f"a zip that cannot be unpacked: {error}")


def _read_text(file: File, text: str) -> Iterator[ParsedRecord | Problem]:
    start = text.lstrip()[:1]
    linked = links.LINK.search(text)
    if start == "<" and (_PAGE.search(text) or not linked):
        yield from _saved_page(file, text)
    elif linked and not _is_json(file, start, text):
        yield from _links(file, "list of links", _links_of_lines(text))
    elif start == "[" and not _GALLERY_LINE.match(text):
        for index, item in json_stream.elements(text):
            yield from _document(file, index, item)
    elif start in ("{", "[") or file.path.suffix.lower() in _LINES:
        yield from _json_lines(file, text)
    else:
        yield file.problem(None, "is not JSON (a list or lines of records), a saved page or a text with links")


def _is_json(file: File, start: str, text: str) -> bool:
    """Whether a text is JSON with records, maybe broken. Chats and Markdown can also begin with a bracket."""
    if start not in ("{", "[") and file.path.suffix.lower() not in _LINES:
        return False
    items = json_stream.elements(text) if start == "[" and not _GALLERY_LINE.match(text) else json_stream.lines(text)
    return bool(_RECORDS.match(text)) or any(isinstance(item, dict | list) for _, item in items)


def _links_of_lines(text: str) -> Iterator[tuple[int | None, str, list[str]]]:
    """(line number, "", [link]) for each link in each line of a text, without blank lines and comments (#)."""
    for index, line in enumerate(text.split("\n")):
        if line.strip() and not line.lstrip().startswith("#"):
            for link in links.in_text(line) or [line]:
                yield index, "", [link]


def _links(
    file: File, source: str, entries: Iterable[tuple[int | None, str, list[str]]]
) -> Iterator[ParsedRecord | Problem]:
    """A record for each video among `entries` (index, path, alternative links), or the problem with it."""
    seen: set[str] = set()
    for index, where, alternatives in entries:
        results = [_link(link) for link in alternatives]
        value = next((result for result in results if isinstance(result, dict)), results[0])
        if isinstance(value, ValueError):
            yield file.problem(index, f"{where}: {value}".removeprefix(": "))
        elif value["id"] not in seen:
            seen.add(value["id"])
            yield take(file, index, {**value, "source": source})


def _link(link: str) -> Json | ValueError:
    try:
        return links.from_link(link)
    except ValueError as error:
        return error


def _json_lines(file: File, text: str) -> Iterator[ParsedRecord | Problem]:
    try:  # a document over several lines is JSON, not JSON Lines
        yield from _document(file, 0, json_stream.whole(text), alone=True)
        return
    except ValueError as error:
        broken = f"the JSON is broken, nothing of it can be read: {error}"
    if file.path.suffix.lower() not in _LINES and not any(
        isinstance(it, dict | list) for _, it in json_stream.lines(text)
    ):
        yield file.problem(None, broken)  # one broken document, and no lines of JSON
        return
    for index, item in json_stream.lines(text):
        yield from _document(file, index, item)


def _document(file: File, index: int, item: object, *, alone: bool = False) -> Iterator[ParsedRecord | Problem]:
    """One parsed document: a record, or a container of many. `alone`: it is the only one in the file."""
    if isinstance(item, dict) and item.get("_type") in record_formats.PLAYLISTS:
        for number, entry in enumerate(_entries(item)):
            yield take(file, index, entry, kind="yt-dlp", where=f"entry {number}: ")
    elif isinstance(item, dict) and links.is_export(item):
        entries = [(None if alone else index, where, found) for where, found in links.export_entries(item)]
        if not entries:
            yield file.problem(index, "a data export without any link")
        yield from _links(file, "data export", entries)
    else:
        yield take(file, index, item, alone=alone)


def _entries(playlist: Json) -> Iterator[object]:
    """The entries of a yt-dlp playlist and of the playlists in it. An error is an entry."""
    waiting: list[object] = [playlist]
    while waiting:
        item = waiting.pop()
        if not isinstance(item, dict) or item.get("_type") not in record_formats.PLAYLISTS:
            yield ValueError("yt-dlp could not read this video") if item is None else item
        elif isinstance(entries := item.get("entries"), list) and entries:
            waiting.extend(reversed(entries))
        else:  # the .info.json of a playlist does not contain them
            yield ValueError(
                "a playlist without its videos: import the .info.json of each, or the output of `yt-dlp -J`"
            )


def _read_study(folder: Path) -> Iterator[ParsedRecord | Problem]:
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
            if isinstance(found, Problem):
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
            yield ParsedRecord(found.video, found_texts, of_study(folder, video_id))


def _batches(folder: Path) -> list[Path]:
    """The record files of a study, ordered by the numbers in their names."""
    return sorted((folder / "info").glob("*.json"), key=lambda p: [int(x) for x in re.findall(r"\d+", p.stem)])


def _saved_page(file: File, text: str) -> Iterator[ParsedRecord | Problem]:
    """The videos in the data of a saved page (SIGI_STATE, or the rehydration data)."""
    items: dict[str, Json] = {}
    for name in ("SIGI_STATE", "__UNIVERSAL_DATA_FOR_REHYDRATION__"):
        start = re.search(rf'<script[^<>]*\bid="{name}"[^<>]*>', text)
        end = text.find("</script>", start.end()) if start else -1
        if start and end >= 0:
            try:
                data: Any = json_stream.whole(text[start.end() : end].strip())
                found = data.get("ItemModule", {}) if name == "SIGI_STATE" else _detail(data)
                items.update({str(key): item for key, item in found.items() if isinstance(item, dict)})
            except (ValueError, AttributeError) as error:
                yield file.problem(None, f"its {name} cannot be read: {error}")
    if not items:
        yield file.problem(None, "the page has no video data")
    # with several videos on a page it is unclear to which one the files belong
    sidecars = file.folder.of_page() if len(items) == 1 else []
    for index, item in enumerate(items.values()):
        result = take(file, index, item, kind="site")
        yield result if isinstance(result, Problem) else replace(result, files=sidecars)


def _detail(data: Json) -> dict[str, Json]:
    scope = data.get("__DEFAULT_SCOPE__", {})
    item = scope.get("webapp.video-detail", {}).get("itemInfo", {}).get("itemStruct")
    return {str(item.get("id")): item} if isinstance(item, dict) else {}
