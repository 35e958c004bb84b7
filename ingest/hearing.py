"""The transcribe stage: the sound of videos -> what is said in them, with its seconds."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from ingest.catalog import Text
from ingest.files import check_there
from ingest.outcomes import StageRun
from ingest.settings import Settings
from ingest.workers import each

DECODE_LIMIT_S = 300.0  # for the audio of one video; a minute of it takes 0.2 s
HEAR_LIMIT_S = 3_600.0  # of computing for one video; an hour of talk takes whisper-base half of that on a slow machine
FOLDER = ".hearing-"  # where samples wait, in the data folder
RULES = 1  # counts up when the hearing changes so that texts made before are worth making anew


def recipe(settings: Settings) -> str:
    """What a transcript depends on besides the sound."""
    return f"{settings.whisper} languages={settings.speech_languages or 'all'} rules={RULES}"


def hear(run: StageRun, settings: Settings, processes: int, batch: int | None) -> None:
    """Transcribe every video that is due.

    Raises:
        ingest.weights.WeightsError: Whisper's weights are not to be had.
    """
    unreadable = Text(None, "whisper", recipe=run.recipe)

    def files() -> Iterator[tuple[str, Path]]:
        for video_id, entry in run.entries():
            video = entry.file("video")
            if not video:
                run.no_media(video_id, entry, unreadable)
            elif not run.comes_again(entry, [video]):
                yield video_id, video.path

    wanted = files()
    first = next(wanted, None)
    if first is None:
        return
    from ingest.media import SAMPLE_RATE
    from ingest.transcribe import BATCH, TooSlow, Transcriber

    for leftover in run.catalog.data.glob(f"{FOLDER}*"):  # of a run that was killed: this one holds the lock
        shutil.rmtree(leftover, ignore_errors=True)
    transcriber = Transcriber(settings.whisper, settings.device, settings.speech_languages)
    unreadable = replace(transcriber.unreadable, recipe=run.recipe)

    with tempfile.TemporaryDirectory(prefix=FOLDER, dir=run.catalog.data) as folder:

        def audios() -> Iterator[tuple[str, Any]]:
            read = partial(_samples, folder=folder)
            paths = chain([first], wanted)
            for video_id, heard in each(read, paths, processes=processes, limit_s=lambda _: DECODE_LIMIT_S):
                if isinstance(heard, Exception):
                    run.unreadable(video_id, heard, unreadable)
                else:
                    samples = _mapped(heard)
                    run.count_media(len(samples) / SAMPLE_RATE)
                    yield video_id, samples

        for video_id, heard in transcriber.run(audios(), batch or BATCH, HEAR_LIMIT_S):
            if isinstance(heard, TooSlow):
                run.fail(video_id, str(heard), unreadable)
            else:
                run.text(video_id, replace(heard, recipe=run.recipe))


def _samples(path: Path, folder: str) -> Path:
    """In a worker: the samples of a video, in a file: many long videos wait to be heard, and memory is small."""
    import numpy as np

    from ingest.media import audio

    check_there(path)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".npy", delete=False) as file:
        np.save(file, audio(path))
    return Path(file.name)


def _mapped(path: Path) -> Any:
    """The samples of a file, read as they are needed; the file goes when they do."""
    import numpy as np

    samples = np.load(path, mmap_mode="r")
    path.unlink()
    return samples
