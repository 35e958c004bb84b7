"""16 kHz audio -> what is said in it, with times: a speech gate, then Whisper through transformers, window by window.

Whisper hears 30 s at a time. Each audio moves through its own windows, from the end of the last finished sentence to
the next, while a batch holds windows of several audios: none waits for a longer one, and memory stays that of a batch.
"""

import math
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from ingest.catalog import Segment, Text
from ingest.cpu import has_bf16, obey_thread_limit
from ingest.media import SAMPLE_RATE
from ingest.weights import WeightsError, resolve

ENGINE = "whisper"
LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}  # fetch nothing, run no model's code
BATCH = 8  # windows at once: on two cores 1.2 (base) to 1.8 (tiny) times as fast as one by one; 16 is no faster
WINDOW_S = 30.0  # what Whisper was trained on
TICK_S = 0.02  # between two of Whisper's timestamp tokens
MIN_ADVANCE_S = 5.0  # a window that would end sooner went wrong (a loop, music) and counts as done
TAIL_S = 1.0  # what a finished sentence leaves over at the very end holds no speech, but Whisper finds some
MAX_TOKENS = 224  # of a window: 30 s of fast speech are about 150; OpenAI's own decoding stops here too

# The speech gate. Levels are dBFS in the band of voices; a full-scale sine is -3.
BAND_HZ = (200.0, 1500.0)  # the harmonics of a voice; hum and rumble lie below, hiss and clicks mostly above
FRAME = 1024  # samples, 64 ms: two periods of the lowest voice
PITCH_HZ = (70, 400)
LOUD_DBFS = -30.0  # ten frames like this may be anything, whispers or a song: Whisper decides
QUIET_DBFS = -42.0  # a noisy room lies below; the vowels of faint but clear speech above
VOICED = 0.8  # autocorrelation at the pitch: vowels give 0.85 to 1, noise 0.2 to 0.7
MIN_SPEECH_S = 0.25  # of voiced frames; "no" takes about that long

# What Whisper invents: the reference implementation's thresholds for silence and for loops.
NO_SPEECH = 0.6  # probability of its <|nospeech|> token ...
MIN_LOGPROB = -1.0  # ... which counts when it is also unsure of its words (mean log-probability of a token)
MAX_COMPRESSION = 2.4  # zlib's ratio on the text of a window; speech is at 1 to 2, loops beyond
MAX_REPEATS = 3  # times that a segment may follow itself; a chorus line does, a loop goes on

Key = TypeVar("Key")


@dataclass(eq=False)
class _Audio(Generic[Key]):
    """One audio on its way through its windows."""

    key: Key
    samples: NDArray[np.float32]
    at: int = 0  # the sample where the next window starts
    language: str = ""
    segments: list[Segment] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)  # one a token, of the segments kept

    def window(self) -> NDArray[np.float32]:
        return self.samples[self.at : self.at + round(WINDOW_S * SAMPLE_RATE)]

    def skip_silence(self) -> bool:
        """Move on to the next window with speech in it; False at the end."""
        end = len(self.samples) - (round(TAIL_S * SAMPLE_RATE) if self.at else 0)
        while self.at < end and not has_speech(self.window()):
            self.at += round(WINDOW_S * SAMPLE_RATE)
        return self.at < end


class Transcriber:
    """Whisper, loaded once. `name` is a model's name or a folder (see `ingest.weights.resolve`).

    Raises:
        WeightsError: the weights cannot be had, or are no Whisper.
    """

    def __init__(self, name: str) -> None:
        obey_thread_limit()
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
                weights.folder, use_safetensors=True, dtype=_precision(), **LOCAL
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise WeightsError(f"{weights.folder} holds no Whisper that can be loaded: {error}") from error
        self._model.train(False)
        config = self._model.generation_config
        tokenizer = self._processor.tokenizer
        self._first_time: int = tokenizer.convert_tokens_to_ids("<|0.00|>")
        self._no_speech: int = self._first_time - 2  # <|nospeech|>, named differently over the checkpoints
        self._languages: dict[int, str] = {
            token: name.strip("<|>") for name, token in (getattr(config, "lang_to_id", None) or {}).items()
        }

    def run(self, audios: Iterable[tuple[Key, NDArray[np.float32]]], batch: int = BATCH) -> Iterator[tuple[Key, Text]]:
        """The transcript of each (key, samples), as they finish; "" where nobody speaks."""
        source = iter(audios)
        running: list[_Audio[Key]] = []
        more = True
        while running or more:
            while more and len(running) < batch:
                if (pair := next(source, None)) is None:
                    more = False
                elif (audio := _Audio(*pair)).skip_silence():
                    running.append(audio)
                else:
                    yield audio.key, self._text(audio)
            if running:
                self._step(running)
            ended = [audio for audio in running if not audio.skip_silence()]
            running = [audio for audio in running if audio not in ended]
            yield from ((audio.key, self._text(audio)) for audio in ended)

    def _text(self, audio: _Audio[Any]) -> Text:
        return replace(
            self.unreadable,
            text=" ".join(segment.text for segment in audio.segments),
            language=audio.language if audio.segments else "",
            confidence=math.exp(sum(audio.logprobs) / len(audio.logprobs)) if audio.logprobs else None,
            segments=audio.segments,
        )

    @torch.inference_mode()
    def _step(self, audios: list[_Audio[Any]]) -> None:
        """Decode the window at which each audio is, keep its finished segments, move it on."""
        features = self._processor.feature_extractor(
            [audio.window() for audio in audios], sampling_rate=SAMPLE_RATE, return_tensors="pt"
        ).input_features.to(self._model.dtype)
        encoded = self._model.get_encoder()(features)
        start = torch.full((len(audios), 1), self._model.generation_config.decoder_start_token_id)
        first = self._model(encoder_outputs=encoded, decoder_input_ids=start).logits[:, -1].float()
        silence = first.softmax(-1)[:, self._no_speech].tolist()
        spoken: dict[str, Any] = {}
        if self._languages:
            codes = list(self._languages)
            for audio, best in zip(audios, first[:, codes].argmax(-1).tolist(), strict=True):
                audio.language = audio.language or self._languages[codes[best]]
            spoken = {"language": [audio.language for audio in audios], "task": "transcribe"}
        else:
            for audio in audios:
                audio.language = "en"
        decoded = self._model.generate(
            encoder_outputs=encoded,
            return_timestamps=True,
            force_unique_generate_call=True,  # one window at a time: going on to the next is done here
            return_dict_in_generate=True,
            output_scores=True,
            do_sample=False,
            num_beams=1,
            max_new_tokens=MAX_TOKENS,
            **spoken,
        )
        steps = len(decoded.scores)
        tokens = decoded.sequences[:, -steps:]
        logprobs = torch.stack(
            [
                logits.float().log_softmax(-1).gather(1, tokens[:, step, None])[:, 0]
                for step, logits in enumerate(decoded.scores)
            ],
            dim=1,
        )
        for row, audio in enumerate(audios):
            self._advance(audio, tokens[row].tolist(), logprobs[row].tolist(), silence[row])

    def _advance(self, audio: _Audio[Any], tokens: list[int], logprobs: list[float], silence: float) -> None:
        """Take the segments out of a window's tokens and set the audio to where the last finished one ends."""
        eos = self._model.generation_config.eos_token_id
        ends = tokens.index(eos) if eos in tokens else len(tokens)
        tokens, logprobs = tokens[:ends], logprobs[:ends]
        offset_s, length_s = audio.at / SAMPLE_RATE, len(audio.window()) / SAMPLE_RATE
        pieces, done_s = self._split(tokens, length_s)
        audio.at += round(done_s * SAMPLE_RATE)
        sure = sum(logprobs) / max(len(logprobs), 1) >= MIN_LOGPROB
        if silence > NO_SPEECH and not sure:
            return
        texts = [
            self._processor.tokenizer.decode(tokens[a:b], skip_special_tokens=True).strip() for a, b, _, _ in pieces
        ]
        if is_loop(" ".join(texts)):
            return
        for text, (a, b, start_s, end_s) in zip(texts, pieces, strict=True):
            repeated = [segment.text for segment in audio.segments[-MAX_REPEATS:]] == [text] * MAX_REPEATS
            if any(map(str.isalnum, text)) and not repeated:
                audio.segments.append(Segment(round(offset_s + start_s, 2), round(offset_s + end_s, 2), text))
                audio.logprobs += logprobs[a:b]

    def _split(self, tokens: list[int], length_s: float) -> tuple[list[tuple[int, int, float, float]], float]:
        """The segments in a window's tokens as (first token, past the last, start, end), and the seconds now done.

        Whisper writes <|start|> words <|end|> for each. Where the words break off without an end, or nothing but a
        start follows the last end, the window ended in the middle of a sentence and the next one starts with it;
        unless hardly anything would be done by then, or hardly anything would be left: then any words are taken as
        they are, to the end of the window.
        """
        pieces: list[tuple[int, int, float, float]] = []
        start_s, first = 0.0, 0
        open_words = False
        for position, token in enumerate(tokens):
            if token < self._first_time:
                open_words = True
                continue
            time_s = min((token - self._first_time) * TICK_S, length_s)
            if open_words and time_s > start_s:  # what starts past the end was invented
                pieces.append((first, position, start_s, time_s))
            start_s, first, open_words = time_s, position + 1, False
        done_s = pieces[-1][3] if pieces else 0.0
        resumes = open_words or (len(tokens) > 1 and min(tokens[-2:]) >= self._first_time)
        if resumes and MIN_ADVANCE_S <= done_s <= length_s - TAIL_S:
            return pieces, done_s
        if open_words and start_s < length_s:
            pieces.append((first, len(tokens), start_s, length_s))
        return pieces, length_s


def _precision() -> torch.dtype:
    """bf16 where the processor computes in it: 1.5 to 1.8 times as fast, and the same words on the reference clips."""
    return torch.bfloat16 if has_bf16() else torch.float32


def has_speech(samples: NDArray[np.float32]) -> bool:
    """Whether somebody may be speaking in up to a few minutes of audio: loud, or quiet but voiced.

    Energy alone cannot tell: clicks in an empty room are louder than some clear speech. Voices have a pitch.
    """
    if len(samples) < FRAME:
        samples = np.pad(samples, (0, FRAME - len(samples)))
    hop = FRAME // 2
    window = np.hanning(FRAME).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::hop] * window
    power = np.abs(np.fft.rfft(frames, 2 * FRAME)) ** 2
    hertz = np.fft.rfftfreq(2 * FRAME, 1 / SAMPLE_RATE)
    power[:, (hertz < BAND_HZ[0]) | (hertz > BAND_HZ[1])] = 0.0
    level = 10 * np.log10(power.sum(1) / (FRAME * np.square(window).sum()) + 1e-12)
    if np.count_nonzero(level > LOUD_DBFS) * hop / SAMPLE_RATE >= MIN_SPEECH_S:
        return True
    audible = power[level > QUIET_DBFS]
    shape = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * FRAME)) ** 2)[:FRAME]  # the frame's own fading out
    correlation = np.fft.irfft(audible)[:, :FRAME] / (shape / shape[0] + 1e-3)
    lags = slice(SAMPLE_RATE // PITCH_HZ[1], SAMPLE_RATE // PITCH_HZ[0])
    voiced = correlation[:, lags].max(1, initial=0.0) > VOICED * correlation[:, 0]
    return bool(np.count_nonzero(voiced) * hop / SAMPLE_RATE >= MIN_SPEECH_S)


def is_loop(text: str) -> bool:
    """Whether a text repeats itself as no speech does."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) > MAX_COMPRESSION if raw else False
