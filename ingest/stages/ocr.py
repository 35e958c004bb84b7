"""The ocr stage: covers, slides and videos -> the text that they show, with the seconds at which a video shows it."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ingest import ocr_packs
from ingest.catalog import Catalog, Entry, Segment, Text
from ingest.catalog.languages import of_video
from ingest.catalog.media_damage import damage
from ingest.cluster.connection import Cluster
from ingest.cluster.jobs import Source
from ingest.cluster.work import Needs, Work
from ingest.ocr import engine as ocr
from ingest.ocr.engine import Reading
from ingest.ocr.look_alikes import script_of
from ingest.ocr.result import OcrError
from ingest.settings import Settings
from ingest.stages.media_files import DAMAGED, FRAME, MediaKey, check_exists, is_damaged
from ingest.stages.on_nodes import each_on_nodes
from ingest.stages.showing import OnTheWay, Showing, Shown, on_the_way, shown_of
from ingest.stages.stage_run import StageRun
from ingest.stages.workers import Isolated, cores, each
from scraper.files import remove_leftovers, replace_atomically

if TYPE_CHECKING:
    from ingest.ocr.frames import Frame, Seen

PICTURES = ("cover", "slide")
DECODE_LIMIT_S = 240.0  # for the frames of one video; three minutes take 5 s, hours with few key frames a minute
WORKER_BYTES = 1_000_000_000  # of memory that a worker on a node needs: its process, and RapidOCR's models
RULES = 1  # part of the recipe: increase it when a change here makes older texts worth replacing

TimedReading = tuple[float, float, Reading]  # the seconds from and to which a video shows it


def recipes(settings: Settings) -> tuple[str, str]:
    """The settings that a text depends on: of posts with a video, and of posts without one."""
    used = ocr.available(settings.ocr_engine)  # where RapidOCR is missing, "auto" gives the texts of Tesseract
    packs = "" if used == "rapidocr" else f" {settings.ocr_languages}"  # RapidOCR has no packs
    engine = f"{'rapidocr+tesseract' if used == 'auto' else used}{packs}"  # "auto" was once Tesseract first
    return f"{engine} frames={settings.frames} rules={RULES}", f"{engine} rules={RULES}"


@dataclass(frozen=True)
class _Job:
    """The files of one video. Without pictures, a worker saves a frame of the video as its cover."""

    pictures: tuple[tuple[str, Path], ...]  # label for errors, and path
    video: Path | None
    frame: Path
    errors: tuple[str, ...] = ()  # of damaged files, which are not read
    script: str = ""  # of the description
    language: str = ""  # of the video, as far as its other texts tell
    sources: tuple[Source, ...] = ()  # what nodes of a cluster check pictures and video by
    showing: Showing | None = None  # what it shows is wanted as well

    @property
    def output(self) -> Path:
        """The cover that is made if there is none."""
        return self.frame

    def at(self, places: Mapping[Path, Path]) -> "_Job":
        """Return the job with the paths of a node."""
        pictures = tuple((label, places.get(path, path)) for label, path in self.pictures)
        video = self.video and places.get(self.video, self.video)
        return replace(self, pictures=pictures, video=video, frame=places.get(self.frame, self.frame))


@dataclass(frozen=True)
class _Result:
    text: str | None  # None: nothing could be read
    segments: list[Segment]
    confidence: float | None
    errors: str
    saved_frame: bool
    has_video: bool
    note: str  # why the text is empty, or ""
    shown: tuple[Showing, Shown] | None = None  # what the video shows, if it is wanted


def check_tools(settings: Settings) -> None:
    """Raise OcrError if an engine or a language pack is not installed."""
    ocr.check(settings.ocr_languages, settings.ocr_engine)


def ocr_due(run: StageRun, settings: Settings, processes: int | None, cluster: Cluster | None = None) -> None:
    """Read the pictures and frames of every video that is due, in one process per core of this machine or a cluster.

    Raises:
        ingest.ocr.result.OcrError: an engine is not installed.
    """
    if not run.due:
        return
    used = ocr.available(settings.ocr_engine)
    if used != settings.ocr_engine:
        print(f"ocr: only Tesseract reads: {ocr.missing()}", file=sys.stderr)
    if used != "rapidocr" and (advice := ocr_packs.advice(run.catalog.browser.languages(), settings.ocr_languages)):
        print(f"ocr: {advice}", file=sys.stderr)
    settings = settings.model_copy(update={"ocr_engine": used})
    engine = Text(None, used, ocr.check(settings.ocr_languages, used), recipe=run.recipe)

    def limit_s(job: _Job) -> float:
        if not job.video:
            return ocr.IMAGE_LIMIT_S * len(job.pictures)
        decoded = 2 if job.showing else 1  # for its pictures, it is looked at closely
        return ocr.IMAGE_LIMIT_S * (len(job.pictures) + max(settings.frames, 1)) + DECODE_LIMIT_S * decoded

    read = partial(_read, settings=settings)
    with on_the_way(run.catalog, wanted=cluster is None) as pictures:  # nodes do not send pictures back
        jobs = _jobs(run, settings, engine, pictures)
        if cluster:
            load = partial(_load, read, settings, engine.version)
            work = Work(load, Needs(WORKER_BYTES), most=processes, say=run.say)
            results = each_on_nodes(cluster, work, ((video_id, job, limit_s(job)) for video_id, job in jobs))
        else:
            results = each(read, jobs, processes=processes or cores(), limit_s=limit_s)
        for video_id, result in results:
            if isinstance(result, Exception):
                run.unreadable(video_id, result, engine)
                continue
            if result.shown:
                pictures.put(video_id, *result.shown)
            _store(run, video_id, result, engine=engine, settings=settings)


def _jobs(run: StageRun, settings: Settings, engine: Text, pictures: OnTheWay) -> Iterator[tuple[str, _Job]]:
    for video_id, entry in run.entries():
        video = entry.file("video")
        exists = bool(video and not damage(video))
        # an older frame counts only if the video is lost: else it is taken again, because the video may have changed
        still = [media for media in entry.media if media.kind in PICTURES and not (media.source == FRAME and exists)]
        moving = [video] if video and (settings.frames or not still) else []
        if not (still or moving):
            run.no_media(video_id, entry, engine)
        elif not run.needs_redownload(entry, still + moving):
            damaged = [media for media in still + moving if is_damaged(media)]
            still, moving = ([media for media in part if media not in damaged] for part in (still, moving))
            errors = tuple(f"{MediaKey(media.kind, media.position).label}: {DAMAGED}" for media in damaged)
            if not (still or moving):
                run.fail(video_id, "; ".join(errors), engine)
                continue
            # a photo post's cover is one of its slides: equal files are read once
            once = {media.sha256: media for media in reversed(still)}
            stills = tuple(
                (MediaKey(media.kind, media.position).label, media.path) for media in reversed(once.values())
            )
            film, frame = moving[0].path if moving else None, _frame(run.catalog, video_id)
            sources = tuple(Source(media.path, media.sha256, media.bytes) for media in (*once.values(), *moving))
            script = script_of(entry.video.description)
            showing = pictures.due(entry)
            yield video_id, _Job(stills, film, frame, errors, script, _language(entry), sources, showing)


def _language(entry: Entry) -> str:
    return next(iter(of_video({kind: of for kind, of in entry.languages.items() if kind != "cover"})), "")


def _frame(catalog: Catalog, video_id: str) -> Path:
    return catalog.media_folder(video_id) / "frame.jpg"


def _store(run: StageRun, video_id: str, result: _Result, *, engine: Text, settings: Settings) -> None:
    with_video, without_video = recipes(settings)
    made = Text(
        result.text,
        engine.engine,
        engine.version,
        settings.ocr_languages,
        confidence=result.confidence,
        segments=result.segments,
        recipe=with_video if result.has_video else without_video,
    )
    entry = run.catalog.get(video_id)
    real = [media for media in entry.media if media.kind in PICTURES and media.source != FRAME] if entry else []
    if result.saved_frame and not real:  # no picture has come in the meantime
        run.catalog.put_media(video_id, "cover", _frame(run.catalog, video_id), FRAME)
    if result.errors:
        run.fail(video_id, result.errors, made)
    else:
        run.text(video_id, made, result.note)


# -- in a worker process ------------------------------------------------------------------------------------------


def _load(read: Callable[[_Job], _Result], settings: Settings, version: str) -> Isolated[_Job, _Result]:
    """On a node: check that it reads as the machine with the catalog would, and return the function.

    Raises:
        ingest.ocr.result.OcrError: an engine is missing, or is another version.
    """
    if (found := ocr.check(settings.ocr_languages, settings.ocr_engine)) != version:
        raise OcrError(f"it reads with {found or 'no engine'}, the machine with the catalog with {version}")
    return Isolated(read)


def _read(job: _Job, settings: Settings) -> _Result:
    """Read all pictures and frames of a video, one after the other."""
    # One Tesseract per core is faster than its threads. Set only here: in a process that also computes with torch, a
    # limit below torch's number of threads makes torch skip work silently, and Whisper writes nonsense.
    os.environ["OMP_THREAD_LIMIT"] = "1"
    from ingest.media import poster

    stills, errors = read_stills(job.pictures, settings, job.script, job.language)
    needs_frame = job.video is not None and not job.pictures
    if job.video and needs_frame:
        check_exists(job.video)
        remove_leftovers(job.frame)
        with replace_atomically(job.frame) as part:
            poster(job.video).save(part, "JPEG", quality=90)
    seen, frame_errors = _seen(job, settings)
    shown, unread = read_frames(seen.frames, job, settings)
    if needs_frame and not (shown or frame_errors or unread):  # no frames are wanted, or all are blank
        stills = [ocr.read_cover(job.frame, settings.ocr_languages, settings.ocr_engine, job.script, job.language)]
    found = combine(
        stills,
        shown,
        [*job.errors, *errors, *frame_errors, *unread],
        saved_frame=needs_frame,
        has_video=job.video is not None,
    )
    return replace(found, shown=_shown(job, settings, seen, frame_errors))


def read_stills(
    pictures: Sequence[tuple[str, Path]], settings: Settings, script: str = "", language: str = ""
) -> tuple[list[Reading], list[str]]:
    """Read (label, path) pictures. Return the readings, and an error for each picture that cannot be read."""
    from ingest.media import MediaError

    readings: list[Reading] = []
    errors: list[str] = []
    for label, path in pictures:
        try:
            check_exists(path)
            readings.append(ocr.read_cover(path, settings.ocr_languages, settings.ocr_engine, script, language))
        except (MediaError, ocr.ReadingError) as error:
            errors.append(f"{label}: {error}")
    return readings, errors


def _seen(job: _Job, settings: Settings) -> "tuple[Seen, list[str]]":
    """Decode the video once: return the frames that differ, what it shows if that is wanted, and an error.

    Raises:
        ingest.media.MediaError: the video cannot be read, and there are no pictures either.
    """
    from ingest.media import MediaError, NoStream
    from ingest.ocr.frames import Seen, look
    from ingest.scenes import MAX_PICTURES

    if not (job.video and settings.frames):
        return Seen([]), []
    try:
        check_exists(job.video)
        return look(job.video, settings.frames, MAX_PICTURES if job.showing else 0), []
    except MediaError as error:
        if not job.pictures:
            raise
        return Seen([]), [] if isinstance(error, NoStream) else [f"video: {error}"]


def _shown(job: _Job, settings: Settings, seen: "Seen", errors: Sequence[str]) -> tuple[Showing, Shown] | None:
    """Return what the video shows, if that is wanted and the video was decoded."""
    if job.showing is None or (job.showing.video and not settings.frames):
        return None
    try:
        return job.showing, shown_of(job.showing, seen, errors)
    except Exception:  # it does not cost the text; the pictures stage tries again, and says why
        return None


def read_frames(frames: "Sequence[Frame]", job: _Job, settings: Settings) -> tuple[list[TimedReading], list[str]]:
    """Read frames of a video. Return the readings with their times, and the errors."""
    readings: list[TimedReading] = []
    errors: list[str] = []
    for frame in frames:
        try:
            reading = ocr.read_image(frame.image, settings.ocr_languages, settings.ocr_engine, job.script, job.language)
            readings.append((frame.start_s, frame.end_s, reading))
        except ocr.ReadingError as error:
            errors.append(f"frame at {frame.start_s:.0f} s: {error}")
    return readings, errors


def combine(
    stills: Sequence[Reading],
    shown: Sequence[TimedReading],
    errors: Sequence[str],
    *,
    saved_frame: bool,
    has_video: bool,
) -> _Result:
    """Merge the readings of one video into one text with times."""
    from ingest.ocr.merge import join

    readings = [*stills, *(reading for _, _, reading in shown)]
    text, segments = join(
        [reading.lines for reading in stills],
        [(start_s, end_s, reading.lines) for start_s, end_s, reading in shown],
    )
    return _Result(
        text=None if errors and not readings else text,
        segments=segments,
        confidence=min((one.confidence for one in readings if one.confidence is not None), default=None),
        errors="; ".join(errors),
        saved_frame=saved_frame,
        has_video=has_video,
        note="" if text else _nothing_found(len(stills), len(shown), has_video=has_video),
    )


def _nothing_found(stills: int, frames: int, *, has_video: bool) -> str:
    """Why there is no text, in words for the ledger."""
    counts = ((stills, "picture"), (frames, "frame of the video" if frames == 1 else "frames of the video"))
    where = " and ".join(f"{n} {name}{'s' * (name == 'picture' and n != 1)}" for n, name in counts if n)
    blank = "the video shows nothing but blank frames" if has_video and not frames else ""
    return "; ".join(filter(None, [where and f"no text found in {where}", blank]))
