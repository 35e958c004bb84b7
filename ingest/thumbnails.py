"""A picture or a video -> a small WebP picture: a thumbnail, or a strip of frames at even times.

Everything here decodes hostile files: run it in a worker process (`ingest.stages.workers`).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
from PIL import Image

from ingest.media import (
    MediaError,
    broken,
    check_pixels,
    decodable,
    films,
    open_container,
    open_image,
    poster,
    upright,
)
from scraper.files import replace_atomically

SIZE = (270, 480)  # px within which a thumbnail fits: twice what a phone shows of a cover in a grid
FRAME = (144, 256)  # px within which a frame of a strip fits
QUALITY = 75
MAX_DECODED = 600  # frames of a video between a key frame and the wanted time; then the last one is taken


def thumbnail(picture: Path, target: Path) -> None:
    """Write the thumbnail of a cover or a slide to `target`.

    Raises:
        MediaError: the picture cannot be read.
    """
    _save(_within(open_image(picture), SIZE), target)


def poster_thumbnail(video: Path, target: Path) -> None:
    """Write the thumbnail of a video that has no cover.

    Raises:
        MediaError: no frame can be read.
    """
    _save(_within(poster(video), SIZE), target)


def strip(video: Path, times: Sequence[float], target: Path) -> None:
    """Write the frames of a video at `times`, in seconds, next to each other in equal cells to `target`.

    A frame that cannot be read is replaced by the one before it.

    Raises:
        MediaError: no frame can be read.
    """
    shown: list[Image.Image | None] = []
    try:
        for image in _at(video, times):
            shown.append(_within(image, FRAME) if image else None)
    except (av.FFmpegError, OSError, ValueError, UnicodeError) as error:
        if not any(shown):
            raise broken(error) from error
    first = next((image for image in shown if image), None)
    if first is None:
        raise MediaError("no frame of the video can be read")
    whole = Image.new("RGB", (first.width * len(times), first.height))
    last = first
    for number in range(len(times)):
        last = (shown[number] if number < len(shown) else None) or last
        whole.paste(last.resize(first.size) if last.size != first.size else last, (number * first.width, 0))
    _save(whole, target)


def _at(video: Path, times: Sequence[float]) -> Iterator[Image.Image | None]:
    """Yield the frame at each time, or None if none can be read there."""
    with open_container(video) as container:
        stream = films(container)[0]
        check_pixels(stream.codec_context.width, stream.codec_context.height)
        start_s = (container.start_time or 0) / av.time_base
        for time_s in times:
            container.seek(int((start_s + time_s) * av.time_base))
            found: av.VideoFrame | None = None
            for number, frame in enumerate(decodable(container, stream)):
                found = frame
                if (frame.time or 0.0) - start_s >= time_s or number >= MAX_DECODED:
                    break
            if found is None:
                yield None
                continue
            check_pixels(found.width, found.height)
            yield upright(found)


def _within(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    image.thumbnail(size, Image.Resampling.LANCZOS)
    return image


def _save(image: Image.Image, target: Path) -> None:
    with replace_atomically(target) as part:
        image.save(part, "WEBP", quality=QUALITY, icc_profile="", exif=b"", xmp=b"")
