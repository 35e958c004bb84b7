"""16 kHz audio -> spans of speech, by Silero VAD, and windows over them for Whisper.

Music, noise and silence are in no window. A window is an unchanged part of the audio, so its times are exact.
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.media import SAMPLE_RATE

WINDOW_S = 30.0  # what Whisper was trained on

THRESHOLD = 0.4  # Silero's probability of speech per FRAME, above which speech starts ...
END_THRESHOLD = 0.2  # ... and below which it ends
FRAME = 512  # samples, 32 ms, the input of Silero
BLOCK = 320 * FRAME  # 10 s, after which Silero's state is reset: after long silence it misses the first second
WARM_UP = 62 * FRAME  # 2 s before a block, after which the state is as if it had not been reset
MIN_SPEECH_S = 0.25  # about as long as the word "no"
MIN_PAUSE_S = 0.2  # shorter pauses are within a phrase
MAX_PAUSE_S = 2.0  # a window ends at a longer pause: Whisper's times are vague across silence
EDGE_S = 0.3  # added around speech: soft consonants lie outside of Silero's spans
SNAP_S = 0.5  # Whisper's times are off by up to that, and some checkpoints write whole seconds
MISSED_S = 1.0  # of speech without a segment: more is decoded again, for Whisper leaves out sentences
LONGEST_S = 25.0  # of a window, cut in the longest of its pauses: Whisper skips the end of a full one


class Samples(Protocol):
    """Samples at SAMPLE_RATE, in memory or in a file, with a length and slices."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Span:
    """A part of the audio: its first sample, and the one after its last."""

    start: int
    end: int

    @property
    def length_s(self) -> float:
        """Its length in seconds."""
        return (self.end - self.start) / SAMPLE_RATE


@dataclass(frozen=True)
class Window:
    """A part of the audio of up to WINDOW_S, and the speech in it, in samples of the whole audio."""

    span: Span
    speech: tuple[Span, ...]


def find_speech(samples: Samples) -> list[Span]:
    """Find speech: spans in order, each at most LONGEST_S long. Samples are read block by block."""
    silero, detector = _silero()
    probabilities = [np.zeros(0, np.float32)]
    for start in range(0, len(samples), BLOCK):
        warm_up = min(start, WARM_UP)
        block = detector.audio_forward(samples[start - warm_up : start + BLOCK])
        probabilities.append(block[warm_up // FRAME :])
    found = silero.get_speech_timestamps_from_probs(
        np.concatenate(probabilities),
        threshold=THRESHOLD,
        neg_threshold=END_THRESHOLD,
        min_speech_duration_ms=MIN_SPEECH_S * 1000,
        min_silence_duration_ms=MIN_PAUSE_S * 1000,
        max_speech_duration_s=LONGEST_S,
        speech_pad_ms=0,
        audio_length_samples=len(samples),
    )
    return [Span(int(span["start"]), min(int(span["end"]), len(samples))) for span in found]


def windows(speech: list[Span], length: int) -> list[Window]:
    """Windows over speech, cut in pauses, each with its edges. `length` is that of the audio, in samples."""
    groups: list[list[Span]] = []
    for span in speech:
        group = groups[-1] if groups else [span]
        pause_s = Span(group[-1].end, span.start).length_s
        if groups and pause_s <= MAX_PAUSE_S and Span(group[0].start, span.end).length_s <= LONGEST_S:
            group.append(span)
        else:
            groups.append([span])
    edge = round(EDGE_S * SAMPLE_RATE)
    made: list[Window] = []
    for number, group in enumerate(groups):
        # if the pause between two windows is shorter than two edges, they share it: windows never overlap
        left = (groups[number - 1][-1].end + group[0].start) // 2 if number else 0
        right = (group[-1].end + groups[number + 1][0].start) // 2 if number + 1 < len(groups) else length
        made.append(Window(Span(max(left, group[0].start - edge), min(right, group[-1].end + edge)), tuple(group)))
    return made


def snap(window: Window, start: int, end: int) -> Span | None:
    """Correct the times of a segment from Whisper, in samples: each end moves to a near end of speech, and none stays
    in silence. None if there is no speech between them."""
    reach = SNAP_S * SAMPLE_RATE
    onsets = [span.start for span in window.speech if abs(span.start - start) <= reach]
    ends = [span.end for span in window.speech if abs(span.end - end) <= reach]
    start = min(onsets, key=lambda at: abs(at - start), default=start)
    end = min(ends, key=lambda at: abs(at - end), default=end)
    inside = [span for span in window.speech if span.end > start and span.start < end]
    return Span(max(start, inside[0].start), min(end, inside[-1].end)) if inside else None


def uncovered(window: Window, covered: list[Span]) -> list[Window]:
    """The parts of a window before, between and after the covered spans that have more than MISSED_S of speech."""
    edge = round(EDGE_S * SAMPLE_RATE)
    found: list[Window] = []
    start = window.span.start
    for span in [*sorted(covered, key=lambda span: span.start), Span(window.span.end, window.span.end)]:
        left = _within(window.speech, start, span.start)
        if sum(speech.length_s for speech in left) > MISSED_S:
            part = Span(max(start, left[0].start - edge), min(span.start, left[-1].end + edge))
            found.append(Window(part, left))
        start = max(start, span.end)
    return found


def _within(speech: tuple[Span, ...], start: int, end: int) -> tuple[Span, ...]:
    """The parts of speech from start to end. Pieces up to SNAP_S of what is cut are left out: times are that vague."""
    parts = ((Span(max(span.start, start), min(span.end, end)), span) for span in speech)
    return tuple(part for part, span in parts if part.length_s > (0.0 if part == span else SNAP_S))


def halves(window: Window) -> list[Window]:
    """The window cut in two in its longest pause, or unchanged if it has no pause."""
    pauses = [(later.start - earlier.end, earlier.end, later.start) for earlier, later in pairwise(window.speech)]
    if not pauses:
        return [window]
    _, end, start = max(pauses)
    middle = (end + start) // 2
    return [
        Window(Span(window.span.start, middle), tuple(span for span in window.speech if span.end <= middle)),
        Window(Span(middle, window.span.end), tuple(span for span in window.speech if span.start >= middle)),
    ]


@cache
def _silero() -> tuple[Any, Any]:
    """Silero's package, and its model for blocks of frames."""
    import torch

    threads = torch.get_num_threads()
    import silero_vad

    torch.set_num_threads(threads)  # on import the package sets one thread for the whole process
    return silero_vad, silero_vad.load_silero_vad(sequence=True)
