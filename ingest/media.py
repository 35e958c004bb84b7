"""Media files -> arrays: the audio of any container as 16 kHz mono samples, a frame of a video, an image as RGB.

Every file may be hostile: only plain containers are opened, references in them are not followed, sizes are bounded, and
a file that cannot be read is a MediaError whose message contains no file name (the ledger counts equal errors).
Decoders are C code that a broken file may crash, so callers run these functions in worker processes
(`ingest.stages.workers`).
"""

import re
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray
from PIL import Image, ImageOps, ImageStat, UnidentifiedImageError

from scraper.errors import UserError

SAMPLE_RATE = 16_000  # Hz, the input of Whisper
MAX_AUDIO_S = 6 * 3_600.0  # the site accepts uploads of an hour, and live streams last longer; a longer file is endless
BLOCK = 60 * SAMPLE_RATE  # samples that are processed at once: all of them may not fit into memory
AUDIO_RATES = range(4_000, 384_001)  # Hz; resampling from a lower rate would need too much memory
MAX_LOST = 0.02  # share of the claimed length that may be missing before a file counts as cut ...
MAX_LOST_S = 0.25  # ... and seconds on top: containers round, and encoders pad
MAX_GAP_S = 0.1  # between audio and its time stamps before it is moved: containers round, the resampler lags
MAX_OVERLAP_S = 1.0  # by which audio may overlap with earlier audio and be cut; beyond it, time stamps are broken
MAX_PEAK = 2.0  # lossy codecs exceed 1 a little; beyond it, samples have another scale or are damaged
LOUD_QUANTILE = 0.999  # of the samples: taken as the scale, so that single broken samples do not matter
LOUD_SAMPLES = 1_000_000  # evenly spread, from which the quantile is computed
MAX_PIXELS = 40_000_000  # slides come from phone cameras (12 to 24 megapixels); 40 as RGB are 120 MB
POSTER_WITHIN_S = 5.0  # a cover shows the start of a video
POSTER_STEP_S = 0.25  # between the frames that are compared
BLANK_STDDEV = 8.0  # of luma 0 to 255: below it, a frame is one colour with noise
CONTAINERS = "mov,matroska,mp3,wav,flac,ogg,aac,avi,mpegts,mpeg,flv,asf,caf,aiff,amr"  # without external references
LENGTHLESS = {"mp3", "aac", "mpegts", "mpeg", "amr"}  # for these FFmpeg guesses the length from the bit rate
_TOO_LARGE = f"the picture is larger than {MAX_PIXELS // 1_000_000} megapixels"
IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "PPM")


class MediaError(UserError):
    """A media file cannot be read. The message is for the ledger."""


class NoStream(MediaError):
    """The file is valid but has no audio (or no pictures)."""


def audio(path: Path) -> NDArray[np.float32]:
    """Decode the first audio track: float32 samples at SAMPLE_RATE, mono, about -1 to 1, on the timeline of the file.

    Sample n is at n / SAMPLE_RATE seconds of the video: a late start and gaps are zeros, overlaps are cut.

    Raises:
        NoStream: the file has no audio track.
        MediaError: it is broken, cut, encrypted, or longer than MAX_AUDIO_S.
    """
    samples = np.concatenate(list(_pieces(path)))
    _into_range(samples)
    return samples


def save_audio(path: Path, target: Path) -> None:
    """Write the samples of `audio` to a file as raw float32, without holding all of them in memory.

    Raises:
        NoStream, MediaError: as `audio`.
        OSError: the target cannot be written.
    """
    peak = 0.0
    with target.open("wb") as file:
        for piece in _pieces(path):
            peak = max(peak, _peak(piece))
            file.write(piece.tobytes())
    if peak > MAX_PEAK:
        _into_range(np.memmap(target, np.float32, "r+"))


def poster(path: Path) -> Image.Image:
    """A cover for a video: the first frame of its first seconds that is not blank, upright, RGB.

    Raises:
        NoStream: the file has no pictures.
        MediaError: no frame can be read.
    """
    best: Image.Image | None = None
    contrast, next_s = -1.0, 0.0
    try:
        with open_container(path) as container:
            if not container.streams.video:
                raise NoStream("the file has no video track")
            stream = container.streams.video[0]
            check_pixels(stream.codec_context.width, stream.codec_context.height)
            start_s = (container.start_time or 0) / av.time_base
            for frame in decodable(container, stream):
                if (time_s := (frame.time or 0.0) - start_s) > POSTER_WITHIN_S and best:
                    break
                if time_s < next_s:
                    continue
                next_s = time_s + POSTER_STEP_S
                check_pixels(frame.width, frame.height)
                image = upright(frame)
                found = ImageStat.Stat(image.convert("L")).stddev[0]
                if found > contrast:
                    best, contrast = image, found
                if contrast >= BLANK_STDDEV:
                    break
    except (av.FFmpegError, OSError, ValueError, UnicodeError) as error:
        if best is None:
            raise broken(error) from error
    if best is None:
        raise MediaError("no frame of the video can be read")
    return best


def open_image(path: Path) -> Image.Image:
    """Open an image as RGB, turned upright by its EXIF data, with transparency on white.

    Raises:
        MediaError: it is broken, cut, too large, or of a format that is not in IMAGE_FORMATS.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=IMAGE_FORMATS) as image:
            check_pixels(*image.size)
            image.load()
            turned = _turned(image)
            if turned.mode[0] in "IF":
                turned = _eight_bits(turned)
            if not turned.has_transparency_data:
                return turned.convert("RGB")
            layer = turned.convert("RGBA")
            white = Image.new("RGBA", layer.size, "white")
            return Image.alpha_composite(white, layer).convert("RGB")
    except MediaError:
        raise
    except Image.DecompressionBombError as error:
        raise MediaError(_TOO_LARGE) from error
    except MemoryError as error:
        raise MediaError("the image needs more memory than is available") from error
    except Exception as error:  # Pillow raises many kinds of errors for hostile files: struct, key, syntax errors
        raise MediaError(f"the image cannot be read: {_reason(error, path)}") from error


def upright(frame: av.VideoFrame) -> Image.Image:
    """A decoded frame as a player shows it, RGB."""
    return Image.fromarray(frame.to_ndarray(format="rgb24")).rotate(frame.rotation, expand=True)


def open_container(path: Path) -> InputContainer:
    """Open a container of a plain format, one that makes FFmpeg open no other file.

    Raises:
        MediaError: it has another format.
        av.FFmpegError: it is broken.
    """
    options = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
    try:
        return av.open(str(path), options=options, metadata_errors="replace")
    except av.ArgumentError as error:  # the answer of FFmpeg if a format is not on the list
        raise MediaError("the file is not a video or audio file of a known format") from error


def decodable(container: InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """The frames of a track, without damaged ones."""
    for packet in container.demux(stream):
        try:
            yield from stream.decode(packet)
        except av.InvalidDataError:
            continue


def _pieces(path: Path) -> Iterator[NDArray[np.float32]]:
    """Yield finite samples of any loudness as they are decoded. Some errors of `audio` are raised after the last."""
    try:
        with open_container(path) as container:
            if not container.streams.audio:
                raise NoStream("the file has no audio track")
            for piece in _decoded(container):
                yield np.nan_to_num(piece, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    except (av.FFmpegError, OSError, ValueError, UnicodeError) as error:
        raise broken(error) from error


def _decoded(container: InputContainer) -> Iterator[NDArray[np.float32]]:
    stream = container.streams.audio[0]
    if stream.codec_context.codec_tag in ("enca", "drms"):
        raise MediaError("the audio is encrypted")
    if stream.rate not in AUDIO_RATES:
        raise MediaError(f"the audio claims a sample rate of {stream.rate} Hz")
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
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
        except av.InvalidDataError:  # one bad packet loses milliseconds; the sum below detects many
            continue
        longest_s = max(longest_s, sum(frame.samples / max(frame.sample_rate, 1) for frame in frames))
        for frame in frames:
            late = 0 if frame.time is None else round((frame.time - start_s) * SAMPLE_RATE) - samples
            # A start after MAX_AUDIO_S is a broken time stamp: a valid file would be too long already.
            if late > MAX_GAP_S * SAMPLE_RATE and samples + late <= MAX_AUDIO_S * SAMPLE_RATE:
                samples += late
                for done in range(0, late, BLOCK):
                    yield np.zeros(min(BLOCK, late - done), np.float32)
            # Without this, each join of recordings and each slow clock would shift all later audio by milliseconds.
            ahead = -MAX_OVERLAP_S * SAMPLE_RATE <= late < -MAX_GAP_S * SAMPLE_RATE
            for piece in resampler.resample(frame):
                decoded += piece.samples
                if not ahead:
                    yield piece.to_ndarray()[0]
                    samples += piece.samples
        if samples > MAX_AUDIO_S * SAMPLE_RATE:
            raise MediaError(f"the audio is longer than {MAX_AUDIO_S / 60:.0f} minutes")
    if not decoded:
        raise MediaError("nothing of the audio track can be decoded")
    yield from (piece.to_ndarray()[0] for piece in resampler.resample(None))
    claimed_s = 0.0 if container.format.name in LENGTHLESS else (container.duration or 0) / av.time_base
    if reached_s < claimed_s * (1 - MAX_LOST) - MAX_LOST_S:
        raise MediaError("the file ends before its claimed length")
    # In mp4 the duration of a packet before a gap includes the gap, so it is limited to the longest actual one.
    audio_s = sum(count * min(claim_s, longest_s) for claim_s, count in claims_s.items())
    if decoded / SAMPLE_RATE < audio_s * (1 - MAX_LOST) - MAX_LOST_S:
        raise MediaError("much of the audio is damaged")


def _into_range(samples: NDArray[np.float32]) -> None:
    """Bring samples within MAX_PEAK: scale them if all are loud, clip them if only a few are."""
    if _peak(samples) <= MAX_PEAK:
        return
    some = np.abs(samples[:: max(1, len(samples) // LOUD_SAMPLES)])
    scale = np.float32(max(1.0, float(np.quantile(some, LOUD_QUANTILE))))
    for start in range(0, len(samples), BLOCK):
        block = samples[start : start + BLOCK]
        np.clip(block / scale, -MAX_PEAK, MAX_PEAK, out=block)


def _peak(samples: NDArray[np.float32]) -> float:
    return max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))


def _eight_bits(image: Image.Image) -> Image.Image:
    """A grey picture of 16 or 32 bits, scaled from its darkest to its lightest value; Pillow would clip above 255."""
    levels = np.nan_to_num(np.array(image, np.float32), copy=False, posinf=0.0, neginf=0.0)
    levels -= levels.min()
    levels *= 255.0 / max(float(levels.max()), 1e-30)
    return Image.fromarray(levels.astype(np.uint8))


def _turned(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # only the EXIF data is broken: better not upright than lost
        return image


def check_pixels(width: int, height: int) -> None:
    """Raise MediaError for a picture that would need too much memory."""
    if width * height > MAX_PIXELS:
        raise MediaError(_TOO_LARGE)


def broken(error: Exception) -> MediaError:
    """The error of a library for a broken file, as a MediaError."""
    return MediaError(f"the file is broken or cut: {getattr(error, 'strerror', None) or error}")


def _reason(error: Exception, path: Path) -> str:
    """The error in words that are the same for every file."""
    if isinstance(error, UnidentifiedImageError):
        return "it is not an image of a known format, or broken"
    return re.sub(r" ?\([^)]*\)", "", str(error).replace(str(path), "it")) or type(error).__name__
