"""The ocr stage: covers, slides and videos -> the text that they show, with the seconds at which a video shows it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from ingest.catalog.entries import Segment, Text
from ingest.ocr import engine as ocr
from ingest.settings import Settings
from ingest.stages.media_files import FRAME, MediaKey, check_there
from ingest.stages.stage_run import StageRun
from ingest.stages.workers import each

PICTURES = ("cover", "slide")
DECODE_LIMIT_S = 120.0  # for the frames of one video; three minutes of it take 5 s
RULES = 1  # counts up when the reading here changes so that texts made before are worth making anew


def recipes(settings: Settings) -> tuple[str, str]:
    """What a text depends on besides the pictures: of those that have a video, and of those that have none."""
    packs = "" if settings.ocr_engine == "rapidocr" else f" {settings.ocr_languages}"  # it knows no packs
    engine = f"{settings.ocr_engine}{packs}"
    return f"{engine} frames={settings.frames} rules={RULES}", f"{engine} rules={RULES}"


@dataclass(frozen=True)
class _Job:
    """What a worker reads for one video; a `frame` is taken of it for want of pictures."""

    pictures: tuple[tuple[str, Path], ...]  # what it is, for errors, and where
    video: Path | None
    frame: Path


@dataclass(frozen=True)
class _Read:
    text: str | None  # None: nothing could be read
    segments: list[Segment]
    confidence: float | None
    errors: str
    framed: bool  # a frame was taken for want of pictures
    filmed: bool  # there is a video


def read_pictures(run: StageRun, settings: Settings, processes: int) -> None:
    """Read the pictures and frames of every video that is due, a process a core.

    Raises:
        ingest.ocr.OcrError: an engine is not there.
    """
    if not run.due:
        return
    engine = Text(None, settings.ocr_engine, ocr.check(settings.ocr_languages, settings.ocr_engine), recipe=run.recipe)
    moving_recipe, still_recipe = recipes(settings)

    def jobs() -> Iterator[tuple[str, _Job]]:
        for video_id, entry in run.entries():
            video = entry.file("video")
            film = bool(video and video.path.is_file())
            # a frame counts where the film is lost: else it is taken again, for it may be of an older one
            still = [media for media in entry.media if media.kind in PICTURES and not (media.source == FRAME and film)]
            moving = [video] if video and (settings.frames or not still) else []
            if not (still or moving):
                run.no_media(video_id, entry, engine)
            elif not run.needs_redownload(entry, still + moving):
                # a photo post's cover is one of its slides: equal files are read once
                once = {media.sha256: media for media in reversed(still)}
                labelled = tuple(
                    (MediaKey(media.kind, media.position).label, media.path) for media in reversed(once.values())
                )
                yield video_id, _Job(labelled, moving[0].path if moving else None, frame_of(video_id))

    def frame_of(video_id: str) -> Path:
        return run.catalog.media_folder(video_id) / "frame.jpg"

    def limit_s(job: _Job) -> float:
        frames = max(settings.frames, 1) if job.video else 0
        return ocr.IMAGE_LIMIT_S * (len(job.pictures) + frames) + (DECODE_LIMIT_S if job.video else 0.0)

    for video_id, outcome in each(partial(_read, settings=settings), jobs(), processes=processes, limit_s=limit_s):
        if isinstance(outcome, Exception):
            run.unreadable(video_id, outcome, engine)
            continue
        made = Text(
            outcome.text,
            engine.engine,
            engine.version,
            settings.ocr_languages,
            confidence=outcome.confidence,
            segments=outcome.segments,
            recipe=moving_recipe if outcome.filmed else still_recipe,
        )
        entry = run.catalog.get(video_id)
        real = [media for media in entry.media if media.kind in PICTURES and media.source != FRAME] if entry else []
        if outcome.framed and not real:  # none has come in the meantime
            run.catalog.put_media(video_id, "cover", frame_of(video_id), FRAME)
        if outcome.errors:
            run.fail(video_id, outcome.errors, made)
        else:
            run.text(video_id, made)


def _read(job: _Job, settings: Settings) -> _Read:
    """In a worker: the text of all pictures and frames, one after the other."""
    # A Tesseract a core beats its threads several times over. Only here: in a process that also computes with torch,
    # a limit below torch's own number of threads makes it leave out work without a word, and Whisper writes nonsense.
    os.environ["OMP_THREAD_LIMIT"] = "1"
    from ingest.media import MediaError, NoStream, poster
    from ingest.ocr.frames import Frame, frames
    from ingest.ocr.merge import Line, join

    errors: list[str] = []
    confidences: list[float] = []
    readings: list[ocr.Reading] = []

    def lines(reading: ocr.Reading) -> list[Line]:
        readings.append(reading)
        if reading.confidence is not None:
            confidences.append(reading.confidence)
        return reading.lines

    stills: list[list[Line]] = []
    for label, path in job.pictures:
        try:
            check_there(path)
            stills.append(lines(ocr.read_cover(path, settings.ocr_languages, settings.ocr_engine)))
        except (MediaError, ocr.ReadingError) as error:
            errors.append(f"{label}: {error}")
    moving: list[Frame] = []
    framed = False
    if job.video:
        try:
            check_there(job.video)
            if not job.pictures:
                _save(poster(job.video), job.frame)
                framed = True
            moving = frames(job.video, settings.frames) if settings.frames else []
        except NoStream:
            if not job.pictures:
                raise
        except MediaError as error:
            if not job.pictures:
                raise
            errors.append(f"video: {error}")
    shown: list[tuple[float, float, list[Line]]] = []
    for frame in moving:
        try:
            reading = ocr.read_image(frame.image, settings.ocr_languages, settings.ocr_engine)
            shown.append((frame.start_s, frame.end_s, lines(reading)))
        except ocr.ReadingError as error:
            errors.append(f"frame at {frame.start_s:.0f} s: {error}")
    if framed and not moving:  # no frames are wanted, or all are blank
        stills.append(lines(ocr.read_cover(job.frame, settings.ocr_languages, settings.ocr_engine)))
    text, segments = join(stills, shown)
    nothing = bool(errors) and not readings
    return _Read(
        None if nothing else text,
        segments,
        min(confidences, default=None),
        "; ".join(errors),
        framed,
        job.video is not None,
    )


def _save(frame: Image.Image, path: Path) -> None:
    part = path.with_name(f".{path.stem}.part")
    frame.save(part, "JPEG", quality=90)
    part.replace(path)
