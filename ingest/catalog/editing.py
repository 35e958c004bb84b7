"""A text of the catalog <-> lines that a person edits. A line with known times begins with them."""

import re

from ingest.catalog.entries import HAND, Segment, Text, TextKind
from scraper.errors import UserError
from scraper.records import MAX_MADE_TEXT_CHARS, clean_text

_TIMED = re.compile(r"\[(?:(\d+):)?(\d{1,3}):(\d{1,2}(?:\.\d+)?) - (?:(\d+):)?(\d{1,3}):(\d{1,2}(?:\.\d+)?)\]\s*(.*)")


class EditError(UserError):
    """A line cannot be parsed. The message says which and why."""


def to_lines(text: Text | None) -> str:
    """A text as lines: "[0:06.80 - 0:09.10] words" if times are known, else only the words."""
    if text is None:
        return ""
    timed = {segment.text for segment in text.segments}
    rest = [line for line in (text.text or "").splitlines() if line not in timed]
    if text.segments and len(rest) == 1:  # a transcript is one line of all its segments
        rest = rest if rest[0] != " ".join(segment.text for segment in text.segments) else []
    shown = [f"[{_shown(part.start_s)} - {_shown(part.end_s)}] {' '.join(part.text.split())}" for part in text.segments]
    return "\n".join([*rest, *shown]) + "\n"


def from_lines(lines: str, kind: TextKind) -> Text:
    """The edited lines as a text by hand.

    Raises:
        EditError: a line ends before it begins.
    """
    said: list[str] = []
    segments: list[Segment] = []
    for number, line in enumerate(clean_text(lines, MAX_MADE_TEXT_CHARS).splitlines(), 1):
        if not (line := line.strip()):
            continue
        if found := _TIMED.fullmatch(line):
            start_s, end_s = _seconds(*found.groups()[:3]), _seconds(*found.groups()[3:6])
            if end_s < start_s:
                raise EditError(f"line {number} ends before it begins: {line[:80]}")
            line = found[7].strip()
            segments.append(Segment(start_s, end_s, line))
        said.append(line)
    segments.sort(key=lambda segment: segment.start_s)
    one_line = kind == "transcript" and len(segments) in (
        0,
        len(said),
    )  # else lines without times would get lost
    return Text((" " if one_line else "\n").join(said), HAND, segments=segments)


def _shown(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 100), 6000)
    return f"{minutes}:{rest / 100:05.2f}"


def _seconds(hours: str | None, minutes: str, seconds: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
