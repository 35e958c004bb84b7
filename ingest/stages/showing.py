"""Covers, slides and the frames of a video -> small pictures of what it shows, and by what its copies are recognised.

The pictures stage makes them, and the OCR stage on the way: it decodes the video anyway.
"""

import contextlib
import hashlib
import io
import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.catalog import Catalog, Entry
from ingest.catalog.media_damage import damage
from ingest.catalog.picture_store import UNKNOWN, Fingerprint, Kind, NewPicture, PictureStore
from ingest.stages.media_files import FRAME, MediaKey, check_exists
from scraper.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

    from ingest.ocr.frames import Seen
    from ingest.scenes import Picture

log = logging.getLogger(__name__)

RULES = (
    1  # part of the recipe: increase it when a change here or in ingest/scenes.py makes older pictures worth replacing
)
RECIPE = f"scenes rules={RULES}"
QUALITY = 80
MAX_STILLS = 40  # covers and slides of one video


@dataclass(frozen=True)
class Showing:
    """What of a video shows something: its stills (kind, label for errors, path), its film, and the sha256 of all."""

    stills: tuple[tuple[Kind, str, Path], ...]
    video: Path | None
    inputs: str


@dataclass(frozen=True)
class Shown:
    """What a video shows. `errors` says what could not be read."""

    pictures: list[NewPicture]
    errors: str
    fingerprint: Fingerprint = UNKNOWN


def due(entry: Entry, known: Mapping[str, tuple[str, str, str]], retry_failed: bool = False) -> Showing | None:
    """Return what is to be looked at of a video; None if nothing is new, or nothing is there.

    Args:
        known: inputs, recipe and error of each video that was looked at.
    """
    files = files_of(entry)
    if not files:
        return None
    inputs = hashlib.sha256(" ".join(media.sha256 for media in files).encode()).hexdigest()
    before = known.get(entry.video.id)
    if before and before[:2] == (inputs, RECIPE) and not (before[2] and retry_failed):
        return None
    stills: list[tuple[Kind, str, Path]] = [
        ("slide" if media.kind == "slide" else "cover", MediaKey(media.kind, media.position).label, media.path)
        for media in files
        if media.kind != "video"
    ]
    video = next((media.path for media in files if media.kind == "video"), None)
    return Showing(tuple(stills), video, inputs)


def files_of(entry: Entry) -> list[Any]:
    """Return the files of a video that show something: not a cover that is a frame of the video itself."""
    whole = [media for media in entry.media if not damage(media)]
    video = [media for media in whole if media.kind == "video"][:1]
    still = [media for media in whole if media.kind in ("cover", "slide") and not (video and media.source == FRAME)]
    once = {media.sha256: media for media in reversed(still)}  # the cover of a photo post is one of its slides
    return [*list(reversed(once.values()))[:MAX_STILLS], *video]


class OnTheWay:
    """Keeps what another stage has seen of videos while it read them.

    Args:
        store: None if nobody has chosen pictures yet: then nothing is looked at.
    """

    def __init__(self, store: PictureStore | None) -> None:
        self._store = store
        self._known = store.known() if store else {}

    def due(self, entry: Entry) -> Showing | None:
        """Return what is to be looked at of a video, if anything."""
        return due(entry, self._known) if self._store else None

    def put(self, video_id: str, showing: Showing, shown: Shown) -> None:
        """Keep what was seen of a video. If that fails, the pictures stage looks at it again."""
        if self._store:
            with _not_of_the_stage(f"the pictures of video {video_id} were not kept"):
                self._store.put(video_id, showing.inputs, RECIPE, shown.pictures, shown.errors, shown.fingerprint)


@contextlib.contextmanager
def on_the_way(catalog: Catalog, wanted: bool = True) -> Iterator[OnTheWay]:
    """Look at what videos show on the way, if pictures were chosen in this data folder before."""
    with PictureStore(catalog.data) as store:
        if not (wanted and store.exists):
            yield OnTheWay(None)
            return
        from ingest.stages.copies import compare

        yield OnTheWay(store)
        with _not_of_the_stage("copies were not looked for"):
            compare(store)


@contextlib.contextmanager
def _not_of_the_stage(what: str) -> Iterator[None]:
    """Log what goes wrong with pictures: the stage that makes them on its way has its own results."""
    try:
        yield
    except (sqlite3.Error, OSError, UserError) as error:
        log.warning("%s: %s", what, error)


# -- in a worker process ------------------------------------------------------------------------------------------


def look_at(showing: Showing) -> Shown:
    """Return what a video shows. One that cannot be read does not affect the others."""
    from ingest.media import MediaError, NoStream
    from ingest.ocr.frames import Seen, look
    from ingest.scenes import MAX_PICTURES

    seen, errors = Seen([]), list[str]()
    if showing.video:
        try:
            check_exists(showing.video)
            seen = look(showing.video, 0, MAX_PICTURES)
        except NoStream:
            pass  # a photo post with music
        except MediaError as error:
            errors.append(f"video: {error}")
    return shown_of(showing, seen, errors)


def shown_of(showing: Showing, seen: "Seen", errors: Sequence[str]) -> Shown:
    """Return what a video shows, whose frames were looked at already.

    Args:
        errors: of the film.
    """
    pictures, slides, still_errors = collect(showing.stills, seen.pictures)
    fingerprint = seen.fingerprint or (UNKNOWN if errors or still_errors else slides)
    return Shown(pictures, "; ".join([*errors, *still_errors]), fingerprint)


def collect(
    stills: Sequence[tuple[Kind, str, Path]], shown: Sequence["Picture"]
) -> tuple[list[NewPicture], Fingerprint, list[str]]:
    """Return covers, slides and pictures of a video as small WebP pictures, by what copies of the slides are
    recognised, and an error for each that cannot be read.

    Blank ones are left out, and stills that are almost equal to a picture of the video or an earlier still.
    """
    from PIL import Image

    from ingest.copies import grey_of, hash_of
    from ingest.media import MediaError, open_image
    from ingest.scenes import LARGEST, SIDE, is_blank, near, thumb_of

    def thumb(image: "Image.Image") -> Any:
        import numpy as np

        return thumb_of(np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)))

    kept = [thumb(picture.image) for picture in shown]
    pictures: list[NewPicture] = []
    hashes, errors = b"", list[str]()
    for kind, label, path in stills:
        try:
            check_exists(path)
            image = open_image(path)
        except MediaError as error:
            errors.append(f"{label}: {error}")
            continue
        if kind == "slide":
            hashes += hash_of(grey_of(image))
        small = thumb(image)
        if is_blank(small) or any(near(small, other) for other in kept):
            continue
        kept.append(small)
        image.thumbnail(LARGEST)
        pictures.append(NewPicture(kind, None, None, webp(image)))
    pictures += [NewPicture("video", one.start_s, one.end_s, webp(one.image)) for one in shown]
    return pictures, Fingerprint(None, hashes), errors


def webp(image: "Image.Image") -> bytes:
    """Return a picture as the picture store has it."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY, icc_profile="", exif=b"", xmp=b"")
    return buffer.getvalue()
