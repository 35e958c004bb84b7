"""Media files -> arrays: the audio of any container as 16 kHz mono samples, a frame of a video, an image as RGB.

Every file is hostile: only plain containers are opened, nothing they point at is followed, sizes are bounded, and
whatever cannot be read is a MediaError with one sentence that holds no file name (the ledger counts equal errors).
Decoders are C code that a broken file may crash: callers run these functions in worker processes
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

SAMPLE_RATE = 16_000  # Hz, what Whisper hears
MAX_AUDIO_S = 6 * 3_600.0  # the site takes uploads of an hour, live streams last longer; beyond, a file is endless
BLOCK = 60 * SAMPLE_RATE  # samples that are worked on at once where all of them would not fit into memory
AUDIO_RATES = range(4_000, 384_001)  # Hz; a header that claims less would blow up on resampling
MAX_LOST = 0.02  # share of the claimed length that may be missing before a file counts as broken off ...
MAX_LOST_S = 0.25  # ... and seconds on top: containers round, and encoders pad
MAX_GAP_S = 0.1  # by which audio may be off its time stamps before it is moved: containers round, the resampler lags
MAX_OVERLAP_S = 1.0  # by which audio may run ahead of its time stamps and be cut; they are broken beyond
MAX_PEAK = 2.0  # lossy codecs overshoot 1 a little; beyond, float samples are of some other scale, or damaged
LOUD_QUANTILE = 0.999  # the loudness of what is beyond MAX_PEAK: single broken samples do not set it
LOUD_SAMPLES = 1_000_000  # evenly spread, that tell it
MAX_PIXELS = 40_000_000  # slides come from phone cameras (12 to 24 megapixels); 40 as RGB are 120 MB
POSTER_WITHIN_S = 5.0  # a cover stands for the start of a video
POSTER_STEP_S = 0.25  # how far apart the frames are that are looked at
BLANK_STDDEV = 8.0  # of luma 0 to 255: below it a frame is one colour with noise
CONTAINERS = "mov,matroska,mp3,wav,flac,ogg,aac,avi,mpegts,mpeg,flv,asf,caf,aiff,amr"  # none follows references
LENGTHLESS = {"mp3", "aac", "mpegts", "mpeg", "amr"}  # here FFmpeg guesses the length from the bit rate
_TOO_LARGE = f"the picture is larger than {MAX_PIXELS // 1_000_000} megapixels"
IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "PPM")


class MediaError(UserError):
    """A media file cannot be read; the message is one sentence for the ledger."""


class NoStream(MediaError):
    """The file is sound but has no audio (or no pictures)."""


def audio(path: Path) -> NDArray[np.float32]:
    """The first audio track: float32 samples at SAMPLE_RATE, mono, about -1 to 1, on the timeline of the file.

    Sample n is heard n / SAMPLE_RATE seconds into the video: a late start and gaps are zeros, overlaps are cut.

    Raises:
        NoStream: the file has no audio track.
        MediaError: it is broken, breaks off, is encrypted, or longer than MAX_AUDIO_S.
    """
    samples = np.concatenate(list(_pieces(path)))
    _into_range(samples)
    return samples


def save_audio(path: Path, target: Path) -> None:
    """What `audio` gives, written as it is decoded, so that hours of it take no memory: raw float32; raises the same.

    Raises:
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
    """A picture that stands for a video: the first frame of its first seconds that is not blank, upright, RGB.

    Raises:
        NoStream: the file has no pictures.
        MediaError: no frame of it can be read.
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
    """An image as RGB, upright as its EXIF says, transparency on white.

    Raises:
        MediaError: it is broken, cut short, too large, or of a format not in IMAGE_FORMATS.
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
        raise MediaError("the image needs more memory than there is") from error
    except Exception as error:  # Pillow's readers raise of every kind on hostile files: struct, key, syntax errors
        raise MediaError(f"the image cannot be read: {_reason(error, path)}") from error


def upright(frame: av.VideoFrame) -> Image.Image:
    """A decoded frame as the player shows it, RGB."""
    return Image.fromarray(frame.to_ndarray(format="rgb24")).rotate(frame.rotation, expand=True)


def open_container(path: Path) -> InputContainer:
    """A container of a plain format, which makes FFmpeg open no other file.

    Raises:
        MediaError: it is of another format.
        av.FFmpegError: it is broken.
    """
    options = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
    try:
        return av.open(str(path), options=options, metadata_errors="replace")
    except av.ArgumentError as error:  # so FFmpeg answers where a format is not on the list
        raise MediaError("the file is no video or sound of a format read here") from error


def decodable(container: InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """The frames of a track, without those whose data are damaged."""
    for packet in container.demux(stream):
        try:
            yield from stream.decode(packet)
        except av.InvalidDataError:
            continue


def _pieces(path: Path) -> Iterator[NDArray[np.float32]]:
    """The samples as they are decoded, finite, of any loudness; raises as `audio` does, some of it after the last."""
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
    reached_s = 0.0  # where the last packet of any track ends
    claims_s: Counter[float] = Counter()  # what each audio packet claims to hold, in seconds; there are millions
    fullest_s = 0.0  # what the fullest of them does hold
    for packet in container.demux():
        if packet.pts is not None and packet.time_base is not None:
            reached_s = max(reached_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.stream is not stream:
            continue
        claims_s[float((packet.duration or 0) * (packet.time_base or 0))] += 1
        try:
            frames = stream.decode(packet)
        except av.InvalidDataError:  # one bad packet loses milliseconds; many show in the sum below
            continue
        fullest_s = max(fullest_s, sum(frame.samples / max(frame.sample_rate, 1) for frame in frames))
        for frame in frames:
            late = 0 if frame.time is None else round((frame.time - start_s) * SAMPLE_RATE) - samples
            # What starts after MAX_AUDIO_S has a broken time stamp: an honest file was too long before.
            if late > MAX_GAP_S * SAMPLE_RATE and samples + late <= MAX_AUDIO_S * SAMPLE_RATE:
                samples += late
                for done in range(0, late, BLOCK):
                    yield np.zeros(min(BLOCK, late - done), np.float32)
            # Each join of two recordings, and each slow clock, would move all that follows by some milliseconds more.
            ahead = -MAX_OVERLAP_S * SAMPLE_RATE <= late < -MAX_GAP_S * SAMPLE_RATE
            for piece in resampler.resample(frame):
                decoded += piece.samples
                if not ahead:
                    yield piece.to_ndarray()[0]
                    samples += piece.samples
        if samples > MAX_AUDIO_S * SAMPLE_RATE:
            raise MediaError(f"the audio is longer than {MAX_AUDIO_S / 60:.0f} minutes")
    if not decoded:
        raise MediaError("the audio track holds nothing that can be decoded")
    yield from (piece.to_ndarray()[0] for piece in resampler.resample(None))
    claimed_s = 0.0 if container.format.name in LENGTHLESS else (container.duration or 0) / av.time_base
    if reached_s < claimed_s * (1 - MAX_LOST) - MAX_LOST_S:
        raise MediaError("the file breaks off before the end that it claims")
    # A packet before a gap claims the gap too (mp4): none holds more than the fullest.
    audio_s = sum(count * min(claim_s, fullest_s) for claim_s, count in claims_s.items())
    if decoded / SAMPLE_RATE < audio_s * (1 - MAX_LOST) - MAX_LOST_S:
        raise MediaError("much of the audio is damaged")


def _into_range(samples: NDArray[np.float32]) -> None:
    """Bring samples within MAX_PEAK: scaled where they are loud throughout, clipped where only single ones are."""
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
    """A grey picture of 16 or 32 bits, from its darkest to its lightest; Pillow itself would cut all above 255."""
    levels = np.nan_to_num(np.array(image, np.float32), copy=False, posinf=0.0, neginf=0.0)
    levels -= levels.min()
    levels *= 255.0 / max(float(levels.max()), 1e-30)
    return Image.fromarray(levels.astype(np.uint8))


def _turned(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # the pixels are sound, only the EXIF block is not: better askew than lost
        return image


def check_pixels(width: int, height: int) -> None:
    """Raise MediaError for a picture that would take too much memory."""
    if width * height > MAX_PIXELS:
        raise MediaError(_TOO_LARGE)


def broken(error: Exception) -> MediaError:
    """What a library says of a broken file, as one sentence."""
    return MediaError(f"the file is broken or breaks off: {getattr(error, 'strerror', None) or error}")


def _reason(error: Exception, path: Path) -> str:
    """The error in words that do not differ from file to file."""
    if isinstance(error, UnidentifiedImageError):
        return "it is no image of a format read here, or broken"
    return re.sub(r" ?\([^)]*\)", "", str(error).replace(str(path), "it")) or type(error).__name__
