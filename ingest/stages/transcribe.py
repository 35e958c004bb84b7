"""The transcribe stage: the audio of videos -> transcripts with times."""

import functools
import importlib.metadata
import shutil
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ingest.catalog import Text
from ingest.cluster.connection import Cluster
from ingest.cluster.jobs import Source
from ingest.cluster.work import Needs, Work
from ingest.models.device import usable
from ingest.models.weights import resolve
from ingest.settings import Device, Settings, default
from ingest.stages.media_files import DAMAGED, is_damaged
from ingest.stages.on_nodes import each_on_nodes
from ingest.stages.stage_run import StageRun
from ingest.stages.transcripts import LIMIT_S, Outcome, SpeechJob, SpeechReader, transcripts
from ingest.stages.workers import Processes, cores

if TYPE_CHECKING:
    from ingest.speech.whisper import Transcriber

WORKER_BYTES = 1_500_000_000  # of memory that a worker on a node needs: torch, the model, and a batch
FOLDER = ".hearing-"  # prefix of the folder with decoded samples, in the data folder
RULES = 1  # part of the recipe: increase it when a change here makes older transcripts worth replacing


def recipes(settings: Settings) -> tuple[str]:
    """The settings that a transcript depends on."""
    return (f"{settings.whisper} languages={settings.speech_languages or 'all'} rules={RULES}",)


def check_tools(settings: Settings) -> None:
    """Raise WeightsError if Whisper's weights cannot be loaded, DeviceError if the device does not exist."""
    usable(settings.device)
    resolve(settings.whisper)


def transcribe_due(
    run: StageRun, settings: Settings, processes: int | None, batch: int | None, cluster: Cluster | None = None
) -> None:
    """Transcribe every video that is due, on this machine or a cluster.

    Raises:
        ingest.models.weights.WeightsError: Whisper's weights cannot be loaded.
        ingest.models.device.DeviceError: the device does not exist.
    """
    unreadable = Text(None, "whisper", recipe=run.recipe)
    wanted = _videos(run, unreadable)
    first = next(wanted, None)
    if first is None:
        return
    videos = chain([first], wanted)
    if cluster:
        weights = resolve(settings.whisper)
        model = f"{weights.name}@{weights.sha256[:12]}"
        unreadable = replace(unreadable, version=importlib.metadata.version("transformers"), model=model)
        outcomes = _on_nodes(run, settings, videos, processes, batch, cluster)
    else:
        transcriber = _loaded(settings.whisper, settings.device, settings.speech_languages)
        unreadable = replace(transcriber.unreadable, recipe=run.recipe)
        outcomes = _here(run, settings, videos, processes or cores(), batch)
    with closing(outcomes):  # no worker outlives its folder
        for video_id, spoken in outcomes:
            if isinstance(spoken, Exception):
                run.unreadable(video_id, spoken, unreadable)
                continue
            run.report.media_seconds += spoken.seconds
            if spoken.text is None:
                run.fail(video_id, spoken.note, unreadable)
            else:
                run.text(video_id, replace(spoken.text, recipe=run.recipe), spoken.note)


def _videos(run: StageRun, unreadable: Text) -> Iterator[tuple[str, SpeechJob]]:
    """Yield the videos that are due and can be read."""
    for video_id, entry in run.entries():
        video = entry.file("video")
        if not video:
            run.no_media(video_id, entry, unreadable)
        elif run.needs_redownload(entry, [video]):
            continue
        elif is_damaged(video):
            run.fail(video_id, DAMAGED, unreadable)
        else:
            yield video_id, SpeechJob(video.path, (Source(video.path, video.sha256, video.bytes),))


def _here(
    run: StageRun, settings: Settings, videos: Iterable[tuple[str, SpeechJob]], processes: int, batch: int | None
) -> Generator[tuple[str, Outcome], None, None]:
    from ingest.speech.whisper import BATCH

    for leftover in run.catalog.data.glob(f"{FOLDER}*"):  # of a killed run: this one holds the lock
        shutil.rmtree(leftover, ignore_errors=True)
    transcriber = _loaded(settings.whisper, settings.device, settings.speech_languages)
    paths = ((video_id, job.path) for video_id, job in videos)
    with (
        tempfile.TemporaryDirectory(prefix=FOLDER, dir=run.catalog.data) as folder,
        Processes(processes) as decoding,
        closing(transcripts(transcriber, paths, Path(folder), decoding, settings, batch or BATCH)) as made,
    ):
        yield from made


def _on_nodes(
    run: StageRun,
    settings: Settings,
    videos: Iterable[tuple[str, SpeechJob]],
    processes: int | None,
    batch: int | None,
    cluster: Cluster,
) -> Generator[tuple[str, Outcome], None, None]:
    windows = batch or int(default("batch"))
    gpu: Literal["never", "if there", "always"] = {"cuda": "always", "auto": "if there"}.get(  # type: ignore[assignment]
        settings.device, "never"
    )
    needs = Needs(WORKER_BYTES, gpu)
    load = partial(SpeechReader, settings, windows)
    work = Work(load, needs, in_flight=max(2, windows), most=processes, say=run.say)
    yield from each_on_nodes(cluster, work, ((video_id, job, LIMIT_S) for video_id, job in videos))


@functools.lru_cache(maxsize=1)
def _loaded(name: str, device: Device, languages: str) -> "Transcriber":
    """Whisper, loaded once in a process that runs the stage several times."""
    from ingest.speech.whisper import Transcriber

    return Transcriber(name, device, languages)
