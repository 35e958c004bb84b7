"""Whisper's tokens -> segments with times, without repetitions that it hallucinates."""

import re
import zlib

from ingest.catalog import Segment
from ingest.speech.vad import MAX_PAUSE_S

TICK_S = 0.02  # between two of Whisper's timestamp tokens, and between two positions of its encoder

# Repetitions that no speech has. The compression ratio is that of the reference implementation.
MAX_COMPRESSION = 2.4  # zlib's ratio on a text: 1 to 2 for speech, more for loops
MAX_REPEATS = 3  # of a segment without a pause; a chorus line repeats, a loop does not stop
LOOP = re.compile(r"(.{2,60}?)\1{7}", re.DOTALL)  # the same letters eight times in a row; zlib detects only long texts

ScoredSegment = tuple[Segment, list[float]]  # with the log-probabilities of its tokens


def split_segments(tokens: list[int], first_time: int, length_s: float) -> list[tuple[int, int, float, float]]:
    """The segments in the tokens of a window as (first token, one after the last, start, end in seconds).

    Whisper writes <|start|> words <|end|> for each. Words without an end last until the end of the window. `first_time`
    is the token <|0.00|>.
    """
    pieces: list[tuple[int, int, float, float]] = []
    start_s, first, words = 0.0, 0, False
    for position, token in enumerate(tokens):
        if token < first_time:
            words = True
            continue
        time_s = min((token - first_time) * TICK_S, length_s)
        if words and time_s > start_s:  # a later start than the end is a hallucination
            pieces.append((first, position, start_s, time_s))
        start_s, first, words = time_s, position + 1, False
    if words and start_s < length_s:
        pieces.append((first, len(tokens), start_s, length_s))
    return pieces


def limit_repeats(segments: list[ScoredSegment]) -> list[ScoredSegment]:
    """Drop a segment that repeats more than MAX_REPEATS times without a pause. `segments` are ordered by time."""
    kept: list[ScoredSegment] = []
    repeats = 0
    before: Segment | None = None
    for segment, logprobs in segments:
        again = before and segment.text == before.text and segment.start_s - before.end_s <= MAX_PAUSE_S
        repeats, before = repeats + 1 if again else 1, segment
        if repeats <= MAX_REPEATS:
            kept.append((segment, logprobs))
    return kept


def is_part_of_neighbor(segment: Segment, others: list[ScoredSegment]) -> bool:
    """Whether a text is the end of the segment before it, or the start of the one after it.

    The times of a segment may leave out some of its own speech, which is then decoded again.
    """
    before = [other for other, _ in others if other.start_s < segment.start_s]
    after = [other for other, _ in others if other.start_s >= segment.start_s]
    said = _letters(segment.text)
    last = _letters(max(before, key=lambda other: other.start_s).text) if before else ""
    first = _letters(min(after, key=lambda other: other.start_s).text) if after else ""
    return (last != said and last.endswith(said)) or (first != said and first.startswith(said))


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def is_loop(text: str) -> bool:
    """Whether a text repeats itself more than speech does."""
    raw = text.encode()
    return bool(raw) and (len(raw) / len(zlib.compress(raw)) > MAX_COMPRESSION or LOOP.search(text) is not None)
