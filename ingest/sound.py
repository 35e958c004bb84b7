"""The audio tracks of any container -> 16 kHz mono samples on the timeline of the file, in memory or on disk.

A track is mixed to mono piece by piece. Where its channels cancel each other out, they are aligned first: the sum of
a channel and its negative is silence. What was said in only one channel may be lost in the mix, so if the channels
differ, they are saved as well. `ingest.stages.choose_sound` chooses among tracks and channels by the speech in them.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from numpy.typing import NDArray

from ingest.media import (
    DAMAGED_PACKET,
    MAX_TRACKS,
    SAMPLE_RATE,
    MediaError,
    NoStream,
    broken,
    open_container,
    undecodable,
)

MAX_AUDIO_S = 6 * 3_600.0  # the site accepts uploads of an hour, and live streams last longer; a longer file is endless
MAX_TRACKS_S = 2 * MAX_AUDIO_S  # of all tracks of a file together: they lie on the disk until one is chosen
BLOCK = 60 * SAMPLE_RATE  # samples that are processed at once: all of them may not fit into memory
AUDIO_RATES = range(4_000, 384_001)  # Hz; resampling from a lower rate would need too much memory
MAX_LOST = 0.02  # share of the claimed length that may be missing before a file counts as cut ...
MAX_LOST_S = 0.25  # ... and seconds on top: containers round, and encoders pad
MAX_GAP_S = 0.1  # between audio and its time stamps before it is moved: containers round, the resampler lags
MAX_OVERLAP_S = 1.0  # by which audio may overlap with earlier audio and be cut; beyond it, time stamps are broken
MAX_PEAK = 2.0  # lossy codecs exceed 1 a little; beyond it, samples have another scale or are damaged
HIGHEST = 1e9  # sample: the energy of larger ones has no float32
LOUD_QUANTILE = 0.999  # of the samples: taken as the scale, so that single broken samples do not matter
LOUD_SAMPLES = 1_000_000  # evenly spread, from which the quantile is computed
LENGTHLESS = {"mp3", "aac", "mpegts", "mpeg", "amr"}  # for these FFmpeg guesses the length from the bit rate

MIX_BLOCK = SAMPLE_RATE // 2  # samples that are mixed in one way: an edit may turn the phase in the middle of a video
CANCELLED = 0.2  # of the energy that the mix of unrelated channels has: with less, channels have cancelled out
OPPOSITE = -0.5  # correlation with the loudest channel, below which a channel is turned
DIFFER = 0.01  # of the energy of the mix, -20 dB: channels differ if more is in the difference between them
SAVED_CHANNELS = 8  # of a track with more, those behind them are in the mix only
SILENT_PEAK = 0.001  # -60 dB: quieter sound is the noise of an encoder

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Track:
    """An audio track as its container describes it. `number` counts audio tracks from 1."""

    number: int
    language: str = ""  # its tag, mostly three letters of ISO 639-2
    default: bool = False
    aside: bool = False  # a commentary or a description of the pictures
    problem: str = ""  # why it cannot be transcribed: "is encrypted"


@dataclass(frozen=True)
class Recording:
    """A decoded track: the file of its mix, and one of its channels if they differ.

    The mix is raw float32. Of the channels, the file has float16 [samples, channels], to be multiplied by `gain`.
    """

    track: Track
    mix: Path
    channels_file: Path
    channels: int = 0  # in `channels_file`; 0: there is no such file
    gain: float = 1.0
    peak: float = 0.0


@dataclass(frozen=True)
class Sound:
    """The audio tracks of a file, and what could be decoded of them."""

    tracks: tuple[Track, ...]  # in the order of the file
    recordings: tuple[Recording, ...]  # the best by the tags of the container first


def audio(path: Path) -> Float:
    """Decode an audio track: float32 samples at SAMPLE_RATE, mono, about -1 to 1, on the timeline of the file.

    Sample n is at n / SAMPLE_RATE seconds of the video: a late start and gaps are zeros, overlaps are cut. Of several
    tracks it is the first that can be decoded, default tracks before others.

    Raises:
        NoStream: the file has no audio track.
        MediaError: it is broken, cut, encrypted, or longer than MAX_AUDIO_S.
    """
    samples = np.concatenate([mix for mix, _ in _mixed(path, _usable(audio_tracks(path))[0])])
    _into_range(samples)
    return samples


def audio_tracks(path: Path) -> tuple[Track, ...]:
    """The audio tracks of a file in its order.

    Raises:
        NoStream: the file has no audio track.
        MediaError: it is broken.
    """
    try:
        with open_container(path) as container:
            tracks = tuple(_track(stream, number) for number, stream in enumerate(container.streams.audio, 1))
    except (av.FFmpegError, OSError, ValueError, UnicodeError) as error:
        raise broken(error) from error
    if not tracks:
        raise NoStream("the file has no audio track")
    return tracks


def save_sound(path: Path, target: Path) -> Sound:
    """Decode every audio track into files whose names begin with `target`, without holding all of it in memory.

    Raises:
        NoStream: the file has no audio track.
        MediaError: none can be decoded; the reason is that of the first.
        OSError: a file cannot be written.
    """
    tracks = {track.number: track for track in audio_tracks(path)}
    recordings: list[Recording] = []
    errors: list[MediaError] = []
    for track in _usable(tuple(tracks.values()))[: _bearable(path)]:
        try:
            recordings.append(_save(path, track, target.with_name(f"{target.name}.{track.number}")))
        except MediaError as error:
            errors.append(error)
            tracks[track.number] = replace(track, problem=f"cannot be read: {error}")
    if not recordings:
        raise errors[0]
    return Sound(tuple(tracks.values()), tuple(recordings))


def _track(stream: av.AudioStream, number: int) -> Track:
    problem = undecodable(stream)
    if not problem and stream.rate not in AUDIO_RATES:
        problem = f"claims a sample rate of {stream.rate} Hz"
    shown = stream.disposition
    return Track(
        number,
        stream.language or "",
        bool(shown & Disposition.default),
        bool(shown & (Disposition.comment | Disposition.visual_impaired | Disposition.dependent)),
        problem,
    )


def _usable(tracks: tuple[Track, ...]) -> list[Track]:
    usable = [track for track in tracks if not track.problem]
    if not usable:
        raise MediaError(f"the audio {tracks[0].problem}")
    return sorted(usable, key=lambda track: (track.aside, not track.default, track.number))


def _bearable(path: Path) -> int:
    """How many tracks of a file may be decoded: long ones need much of the disk."""
    try:
        with open_container(path) as container:
            length_s = (container.duration or 0) / av.time_base
    except (av.FFmpegError, OSError, ValueError, UnicodeError) as error:
        raise broken(error) from error
    return max(1, min(MAX_TRACKS, int(MAX_TRACKS_S // max(length_s, 1.0))))


def _save(path: Path, track: Track, target: Path) -> Recording:
    recording = Recording(track, target, target.with_name(f"{target.name}.channels"))
    peak = mixed = between = 0.0  # of the mix: its peak and energy; the energy in the difference of the channels
    channels = 0
    try:
        with target.open("wb") as file, recording.channels_file.open("wb") as single:
            for mix, block in _mixed(path, track):
                peak = max(peak, _peak(mix))
                file.write(mix.tobytes())
                channels = min(block.shape[1], SAVED_CHANNELS)
                if channels > 1:
                    middle = block.mean(axis=1)
                    mixed += _energy(middle)
                    between += _energy(block) / block.shape[1] - _energy(middle)
                    single.write(block[:, :channels].clip(-60_000, 60_000).astype(np.float16).tobytes())
    except BaseException:
        target.unlink(missing_ok=True)
        recording.channels_file.unlink(missing_ok=True)
        raise
    gain = _into_range(np.memmap(target, np.float32, "r+")) if peak > MAX_PEAK else 1.0
    if between <= DIFFER * mixed:
        recording.channels_file.unlink()
        channels = 0
    return replace(recording, channels=channels, gain=gain, peak=peak)


# -- one track ----------------------------------------------------------------------------------------------------


def _mixed(path: Path, track: Track) -> Iterator[tuple[Float, Float]]:
    """Yield (mono samples [n], samples of the channels [n, channels]) in pieces. Some errors are raised at the end."""
    try:
        with open_container(path) as container:
            left: list[Float] = []
            count = 0
            for piece in _decoded(container, container.streams.audio[track.number - 1]):
                left.append(np.nan_to_num(piece, copy=False, nan=0.0, posinf=0.0, neginf=0.0).clip(-HIGHEST, HIGHEST))
                count += len(piece)
                if count >= MIX_BLOCK:
                    block = np.concatenate(left)
                    yield mono(block), block
                    left, count = [], 0
            if left:
                block = np.concatenate(left)
                yield mono(block), block
    except (av.FFmpegError, OSError, ValueError, UnicodeError) as error:
        raise broken(error) from error


def mono(block: Float) -> Float:
    """Mix a block [n, channels] to [n]. Channels that would cancel each other out are aligned to the first."""
    count = block.shape[1]
    if count == 1:
        return block[:, 0]
    mix: Float = block.sum(axis=1) / np.float32(np.sqrt(count))  # the level of FFmpeg's mix
    energies = np.einsum("ij,ij->j", block, block).astype(np.float64)
    if _energy(mix) >= CANCELLED * float(energies.sum()) / count:
        return mix
    loudest = int(energies.argmax())
    alike = (block[:, loudest] @ block) / np.sqrt(np.maximum(energies * energies[loudest], 1e-30))
    signs = np.where(alike < OPPOSITE, -1, 1) * (-1 if alike[0] < OPPOSITE else 1)  # as the first channel in all blocks
    return np.asarray(block @ signs / np.sqrt(count), np.float32)


def _decoded(container: InputContainer, stream: av.AudioStream) -> Iterator[Float]:
    """Yield pieces [n, channels] at SAMPLE_RATE, with zeros in gaps."""
    resamplers: dict[str, av.AudioResampler] = {}  # by format, layout and rate: a joined file changes them midway
    layout: av.AudioLayout | None = None  # of the first frame, to which later ones are brought
    channels = 1
    start_s = (container.start_time or 0) / av.time_base
    samples = decoded = 0  # with the zeros in gaps, and without
    reached_s = 0.0  # the end of the last packet of any track
    claims_s: Counter[float] = Counter()  # the claimed durations of audio packets, in seconds; there are millions
    longest_s = 0.0  # the longest actual duration of a packet
    for packet in container.demux():
        if packet.pts is not None and packet.time_base is not None:
            reached_s = max(reached_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.stream is not stream:
            continue
        claims_s[float((packet.duration or 0) * (packet.time_base or 0))] += 1
        try:
            frames = stream.decode(packet)
        except DAMAGED_PACKET:  # one bad packet loses milliseconds; the sum below detects many
            continue
        longest_s = max(longest_s, sum(frame.samples / max(frame.sample_rate, 1) for frame in frames))
        for frame in frames:
            if layout is None:
                layout, channels = frame.layout, frame.layout.nb_channels
            form = f"{frame.format.name} {frame.layout.name} {frame.sample_rate}"
            if form not in resamplers:
                resamplers[form] = av.AudioResampler(format="flt", layout=layout, rate=SAMPLE_RATE)
            late = 0 if frame.time is None else round((frame.time - start_s) * SAMPLE_RATE) - samples
            # A start after MAX_AUDIO_S is a broken time stamp: a valid file would be too long already.
            if late > MAX_GAP_S * SAMPLE_RATE and samples + late <= MAX_AUDIO_S * SAMPLE_RATE:
                samples += late
                for done in range(0, late, BLOCK):
                    yield np.zeros((min(BLOCK, late - done), channels), np.float32)
            # Without this, each join of recordings and each slow clock would shift all later audio by milliseconds.
            ahead = -MAX_OVERLAP_S * SAMPLE_RATE <= late < -MAX_GAP_S * SAMPLE_RATE
            for piece in resamplers[form].resample(frame):
                decoded += piece.samples
                if not ahead:
                    yield _columns(piece, channels)
                    samples += piece.samples
        if samples > MAX_AUDIO_S * SAMPLE_RATE:
            raise MediaError(f"the audio is longer than {MAX_AUDIO_S / 60:.0f} minutes")
    if not decoded:
        raise MediaError("nothing of the audio track can be decoded")
    for piece in resamplers[form].resample(None):
        yield _columns(piece, channels)
    claimed_s = 0.0 if container.format.name in LENGTHLESS else (container.duration or 0) / av.time_base
    if reached_s < claimed_s * (1 - MAX_LOST) - MAX_LOST_S:
        raise MediaError("the file ends before its claimed length")
    # In mp4 the duration of a packet before a gap includes the gap, so it is limited to the longest actual one.
    audio_s = sum(count * min(claim_s, longest_s) for claim_s, count in claims_s.items())
    if decoded / SAMPLE_RATE < audio_s * (1 - MAX_LOST) - MAX_LOST_S:
        raise MediaError("much of the audio is damaged")


def _columns(frame: av.AudioFrame, channels: int) -> Float:
    return np.asarray(frame.to_ndarray(), np.float32).reshape(-1, channels)


def _into_range(samples: Float) -> float:
    """Bring samples within MAX_PEAK: scale them if all are loud, clip them if only a few are. Return the factor."""
    if _peak(samples) <= MAX_PEAK:
        return 1.0
    some = np.abs(samples[:: max(1, len(samples) // LOUD_SAMPLES)])
    scale = np.float32(max(1.0, float(np.quantile(some, LOUD_QUANTILE))))
    for start in range(0, len(samples), BLOCK):
        block = samples[start : start + BLOCK]
        np.clip(block / scale, -MAX_PEAK, MAX_PEAK, out=block)
    return float(1 / scale)


def _peak(samples: Float) -> float:
    return max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))


def _energy(samples: Float) -> float:
    return float(np.vdot(samples, samples))
