"""16 kHz audio -> transcripts with times: speech is found first, then transcribed by Whisper through transformers.

Whisper gets windows that are cut in pauses (`ingest.speech.vad`). A batch has windows of similar length from any audio,
so that none waits for a longer one. Memory is limited to a batch.
"""

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from ingest.catalog import Segment, Text
from ingest.media import SAMPLE_RATE
from ingest.models.device import has_bf16, obey_thread_limit, usable
from ingest.models.weights import WeightsError, resolve
from ingest.settings import Device, default
from ingest.speech import attention
from ingest.speech.beams import beam_search
from ingest.speech.segments import ScoredSegment, is_loop, is_part_of_neighbor, limit_repeats, split_segments
from ingest.speech.vad import Samples, Span, Window, find_speech, halves, snap, uncovered, windows

ENGINE = "whisper"
LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}  # no network, and no code of a model
BATCH = int(default("batch"))  # windows at once
POOL = 4  # batches of windows to choose from: windows of similar length go together
MAX_TOKENS = 224  # of a window: 30 s of fast speech are about 150; OpenAI's implementation has the same limit
TOKENS_PER_SECOND = 10  # of a short window; fast speech has 5 to 6
SPARE_TOKENS = 16  # timestamps, and words that are spelled out
LONG_S = 3_600.0  # of audio, up to which the time limit is the same
LANGUAGE_WINDOWS = 3  # the longest of an audio, which decide its language
CERTAIN = 0.9  # probability of another language, from which a window is transcribed in that one ...
CERTAIN_S = 2.0  # ... if it has as many seconds of speech: a single word may be of any language
MAX_TRIES = 3  # of the same speech: after a failure it is decoded again in parts

# Whisper's hallucinations: thresholds of the reference implementation for silence and for loops.
MIN_LOGPROB = -1.0  # mean log-probability of the tokens of a segment: below, they are guesses
NO_SPEECH = 0.6  # probability of <|nospeech|>, used only if the mean log-probability is low as well

Key = TypeVar("Key")


class TooSlow(Exception):
    """An audio took too long. The message is for the ledger."""


@dataclass(eq=False)
class _Audio(Generic[Key]):
    """An audio in work."""

    key: Key
    samples: Samples
    language: str = ""
    spoken: Counter[str] = field(default_factory=Counter)  # milliseconds of text in each language
    waiting: int = 0  # windows that are not done
    spent_s: float = 0.0  # its share of the time of its batches
    segments: list[ScoredSegment] = field(default_factory=list)


@dataclass(eq=False)
class _Job:
    """A window to transcribe."""

    audio: _Audio[Any]
    window: Window
    tries: int = 1
    language: str = ""  # that its window was transcribed in
    states: torch.Tensor | None = None  # the output of the encoder, (positions, width)
    languages: tuple[float, ...] = ()  # the probability of each allowed language
    silence: float = 0.0  # the probability that nobody speaks

    @property
    def length_s(self) -> float:
        """The length of the window in seconds."""
        return self.window.span.length_s


class Transcriber:
    """Whisper, loaded once.

    Args:
        name: A model's name or a folder (see `ingest.models.weights.resolve`).
        device: Where it computes. "auto": CUDA, else Apple's MPS, else the CPU.
        languages: The codes of the languages to choose from, "en,de"; "" for any.

    Raises:
        WeightsError: the weights cannot be loaded, are not a Whisper model, or do not know the languages.
        DeviceError: the device does not exist.
    """

    def __init__(self, name: str, device: Device = "auto", languages: str = "") -> None:
        obey_thread_limit()
        self.device = torch.device(usable(device))
        weights = resolve(name)
        model = f"{weights.name}@{weights.sha256[:12]}"
        self.unreadable = Text(None, ENGINE, transformers.__version__, model)  # stored for broken audio
        transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            if transformers.AutoConfig.from_pretrained(weights.folder, **LOCAL).model_type != "whisper":
                raise ValueError("its config.json belongs to another model")
            self._processor = transformers.WhisperProcessor.from_pretrained(weights.folder, **LOCAL)
            self._model: Any = transformers.WhisperForConditionalGeneration.from_pretrained(
                weights.folder, use_safetensors=True, dtype=_precision(self.device), **LOCAL
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise WeightsError(f"{weights.folder} has no Whisper model that can be loaded: {error}") from error
        self._model.train(False).to(self.device)
        if self.device.type == "cpu" and self._model.dtype == torch.bfloat16:
            self._model.set_attn_implementation(attention.NAME)
        tokenizer = self._processor.tokenizer
        self._first_time: int = tokenizer.convert_tokens_to_ids("<|0.00|>")
        self._no_speech: int = self._first_time - 2  # <|nospeech|>, whose name differs between checkpoints
        known = getattr(self._model.generation_config, "lang_to_id", None) or {}
        self._multilingual = bool(known)
        self._languages = _allowed({code.strip("<|>"): token for code, token in known.items()}, languages)

    def run(
        self, audios: Iterable[tuple[Key, Samples]], batch: int = BATCH, limit_s: float = math.inf
    ) -> Iterator[tuple[Key, Text | TooSlow]]:
        """Yield the transcript of each (key, samples) when it is done; "" if there is no speech.

        If the share of the computing time of an audio exceeds `limit_s`, the result is a TooSlow. For an audio longer
        than LONG_S the limit grows in proportion. Samples may lie in a file: they are read window by window.
        """
        source = iter(audios)
        pool: list[_Job] = []
        more = True
        while more or pool:
            while more and len(pool) < POOL * batch:
                if (pair := next(source, None)) is None:
                    more = False
                    break
                audio = _Audio(*pair)
                pool += self._open(audio)
                if not audio.waiting:
                    yield audio.key, self._text(audio)
            if not pool:
                continue
            jobs = _alike(pool, batch)
            pool = self._transcribe(jobs) + [job for job in pool if job not in jobs]
            for audio in dict.fromkeys(job.audio for job in jobs):
                if not audio.waiting:
                    yield audio.key, self._text(audio)
                elif audio.spent_s > (most_s := limit_s * max(1.0, len(audio.samples) / SAMPLE_RATE / LONG_S)):
                    pool = [job for job in pool if job.audio is not audio]
                    yield audio.key, TooSlow(f"transcribing it took longer than {most_s:.0f} s")

    def _open(self, audio: _Audio[Any]) -> list[_Job]:
        """The windows of an audio. The longest ones decide its language."""
        jobs = [_Job(audio, window) for window in windows(find_speech(audio.samples), len(audio.samples))]
        audio.waiting = len(jobs)
        audio.language = next(iter(self._languages))
        if len(self._languages) > 1:
            started = time.monotonic()
            audio.language = self._language(sorted(jobs, key=lambda job: -job.length_s)[:LANGUAGE_WINDOWS])
            audio.spent_s += time.monotonic() - started
        return jobs

    @torch.inference_mode()
    def _language(self, jobs: list[_Job]) -> str:
        """The most likely of the allowed languages, weighted by the length of each window."""
        votes = torch.zeros(len(self._languages))
        for job in jobs:
            self._encode([job])
            votes += torch.tensor(job.languages) * job.length_s
        return list(self._languages)[int(votes.argmax())]

    def _window_language(self, job: _Job) -> str:
        """The language of a window: that of its audio, unless another one is certain."""
        usual = job.language or job.audio.language
        if len(self._languages) < 2 or sum(span.length_s for span in job.window.speech) < CERTAIN_S:
            return usual
        probability, language = max(zip(job.languages, self._languages, strict=True))
        return language if probability >= CERTAIN else usual

    @torch.inference_mode()
    def encode(self, clips: Sequence[NDArray[np.float32]]) -> torch.Tensor:
        """Encode clips, padded with silence to WINDOW_S: (clips, positions, width).

        Less silence would be faster, but Whisper was trained with this length and has fewer wrong words with it.
        """
        features = self._processor.feature_extractor(
            list(clips), sampling_rate=SAMPLE_RATE, return_tensors="pt"
        ).input_features.to(self.device, self._model.dtype)
        states: torch.Tensor = self._model.get_encoder()(features).last_hidden_state
        return states

    def _encode(self, jobs: list[_Job]) -> torch.Tensor:
        """Encode windows, and find their language and silence. The results are cached in each job."""
        new = [job for job in jobs if job.states is None]
        if new:
            states = self.encode([job.audio.samples[job.window.span.start : job.window.span.end] for job in new])
            start = torch.full((len(new), 1), self._model.generation_config.decoder_start_token_id, device=self.device)
            logits = self._model(encoder_outputs=(states,), decoder_input_ids=start).logits[:, -1].float().cpu()
            languages = logits[:, list(self._languages.values())].softmax(-1).tolist()
            silence = logits.softmax(-1)[:, self._no_speech].tolist()
            for job, *found in zip(new, states, languages, silence, strict=True):
                job.states, job.languages, job.silence = found
        return torch.stack([job.states for job in jobs if job.states is not None])

    def _prompt(self, language: str) -> list[int]:
        """The first tokens of a window. A model for English has no tokens for a language and a task."""
        config = self._model.generation_config
        task = [self._languages[language], config.task_to_id["transcribe"]] if self._multilingual else []
        return [config.decoder_start_token_id, *task]

    @torch.inference_mode()
    def _transcribe(self, jobs: list[_Job]) -> list[_Job]:
        """Decode windows. Return those that must be decoded again."""
        started = time.monotonic()
        states = self._encode(jobs)
        for job in jobs:
            job.language = self._window_language(job)
        prompts = torch.tensor([self._prompt(job.language) for job in jobs], device=self.device)
        longest_s = max(job.length_s for job in jobs)
        most_tokens = min(MAX_TOKENS, SPARE_TOKENS + round(TOKENS_PER_SECOND * longest_s))
        found = beam_search(self._model, states, prompts, most_tokens)
        again: list[_Job] = []
        for job, best in zip(jobs, found, strict=True):
            left = self._take(job, best.tokens, best.logprobs)
            new = [
                _Job(job.audio, window, job.tries + 1, job.language)
                for window in left
                if job.tries < MAX_TRIES and window.speech != job.window.speech
            ]
            job.audio.waiting += len(new) - 1
            job.audio.spent_s += (time.monotonic() - started) / len(jobs)
            again += new
        return again

    def _take(self, job: _Job, tokens: list[int], logprobs: list[float]) -> list[Window]:
        """Keep the segments of a window. Return windows to decode again: after a failure, or for missed speech."""
        window = job.window
        pieces = split_segments(tokens, self._first_time, job.length_s)
        texts = [
            self._processor.tokenizer.decode(tokens[a:b], skip_special_tokens=True).strip() for a, b, _, _ in pieces
        ]
        uncertain = sum(logprobs) < MIN_LOGPROB * len(logprobs)
        if uncertain and job.silence > NO_SPEECH:
            return []
        if is_loop(" ".join(texts)):
            return halves(window)
        covered: list[Span] = []
        for text, (a, b, start_s, end_s) in zip(texts, pieces, strict=True):
            start, end = (window.span.start + round(time_s * SAMPLE_RATE) for time_s in (start_s, end_s))
            if not any(map(str.isalnum, text)) or not (span := snap(window, start, end)):
                continue
            covered.append(span)
            mean_logprob = sum(logprobs[a:b]) / (b - a)
            times = round(span.start / SAMPLE_RATE, 2), round(span.end / SAMPLE_RATE, 2)
            segment = Segment(*times, text, round(mean_logprob, 3), round(job.silence, 3), job.language)
            said_before = job.tries > 1 and is_part_of_neighbor(segment, job.audio.segments)
            if mean_logprob >= MIN_LOGPROB and not said_before:
                job.audio.segments.append((segment, logprobs[a:b]))
                job.audio.spoken[job.language] += round(1000 * span.length_s)
        return uncovered(window, covered)

    def _text(self, audio: _Audio[Any]) -> Text:
        kept = limit_repeats(sorted(audio.segments, key=lambda pair: pair[0].start_s))
        segments = [segment for segment, _ in kept]
        logprobs = [logprob for _, of_tokens in kept for logprob in of_tokens]
        return replace(
            self.unreadable,
            text=" ".join(segment.text for segment in segments),
            language=audio.spoken.most_common(1)[0][0] if segments else "",
            confidence=math.exp(sum(logprobs) / len(logprobs)) if logprobs else None,
            segments=segments,
        )


def _alike(pool: list[_Job], batch: int) -> list[_Job]:
    """The oldest window and those closest to it in length."""
    return sorted(pool, key=lambda job: abs(job.length_s - pool[0].length_s))[:batch]


def _allowed(known: dict[str, int], languages: str) -> dict[str, int]:
    """The languages to choose from, by code, with their tokens. A model without languages is for English."""
    known = known or {"en": -1}
    wanted = [code.strip().lower() for code in languages.split(",") if code.strip()]
    if unknown := [code for code in wanted if code not in known]:
        raise WeightsError(f"this Whisper does not know the language {', '.join(unknown)}, only {', '.join(known)}")
    return {code: known[code] for code in wanted} or known


def _precision(device: torch.device) -> torch.dtype:
    """bf16 on a CPU that supports it: 1.5 to 1.8 times as fast, with the same words on the reference clips."""
    if device.type != "cpu":
        return torch.float16
    return torch.bfloat16 if has_bf16() else torch.float32
