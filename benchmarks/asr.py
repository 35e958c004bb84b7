"""Word errors, invented text, accuracy of times, and speed of transcription, compared with other implementations.

    python benchmarks/asr.py --speech ../shared/data/speech

`--speech` is a folder with clips and a `reference.tsv` (file, language, reference). English clips are joined into ones
of 5 to 60 s, and espeak-ng, if installed, speaks more. Error rates are printed for all clips and for two halves of
them, to show how much they vary. The other implementations transcribe the same clips with the same weights in the same
run, one file at a time: the transformers `pipeline` in fp32 with its 5 beams, and faster-whisper, if installed, with
its voice detection and one beam.
"""

import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

SAMPLE_RATE = 16_000  # Hz, of ingest.media
MODELS = ["openai/whisper-tiny.en", "openai/whisper-base"]
LENGTHS_S = (5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 25, 30, 40, 50, 60)  # joined and spoken ones
QUICK = 4  # clips of each kind
MUSIC_S = 60
TIMBRES = {"soft": (3.0, 0.5), "bright": (1.0, 0.5), "organ": (1.5, 0.0), "pluck": (1.5, 6.0), "sung": (0.3, 0.5)}
PLACED_S = (7.0, 41.3, 78.6, 121.9, 160.2)  # where speech starts in long silence
PLACED_LEVEL = 0.02  # share of a clip's peak at which it starts and ends
SENTENCES = (
    "The bakery on the corner opens at six, but the good rolls are gone by seven.",
    "Put the lid on the pot and wait until the water starts to move.",
    "My sister drove all night through the mountains to see the lake in the morning.",
    "Nobody told me that the paint would take three days to dry.",
    "If you fold the paper twice you get a small boat that floats.",
    "The dog found the old shoe under the stairs and carried it to the garden.",
    "Please bring a warm coat, because the evening will be cold near the sea.",
    "The train to the north leaves from the second platform in ten minutes.",
    "Every winter the children build a house out of snow behind the school.",
    "Add the onions first, then the garlic, and leave the pepper for the end.",
    "She wrote the letter by hand and forgot to put a stamp on it.",
    "You can hear the wind in the wires when the street is empty.",
)

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    name: str
    samples: Samples
    language: str
    reference: str

    @property
    def length_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE


def main(
    speech: Annotated[Path, typer.Option(help="Folder with clips and reference.tsv.")] = Path("../shared/data/speech"),
    model: Annotated[list[str], typer.Option(help="Whisper model by name or folder; repeatable.")] = MODELS,
    threads: Annotated[int, typer.Option(help="Threads per engine.")] = os.cpu_count() or 1,
    quick: Annotated[bool, typer.Option("--quick", help="A few clips and the first model only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print word error rates, text invented for clips without speech, errors of times, and real-time factors."""
    if not (speech / "reference.tsv").is_file():
        print(f"skipped: {speech} has no reference.tsv; name the folder of clips with --speech", file=sys.stderr)
        raise typer.Exit
    import torch

    torch.set_num_threads(threads)
    clips = list(_clips(speech))
    longer = list(_longer(clips, QUICK if quick else len(LENGTHS_S)))
    soundless = list(_soundless(1 if quick else 3))
    report: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {threads} of {os.cpu_count()} cores, Python {platform.python_version()}",
        "longer_clips": len(longer),
        "longer_s": round(sum(clip.length_s for clip in longer)),
        "models": {name: _measure(name, clips, longer, soundless, threads) for name in model[: 1 if quick else None]},
    }
    print(json.dumps(report, indent=1, ensure_ascii=False) if as_json else _table(report))


def _measure(name: str, clips: list[Clip], longer: list[Clip], soundless: list[Clip], threads: int) -> dict[str, Any]:
    from ingest.speech.whisper import Transcriber

    transcriber = Transcriber(name)

    def ours(given: list[Clip]) -> list[str]:
        made = dict(transcriber.run((number, clip.samples) for number, clip in enumerate(given)))
        return [getattr(made[number], "text", None) or "" for number in range(len(given))]

    ours(longer[:1])  # warm-up
    english_only = name.endswith(".en")
    spoken = [clip for clip in clips if clip.reference and not (english_only and clip.language != "en")]
    texts = ours(spoken)
    silent = [clip for clip in clips if not clip.reference] + soundless
    heard = {clip.name: text for clip, text in zip(silent, ours(silent), strict=True) if text}
    engines: dict[str, Any] = {}
    for engine, transcribe in _engines(name, ours, threads):
        print(f"{name}: {engine} ...", file=sys.stderr)
        started, cpu = time.perf_counter(), time.process_time()
        made = transcribe(longer)
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
        length_s = sum(clip.length_s for clip in longer)
        engines[engine] = {
            "rtf": round(seconds / length_s, 4),
            "cpu_rtf": round(cpu_s / length_s, 4),
            **{f"wer_{half}": _wer(longer, made, half) for half in ("all", "even", "odd")},
        }
    mine = engines["ours"]["rtf"]
    return {
        "clips": {clip.name: _error(clip, text) for clip, text in zip(spoken, texts, strict=True)},
        **{f"wer_{half}": _wer(spoken, texts, half) for half in ("all", "even", "odd")},
        "wordless": {"clips": len(silent), "heard": heard},
        "times": _times(transcriber, clips),
        "engines": engines,
        "times_as_fast_as": {
            engine: round(row["rtf"] / mine, 2) for engine, row in engines.items() if engine != "ours"
        },
    }


# -- clips --------------------------------------------------------------------------------------------------------


def _clips(folder: Path) -> Iterator[Clip]:
    from ingest.sound import audio

    for line in (folder / "reference.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        name, language, reference = line.split("\t")[:3]
        yield Clip(name, audio(folder / name), language, reference)


def _longer(clips: list[Clip], each: int) -> Iterator[Clip]:
    """Yield clips of 5 to 60 s: real ones joined with pauses, and made-up sentences spoken by espeak-ng."""
    english = [clip for clip in clips if clip.language == "en" and clip.length_s < 30]
    for number, length_s in enumerate(LENGTHS_S[:each]):
        drawn = english[:]
        random.Random(number).shuffle(drawn)
        yield _join(f"joined {number}", ((clip.samples, clip.reference) for clip in drawn * 9), length_s, number)
    if not shutil.which("espeak-ng"):
        print("espeak-ng is not installed: only joined clips", file=sys.stderr)
        return
    for number, length_s in enumerate(LENGTHS_S[:each]):
        yield _join(f"spoken {number}", _sentences(number), length_s, number)


def _sentences(seed: int) -> Iterator[tuple[Samples, str]]:
    from ingest.sound import audio

    draw = random.Random(seed)
    voice = draw.choice(["en-us", "en-gb", "en-us+f3", "en-gb+m3"])
    for number in count():
        text = SENTENCES[(seed + 5 * number) % len(SENTENCES)]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "spoken.wav"
            command = ["espeak-ng", "-v", voice, "-s", str(draw.randint(130, 175)), "-w", str(file), text]
            subprocess.run(command, check=True, timeout=60)
            yield audio(file), text


def _join(name: str, pieces: Iterator[tuple[Samples, str]], length_s: float, seed: int) -> Clip:
    draw = random.Random(seed)
    samples: list[Samples] = []
    texts: list[str] = []
    left = length_s * SAMPLE_RATE
    for piece, text in pieces:
        if samples and len(piece) > left:
            break
        pause = np.zeros(round(draw.uniform(0.3, 1.2) * SAMPLE_RATE), np.float32)
        samples += [piece, pause]
        texts.append(text)
        left -= len(piece) + len(pause)
    return Clip(name, np.concatenate(samples), "en", " ".join(texts))


def _soundless(seeds: int) -> Iterator[Clip]:
    """Yield clips of one minute: silence, noise, and music in several timbres, with and without drums."""
    noise = np.random.default_rng(0).standard_normal(MUSIC_S * SAMPLE_RATE)
    for level in (0.0, 0.001, 0.03, 0.3):
        yield Clip(f"noise at {level}", (level * noise).astype(np.float32), "-", "")
    for timbre in TIMBRES:
        for seed in range(seeds):
            for drums in (True, False):
                name = f"music, {timbre}, {'drums, ' if drums else ''}seed {seed}"
                yield Clip(name, _music(seed, timbre, drums), "-", "")


def _music(seed: int, timbre: str, drums: bool) -> Samples:
    """Four chords and a tune over them, MUSIC_S long; `sung` filters the tune by the formants of a vowel."""
    draw = np.random.default_rng(seed)
    fall, decay = TIMBRES[timbre]
    beat = round(60 / draw.integers(80, 150) * SAMPLE_RATE)
    wave = np.zeros(MUSIC_S * SAMPLE_RATE)
    root = 110 * 2 ** (draw.integers(0, 12) / 12)
    time_s = np.arange(beat) / SAMPLE_RATE
    for number, start in enumerate(range(0, len(wave) - beat, beat)):
        chord = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))[number // 4 % 4]
        tune = chord[draw.integers(3)] + 12
        for note, gain in [*((note, 0.15) for note in chord), (tune, 0.4)]:
            pitch = root * 2 ** (note / 12)
            phase = 2 * np.pi * pitch * (time_s + 0.0003 * np.sin(2 * np.pi * 5.5 * time_s))  # a vibrato
            for overtone in range(1, 1 + min(30, int(7000 / pitch))):
                loud = overtone**-fall
                if timbre == "sung" and note == tune:
                    formants = ((730, 1090, 2440), (270, 2290, 3010), (570, 840, 2410))[number % 3]
                    loud = sum(np.exp(-(((pitch * overtone - formant) / 120) ** 2)) for formant in formants)
                wave[start : start + beat] += gain * loud * np.sin(overtone * phase) * np.exp(-decay * time_s)
        if drums:
            drum = np.sin(2 * np.pi * 60 * time_s) if number % 2 else draw.standard_normal(beat)
            wave[start : start + beat] += 0.7 * drum * np.exp(-20 * time_s)
    return np.asarray(0.8 * wave / np.abs(wave).max(), dtype=np.float32)


# -- engines ------------------------------------------------------------------------------------------------------


def _engines(
    name: str, ours: Callable[[list[Clip]], list[str]], threads: int
) -> Iterator[tuple[str, Callable[[list[Clip]], list[str]]]]:
    from ingest.models.weights import resolve

    folder = resolve(name).folder
    yield "ours", ours
    yield "transformers pipeline, fp32", _pipeline(folder)
    try:
        import ctranslate2
        import faster_whisper
    except ImportError:
        print("faster-whisper is not installed: `pip install faster-whisper` to compare with it", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as converted:
        files = ["tokenizer.json", "preprocessor_config.json"]
        ctranslate2.converters.TransformersConverter(str(folder), copy_files=files).convert(converted, force=True)
        for precision in ("float32", "int8"):
            model = faster_whisper.WhisperModel(
                converted, device="cpu", compute_type=precision, cpu_threads=threads, local_files_only=True
            )

            def transcribe(clips: list[Clip], model: Any = model) -> list[str]:
                heard = (model.transcribe(clip.samples, beam_size=1, vad_filter=True)[0] for clip in clips)
                return [" ".join(segment.text for segment in segments) for segments in heard]

            yield f"faster-whisper, {precision}", transcribe


def _pipeline(folder: Path) -> Callable[[list[Clip]], list[str]]:
    import transformers

    plain: Any = transformers.pipeline("automatic-speech-recognition", model=str(folder), dtype="float32")

    def transcribe(clips: list[Clip]) -> list[str]:
        made = (
            plain({"raw": clip.samples, "sampling_rate": SAMPLE_RATE}, return_timestamps=True)["text"] for clip in clips
        )
        return [str(text) for text in made]

    return transcribe


# -- measures -----------------------------------------------------------------------------------------------------


def _words(text: str, language: str) -> str:
    """Normalise by Whisper's rules, without its table of British spellings, which these weights do not include."""
    from transformers.models.whisper import english_normalizer

    normalizer: Any = english_normalizer  # its constructors have no types
    clean = normalizer.EnglishTextNormalizer({}) if language == "en" else normalizer.BasicTextNormalizer()
    return str(clean(text))


def _error(clip: Clip, text: str) -> float:
    import jiwer

    return round(float(jiwer.wer(_words(clip.reference, clip.language), _words(text, clip.language))), 3)


def _wer(clips: list[Clip], texts: list[str], half: str) -> float:
    """Return the error rate over all words of the English clips: of all, the even or the odd ones."""
    import jiwer

    steps: dict[str, slice] = {"all": slice(None), "even": slice(0, None, 2), "odd": slice(1, None, 2)}
    english = [(clip, text) for clip, text in zip(clips, texts, strict=True) if clip.language == "en"]
    pairs = english[steps[half]]
    return round(
        float(
            jiwer.wer([_words(clip.reference, "en") for clip, _ in pairs], [_words(text, "en") for _, text in pairs])
        ),
        4,
    )


def _times(transcriber: Any, clips: list[Clip]) -> dict[str, Any]:
    """Return the largest errors of start and end of speech in three minutes of near silence."""
    errors: list[tuple[float, float]] = []
    missed = 0
    for clip in [clip for clip in clips if clip.language == "en" and 2 < clip.length_s < 8]:
        loud = np.flatnonzero(np.abs(clip.samples) > PLACED_LEVEL * np.abs(clip.samples).max())
        spoken = clip.samples[loud[0] : loud[-1] + 1]
        length_s = len(spoken) / SAMPLE_RATE
        samples = (0.0003 * np.random.default_rng(0).standard_normal(180 * SAMPLE_RATE)).astype(np.float32)
        for start_s in PLACED_S:
            samples[round(start_s * SAMPLE_RATE) :][: len(spoken)] += spoken
        [(_, text)] = transcriber.run([(0, samples)])
        for start_s in PLACED_S:
            inside = [one for one in text.segments if one.start_s < start_s + length_s and one.end_s > start_s]
            if inside:
                errors.append((inside[0].start_s - start_s, inside[-1].end_s - start_s - length_s))
            else:
                missed += 1
    found = np.abs(np.array(errors))
    return {
        "placed": len(errors) + missed,
        "missed": missed,
        "largest_start_error_s": round(float(found[:, 0].max()), 3),
        "largest_end_error_s": round(float(found[:, 1].max()), 3),
    }


def _table(report: dict[str, Any]) -> str:
    lines = [f"{report['date']}, {report['machine']}; {report['longer_clips']} clips of {report['longer_s']} s"]
    for name, made in report["models"].items():
        lines += ["", name]
        lines += [f"  WER of the clips: {made['wer_all']} (even {made['wer_even']}, odd {made['wer_odd']})"]
        lines += [f"    {error:5.3f}  {clip}" for clip, error in made["clips"].items()]
        wordless = made["wordless"]
        lines += [
            f"  without words: {wordless['clips']}, text invented for {len(wordless['heard'])} {wordless['heard']}"
        ]
        lines += [f"  times: {made['times']}"]
        lines += [f"  {'engine':30} {'RTF':>8} {'CPU':>8} {'WER':>8} {'even':>8} {'odd':>8} {'we are':>8}"]
        for engine, row in made["engines"].items():
            faster = made["times_as_fast_as"].get(engine, "")
            lines += [f"  {engine:30} " + " ".join(f"{value:>8}" for value in [*row.values(), faster])]
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(main)
