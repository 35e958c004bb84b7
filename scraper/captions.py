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
from scraper.text_decoding import LOST, decode

MAX_BYTES = 5 * 1024**2  # an hour of speech has some 100 KB
MAX_TIME_S = 24 * 3600.0  # of a video; a later time is broken
MAX_OPEN_S = 5.0  # length of a cue without a usable end, unless another follows sooner
MAX_GAP_S = 1.0  # the same words after a longer pause were said again
MAX_ROLLED_LINES = 3  # that a rolling caption repeats from the one before; more do not fit on a screen

MAX_LOST = 0.05  # share of the lines; captions that lost more are damaged
MAX_NUMBER_DIGITS = 9  # of the number of a cue

_TIME = r"(?:([0-9]{1,4}):)?([0-9]{1,2}):([0-9]{1,2})(?:[.,:]([0-9]{1,3}))?"
_ARROW = re.compile(r"-+ ?(?:>|&gt;)|[\u2013\u2014=]>|\u2192")
_TIMES = re.compile(rf"\s*(?:[0-9]{{1,9}}\s+)?{_TIME}\s*(?:{_ARROW.pattern})\s*(?:{_TIME}(?![0-9:])(.*))?")
_BEGINS = re.compile(
    rf".*--(?:>|&gt;)|\s*[0-9]{{1,4}}:[0-9:.,]{{1,20}}\s*(?:{_ARROW.pattern})\s*(?:$|[0-9]{{1,4}}:[0-9])"
)
_WORD = re.compile(r"(?:^|\s)[^\W\d_]{2,}\s")
_CLOCK = re.compile(r"[0-9]:[0-9]")
_PLACE = re.compile(r"(?:\s*+[A-Za-z0-9-]++:\S*+)*+\s*+")  # where the words stand on the screen, behind the times
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>|<[0-9:.]{5,15}>|\{\\[^{}]{0,100}\}")  # <i>, <c.name>, <00:01.000>, {\an8}
_BLOCK = re.compile(r"(?:NOTE|STYLE|REGION)(?:[ \t].*)?")  # of WebVTT; up to the next blank line it is not said
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
class Captions:
    """What a caption file says. `lost` of its `lines` are damaged: undecodable, or without a time."""

    cues: list[Cue]
    lines: int
    lost: int

    @property
    def damage(self) -> str:
        """Why these captions are no full transcript; "" if at most a little is lost."""
        if self.lost <= MAX_LOST * self.lines:
            return ""
        return f"{self.lost:,} of {self.lines:,} lines of the captions are damaged"


@dataclass(frozen=True)
class _Raw:
    """A cue as it stands in the file. Without a start, its lines are lost."""

    start_s: float | None
    end_s: float | None
    lines: tuple[str, ...]


def parse(data: bytes) -> Captions:
    """The cues of a caption file in order of time; none if the file is valid but empty.

    Times lie in 0 to MAX_TIME_S and no cue ends before it starts; cues may overlap. Tags are removed, entities
    resolved, cues without text dropped, and lines that a rolling caption repeats are returned once.

    Raises:
        CaptionError: the file is too large, of an unknown format, or has no cue that can be read.
    """
    if len(data) > MAX_BYTES:
        raise CaptionError(f"The caption file is larger than {MAX_BYTES // 1024**2} MB.")
    text = decode(data).text.lstrip("\ufeff \t\n")
    if not text:
        raise CaptionError("The caption file is empty.")
    raw = list(_json_cues(text) if text.startswith("{") else _timed_cues(text))
    timed, lost = _in_time(raw)
    if not timed and (lost or not (text.startswith("{") or (text.startswith("WEBVTT") and "-->" not in text))):
        raise CaptionError("The caption file has no cue that can be read.")
    lines = sum(len(cue.lines) for cue in raw)
    damaged = sum(LOST in line for cue in timed for line in cue.lines)
    return Captions(_without_repeats(timed), lines, lost + damaged)


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
    cues = [_utterance(item) for item in utterances]
    if cues and all(cue.start_s is None for cue in cues):
        raise CaptionError("The caption file has no utterance that can be read.")
    yield from cues


def _utterance(item: object) -> _Raw:
    if not isinstance(item, dict) or not isinstance(item.get("text"), str):
        return _Raw(None, None, (LOST,))
    start, end = (_seconds(item.get(key)) for key in ("start_time", "end_time"))
    return _Raw(start, end, _lines(item["text"].split("\n")))


def _seconds(ms: object) -> float | None:
    if isinstance(ms, bool) or not isinstance(ms, int | float) or not math.isfinite(ms):
        return None
    return ms / 1000


def _timed_cues(text: str) -> Iterator[_Raw]:
    """The cues of WebVTT and SRT: a line with times, and the lines below it up to the next times.

    A blank line does not end a cue: people write blank lines between two sentences, and programs that convert files
    add some. Everything else (numbers and names of cues, notes, styles) is not speech.
    """
    web = text.startswith("WEBVTT")
    times: re.Match[str] | None = None
    begun = False
    said: list[str] = []
    number = "0"
    for line in text.split("\n"):
        if not _BEGINS.match(line) or (begun and _is_said(line, said)):
            said.append(line)
            continue
        said, number = _without_label(said, number, web=web)
        if begun:
            yield _cue(times, said, web=web)
        times, begun, said = _TIMES.match(line.lstrip("\ufeff")), True, []
        if times and (behind := times[9] or "") and not _PLACE.fullmatch(behind):
            said.append(behind)
    if begun:
        left, _ = _without_label([*said, ""], number, web=False)
        yield _cue(times, left if any(line.strip() for line in left) else said, web=web)


def _is_said(line: str, above: list[str]) -> bool:
    """Whether a line with an arrow is part of the text: there are words around the arrow, and it is where text is."""
    before, *rest = _ARROW.split(line, maxsplit=1)
    if not any(sign.isdigit() for sign in line):
        return any(sign.isalpha() for sign in line)
    if above and (not above[-1].strip() or above[-1].strip().isdecimal()):
        return False  # times may be below a blank line or a number
    if _WORD.search(before):
        return True
    return any(sign.isalpha() for sign in line) and not (rest and _CLOCK.search(rest[0]))


def _cue(times: re.Match[str] | None, said: list[str], *, web: bool) -> _Raw:
    lines = _lines(_without_notes(said) if web else said)
    if not times:
        return _Raw(None, None, lines)
    return _Raw(_clock(*times.groups()[:4]), _clock(*times.groups()[4:8]), lines)


def _without_label(said: list[str], before: str, *, web: bool) -> tuple[list[str], str]:
    """The lines above the times of a cue without its number or name, and its number, if it has one.

    Args:
        before: the number of the cue that the lines belong to.
        web: names are possible as well, below a blank line.
    """
    at = len(said) - 1
    while at >= 0 and not said[at].strip():
        at -= 1
    if at < 0:
        return said, ""
    label, close = said[at].strip(), at == len(said) - 1
    is_number = label.isdecimal() and len(label) <= MAX_NUMBER_DIGITS
    follows = is_number and before != "" and int(label) == int(before) + 1  # with a blank line below it
    if is_number and (close or follows):
        return said[:at], label
    if web and close and (at == 0 or not said[at - 1].strip()):
        return said[:at], ""
    return said, ""


def _without_notes(said: list[str]) -> list[str]:
    kept: list[str] = []
    skipping = False
    for number, line in enumerate(said):
        if not line.strip():
            skipping = False
        elif number and not said[number - 1].strip() and _BLOCK.fullmatch(line):
            skipping = True
        if not skipping:
            kept.append(line)
    return kept


def _clock(hours: str | None, minutes: str | None, seconds: str | None, fraction: str | None) -> float | None:
    if minutes is None or seconds is None:
        return None
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int((fraction or "0").ljust(3, "0")) / 1000


def _lines(lines: list[str]) -> tuple[str, ...]:
    """Lines without tags, entities and extra spaces. Lines without text are left out."""
    cleaned = (_SPACE.sub(" ", clean_text(html.unescape(_TAG.sub("", line)))).strip() for line in lines)
    return tuple(line for line in cleaned if line)


def _in_time(cues: list[_Raw]) -> tuple[list[_Raw], int]:
    """(cues in order of time, each with an end, all within MAX_TIME_S; lines of all others)."""
    possible: list[tuple[float, float, _Raw]] = []
    lost = 0
    for cue in cues:
        if (begin := cue.start_s) is not None and begin < MAX_TIME_S and (begin >= 0 or (cue.end_s or 0.0) > 0):
            possible.append((begin, cue.end_s or 0.0, cue))
        else:
            lost += len(cue.lines)
    timed: list[_Raw] = []
    following = math.inf
    ordered = sorted(possible, key=lambda item: item[:2])
    for first, _, cue in ordered[::-1]:
        start, end = max(first, 0.0), cue.end_s or 0.0
        if end <= start:
            end = min(max(following, start), start + MAX_OPEN_S)
        timed.append(replace(cue, start_s=start, end_s=min(end, MAX_TIME_S)))
        following = start
    return timed[::-1], lost


def _without_repeats(cues: list[_Raw]) -> list[Cue]:
    """Cues with text, without lines repeated from the cue before."""
    said: list[Cue] = []
    before: tuple[str, ...] = ()
    for cue in cues:
        if not cue.lines or cue.start_s is None or cue.end_s is None:
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
