"""Videos of a catalog -> a table for spreadsheets (CSV), records that `import` reads again (JSON), or their links."""

import csv
import json
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any, Literal

from ingest.catalog import Entry
from scraper.records import Encounter, ListKind

Format = Literal["csv", "json", "jsonl", "links"]
CONTENT_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "links": "text/plain; charset=utf-8",
}
COLUMNS = ("id", "link", "creator", "nickname", "description", "posted", "likes", "duration_s", "lists")
TEXT_COLUMNS = ("speech", "on_screen_text")
MARK = "\ufeff"  # at the beginning of a CSV file it tells spreadsheets that the file is UTF-8
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # how a cell begins that is computed
_LIST_WORDS: dict[ListKind, str] = {
    "favorites": "saved to favorites",
    "collection": "saved to",
    "likes": "liked",
    "history": "watched",
    "shares": "shared",
    "reposts": "reposted",
    "posts": "posted",
}


def lines(entries: Iterable[Entry], form: Format, *, texts: bool = False) -> Iterator[str]:
    """Yield an export piece by piece, so that no more than one video is in memory.

    Args:
        texts: whether to include speech and on-screen text.
    """
    match form:
        case "csv":
            yield _csv_line([*COLUMNS, *(TEXT_COLUMNS if texts else ())])
            for entry in entries:
                yield _csv_line(_row(entry, texts))
        case "json":
            yield "["
            for number, entry in enumerate(entries):
                yield f"{',' if number else ''}\n{_json(entry, texts)}"
            yield "\n]\n"
        case "jsonl":
            yield from (f"{_json(entry, texts)}\n" for entry in entries)
        case "links":
            yield from (f"{entry.video.permalink}\n" for entry in entries if entry.video.permalink)


def record(entry: Entry, texts: bool) -> dict[str, Any]:
    """Return a video as a record that `import` reads: its fields, lists, and with `texts` what was read from its media.

    A field that has its default is left out.
    """
    value = entry.video.model_dump(mode="json", exclude_defaults=True) | {"source": entry.video.source}
    if entry.encounters:
        value["encounters"] = [met.model_dump(mode="json", exclude_defaults=True) for met in entry.encounters]
    if texts:
        for name, kind in (("cover_text", "cover"), ("transcript", "transcript")):
            text = entry.texts.get(kind)  # type: ignore[call-overload]
            if text and text.text is not None:
                value[name] = text.text
    return value


def _json(entry: Entry, texts: bool) -> str:
    return json.dumps(record(entry, texts), ensure_ascii=False)


def _row(entry: Entry, texts: bool) -> list[str]:
    video = entry.video
    values = [
        video.id,
        video.permalink,
        video.creator_username,
        video.creator_nickname,
        video.description or video.file_name,
        video.posted,
        video.likes,
        video.duration_s,
        "; ".join(map(_met, entry.encounters)),
    ]
    if texts:
        values += [text.text if (text := entry.texts.get(kind)) else None for kind in ("transcript", "cover")]
    return ["" if value is None else str(value) for value in values]


def _met(met: Encounter) -> str:
    words = f"{_LIST_WORDS[met.list]} {met.name}".strip()
    return f"{words} {met.at.replace('T', ' ')}".strip()


def _csv_line(cells: list[str]) -> str:
    line = StringIO()
    csv.writer(line, lineterminator="\n").writerow([safe_cell(cell) for cell in cells])
    return line.getvalue()


def safe_cell(cell: str) -> str:
    """Return a cell that a spreadsheet shows as text: one that would be computed gets an apostrophe in front."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell
