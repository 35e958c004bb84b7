"""A text with rows of values separated by commas, tabs or semicolons -> one JSON object per row."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from scraper import links
from scraper.columns import is_table
from scraper.record_formats import Json

SUFFIXES = (".csv", ".tsv")
MAX_HEADER_CHARS = 20_000  # of the names of all columns; Apify has some hundred
_DELIMITERS = (",", "\t", ";", "|")
_COLUMN = re.compile(r"[\w./ -]{1,60}")  # the name of a column; a sentence has other signs


def columns(text: str, suffix: str) -> list[str]:
    """The names in the first line, if it is that of a table with videos. `suffix` is that of the file's name."""
    line = text.lstrip("\ufeff\n ").split("\n", 1)[0]
    if len(line) > MAX_HEADER_CHARS:
        return []
    names = _split(line)
    if links.LINK.search(line) or not is_table(names):
        return []
    known = suffix.lower() in SUFFIXES
    return names if known or (len(names) > 2 and all(_COLUMN.fullmatch(name) for name in names)) else []


def rows(text: str) -> Iterator[tuple[int, Json | ValueError]]:
    """(row number from 0, values by column) for each row. Names such as "author.name" or "tags/0" give objects and
    lists. An error ends the table."""
    line = text.lstrip("\ufeff\n ").split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff\n ")), delimiter=_delimiter(line))
    index = 0
    try:
        for index, found in enumerate(reader):
            yield index, _nested({name.strip(): value for name, value in found.items() if name and value})
    except (csv.Error, AttributeError) as error:
        yield index + 1, ValueError(f"the table is broken here, nothing after it can be read: {error}")


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=line.count)


def _split(line: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=_delimiter(line)), [])]
    except csv.Error:
        return []


def _nested(flat: Json) -> Json:
    nested: Json = {}
    for name, value in flat.items():
        *outer, last = re.split(r"[./]", name)[:4]
        at: Any = nested
        for part in outer:
            inner = at.setdefault(part, {})
            if not isinstance(inner, dict):
                break
            at = inner
        else:
            at[last] = value
    return {name: _listed(value) for name, value in nested.items()}


def _listed(value: object) -> object:
    """Objects whose keys are numbers as lists."""
    if not isinstance(value, dict):
        return value
    parts = {key: _listed(part) for key, part in value.items()}
    return list(parts.values()) if parts and all(key.isdigit() for key in parts) else parts
