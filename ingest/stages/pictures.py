"""The pictures stage: covers, slides and videos -> small pictures of what they show, for search by vision.

It runs only if a vision model is chosen. What it makes depends on no model: another model uses the same pictures.
"""

import contextlib
import hashlib
import io
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ingest.catalog import Catalog, Entry
from ingest.catalog.media_damage import damage
from ingest.catalog.picture_store import UNKNOWN, Fingerprint, Kind, NewPicture, PictureStore
from ingest.progress import Progress, ProgressMode
from ingest.stages.media_files import FRAME, MediaKey, check_exists, is_damaged
from ingest.stages.workers import WorkerError, cores, each
from scraper.disk import concerns_all, explain
from scraper.errors import Locked, UserError

if TYPE_CHECKING:
    from PIL import Image

    from ingest.scenes import Picture

RULES = (
    1  # part of the recipe: increase it when a change here or in ingest/scenes.py makes older pictures worth replacing
)
RECIPE = f"scenes rules={RULES}"
QUALITY = 80
DECODE_LIMIT_S = 240.0  # as for text; see ingest/stages/ocr.py
PICTURE_LIMIT_S = 10.0
MAX_STILLS = 40  # covers and slides of one video


@dataclass
class PicturesReport:
    """What a run did. `waiting` are videos whose media are not there yet."""

    done: int = 0
    failed: int = 0
    waiting: int = 0
    pictures: int = 0
    seconds: float = field(default=0.0, compare=False)
    failures: list[dict[str, str]] = field(default_factory=list, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return self.__dict__ | {"seconds": round(self.seconds, 3)}


@dataclass(frozen=True)
class _Job:
    stills: tuple[tuple[Kind, str, Path], ...]  # kind, label for errors, path
    video: Path | None


@dataclass(frozen=True)
class _Result:
    pictures: list[NewPicture]
    errors: str
    fingerprint: Fingerprint = UNKNOWN


def run_pictures(
    catalog: Catalog,
    *,
    ids: Sequence[str] | None = None,
    progress: ProgressMode | Progress = "off",
    processes: int | None = None,
    retry_failed: bool = False,
) -> PicturesReport:
    """Make the pictures of every video whose media have none yet, or have changed since.

    Args:
        ids: Process only these videos, in this order.
        retry_failed: Also try those again that failed.

    Raises:
        Locked: another run of this stage is active.
        UserError: the disk is full or cannot be written.
    """
    from ingest.copies import compare

    report, started = PicturesReport(), time.monotonic()
    with _only_run(catalog), PictureStore(catalog.data, create=True) as store:
        known = store.known()
        store.forget(set(known).difference(catalog.ids()))
        entries = catalog.entries(catalog.ids() if ids is None else ids)
        due = list(_due(entries, known, report, retry_failed))
        shown = progress if isinstance(progress, Progress) else Progress("pictures", len(due), progress, unit="videos")
        try:
            with contextlib.nullcontext() if shown is progress else shown:
                if shown is progress and due:
                    shown.step("pictures")
                _process(store, due, catalog.data, report, shown, processes or cores())
                compare(store)
        finally:
            report.seconds = time.monotonic() - started
    return report


def _due(
    entries: Iterator[Entry], known: dict[str, tuple[str, str, str]], report: PicturesReport, retry_failed: bool
) -> Iterator[tuple[str, str, _Job]]:
    """Yield the id, the inputs and the job of each video that is due."""
    for entry in entries:
        files = _files(entry)
        if not files:
            report.waiting += entry.states.get("download") == "due"
            continue
        inputs = hashlib.sha256(" ".join(media.sha256 for media in files).encode()).hexdigest()
        before = known.get(entry.video.id)
        if before and before[:2] == (inputs, RECIPE) and not (before[2] and retry_failed):
            continue
        stills: list[tuple[Kind, str, Path]] = [
            ("slide" if media.kind == "slide" else "cover", MediaKey(media.kind, media.position).label, media.path)
            for media in files
            if media.kind != "video"
        ]
        video = next((media.path for media in files if media.kind == "video"), None)
        yield entry.video.id, inputs, _Job(tuple(stills), video)


def _files(entry: Entry) -> list[Any]:
    """Return the files of a video that show something: not a cover that is a frame of the video itself."""
    whole = [media for media in entry.media if not damage(media) and not is_damaged(media)]
    video = [media for media in whole if media.kind == "video"][:1]
    still = [media for media in whole if media.kind in ("cover", "slide") and not (video and media.source == FRAME)]
    once = {media.sha256: media for media in reversed(still)}  # the cover of a photo post is one of its slides
    return [*list(reversed(once.values()))[:MAX_STILLS], *video]


def _process(
    store: PictureStore,
    due: Collection[tuple[str, str, _Job]],
    data: Path,
    report: PicturesReport,
    shown: Progress,
    processes: int,
) -> None:
    def limit_s(job: _Job) -> float:
        return PICTURE_LIMIT_S * len(job.stills) + (DECODE_LIMIT_S if job.video else 0.0)

    jobs = (((video_id, inputs), job) for video_id, inputs, job in due)
    for (video_id, inputs), result in each(_look, jobs, processes=processes, limit_s=limit_s):
        if isinstance(result, Exception):
            if known := concerns_all(result, data):
                raise known from result
            plain = isinstance(result, WorkerError | UserError)
            reason = str(result) if plain else explain(result, data) or f"{type(result).__name__}: {result}"
            result = _Result([], str(reason))
        store.put(video_id, inputs, RECIPE, result.pictures, result.errors, result.fingerprint)
        report.pictures += len(result.pictures)
        if result.errors:
            report.failed += 1
            report.failures.append({"video_id": video_id, "error": result.errors})
        else:
            report.done += 1
        shown.advance(outcome="failed" if result.errors else "done")


@contextlib.contextmanager
def _only_run(catalog: Catalog) -> Iterator[None]:
    try:
        with FileLock(catalog.data / ".pictures.lock", timeout=0):
            yield
    except Timeout as error:
        raise Locked(f"another `pictures` is running in {catalog.data}: wait until it is done, or stop it") from error


# -- in a worker process ------------------------------------------------------------------------------------------


def _look(job: _Job) -> _Result:
    """Return the pictures of one video. One that cannot be read does not affect the others."""
    from ingest.media import MediaError, NoStream
    from ingest.ocr.frames import Seen, look
    from ingest.scenes import MAX_PICTURES

    errors: list[str] = []
    seen = Seen([])
    if job.video:
        try:
            check_exists(job.video)
            seen = look(job.video, 0, MAX_PICTURES)
        except NoStream:
            pass  # a photo post with music
        except MediaError as error:
            errors.append(f"video: {error}")
    pictures, slides, still_errors = collect(job.stills, seen.pictures)
    fingerprint = seen.fingerprint or (UNKNOWN if errors or still_errors else slides)
    return _Result(pictures, "; ".join(errors + still_errors), fingerprint)


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


def sentence(report: PicturesReport) -> str:
    """What a run did, for people."""
    waiting = f", {report.waiting} waiting for their download" if report.waiting else ""
    return f"pictures: {report.pictures} of {report.done + report.failed} videos, {report.failed} failed{waiting}"
