"""Entries of the catalog -> small pictures of them, each made once and kept in the data folder.

They are a cache: the folder may be deleted at any time. `erasure` deletes those of removed videos.
"""

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingest.catalog.entries import Entry, Media
from ingest.catalog.media_damage import damage
from ingest.stages.workers import Worker
from scraper.errors import UserError
from scraper.files import make_private

log = logging.getLogger(__name__)

FOLDER = "thumbnails"
PICTURE_LIMIT_S = 10.0
STRIP_LIMIT_S = 30.0
MAX_FRAMES = 8  # of a strip
MIN_STEP_S = 1.0  # between them
RETRY_S = 86_400.0  # after a picture could not be made; the file is broken, or the machine was busy


def frame_times(duration_s: float) -> list[float]:
    """Return the times of the frames in the strip of a video, in seconds: the middles of equal parts."""
    count = max(1, min(MAX_FRAMES, int(duration_s / MIN_STEP_S)))
    return [round(duration_s * (number + 0.5) / count, 2) for number in range(count)]


def folder_of(data: Path, video_id: str) -> Path:
    """Return the folder of a video's small pictures."""
    return data / FOLDER / video_id[-2:] / video_id


def erase(data: Path, video_id: str) -> Path:
    """Delete the small pictures of a video; return the folder that they were in."""
    folder = folder_of(data, video_id)
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    return folder.parent


class Thumbnails:
    """The small pictures of the videos in a data folder. It can be used by several threads.

    `is_there` says of an id whether its video is still in the catalog: one that is removed while its picture is made
    leaves none.
    """

    def __init__(self, data: Path, is_there: Callable[[str], bool]) -> None:
        self._data, self._is_there = data, is_there
        self._media = (data / "media").resolve()
        self._pictures, self._strips = Worker(), Worker()  # a video that takes long does not delay the covers

    def stop(self) -> None:
        """End the processes that make pictures."""
        self._pictures.stop()
        self._strips.stop()

    def source(self, entry: Entry) -> Media | None:
        """Return the file that a thumbnail is made of: the cover, else the first slide, else the video."""
        return next((file for kind in ("cover", "slide", "video") if (file := self._file(entry, kind))), None)

    def thumbnail(self, entry: Entry) -> Path | None:
        """Return the thumbnail of a video, or None if there is none and none can be made."""
        from ingest.thumbnails import poster_thumbnail, thumbnail

        if not (file := self.source(entry)):
            return None
        make = poster_thumbnail if file.kind == "video" else thumbnail

        def made(target: Path) -> None:
            self._pictures.run(make, file.path, target, limit_s=PICTURE_LIMIT_S)

        return self._kept(entry.video.id, "thumbnail", file, made)

    def strip(self, entry: Entry, duration_s: float) -> Path | None:
        """Return the frames of a video of this length in one picture, or None if there is none and none can be made."""
        from ingest.thumbnails import strip

        if not (file := self._file(entry, "video")):
            return None

        def made(target: Path) -> None:
            self._strips.run(strip, file.path, frame_times(duration_s), target, limit_s=STRIP_LIMIT_S)

        return self._kept(entry.video.id, "frames", file, made)

    def _file(self, entry: Entry, kind: Any) -> Media | None:
        file = entry.file(kind)
        inside = file and file.path.resolve().is_relative_to(self._media)
        return file if file and inside and not damage(file) else None

    def _kept(self, video_id: str, name: str, file: Media, make: Callable[[Path], None]) -> Path | None:
        """Return the kept picture of a file, or make it. An empty file says that none could be made."""
        folder = folder_of(self._data, video_id)
        target = folder / f"{name}-{file.sha256[:16]}.webp"
        try:
            known = target.stat()
            if known.st_size:
                return target
            if time.time() - known.st_mtime < RETRY_S:
                return None
        except OSError:
            pass
        try:
            make_private(folder)
            make(target)
            for old in folder.glob(f"{name}-*.webp"):
                if old != target:
                    old.unlink(missing_ok=True)
            if self._is_there(video_id):
                return target
            erase(self._data, video_id)
        except UserError as error:
            log.info("no small picture of video %s: %s", video_id, error)
            self._remember_failure(target)
        except OSError as error:  # such as a full disk, or a folder that cannot be written: the page goes without
            log.warning("no small picture of video %s: %s", video_id, error)
        return None

    def _remember_failure(self, target: Path) -> None:
        try:
            target.write_bytes(b"")
        except OSError as error:
            log.warning("%s cannot be written: %s", target, error)
