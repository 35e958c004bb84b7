"""Runs a stage over the videos that are due: worker processes read their media, the catalogue takes item by item.

Each outcome is one transaction made when the item is finished, so whatever ends a run (Ctrl-C, kill, a full disk) costs
the items at work and no others; the next run takes what is still due.
"""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ingest.catalog import Catalog, Entry, Media, Stage, Text
from ingest.downloads import download, missing
from ingest.outcomes import FRAME, GONE, StageReport, StageRun
from ingest.settings import Settings
from ingest.workers import WorkerError, cores, each

PICTURES = ("cover", "slide")
DECODE_LIMIT_S = 300.0  # for the audio of one video; a minute of it takes 0.2 s


class StageError(Exception):
    """A stage cannot go on at all; the message says what to do. What is finished stays."""


def run_stage(
    catalog: Catalog,
    stage: Stage,
    settings: Settings,
    *,
    progress: bool = False,
    processes: int | None = None,
    batch: int | None = None,
) -> StageReport:
    """Work off what is due in a stage. `processes` read media (all cores), `batch` windows go through Whisper at once.

    Raises:
        StageError: another run is at this stage, or what the stage needs (Tesseract, weights) is not there.
    """
    with _only_run(catalog, stage), StageRun(catalog, stage, progress) as run:
        try:
            if stage == "download":
                download(run, settings)
            elif stage == "ocr":
                _ocr(run, settings.ocr_languages, processes or cores())
            else:
                _transcribe(run, settings.whisper, processes or cores(), batch)
        except sqlite3.OperationalError as error:
            raise StageError(f"{catalog.path} cannot be written: {error}. What is finished stays") from error
        except OSError as error:
            raise StageError(f"`{stage}` had to stop: {error}. What is finished stays") from error
    return run.report


@contextlib.contextmanager
def _only_run(catalog: Catalog, stage: Stage) -> Iterator[None]:
    """The operating system holds the lock for the process and lets it go when the process ends, however it ends."""
    lock = FileLock(catalog.data / f".{stage}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise StageError(f"another `{stage}` is at work on {catalog.data}: wait for it, or stop it") from error
    try:
        yield
    finally:
        lock.release()


def _comes_again(run: StageRun, entry: Entry, needed: list[Media]) -> bool:
    """Whether the download has to bring some of `needed` again, which are gone from the disk but have links."""
    lost = {(media.kind, media.position) for media in needed if not media.path.is_file()}
    comes = entry.states.get("download") != "failed" and any(place in lost for place in missing(entry))
    if comes:
        run.fetch_again(entry.video.id)
    return comes


def _check_there(path: Path) -> None:
    from ingest.media import MediaError

    if not path.is_file():
        raise MediaError(GONE)


# -- ocr ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Pictures:
    """What a worker reads for one video: its pictures, or a frame of its video, which it saves as `frame`."""

    pictures: tuple[tuple[str, Path], ...]  # what it is, for errors, and where
    video: Path | None
    frame: Path


@dataclass(frozen=True)
class _Read:
    text: str | None  # None: no picture could be read
    confidence: float | None
    errors: str
    framed: bool  # a frame was taken for want of pictures


def _ocr(run: StageRun, languages: str, processes: int) -> None:
    from ingest import ocr

    if not run.due:
        return
    try:
        engine = Text(None, ocr.ENGINE, ocr.check(languages))
    except ocr.OcrError as error:
        raise StageError(str(error)) from error

    def jobs() -> Iterator[tuple[str, _Pictures]]:
        for video_id, entry in run.entries():
            video = entry.file("video")
            still = [media for media in entry.media if media.kind in PICTURES]
            still = [media for media in still if media.source != FRAME or media.path.is_file()]  # it can be taken again
            pictures = {media.sha256: media for media in reversed(still)}
            if not (still or video):
                run.no_media(video_id, entry, engine)
            elif not _comes_again(run, entry, still or [media for media in (video,) if media]):
                # a photo post's cover is one of its slides: equal files are read once
                labelled = tuple((_label(media), media.path) for media in reversed(pictures.values()))
                yield video_id, _Pictures(labelled, video.path if video else None, frame_of(video_id))

    def frame_of(video_id: str) -> Path:
        return run.catalog.media_folder(video_id) / "frame.jpg"

    def limit_s(job: _Pictures) -> float:
        return ocr.IMAGE_LIMIT_S * max(1, len(job.pictures))

    read = partial(_read_pictures, languages=languages)
    for video_id, outcome in each(read, jobs(), processes=processes, limit_s=limit_s):
        if isinstance(outcome, Exception):
            _close(run, video_id, outcome, engine)
            continue
        made = Text(outcome.text, engine.engine, engine.version, languages, confidence=outcome.confidence)
        entry = run.catalog.get(video_id)
        real = [media for media in entry.media if media.kind in PICTURES and media.source != FRAME] if entry else []
        if outcome.framed and not real:  # none has come in the meantime
            run.catalog.put_media(video_id, "cover", frame_of(video_id), FRAME)
        if outcome.errors:
            run.fail(video_id, outcome.errors, made)
        else:
            run.text(video_id, made)


def _label(media: Media) -> str:
    return f"slide {media.position + 1}" if media.kind == "slide" else media.kind


def _read_pictures(job: _Pictures, languages: str) -> _Read:
    """In a worker: the texts of all pictures, one after the other."""
    # A Tesseract a core beats its threads several times over. Only here: in a process that also computes with torch,
    # a limit below torch's own number of threads makes it leave out work without a word, and Whisper writes nonsense.
    os.environ["OMP_THREAD_LIMIT"] = "1"
    from ingest.media import MediaError, poster
    from ingest.ocr import ReadingError, read_cover

    pictures = job.pictures
    if not pictures and job.video:
        _check_there(job.video)
        frame = poster(job.video)
        part = job.frame.with_name(".frame.part")
        frame.save(part, "JPEG", quality=90)
        part.replace(job.frame)
        pictures = (("cover", job.frame),)
    texts: list[str] = []
    confidences: list[float] = []
    errors: list[str] = []
    for label, path in pictures:
        try:
            _check_there(path)
            reading = read_cover(path, languages)
        except (MediaError, ReadingError) as error:
            errors.append(f"{label}: {error}")
            continue
        texts.append(reading.text)
        if reading.confidence is not None:
            confidences.append(reading.confidence)
    text = "\n".join(dict.fromkeys(filter(None, texts))) if texts else None
    return _Read(text, min(confidences, default=None), "; ".join(errors), not job.pictures)


# -- transcribe ---------------------------------------------------------------------------------------------------


def _transcribe(run: StageRun, whisper: str, processes: int, batch: int | None) -> None:
    from ingest.weights import WeightsError

    unreadable = Text(None, "whisper")

    def files() -> Iterator[tuple[str, Path]]:
        for video_id, entry in run.entries():
            video = entry.file("video")
            if not video:
                run.no_media(video_id, entry, unreadable)
            elif not _comes_again(run, entry, [video]):
                yield video_id, video.path

    wanted = files()
    first = next(wanted, None)
    if first is None:
        return
    from ingest.transcribe import BATCH, Transcriber

    try:
        transcriber = Transcriber(whisper)
    except WeightsError as error:
        raise StageError(str(error)) from error
    unreadable = transcriber.unreadable

    def audios() -> Iterator[tuple[str, Any]]:
        heard = each(_audio, chain([first], wanted), processes=processes, limit_s=lambda _: DECODE_LIMIT_S)
        for video_id, samples in heard:
            if isinstance(samples, Exception):
                _close(run, video_id, samples, unreadable)
            else:
                yield video_id, samples

    for video_id, text in transcriber.run(audios(), batch or BATCH):
        run.text(video_id, text)


def _audio(path: Path) -> Any:
    """In a worker: the samples of a video."""
    from ingest.media import audio

    _check_there(path)
    return audio(path)


def _close(run: StageRun, video_id: str, error: Exception, engine: Text) -> None:
    """Close the line of a video whose media could not be read."""
    from ingest.media import MediaError, NoStream

    if isinstance(error, NoStream):
        run.absent(video_id)
    elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
        raise error
    elif isinstance(error, MediaError | WorkerError):
        run.fail(video_id, str(error), engine)
    else:  # what a hostile file brings out in a library: its own item's failure, and named as it is
        run.fail(video_id, f"{type(error).__name__}: {error}", engine)
