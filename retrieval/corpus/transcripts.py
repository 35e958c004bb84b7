"""What is said in a video -> subtitles (SRT, WebVTT) or plain text."""

from collections.abc import Sequence
from html import escape
from typing import Literal

from ingest.catalog.entries import Segment, Text
from scraper.errors import UserError

Format = Literal["srt", "vtt", "txt"]
CONTENT_TYPES: dict[Format, str] = {
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}
MIN_S = 0.001  # a cue must end after it begins


class NoTranscript(UserError):
    """A video has no transcript, or none with times."""


def transcript(text: Text | None, form: Format) -> str:
    """Return a transcript in a format.

    Raises:
        NoTranscript: there is none, or it has no times, which subtitles need.
    """
    if text is None or not text.text:
        raise NoTranscript("This video has no transcript.")
    if form == "txt":
        said = [" ".join(segment.text.split()) for segment in text.segments]
        return "\n".join(said or [text.text]) + "\n"
    cues = [segment for segment in text.segments if segment.text.strip()]
    if not cues:
        raise NoTranscript("This transcript has no times, which subtitles need: take it as text (txt).")
    return _srt(cues) if form == "srt" else _vtt(cues)


def _srt(cues: Sequence[Segment]) -> str:
    return "\n".join(f"{number}\n{_times(cue, ',')}\n{_line(cue)}\n" for number, cue in enumerate(cues, 1))


def _vtt(cues: Sequence[Segment]) -> str:
    return "WEBVTT\n\n" + "\n".join(f"{_times(cue, '.')}\n{escape(_line(cue), quote=False)}\n" for cue in cues)


def _line(cue: Segment) -> str:
    """The words of a cue on one line: an empty line, or an arrow in it, would end the cue."""
    return " ".join(cue.text.split()).replace("-->", "->")


def _times(cue: Segment, point: str) -> str:
    return f"{_clock(cue.start_s, point)} --> {_clock(max(cue.end_s, cue.start_s + MIN_S), point)}"


def _clock(seconds: float, point: str) -> str:
    minutes, milliseconds = divmod(round(max(0.0, seconds) * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"
