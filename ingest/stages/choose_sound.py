"""The decoded tracks and channels of a video -> the samples to transcribe: those with the speech.

For a video with one track whose channels agree nothing is examined.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import langcodes
from langcodes.tag_parser import LanguageTagError

from ingest.media import SAMPLE_RATE, MediaError
from ingest.sound import SILENT_PEAK, Recording, Sound, Track

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ingest.speech.vad import Span

SIMILAR = 0.8  # of the most speech: tracks with more are equally good, and their tags decide
ENOUGH = 0.2  # of the length: with more speech in the mix, no single channel is examined
MORE = 2.0  # times the speech of the mix that a channel must have to be taken instead ...
MORE_S = 1.0  # ... and seconds more: in music, a detector finds a little anywhere
ALONE_S = 3.0  # of speech while the chosen track has none: two microphones, on two tracks
TOGETHER = 0.2  # of the speech of a track: with more at the same time, tracks are versions of each other
SAME = 1  # distance of two tags that name one language: Norwegian is tagged as no, nob or nb


@dataclass(frozen=True)
class Choice:
    """What to transcribe, and what to write into the ledger about it."""

    samples: "OnDisk | Mixture"
    note: str  # about the choice; "" if there was none
    if_empty: str  # why there may be no transcript


class OnDisk:
    """Samples in a file without a name, so that it is gone when this object is. Slices are read on access.

    Not a memory-mapped file: its pages would count as memory of the process.
    """

    def __init__(self, path: Path, weights: Sequence[float] = (), gain: float = 1.0) -> None:
        """With `weights`, the file has float16 channels, which are multiplied by them and added."""
        self._file = path.open("rb", buffering=0)
        self._weights = [weight * gain for weight in weights]
        self._frame_bytes = 2 * len(weights) or 4
        self._length = os.fstat(self._file.fileno()).st_size // self._frame_bytes

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice, /) -> "NDArray[np.float32]":
        import numpy as np

        start, stop, _ = part.indices(self._length)
        count = max(0, stop - start)
        self._file.seek(self._frame_bytes * start)
        if not self._weights:
            return np.fromfile(self._file, np.float32, count)
        channels = np.fromfile(self._file, np.float16, count * len(self._weights)).reshape(-1, len(self._weights))
        return channels.astype(np.float32) @ np.array(self._weights, np.float32)


class Mixture:
    """The sum of several samples, as long as the longest."""

    def __init__(self, parts: Sequence[OnDisk]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return max(map(len, self._parts))

    def __getitem__(self, part: slice, /) -> "NDArray[np.float32]":
        import numpy as np

        start, stop, _ = part.indices(len(self))
        total = np.zeros(max(0, stop - start), np.float32)
        for samples in self._parts:
            piece = samples[start:stop]
            total[: len(piece)] += piece
        return total


def choose(sound: Sound, languages: Sequence[str] = ()) -> Choice:
    """Choose what to transcribe, and remove the names of all files.

    Args:
        languages: Two-letter codes. Of tracks with equal speech, one with such a tag comes first.

    Raises:
        MediaError: a track is damaged and no other has speech.
    """
    try:
        mixes = {recording.track.number: OnDisk(recording.mix) for recording in sound.recordings}
        if len(sound.tracks) == 1 and not sound.recordings[0].channels:
            return Choice(mixes[sound.recordings[0].track.number], "", _nothing_found(sound))
        versions = [_best_channel(recording, mixes[recording.track.number]) for recording in sound.recordings]
    finally:
        discard(sound)
    best = max(seconds(part.speech) for part in versions)
    if not best and (damaged := [track for track in sound.tracks if track.problem.startswith("cannot be read")]):
        raise MediaError(f"audio track {damaged[0].number} {damaged[0].problem}; no speech found in the others")
    good = [part for part in versions if seconds(part.speech) >= SIMILAR * best]
    chosen = min(good, key=lambda part: not _speaks(part.track, languages))  # the first of equal ones
    together = [chosen, *_microphones(chosen, versions)]
    numbers = sorted(part.track.number for part in together)
    notes = [chosen.note] if chosen.note else []
    if len(sound.tracks) > 1:
        named = f"tracks {' and '.join(map(str, numbers))}" if len(numbers) > 1 else f"track {numbers[0]}"
        notes.insert(0, f"{named} of {len(sound.tracks)} read")
        notes += [f"track {track.number} {track.problem}" for track in sound.tracks if track.problem]
    samples = Mixture([part.samples for part in together]) if len(together) > 1 else chosen.samples
    return Choice(samples, "; ".join(notes), _nothing_found(sound))


def discard(sound: Sound) -> None:
    """Remove the names of all files of a sound; those that are open stay readable."""
    for recording in sound.recordings:
        recording.mix.unlink(missing_ok=True)
        recording.channels_file.unlink(missing_ok=True)


def seconds(speech: "Sequence[Span]") -> float:
    """How long spans are together."""
    return sum(span.length_s for span in speech)


@dataclass(frozen=True)
class _Version:
    """One version of a track, and the speech in it."""

    track: Track
    samples: OnDisk
    speech: "Sequence[Span]"
    note: str = ""


def _best_channel(recording: Recording, mix: OnDisk) -> _Version:
    """The mix of a track, or the channel that has much more speech."""
    from ingest.speech.vad import find_speech

    best = _Version(recording.track, mix, find_speech(mix))
    in_mix_s = seconds(best.speech)
    if not recording.channels or in_mix_s >= ENOUGH * len(mix) / SAMPLE_RATE:
        return best
    for name, weights in _versions(recording.channels):
        samples = OnDisk(recording.channels_file, weights, recording.gain)
        speech = find_speech(samples)
        needed_s = max(MORE * in_mix_s, in_mix_s + MORE_S, seconds(best.speech) if best.note else 0.0)
        if seconds(speech) > needed_s:
            best = _Version(recording.track, samples, speech, f"{name} read: it has more speech than all together")
    return best


def _versions(channels: int) -> list[tuple[str, list[float]]]:
    """What may have speech that the mix has not: a name, and the weight of each channel."""
    names = ["left channel", "right channel"] if channels == 2 else [f"channel {n}" for n in range(1, channels + 1)]
    versions = [(name, [float(n == number) for n in range(channels)]) for number, name in enumerate(names)]
    return [*versions, ("difference of the channels", [0.5, -0.5])] if channels == 2 else versions


def _microphones(chosen: _Version, versions: Sequence[_Version]) -> list[_Version]:
    """Other tracks whose speech is elsewhere in time: the voices of one talk."""
    found: list[_Version] = []
    for part in versions:
        spoken_s = seconds(part.speech)
        shared_s = max((_shared(part.speech, other.speech) for other in [chosen, *found]), default=0.0)
        if part is not chosen and spoken_s - shared_s >= ALONE_S and shared_s <= TOGETHER * spoken_s:
            found.append(part)
    return found


def _shared(one: "Sequence[Span]", other: "Sequence[Span]") -> float:
    """Seconds that are in spans of both."""
    overlaps = (min(a.end, b.end) - max(a.start, b.start) for a in one for b in other)
    return sum(overlap for overlap in overlaps if overlap > 0) / SAMPLE_RATE


def _speaks(track: Track, languages: Sequence[str]) -> bool:
    """Whether the tag of a track is one of the languages, in any country: "deu", "ger" and "de-AT" are "de"."""
    tag = track.language.replace("_", "-").split("-")[0]
    try:
        return any(langcodes.tag_distance(code, tag) <= SAME for code in languages)
    except LanguageTagError:
        return False


def _nothing_found(sound: Sound) -> str:
    """Why a transcript of this sound may be empty."""
    examined = len(sound.recordings)
    where = "the audio track" if len(sound.tracks) == 1 else f"{examined} audio track{'s' * (examined > 1)}"
    if max(recording.peak for recording in sound.recordings) < SILENT_PEAK:
        reason = f"no sound in {where}"
    else:
        reason = f"no speech found in {where}"
    skipped = [f"track {track.number} {track.problem}" for track in sound.tracks if track.problem]
    unseen = len(sound.tracks) - examined - len(skipped)
    return "; ".join([reason, *skipped, *([f"{unseen} more not examined"] if unseen > 0 else [])])
