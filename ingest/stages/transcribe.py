"""The transcribe stage: the audio of videos -> transcripts with times."""

import functools
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.catalog import Text
from ingest.models.device import usable
from ingest.models.weights import resolve
from ingest.settings import Device, Settings
from ingest.stages.media_files import check_exists
from ingest.stages.stage_run import StageRun
from ingest.stages.workers import each

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ingest.speech.whisper import Transcriber

DECODE_LIMIT_S = 300.0  # for the audio of one video; a minute of audio takes 0.2 s
TRANSCRIBE_LIMIT_S = 3_600.0  # for a video of up to an hour; whisper-base takes half of that on slow computers
FOLDER = ".hearing-"  # prefix of the folder with decoded samples, in the data folder
RULES = 1  # part of the recipe: increase it when a change here makes older transcripts worth replacing


def recipes(settings: Settings) -> tuple[str]:
    """The settings that a transcript depends on."""
    return (f"{settings.whisper} languages={settings.speech_languages or 'all'} rules={RULES}",)


def check_tools(settings: Settings) -> None:
    """Raise WeightsError if Whisper's weights cannot be loaded, DeviceError if the device does not exist."""
    usable(settings.device)
    resolve(settings.whisper)


def transcribe_due(run: StageRun, settings: Settings, processes: int, batch: int | None) -> None:
    """Transcribe every video that is due.

    Raises:
        ingest.models.weights.WeightsError: Whisper's weights cannot be loaded.
        ingest.models.device.DeviceError: the device does not exist.
    """
    unreadable = Text(None, "whisper", recipe=run.recipe)

    def files() -> Iterator[tuple[str, Path]]:
        for video_id, entry in run.entries():
            video = entry.file("video")
            if not video:
                run.no_media(video_id, entry, unreadable)
            elif not run.needs_redownload(entry, [video]):
                yield video_id, video.path

    wanted = files()
    first = next(wanted, None)
    if first is None:
        return
    from ingest.media import SAMPLE_RATE
    from ingest.speech.whisper import BATCH, TooSlow

    for leftover in run.catalog.data.glob(f"{FOLDER}*"):  # of a killed run: this one holds the lock
        shutil.rmtree(leftover, ignore_errors=True)
    transcriber = _loaded(settings.whisper, settings.device, settings.speech_languages)
    unreadable = replace(transcriber.unreadable, recipe=run.recipe)

    with tempfile.TemporaryDirectory(prefix=FOLDER, dir=run.catalog.data) as folder:

        def audios() -> Generator[tuple[str, _OnDisk], None, None]:
            jobs = ((video_id, (path, Path(folder, video_id))) for video_id, path in chain([first], wanted))
            for video_id, target in each(_save, jobs, processes=processes, limit_s=lambda _: DECODE_LIMIT_S):
                if isinstance(target, Exception):
                    Path(folder, video_id).unlink(missing_ok=True)  # incomplete, maybe large
                    run.unreadable(video_id, target, unreadable)
                else:
                    samples = _OnDisk(target)
                    run.report.media_seconds += len(samples) / SAMPLE_RATE
                    yield video_id, samples

        with closing(audios()) as source:  # no worker outlives the folder
            for video_id, transcript in transcriber.run(source, batch or BATCH, TRANSCRIBE_LIMIT_S):
                if isinstance(transcript, TooSlow):
                    run.fail(video_id, str(transcript), unreadable)
                else:
                    run.text(video_id, replace(transcript, recipe=run.recipe))


@functools.lru_cache(maxsize=1)
def _loaded(name: str, device: Device, languages: str) -> "Transcriber":
    """Whisper, loaded once in a process that runs the stage several times."""
    from ingest.speech.whisper import Transcriber

    return Transcriber(name, device, languages)


def _save(job: tuple[Path, Path]) -> Path:
    """In a worker: save the samples of a video in a file, because those of many long videos do not fit into memory."""
    from ingest.media import save_audio

    path, target = job
    check_exists(path)
    save_audio(path, target)
    return target


class _OnDisk:
    """Samples in a file that is removed when this object is. Slices are read on access.

    Not a memory-mapped file: its pages would count as memory of the process.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._length = os.fstat(self._file.fileno()).st_size // 4
        path.unlink()

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice, /) -> "NDArray[np.float32]":
        import numpy as np

        start, stop, _ = part.indices(self._length)
        self._file.seek(4 * start)
        return np.fromfile(self._file, np.float32, max(0, stop - start))
