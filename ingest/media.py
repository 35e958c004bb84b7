"""Media files -> pictures: a cover frame of a video, an image as RGB. Open containers and choose their video track.

Every file may be hostile: only plain containers are opened, references in them are not followed, sizes are bounded, and
a file that cannot be read is a MediaError whose message contains no file name (the ledger counts equal errors).
Decoders are C code that a broken file may crash, so callers run these functions in worker processes
(`ingest.stages.workers`).
"""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import av
import numpy as np
from av.container import InputContainer
from PIL import Image, ImageFilter, ImageOps, ImageStat, UnidentifiedImageError

from scraper.errors import UserError

SAMPLE_RATE = 16_000  # Hz, the input of Whisper
MAX_PIXELS = 40_000_000  # slides come from phone cameras (12 to 24 megapixels); 40 as RGB are 120 MB
POSTER_WITHIN_S = 5.0  # a cover shows the start of a video
POSTER_STEP_S = 0.25  # between the frames that are compared
MAX_TRACKS = 8  # video or audio tracks of one file that are looked at
# What decoders raise for a damaged packet, of which the next ones are independent. That of AAC returns -1, which is
# EPERM, and other numbers that are no error codes.
DAMAGED_PACKET = (av.InvalidDataError, av.PatchWelcomeError, av.PermissionError, av.UndefinedError)
ENCRYPTED = ("enca", "encv", "drms", "drmi")  # codec tags of encrypted tracks: they decode to noise
PICTURE_CODECS = ("mjpeg", "png", "bmp", "gif", "webp", "tiff")
GROUNDS = (255, 0, 128)  # levels of grey behind transparent pictures
VISIBLE = 64  # levels between a picture and its background: closer ones cannot be read
OPAQUE = 128  # of alpha 0 to 255
EDGE_SIZE = (1024, 1024)  # px, within which the edge to transparency is searched for
EDGE_PX = 15  # of a square around a pixel: strokes of letters are thinner
BLANK_STDDEV = 8.0  # of luma 0 to 255: below it, a frame is one colour with noise
CONTAINERS = "mov,matroska,mp3,wav,flac,ogg,aac,avi,mpegts,mpeg,flv,asf,caf,aiff,amr"  # without external references
_TOO_LARGE = f"the picture is larger than {MAX_PIXELS // 1_000_000} megapixels"
IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "PPM")


class MediaError(UserError):
    """A media file cannot be read. The message is for the ledger."""


class NoStream(MediaError):
    """The file is valid but has no audio (or no pictures)."""


def poster(path: Path) -> Image.Image:
    """A cover for a video: the first frame of its first seconds that is not blank, upright, RGB.

    Raises:
        NoStream: the file has no pictures.
        MediaError: no frame can be read.
    """
    best: Image.Image | None = None
    contrast = -1.0
    errors: list[MediaError] = []
    for number in range(video_tracks(path)):
        try:
            for image in _first_seconds(path, number):
                found = ImageStat.Stat(image.convert("L")).stddev[0]
                if found > contrast:
                    best, contrast = image, found
                if contrast >= BLANK_STDDEV:
                    return image
        except MediaError as error:
            errors.append(error)
    if best is None:
        raise errors[0] if errors else MediaError("no frame of the video can be read")
    return best


def _first_seconds(path: Path, number: int) -> Iterator[Image.Image]:
    """Frames of the start of a video track, until one cannot be read."""
    read, next_s = 0, 0.0
    try:
        with open_container(path) as container:
            stream = films(container)[number]
            check_pixels(stream.codec_context.width, stream.codec_context.height)
            start_s = (container.start_time or 0) / av.time_base
            for frame in decodable(container, stream):
                if (time_s := (frame.time or 0.0) - start_s) > POSTER_WITHIN_S and read:
                    return
                if time_s < next_s:
                    continue
                next_s = time_s + POSTER_STEP_S
                check_pixels(frame.width, frame.height)
                yield upright(frame)
                read += 1
    except (av.FFmpegError, OSError, ValueError, UnicodeError) as error:
        if not read:
            raise broken(error) from error


def open_image(source: Path | IO[bytes]) -> Image.Image:
    """Open an image, a file or its content: RGB, upright by its EXIF data, on a contrasting colour if transparent.

    Raises:
        MediaError: it is broken, cut, too large, or of a format that is not in IMAGE_FORMATS.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(source, formats=IMAGE_FORMATS) as image:
            check_pixels(*image.size)
            image.load()
            turned = _turned(image)
            if turned.mode[0] in "IF":
                turned = _eight_bits(turned)
            if not turned.has_transparency_data:
                return turned.convert("RGB")
            return _filled(turned.convert("RGBA"))
    except MediaError:
        raise
    except Image.DecompressionBombError as error:
        raise MediaError(_TOO_LARGE) from error
    except MemoryError as error:
        raise MediaError("the image needs more memory than is available") from error
    except Exception as error:  # Pillow raises many kinds of errors for hostile files: struct, key, syntax errors
        raise MediaError(f"the image cannot be read: {_reason(error, source)}") from error


def upright(frame: av.VideoFrame) -> Image.Image:
    """A decoded frame as a player shows it, RGB."""
    if any(component.is_alpha for component in frame.format.components):
        image = _filled(Image.fromarray(frame.to_ndarray(format="rgba")))
    else:
        image = Image.fromarray(frame.to_ndarray(format="rgb24"))
    return image.rotate(frame.rotation, expand=True)


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


def films(container: InputContainer) -> list[av.VideoStream]:
    """The video tracks that can be decoded, the best first: films, then single pictures, attached covers last.

    Raises:
        NoStream: there is none.
        MediaError: all are encrypted, or need a decoder that does not exist here.
    """
    streams = container.streams.video
    if not streams:
        raise NoStream("the file has no video track")
    problems = [undecodable(stream) for stream in streams]
    usable = [stream for stream, problem in zip(streams, problems, strict=True) if not problem]
    if not usable:
        raise MediaError(f"the video {problems[0]}")
    longest = max(stream.frames for stream in usable)  # 0 if the container does not count its frames

    def rank(stream: av.VideoStream) -> tuple[bool, bool, bool, int]:
        shown = stream.disposition
        attached = bool(shown & (av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails))
        picture = stream.codec_context.name in PICTURE_CODECS  # a cover without the flag, as some programs write it
        still = bool(shown & av.stream.Disposition.still_image) or stream.frames == 1 < longest or picture
        return attached, still, not shown & av.stream.Disposition.default, stream.index

    return sorted(usable, key=rank)


def video_tracks(path: Path) -> int:
    """How many video tracks can be decoded.

    Raises:
        NoStream, MediaError: as `films`, or the file is broken.
    """
    try:
        with open_container(path) as container:
            return min(len(films(container)), MAX_TRACKS)
    except (av.FFmpegError, OSError, ValueError, UnicodeError) as error:
        raise broken(error) from error


def undecodable(stream: av.AudioStream | av.VideoStream) -> str:
    """Why a track cannot be decoded, or ""."""
    if stream.codec_context is None:
        return "has an unknown codec"
    try:
        encrypted = stream.codec_context.codec_tag in ENCRYPTED
    except UnicodeDecodeError:  # PyAV expects letters, but the tags of AAC and FLAC in AVI are numbers
        encrypted = False
    return "is encrypted" if encrypted else ""


def decodable(container: InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """The frames of a track, without damaged ones."""
    for packet in container.demux(stream):
        try:
            yield from stream.decode(packet)
        except DAMAGED_PACKET:
            continue


def _filled(layer: Image.Image) -> Image.Image:
    """An RGBA picture on the background on which most of it can be seen: white letters on black, others on white.

    Only what borders on transparency counts: the rest does not touch the background.
    """
    small = layer.copy()
    small.thumbnail(EDGE_SIZE)
    alpha = small.getchannel("A")
    clear = np.asarray(alpha.filter(ImageFilter.MinFilter(EDGE_PX)), np.float32)
    weight = np.asarray(alpha, np.float32) * (clear < OPAQUE)
    luma = np.asarray(small.convert("RGB").convert("L"), np.float32)
    lost = {ground: float(weight[np.abs(luma - ground) < VISIBLE].sum()) for ground in GROUNDS}
    ground = min(GROUNDS, key=lambda level: lost[level])  # the first of equal ones: white
    background = Image.new("RGBA", layer.size, (ground, ground, ground, 255))
    return Image.alpha_composite(background, layer).convert("RGB")


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


def _reason(error: Exception, source: Path | IO[bytes]) -> str:
    """The error in words that are the same for every file."""
    if isinstance(error, UnidentifiedImageError):
        return "it is not an image of a known format, or broken"
    return re.sub(r" ?\([^)]*\)", "", str(error).replace(str(source), "it")) or type(error).__name__
