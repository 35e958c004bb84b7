"""The text of a file -> ParsedRecords: JSON in the form of any known program, a saved page, or a text with links."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from scraper import data_export, foreign_formats, json_stream, links, record_formats, short_links, tables
from scraper.data_export import Export
from scraper.parse import File, Found, Problem, Skipped, take
from scraper.record_formats import Json

_LINES = (".jsonl", ".ndjson")
_GALLERY_LINE = re.compile(r"\s*\[\s*-?[0-9]+\s*,")  # `gallery-dl -j` with one message per line
_RECORDS = re.compile(
    r'\s*(?:\[\s*)?(?:\{\s*["}]|\[\s*-?[0-9]+\s*,)'
)  # the beginning of JSON with records, broken or not
_ARCHIVE = re.compile(r"[ \t]*[\w:.+-]+ [\w-]+[ \t]*")  # a line of yt-dlp's archive: the site, and the id of a video
_ARCHIVED = re.compile(r"^[ \t]*tiktok ([0-9]{5,25})[ \t]*$", re.MULTILINE | re.IGNORECASE)
_PAGE = re.compile(r"<(?:!doctype\s+html|html|head|body|script)\b", re.IGNORECASE)


def read_text(file: File, text: str) -> Iterator[Found]:
    """Yield the records of a text; its format is detected from its content."""
    gathered = _Gathered(file)
    yield from _read(file, text, gathered)
    yield from gathered.end()


class _Gathered:
    """What is only known at the end of a file: the videos of an export, and how many items are of no use."""

    def __init__(self, file: File) -> None:
        self.export = Export(file)
        self._file = file
        self._refused: dict[str, list[int | None]] = {}  # reason -> index of the first item, and of the others

    def refuse(self, index: int | None, reason: str) -> None:
        """Report a reason once for all items that have it."""
        self._refused.setdefault(reason, []).append(index)

    def end(self) -> Iterator[Found]:
        """Yield the records and problems."""
        yield from self.export.found()
        for reason, indexes in self._refused.items():
            more = f" ({len(indexes):,} of them)" if len(indexes) > 1 else ""
            yield self._file.problem(indexes[0] if len(indexes) == 1 else None, f"{reason}{more}")


def _read(file: File, text: str, gathered: _Gathered) -> Iterator[Found]:
    text = short_links.expanded(text)
    start = text.lstrip()[:1]
    linked = links.LINK.search(text)
    suffix = _suffix(file)
    if start == "<" and (_PAGE.search(text) or not linked):
        yield from _saved_page(file, text)
    elif data_export.is_text_export(text):
        gathered.export.add_text(text)
    elif start not in ("{", "[") and tables.columns(text, suffix):
        yield from _table(file, text, gathered)
    elif linked and not _is_json(file, start, text):
        yield from _links(file, text)
    elif start == "[" and not _GALLERY_LINE.match(text):
        for index, item in json_stream.elements(text):
            yield from _document(file, index, item, gathered)
    elif start in ("{", "[") or suffix in _LINES:
        yield from _json_lines(file, text, gathered)
    elif suffix in tables.SUFFIXES:
        yield file.problem(None, "a table without a column for the id or the link of a video")
    elif _is_archive(text):
        yield from _archive(file, text)
    elif data_export.is_of_export(file, text):
        yield Skipped(file.name, "lists without videos", 1)
    else:
        yield file.problem(None, "is not JSON (a list or lines of records), a saved page, a table or a text with links")


def _table(file: File, text: str, gathered: _Gathered) -> Iterator[Found]:
    """A record for each row of a table."""
    for index, item in tables.rows(text):
        if isinstance(item, ValueError):
            yield take(file, index, item)
        elif data_export.is_entry(item):
            gathered.export.add_entry(item, index)
        elif reason := foreign_formats.elsewhere(item):
            gathered.refuse(index, f"looks like {reason}, not like records of TikTok")
        else:
            kind = record_formats.kind_of(item)
            yield take(file, index, item, kind=kind if kind == "scraper" else "row")


def _is_archive(text: str) -> bool:
    return bool(_ARCHIVED.search(text)) and all(_ARCHIVE.fullmatch(line) for line in text.split("\n") if line.strip())


def _archive(file: File, text: str) -> Iterator[Found]:
    """A record for each video in the archive file of yt-dlp."""
    ids = dict.fromkeys(found[1] for found in _ARCHIVED.finditer(text))
    for video in ids:
        values = {"id": video, "permalink": links.permalink("", video), "source": "yt-dlp archive"}
        yield take(file, None, values)
    others = sum(1 for line in text.split("\n") if line.strip() and not _ARCHIVED.fullmatch(line))
    if others:
        yield Skipped(file.name, "videos of other sites", others)


def _suffix(file: File) -> str:
    """The suffix of the file, or of the member of a zip, in lower case."""
    return PurePosixPath(file.name).suffix.lower() or file.path.suffix.lower()


def _is_json(file: File, start: str, text: str) -> bool:
    """Whether a text is JSON with records, maybe broken. Chats and Markdown can also begin with a bracket."""
    if start not in ("{", "[") and _suffix(file) not in _LINES:
        return False
    items = json_stream.elements(text) if start == "[" and not _GALLERY_LINE.match(text) else json_stream.lines(text)
    return bool(_RECORDS.match(text)) or any(isinstance(item, dict | list) for _, item in items)


def _links(file: File, text: str) -> Iterator[Found]:
    """A record for each video that a line links to. Blank lines and comments (#) are no lines. Links to something else
    are counted; the lines without any link are one problem."""
    seen: set[str] = set()
    without: list[tuple[int, str]] = []
    others: Counter[str] = Counter()
    for index, line in enumerate(text.split("\n")):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = links.in_text(line)
        if not found:
            without.append((index, line))
        for link in found:
            try:
                values = links.from_link(link)
            except links.NotAVideoError as error:
                if error.what in ("", links.SHORT_LINKS):
                    yield file.problem(index, error)
                else:
                    others[error.what] += 1
                continue
            if values["id"] not in seen:
                seen.add(values["id"])
                yield take(file, index, {**values, "source": "list of links"})
    for what, count in others.items():
        yield Skipped(file.name, what, count)
    if without:
        index, line = without[0]
        more = f" ({len(without):,} lines like this)" if len(without) > 1 else ""
        yield file.problem(index, f"no link to a video of TikTok: {links.shown(line)}{more}")


def _json_lines(file: File, text: str, gathered: _Gathered) -> Iterator[Found]:
    try:  # a document over several lines is JSON, not JSON Lines
        yield from _document(file, 0, json_stream.whole(text), gathered, alone=True)
        return
    except ValueError as error:
        broken = f"the JSON is broken, nothing of it can be read: {error}"
    if _suffix(file) not in _LINES and not any(isinstance(it, dict | list) for _, it in json_stream.lines(text)):
        yield file.problem(None, broken)  # one broken document, and no lines of JSON
        return
    for index, item in json_stream.lines(text):
        yield from _document(file, index, item, gathered)


def _document(file: File, index: int, item: object, gathered: _Gathered, *, alone: bool = False) -> Iterator[Found]:
    """One parsed document: a record, or a container of many. `alone`: it is the only one in the file."""
    if not isinstance(item, dict):
        yield take(file, index, item, alone=alone)
    elif item.get("_type") in record_formats.PLAYLISTS:
        for number, entry in enumerate(_entries(item)):
            yield take(file, index, entry, kind="yt-dlp", where=f"entry {number}: ")
    elif "source_platform" in item and isinstance(item.get("data"), dict):
        yield from _captured(file, index, item, gathered)
    elif found := foreign_formats.unpacked(item):
        program, items = found
        for number, one in enumerate(items):
            reason = foreign_formats.refusal(one) if isinstance(one, dict) else ""
            if reason:
                gathered.refuse(index, reason)
            else:
                yield take(file, index, one, where=f"entry {number}: ", source=program)
    elif data_export.is_entry(item):
        gathered.export.add_entry(item, index)
    elif data_export.is_export(item):
        before = gathered.export.entries
        gathered.export.add(item, None if alone else index)
        if gathered.export.entries == before:
            yield file.problem(index, "a data export without any link")
    elif reason := foreign_formats.refusal(item):
        gathered.refuse(index, reason)
    else:
        yield take(file, index, item, alone=alone)


def _captured(file: File, index: int, item: Json, gathered: _Gathered) -> Iterator[Found]:
    """An item that the browser extension Zeeschuimer captured, with the site and the time."""
    platform, at = str(item["source_platform"]), item.get("timestamp_collected")
    if platform.removesuffix(".com") != "tiktok":
        gathered.refuse(index, f"Zeeschuimer captured this from {links.shown(platform)}, and it is no video of TikTok")
        return
    saved_at = at / 1000 if isinstance(at, int | float) and 0 < at < 1e14 else None
    yield take(file, index, item["data"], kind="site", source="Zeeschuimer", saved_at=saved_at)


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


def _saved_page(file: File, text: str) -> Iterator[Found]:
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
