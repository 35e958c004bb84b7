"""A caption file (WebVTT, SRT, or the JSON of the site) -> cues with times in seconds and plain text.

One small parser reads WebVTT and SRT; a broken cue does not affect others. Libraries were tried: pysubs2 takes a text
that is a number for the number of the next cue, returns cue names and notes as speech, and needs time quadratic in the
blank lines of a cue.
"""

import html
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from scraper.errors import UserError
from scraper.records import clean_text

MAX_BYTES = 5 * 1024**2  # an hour of speech has some 100 KB
MAX_TIME_S = 24 * 3600.0  # of a video; a later time is broken
MAX_OPEN_S = 5.0  # length of a cue without a usable end, unless another follows sooner
MAX_GAP_S = 1.0  # the same words after a longer pause were said again
MAX_ROLLED_LINES = 3  # that a rolling caption repeats from the one before; more do not fit on a screen

_TIME = r"(?:([0-9]{1,4}):)?([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]{1,3}))?"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*(?:{_TIME}(?![0-9:]))?")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>|<[0-9:.]{5,15}>|\{\\[^{}]{0,100}\}")  # <i>, <c.name>, <00:01.000>, {\an8}
_SPACE = re.compile(r"\s+")


class CaptionError(UserError):
    """A caption file cannot be read. The message says why."""


@dataclass(frozen=True)
class Cue:
    """What is said from one second of the video to another."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class _Raw:
    start_s: float
    end_s: float | None
    lines: tuple[str, ...]


def parse(data: bytes) -> list[Cue]:
    """The cues of a caption file in order of time; none if the file is valid but empty.

    Times lie in 0 to MAX_TIME_S and no cue ends before it starts; cues may overlap. Tags are removed, entities
    resolved, cues without text dropped, and lines that a rolling caption repeats are returned once.

    Raises:
        CaptionError: the file is too large, of an unknown format, or has no cue that can be read.
    """
    if len(data) > MAX_BYTES:
        raise CaptionError(f"The caption file is larger than {MAX_BYTES // 1024**2} MB.")
    text = data.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n").lstrip()
    if not text:
        raise CaptionError("The caption file is empty.")
    cues = list(_json_cues(text) if text.startswith("{") else _timed_cues(text))
    if not cues and not text.startswith("{") and not (text.startswith("WEBVTT") and "-->" not in text):
        raise CaptionError("The caption file has no cue that can be read.")
    return _without_repeats(_in_time(cues))


def _json_cues(text: str) -> Iterator[_Raw]:
    """The JSON of the site: {"utterances": [{"start_time": ms, "end_time": ms, "text": ...}, ...]}."""
    try:
        # Python refuses to parse a number of thousands of digits, and it is not a time
        parsed: Any = json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 20 else math.inf)
    except (ValueError, RecursionError) as error:
        raise CaptionError("The caption file starts as JSON but is broken.") from error
    utterances = parsed.get("utterances")
    if not isinstance(utterances, list):
        raise CaptionError("The caption file is JSON without a list of utterances.")
    cues = [cue for cue in map(_utterance, utterances) if cue]
    if utterances and not cues:
        raise CaptionError("The caption file has no utterance that can be read.")
    yield from cues


def _utterance(item: object) -> _Raw | None:
    if not isinstance(item, dict) or not isinstance(item.get("text"), str):
        return None
    start, end = (_seconds(item.get(key)) for key in ("start_time", "end_time"))
    return None if start is None else _Raw(start, end, _lines(item["text"].split("\n")))


def _seconds(ms: object) -> float | None:
    if isinstance(ms, bool) or not isinstance(ms, int | float) or not math.isfinite(ms):
        return None
    return ms / 1000


def _timed_cues(text: str) -> Iterator[_Raw]:
    """The cues of WebVTT and SRT: a line with times, and the lines below it up to a blank one.

    Everything else (numbers and names of cues, notes, styles) is not speech.
    """
    times: re.Match[str] | None = None
    said: list[str] = []
    for line in [*text.split("\n"), ""]:
        arrow = "-->" in line
        if times and (arrow or not line.strip()):
            if arrow and said and said[-1].strip().isdecimal():
                said.pop()  # no blank line before the next cue: its number
            yield _Raw(_clock(*times.groups()[:4]) or 0.0, _clock(*times.groups()[4:]), _lines(said))
            times = None
        if arrow:
            times, said = _TIMES.match(line), []
        elif times:
            said.append(line)


def _clock(hours: str | None, minutes: str | None, seconds: str | None, fraction: str | None) -> float | None:
    if minutes is None or seconds is None:
        return None
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int((fraction or "0").ljust(3, "0")) / 1000


def _lines(lines: list[str]) -> tuple[str, ...]:
    """Lines without tags, entities and extra spaces. Lines without text are left out."""
    cleaned = (_SPACE.sub(" ", clean_text(html.unescape(_TAG.sub("", line)))).strip() for line in lines)
    return tuple(line for line in cleaned if line)


def _in_time(cues: list[_Raw]) -> list[_Raw]:
    """Cues in order of time, each with an end, all within MAX_TIME_S."""
    possible = (cue for cue in cues if cue.start_s < MAX_TIME_S and (cue.start_s >= 0 or (cue.end_s or 0.0) > 0))
    ordered = sorted(possible, key=lambda cue: (cue.start_s, cue.end_s or 0.0))
    timed: list[_Raw] = []
    following = math.inf
    for cue in reversed(ordered):
        start, end = max(cue.start_s, 0.0), cue.end_s
        if end is None or end <= start:
            end = min(max(following, start), start + MAX_OPEN_S)
        timed.append(replace(cue, start_s=start, end_s=min(end, MAX_TIME_S)))
        following = start
    return timed[::-1]


def _without_repeats(cues: list[_Raw]) -> list[Cue]:
    """Cues with text, without lines repeated from the cue before."""
    said: list[Cue] = []
    before: tuple[str, ...] = ()
    for cue in cues:
        if not cue.lines or cue.end_s is None:
            continue
        lines = cue.lines
        if said and cue.start_s - said[-1].end_s <= MAX_GAP_S:
            lines = lines[_rolled(before, lines) :]
        before = cue.lines
        if lines:
            said.append(Cue(cue.start_s, cue.end_s, clean_text(" ".join(lines))))
        else:
            said[-1] = replace(said[-1], end_s=max(said[-1].end_s, cue.end_s))
    return said


def _rolled(before: tuple[str, ...], lines: tuple[str, ...]) -> int:
    """How many of the first `lines` repeat the last ones of the cue before."""
    if before == lines:
        return len(lines)
    return next((n for n in range(MAX_ROLLED_LINES, 0, -1) if len(lines) >= n and before[-n:] == lines[:n]), 0)
