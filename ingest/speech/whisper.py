"""16 kHz audio -> what is said in it, with times: speech is found first, then heard by Whisper through transformers.

Whisper hears windows that are cut in pauses (`ingest.speech.vad`). Those of similar length go through it together, from
whichever audio they are, so that none waits for a longer one; memory stays that of a batch.
"""

import math
import re
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import torch
import transformers

from ingest.catalog.entries import Segment, Text
from ingest.media import SAMPLE_RATE
from ingest.models.device import has_bf16, obey_thread_limit, usable
from ingest.models.weights import WeightsError, resolve
from ingest.settings import Device
from ingest.speech.vad import MAX_PAUSE_S, WINDOW_S, Samples, Window, find_speech, halves, rest, snap, windows

ENGINE = "whisper"
LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}  # fetch nothing, run no model's code
BATCH = 8  # windows at once
POOL = 4  # batches of windows at hand, to choose windows of similar length from
TICK_S = 0.02  # between two of Whisper's timestamp tokens, and between two positions of its encoder
FULL = round(WINDOW_S / TICK_S)  # positions: the context that Whisper was trained with
CONTEXT_PAD_S = 4.0  # of silence after a short window, in place of all that is missing to 30 s
CONTEXT_STEP_S = 5.0  # windows whose contexts are the same number of steps go into one batch
MAX_TOKENS = 224  # of a window: 30 s of fast speech are about 150; OpenAI's own decoding stops here too
TOKENS_A_SECOND = 10  # of a short window; fast speech has 5 to 6
SPARE_TOKENS = 16  # timestamps, and what is spelled out
LONG_S = 3_600.0  # of audio, up to which they all have the same time
LANGUAGE_WINDOWS = 3  # the longest of an audio, from which its language is told
UNHEARD_S = 1.0  # of speech after the last segment: Whisper leaves off a sentence that it takes for cut off
MAX_HEARINGS = 3  # of the same speech: what goes wrong is heard again in parts, and with the full context

# What Whisper invents: the reference implementation's thresholds for silence and for loops.
MIN_LOGPROB = -1.0  # mean log-probability of a token, of a segment: below, the words are guesses
NO_SPEECH = 0.6  # probability of <|nospeech|>, which counts for a window whose mean is that low too
MAX_COMPRESSION = 2.4  # zlib's ratio on a text; speech is at 1 to 2, loops beyond
MAX_REPEATS = 3  # times that a segment may come without a pause; a chorus line does, a loop goes on
LOOP = re.compile(r"(.{2,60}?)\1{7}", re.DOTALL)  # the same letters eight times in a row; zlib sees long texts only

Key = TypeVar("Key")


class TooSlow(Exception):
    """An audio took longer than it may; one sentence for the ledger."""


@dataclass(eq=False)
class _Audio(Generic[Key]):
    """One audio, while its windows are heard."""

    key: Key
    samples: Samples
    language: str = ""
    waiting: int = 0  # windows still to be heard
    spent_s: float = 0.0  # its share of the time that its batches took
    heard: list[tuple[Segment, list[float]]] = field(default_factory=list)  # with the log-probabilities of its tokens


@dataclass(eq=False)
class _Job:
    """A window to be heard."""

    audio: _Audio[Any]
    window: Window
    hearing: int = 1  # the second and third with the full context
    states: torch.Tensor | None = None  # what the encoder made of it, (positions, width)

    @property
    def length_s(self) -> float:
        return self.window.heard.length_s

    @property
    def positions(self) -> int:
        """How many of the encoder's positions it takes: its own length and some silence, or the full context."""
        context_s = math.ceil((self.length_s + CONTEXT_PAD_S) / CONTEXT_STEP_S) * CONTEXT_STEP_S
        return FULL if self.hearing > 1 else min(FULL, round(context_s / TICK_S))


class _LogProbabilities(transformers.LogitsProcessor):
    """Notes how likely the likeliest token is at each step, which greedy decoding takes; far less to keep than all."""

    def __init__(self) -> None:
        self.steps: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.steps.append(scores.amax(-1) - scores.logsumexp(-1))
        return scores


class Transcriber:
    """Whisper, loaded once.

    `name` is a model's name or a folder (see `ingest.weights.resolve`), `device` where it computes ("auto": CUDA, else
    Apple's MPS, else the processor), `languages` the codes of those that an audio may be in ("en,de"; "": any).

    Raises:
        WeightsError: the weights cannot be had, are no Whisper, or do not know the languages.
        DeviceError: the device is not there.
    """

    def __init__(self, name: str, device: Device = "auto", languages: str = "") -> None:
        obey_thread_limit()
        self.device = torch.device(usable(device))
        weights = resolve(name)
        model = f"{weights.name}@{weights.sha256[:12]}"
        self.unreadable = Text(None, ENGINE, transformers.__version__, model)  # what to store for broken audio
        transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            if transformers.AutoConfig.from_pretrained(weights.folder, **LOCAL).model_type != "whisper":
                raise ValueError("its config.json is of another model")
            self._processor = transformers.WhisperProcessor.from_pretrained(weights.folder, **LOCAL)
            self._model: Any = transformers.WhisperForConditionalGeneration.from_pretrained(
                weights.folder, use_safetensors=True, dtype=_precision(self.device), **LOCAL
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise WeightsError(f"{weights.folder} holds no Whisper that can be loaded: {error}") from error
        self._model.train(False).to(self.device)
        # For one position over many, as in decoding, torch's fused attention takes twice as long as plain products.
        plain = self.device.type == "cpu" and self._model.dtype == torch.bfloat16
        self._decoder_attention = "eager" if plain else "sdpa"
        tokenizer = self._processor.tokenizer
        self._first_time: int = tokenizer.convert_tokens_to_ids("<|0.00|>")
        self._no_speech: int = self._first_time - 2  # <|nospeech|>, named differently over the checkpoints
        known = getattr(self._model.generation_config, "lang_to_id", None) or {}
        self._multilingual = bool(known)
        self._languages = _allowed({code.strip("<|>"): token for code, token in known.items()}, languages)

    def run(
        self, audios: Iterable[tuple[Key, Samples]], batch: int = BATCH, limit_s: float = math.inf
    ) -> Iterator[tuple[Key, Text | TooSlow]]:
        """The transcript of each (key, samples), as they finish; "" where nobody speaks.

        An audio whose share of the computing comes to more than `limit_s` is given up: a TooSlow takes its place. One
        of more than LONG_S has as many times more. Samples may lie in a file: they are read window by window.
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
            pool = self._hear(jobs) + [job for job in pool if job not in jobs]
            for audio in dict.fromkeys(job.audio for job in jobs):
                if not audio.waiting:
                    yield audio.key, self._text(audio)
                elif audio.spent_s > (most_s := limit_s * max(1.0, len(audio.samples) / SAMPLE_RATE / LONG_S)):
                    pool = [job for job in pool if job.audio is not audio]
                    yield audio.key, TooSlow(f"hearing it took longer than {most_s:.0f} s")

    def _open(self, audio: _Audio[Any]) -> list[_Job]:
        """The windows of an audio, whose language is told from the longest of them."""
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
        """The likeliest of the allowed languages; each window counts for as much as it is long."""
        votes = torch.zeros(len(self._languages))
        for job in jobs:
            logits = self._start(self._encode([job]))[0, list(self._languages.values())]
            votes += logits.softmax(-1).cpu() * job.length_s
        return list(self._languages)[int(votes.argmax())]

    def _encode(self, jobs: list[_Job]) -> torch.Tensor:
        """What the encoder makes of windows with as many positions: (windows, positions, width). Kept in each job.

        The encoder's own `forward` insists on 30 s. Most of its time goes into attention, so that silence is dear.
        """
        fresh = [job for job in jobs if job.states is None]
        if fresh:
            features = self._processor.feature_extractor(
                [job.audio.samples[job.window.heard.start : job.window.heard.end] for job in fresh],
                sampling_rate=SAMPLE_RATE,
                padding="max_length",
                max_length=round(fresh[0].positions * TICK_S * SAMPLE_RATE),
                return_tensors="pt",
            ).input_features.to(self.device, self._model.dtype)
            encoder, gelu = self._model.get_encoder(), torch.nn.functional.gelu
            hidden = gelu(encoder.conv2(gelu(encoder.conv1(features)))).transpose(1, 2)
            hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
            for layer in encoder.layers:
                hidden = layer(hidden, None)
            for job, states in zip(fresh, encoder.layer_norm(hidden), strict=True):
                job.states = states
        return torch.stack([job.states for job in jobs if job.states is not None])

    def _start(self, states: torch.Tensor) -> torch.Tensor:
        """The logits after <|startoftranscript|>, of the languages and of <|nospeech|>: (windows, vocabulary)."""
        start = torch.full((len(states), 1), self._model.generation_config.decoder_start_token_id, device=self.device)
        logits: torch.Tensor = self._model(encoder_outputs=(states,), decoder_input_ids=start).logits
        return logits[:, -1].float()

    @torch.inference_mode()
    def _hear(self, jobs: list[_Job]) -> list[_Job]:
        """Decode windows with as many positions; returns what is to be heard again."""
        started = time.monotonic()
        states = self._encode(jobs)
        silence = self._start(states).softmax(-1)[:, self._no_speech].tolist()
        noted = _LogProbabilities()
        spoken = {"language": [job.audio.language for job in jobs], "task": "transcribe"} if self._multilingual else {}
        longest_s = max(job.length_s for job in jobs)
        self._model.set_attn_implementation(self._decoder_attention)
        decoded = self._model.generate(
            encoder_outputs=transformers.modeling_outputs.BaseModelOutput(last_hidden_state=states),
            return_timestamps=True,
            force_unique_generate_call=True,  # a window at a time: going on to the next is done here
            return_dict_in_generate=True,
            logits_processor=[noted],
            do_sample=False,
            num_beams=1,
            max_new_tokens=min(MAX_TOKENS, SPARE_TOKENS + round(TOKENS_A_SECOND * longest_s)),
            **spoken,
        )
        self._model.set_attn_implementation("sdpa")
        tokens = decoded.sequences[:, -len(noted.steps) :].tolist()
        logprobs = torch.stack(noted.steps, dim=1).tolist()
        again: list[_Job] = []
        for row, job in enumerate(jobs):
            left = self._take(job, tokens[row], logprobs[row], silence[row])
            new = [_Job(job.audio, window, job.hearing + 1) for window in left if job.hearing < MAX_HEARINGS]
            job.audio.waiting += len(new) - 1
            job.audio.spent_s += (time.monotonic() - started) / len(jobs)
            again += new
        return again

    def _take(self, job: _Job, tokens: list[int], logprobs: list[float], silence: float) -> list[Window]:
        """Keep the segments in a window's tokens; returns the windows in which something went wrong, or was left."""
        end_token = self._model.generation_config.eos_token_id
        length = tokens.index(end_token) if end_token in tokens else len(tokens)
        tokens, logprobs = tokens[:length], logprobs[:length]
        window = job.window
        pieces = self._split(tokens, job.length_s)
        texts = [
            self._processor.tokenizer.decode(tokens[a:b], skip_special_tokens=True).strip() for a, b, _, _ in pieces
        ]
        unsure = sum(logprobs) < MIN_LOGPROB * len(logprobs)
        if unsure and silence > NO_SPEECH:
            return []
        if is_loop(" ".join(texts)):
            return halves(window)
        if unsure and job.positions < FULL:
            return [window]
        done = window.heard.start
        for text, (a, b, start_s, end_s) in zip(texts, pieces, strict=True):
            start, end = (window.heard.start + round(time_s * SAMPLE_RATE) for time_s in (start_s, end_s))
            if not any(map(str.isalnum, text)) or not (span := snap(window, start, end)):
                continue
            done = span.end
            sure = sum(logprobs[a:b]) / (b - a)
            if sure >= MIN_LOGPROB:
                times = round(span.start / SAMPLE_RATE, 2), round(span.end / SAMPLE_RATE, 2)
                job.audio.heard.append((Segment(*times, text, round(sure, 3), round(silence, 3)), logprobs[a:b]))
        left = rest(window, done)
        return [left] if sum(span.length_s for span in left.speech) > UNHEARD_S else []

    def _split(self, tokens: list[int], length_s: float) -> list[tuple[int, int, float, float]]:
        """The segments in a window's tokens as (first token, past the last, start, end in seconds).

        Whisper writes <|start|> words <|end|> for each. Words without an end last to the end of the window.
        """
        pieces: list[tuple[int, int, float, float]] = []
        start_s, first, words = 0.0, 0, False
        for position, token in enumerate(tokens):
            if token < self._first_time:
                words = True
                continue
            time_s = min((token - self._first_time) * TICK_S, length_s)
            if words and time_s > start_s:  # what starts past the end was invented
                pieces.append((first, position, start_s, time_s))
            start_s, first, words = time_s, position + 1, False
        if words and start_s < length_s:
            pieces.append((first, len(tokens), start_s, length_s))
        return pieces

    def _text(self, audio: _Audio[Any]) -> Text:
        segments: list[Segment] = []
        logprobs: list[float] = []
        repeats, before = 0, None
        for segment, of_tokens in sorted(audio.heard, key=lambda heard: heard[0].start_s):
            again = before and segment.text == before.text and segment.start_s - before.end_s <= MAX_PAUSE_S
            repeats, before = repeats + 1 if again else 1, segment
            if repeats <= MAX_REPEATS:
                segments.append(segment)
                logprobs += of_tokens
        return replace(
            self.unreadable,
            text=" ".join(segment.text for segment in segments),
            language=audio.language if segments else "",
            confidence=math.exp(sum(logprobs) / len(logprobs)) if logprobs else None,
            segments=segments,
        )


def is_loop(text: str) -> bool:
    """Whether a text repeats itself as no speech does."""
    raw = text.encode()
    return bool(raw) and (len(raw) / len(zlib.compress(raw)) > MAX_COMPRESSION or LOOP.search(text) is not None)


def _alike(pool: list[_Job], batch: int) -> list[_Job]:
    """The oldest of the windows and those most like it in length, all with as many positions."""
    oldest = pool[0]
    same = [job for job in pool if job.positions == oldest.positions]
    return sorted(same, key=lambda job: abs(job.length_s - oldest.length_s))[:batch]


def _allowed(known: dict[str, int], languages: str) -> dict[str, int]:
    """The languages to choose from, by code, with their tokens; a Whisper that knows none is one for English."""
    known = known or {"en": -1}
    wanted = [code.strip().lower() for code in languages.split(",") if code.strip()]
    if strange := [code for code in wanted if code not in known]:
        raise WeightsError(f"this Whisper does not know the language {', '.join(strange)}, only {', '.join(known)}")
    return {code: known[code] for code in wanted} or known


def _precision(device: torch.device) -> torch.dtype:
    """bf16 on a processor that computes in it: 1.5 to 1.8 times as fast, and the same words on the reference clips."""
    if device.type != "cpu":
        return torch.float16
    return torch.bfloat16 if has_bf16() else torch.float32
