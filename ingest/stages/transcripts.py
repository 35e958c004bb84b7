"""Videos -> what is said in them: decode the sound, choose among its tracks, transcribe batch by batch.

One machine runs it over all videos. A worker on a node of a cluster runs it over the videos that arrive.
"""

import queue
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.catalog import Text
from ingest.cluster.jobs import Source
from ingest.settings import Settings
from ingest.stages.media_files import check_exists
from ingest.stages.workers import Processes

if TYPE_CHECKING:
    from ingest.sound import Sound
    from ingest.speech.vad import Samples
    from ingest.speech.whisper import Transcriber
    from ingest.stages.choose_sound import Choice

DECODE_LIMIT_S = 600.0  # for the audio of one video; a minute of a track takes 0.2 s
TRANSCRIBE_LIMIT_S = 3_600.0  # for a video of up to an hour; whisper-base takes half of that on slow computers
LIMIT_S = DECODE_LIMIT_S + TRANSCRIBE_LIMIT_S


@dataclass(frozen=True)
class SpeechJob:
    """A video to transcribe. `sources` says by what a node of a cluster checks it."""

    path: Path
    sources: tuple[Source, ...]
    output: None = None

    def at(self, places: Mapping[Path, Path]) -> "SpeechJob":
        """Return the job with the path of a node."""
        return replace(self, path=places.get(self.path, self.path))


@dataclass(frozen=True)
class Spoken:
    """A transcript, and what the ledger says of it; without a text, why it was given up. `seconds` of sound."""

    text: Text | None
    note: str
    seconds: float


Outcome = Spoken | Exception  # or why the video cannot be read


def transcripts(
    transcriber: "Transcriber",
    videos: Iterable[tuple[str, Path]],
    folder: Path,
    decoding: Processes,
    settings: Settings,
    batch: int,
) -> Generator[tuple[str, Outcome], None, None]:
    """Yield (id, outcome) of each video as it finishes.

    Args:
        folder: an empty one, for decoded sound.
        decoding: processes that decode.
        batch: windows that are transcribed at once.
    """
    from ingest.media import SAMPLE_RATE
    from ingest.speech.whisper import TooSlow
    from ingest.stages.choose_sound import choose

    languages = [code.strip().lower() for code in settings.speech_languages.split(",") if code.strip()]
    choices: dict[str, Choice] = {}  # of the audios in work
    failed: list[tuple[str, Exception]] = []

    def audios() -> Generator[tuple[str, "Samples"], None, None]:
        jobs = ((video_id, (path, folder / video_id)) for video_id, path in videos)
        for video_id, sound in decoding.each(_save, jobs, limit_s=lambda _: DECODE_LIMIT_S):
            try:
                if isinstance(sound, Exception):
                    raise sound
                choice = choose(sound, languages)
            except Exception as error:
                for leftover in folder.glob(f"{video_id}.*"):  # incomplete, maybe large
                    leftover.unlink(missing_ok=True)
                failed.append((video_id, error))
            else:
                choices[video_id] = choice
                yield video_id, choice.samples

    with closing(audios()) as source:
        for video_id, transcript in transcriber.run(source, batch, TRANSCRIBE_LIMIT_S):
            while failed:
                yield failed.pop(0)
            choice = choices.pop(video_id)
            seconds = len(choice.samples) / SAMPLE_RATE
            if isinstance(transcript, TooSlow):
                yield video_id, Spoken(None, str(transcript), seconds)
            else:
                yield video_id, Spoken(transcript, _note(transcript, choice), seconds)
    yield from failed


class SpeechReader:
    """On a node: transcribes the videos of all leases that it has at a time in common batches.

    Raises:
        ingest.models.weights.WeightsError: Whisper's weights cannot be loaded.
        ingest.models.device.DeviceError: the device does not exist.
    """

    def __init__(self, settings: Settings, batch: int) -> None:
        from ingest.speech.whisper import Transcriber

        self._transcriber = Transcriber(settings.whisper, settings.device, settings.speech_languages)
        self._settings, self._batch = settings, batch
        self._arrived: queue.SimpleQueue[tuple[str, Path]] = queue.SimpleQueue()
        self._waiting: dict[str, Future[Spoken]] = {}
        self._number = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._run, daemon=True).start()

    def __call__(self, job: SpeechJob, _limit_s: float) -> Spoken:
        done: Future[Spoken] = Future()
        with self._lock:
            self._number += 1
            key = str(self._number)
            self._waiting[key] = done
        self._arrived.put((key, job.path))
        return done.result()

    def _run(self) -> None:
        with tempfile.TemporaryDirectory(prefix="tiktok-retrieval-") as folder, Processes(1) as decoding:
            while True:
                videos = self._all_arrived(self._arrived.get())
                try:
                    made = transcripts(self._transcriber, videos, Path(folder), decoding, self._settings, self._batch)
                    for key, outcome in made:
                        self._finish(key, outcome)
                except Exception as error:  # of the model, which all of them meet
                    for key in list(self._waiting):
                        self._finish(key, error)

    def _all_arrived(self, first: tuple[str, Path]) -> Iterator[tuple[str, Path]]:
        """Yield what has arrived. It ends when nothing more is there, so that nothing waits for what may never come."""
        yield first
        while True:
            try:
                yield self._arrived.get_nowait()
            except queue.Empty:
                return

    def _finish(self, key: str, outcome: Outcome) -> None:
        done = self._waiting.pop(key)
        if isinstance(outcome, Exception):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)


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
