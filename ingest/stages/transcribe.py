"""The transcribe stage: the audio of videos -> transcripts with times."""

import functools
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
from ingest.stages.media_files import DAMAGED, check_exists, is_damaged
from ingest.stages.stage_run import StageRun
from ingest.stages.workers import each

if TYPE_CHECKING:
    from ingest.sound import Sound
    from ingest.speech.vad import Samples
    from ingest.speech.whisper import Transcriber
    from ingest.stages.choose_sound import Choice

DECODE_LIMIT_S = 600.0  # for the audio of one video; a minute of a track takes 0.2 s
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
            elif run.needs_redownload(entry, [video]):
                continue
            elif is_damaged(video):
                run.fail(video_id, DAMAGED, unreadable)
            else:
                yield video_id, video.path

    wanted = files()
    first = next(wanted, None)
    if first is None:
        return
    from ingest.media import SAMPLE_RATE
    from ingest.speech.whisper import BATCH, TooSlow
    from ingest.stages.choose_sound import choose

    for leftover in run.catalog.data.glob(f"{FOLDER}*"):  # of a killed run: this one holds the lock
        shutil.rmtree(leftover, ignore_errors=True)
    transcriber = _loaded(settings.whisper, settings.device, settings.speech_languages)
    unreadable = replace(transcriber.unreadable, recipe=run.recipe)

    with tempfile.TemporaryDirectory(prefix=FOLDER, dir=run.catalog.data) as folder:
        choices: dict[str, Choice] = {}  # of the audios in work
        languages = [code.strip().lower() for code in settings.speech_languages.split(",") if code.strip()]

        def audios() -> Generator[tuple[str, "Samples"], None, None]:
            jobs = ((video_id, (path, Path(folder, video_id))) for video_id, path in chain([first], wanted))
            for video_id, sound in each(_save, jobs, processes=processes, limit_s=lambda _: DECODE_LIMIT_S):
                try:
                    if isinstance(sound, Exception):
                        raise sound
                    choice = choose(sound, languages)
                except Exception as error:
                    for leftover in Path(folder).glob(f"{video_id}.*"):  # incomplete, maybe large
                        leftover.unlink(missing_ok=True)
                    run.unreadable(video_id, error, unreadable)
                else:
                    choices[video_id] = choice
                    run.report.media_seconds += len(choice.samples) / SAMPLE_RATE
                    yield video_id, choice.samples

        with closing(audios()) as source:  # no worker outlives the folder
            for video_id, transcript in transcriber.run(source, batch or BATCH, TRANSCRIBE_LIMIT_S):
                choice = choices.pop(video_id)
                if isinstance(transcript, TooSlow):
                    run.fail(video_id, str(transcript), unreadable)
                else:
                    run.text(video_id, replace(transcript, recipe=run.recipe), _note(transcript, choice))


@functools.lru_cache(maxsize=1)
def _loaded(name: str, device: Device, languages: str) -> "Transcriber":
    """Whisper, loaded once in a process that runs the stage several times."""
    from ingest.speech.whisper import Transcriber

    return Transcriber(name, device, languages)


def _save(job: tuple[Path, Path]) -> "Sound":
    """In a worker: save the samples of a video in files, because those of many long videos do not fit into memory."""
    from ingest.sound import save_sound

    path, target = job
    check_exists(path)
    return save_sound(path, target)


def _note(transcript: Text, choice: "Choice") -> str:
    """What the ledger says of a transcript: what was chosen, or why it is empty."""
    from ingest.speech.vad import find_speech
    from ingest.stages.choose_sound import seconds

    if transcript.text:
        return choice.note
    if spoken_s := seconds(find_speech(choice.samples)):
        return "; ".join([f"{spoken_s:.0f} s of speech, but no words that are certain", *filter(None, [choice.note])])
    return choice.if_empty
