"""Audio -> text: the mechanics with a tiny random Whisper, the words with real weights if they are installed."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray

from ingest.catalog.entries import Segment, Text
from ingest.media import SAMPLE_RATE
from ingest.models import package_source, pinned_models
from ingest.models.device import DeviceError
from ingest.models.weights import WeightsError
from ingest.sound import audio
from ingest.speech import segments, vad, whisper
from ingest.speech.beams import Hypothesis
from ingest.speech.segments import TICK_S, is_loop, limit_repeats, split_segments
from ingest.speech.vad import Span, Window
from ingest.speech.whisper import TooSlow, Transcriber, _Audio, _Job
from tests.ingest import media_samples

NAMES = ["openai/whisper-tiny.en", "openai/whisper-base"]
JFK = "and so my fellow americans ask not what your country can do for you ask what you can do for your country"


@pytest.fixture
def tiny(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Transcriber]:
    monkeypatch.setattr(whisper, "MAX_TOKENS", 40)
    monkeypatch.setattr(segments, "LOOP", re.compile("(?!)"))  # random weights may write a loop
    monkeypatch.setattr(segments, "MAX_COMPRESSION", 99.0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for such a small model, threads only cost time
    yield Transcriber(str(media_samples.tiny_whisper(tmp_path_factory.mktemp("whisper"))))
    torch.set_num_threads(threads)


def ready(name: str) -> bool:
    """Whether the weights of a model are on this machine."""
    pin = pinned_models.find(name)
    return bool(pin and package_source.cached(pin, package_source.default_cache()))


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[] if ready(name) else pytest.mark.heavy) for name in NAMES],
)
def real(request: pytest.FixtureRequest) -> Transcriber:
    """A real Whisper. Where its weights are not on this machine yet, only `make test-heavy` fetches and tests it."""
    return Transcriber(request.param)


def transcribe(transcriber: Transcriber, *clips: NDArray[np.float32]) -> list[Text]:
    """The transcripts of clips, in their order."""
    made = dict(transcriber.run(enumerate(clips)))
    return [text for number in range(len(clips)) if isinstance(text := made[number], Text)]


def noise(seconds: float, level: float) -> NDArray[np.float32]:
    return (level * np.random.default_rng(0).standard_normal(round(seconds * SAMPLE_RATE))).astype(np.float32)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def edits(expected: list[str], heard: list[str]) -> int:
    """The Levenshtein distance over words: how many are missing, added or others."""
    row = list(range(len(heard) + 1))
    for count, word in enumerate(expected, 1):
        above, row = row, [count]
        for position, other in enumerate(heard):
            row.append(min(above[position] + (word != other), above[position + 1] + 1, row[position] + 1))
    return row[-1]


def test_silence_gives_an_empty_text_and_speech_a_text(tiny: Transcriber) -> None:
    silent, nothing, spoken = transcribe(tiny, noise(5, 0), noise(0, 0), media_samples.speech(3))
    assert silent.text == nothing.text == ""
    assert silent.confidence is None
    assert spoken.text
    assert spoken.language in ("en", "de")
    assert spoken.confidence is not None
    assert 0 < spoken.confidence <= 1


def test_a_batch_gives_the_same_as_single_windows(tiny: Transcriber) -> None:
    clips = [(n, media_samples.speech(seconds, pitch_hz=100 + 30 * n)) for n, seconds in enumerate((3, 65, 8, 31))]
    assert dict(tiny.run(clips, batch=1)) == dict(tiny.run(clips, batch=3))


def test_segments_are_in_order_and_within_the_audio_beyond_30_seconds(tiny: Transcriber) -> None:
    [made] = transcribe(tiny, media_samples.speech(75))
    times = [time for segment in made.segments for time in (segment.start_s, segment.end_s)]
    assert times == sorted(times)
    assert 60 < times[-1] <= 75
    assert made.text == " ".join(segment.text for segment in made.segments)


def test_another_model_than_whisper_is_refused_with_its_folder(tmp_path: Path) -> None:
    folder = media_samples.tiny_whisper(tmp_path / "whisper")
    (folder / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(WeightsError, match="no Whisper model"):
        Transcriber(str(folder))


def test_a_model_with_code_is_refused_and_its_code_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "y")  # transformers would ask
    folder = media_samples.tiny_whisper(tmp_path / "whisper")
    (folder / "config.json").write_text('{"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}')
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(WeightsError, match="no Whisper model"):
        Transcriber(str(folder))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ((0.0, "a", 2.0), [(0.0, 2.0)]),
        ((0.0, "a", 2.0, 2.0, "b", 5.0), [(0.0, 2.0), (2.0, 5.0)]),
        ((0.0, "a", 2.0, 2.0), [(0.0, 2.0)]),  # a sentence that is left out
        ((0.0, "a", 2.0, 3.0, "b"), [(0.0, 2.0), (3.0, 10.0)]),  # cut
        ((0.0, "a", 12.0), [(0.0, 10.0)]),
        ((0.0, "a", 8.0, 11.0, "b", 12.0), [(0.0, 8.0)]),  # past the end
        ((0.0, 0.0), []),
        ((), []),
    ],
)
def test_tokens_become_segments_inside_the_window(
    written: tuple[float | str, ...], expected: list[tuple[float, float]]
) -> None:
    first_time = 1000
    tokens = [0 if isinstance(item, str) else first_time + round(item / TICK_S) for item in written]
    pieces = split_segments(tokens, first_time, 10.0)
    assert [piece[2:] for piece in pieces] == [pytest.approx(segment) for segment in expected]


def test_each_segment_has_its_confidence(tiny: Transcriber) -> None:
    [made] = transcribe(tiny, media_samples.speech(3))
    assert made.segments
    for segment in made.segments:
        assert segment.avg_logprob is not None
        assert whisper.MIN_LOGPROB <= segment.avg_logprob <= 0
        assert segment.no_speech is not None
        assert 0 <= segment.no_speech <= 1


def test_segments_with_low_confidence_are_dropped(tiny: Transcriber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whisper, "MIN_LOGPROB", 0.0)
    assert [made.text for made in transcribe(tiny, media_samples.speech(3))] == [""]


def test_an_uncertain_window_that_whisper_calls_silent_is_dropped(
    tiny: Transcriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whisper, "MIN_LOGPROB", -0.001)
    monkeypatch.setattr(whisper, "NO_SPEECH", -1.0)
    assert [made.text for made in transcribe(tiny, media_samples.speech(3))] == [""]


def test_loops_are_decoded_again_and_then_dropped(tiny: Transcriber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MAX_COMPRESSION", 0.0)
    assert [made.text for made in transcribe(tiny, media_samples.speech(40))] == [""]


def test_a_repeated_segment_is_limited() -> None:
    repeated = [(Segment(n, n + 1, text), [-0.1]) for n, text in enumerate(["la"] * 9 + ["da", "la"])]
    assert [segment.text for segment, _ in limit_repeats(repeated)] == ["la", "la", "la", "da", "la"]


def test_repetition_after_a_pause_is_not_a_loop() -> None:
    repeated = [(Segment(n, n + 1, "la"), [-0.1]) for n in range(0, 60, 10)]
    assert limit_repeats(repeated) == repeated


def test_only_allowed_languages_are_chosen(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = str(media_samples.tiny_whisper(tmp_path_factory.mktemp("whisper")))
    for code in ("en", "de"):
        [made] = transcribe(Transcriber(folder, languages=f" {code.upper()}"), media_samples.speech(3))
        assert made.text
        assert made.language == code
    with pytest.raises(WeightsError, match="does not know the language tlh"):
        Transcriber(folder, languages="en,tlh")


def test_a_window_has_its_own_language_if_that_is_certain(tiny: Transcriber) -> None:
    def language(probability: float, speech_s: float) -> str:
        """The language of a window in an English audio, with a probability that it is German."""
        span = Span(0, round(speech_s * SAMPLE_RATE))
        audio = _Audio("key", noise(speech_s, 0), language="en")
        shares = {"de": probability, "en": 1 - probability}
        languages = tuple(shares.get(code, 0.0) for code in tiny._languages)
        return tiny._window_language(_Job(audio, Window(span, (span,)), languages=languages))

    assert language(0.99, 6) == "de"
    assert language(0.01, 6) == "en"
    assert language(0.7, 6) == "en", "not certain"
    assert language(0.99, 0.5) == "en", "too short to be certain"


def test_the_language_of_a_text_is_the_one_with_most_speech(tiny: Transcriber) -> None:
    spoken = Counter({"en": 2_000, "de": 9_000})
    audio = _Audio("key", noise(1, 0), language="en", spoken=spoken, segments=[(Segment(0, 1, "a"), [-0.1])])
    assert tiny._text(audio).language == "de"


def test_an_audio_that_takes_too_long_does_not_affect_others(
    tiny: Transcriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [("long", media_samples.speech(120)), ("short", media_samples.speech(3))]
    monkeypatch.setattr(vad, "MISSED_S", 99.0)
    made = dict(tiny.run(clips, batch=1, limit_s=1e-9))
    assert set(made) == {"long", "short"}
    assert isinstance(made["long"], TooSlow)
    assert isinstance(made["short"], Text)  # one window: it was done before the time limit applied


def test_the_time_limit_grows_with_the_audio(tiny: Transcriber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whisper, "LONG_S", 0.01)
    [(_, made)] = tiny.run([("long", media_samples.speech(60))], batch=1, limit_s=0.5)  # per 0.01 s: an hour in total
    assert isinstance(made, Text)
    [(_, made)] = tiny.run([("long", media_samples.speech(60))], batch=1, limit_s=1e-9)
    assert isinstance(made, TooSlow)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_missing_device_is_named() -> None:
    with pytest.raises(DeviceError, match="only on"):
        Transcriber("any", "cuda")


def test_samples_can_be_a_mapped_file(tiny: Transcriber, tmp_path: Path) -> None:
    samples = media_samples.speech(40)
    samples.tofile(tmp_path / "samples")
    assert transcribe(tiny, np.memmap(tmp_path / "samples", np.float32, "r")) == transcribe(tiny, samples)


def test_the_encoder_gives_the_same_as_transformers(tmp_path: Path) -> None:
    folder, samples = str(media_samples.tiny_whisper(tmp_path)), media_samples.speech(29)
    ours = Transcriber(folder).encode([samples])
    library: Any = transformers
    plain = "eager" if ours.dtype == torch.bfloat16 else "sdpa"  # fused attention rounds otherwise
    model = library.WhisperForConditionalGeneration.from_pretrained(folder, dtype=ours.dtype, attn_implementation=plain)
    model.to(ours.device)
    processor = library.WhisperProcessor.from_pretrained(folder)
    features = processor.feature_extractor([samples], sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features
    with torch.inference_mode():
        theirs = model.get_encoder()(features.to(ours.device, ours.dtype)).last_hidden_state
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("second", "expected"),
    [("two", "one two three"), ("ne", "one three"), ("th", "one three"), ("one", "one one three")],
)
def test_a_sentence_that_whisper_left_out_is_decoded_again(
    tiny: Transcriber, monkeypatch: pytest.MonkeyPatch, second: str, expected: str
) -> None:
    """Whisper writes "one", leaves out the sentence of 8 to 15 s, and writes "three". Then it writes `second`."""
    written = [[(0.0, "one", 7.0), (16.0, "three", 23.0)], [(0.3, second, 7.3)]]

    def decode(*_: object) -> list[Hypothesis]:
        tokens: list[int] = []
        for start_s, text, end_s in written.pop(0):
            first, last = (tiny._first_time + round(time_s / TICK_S) for time_s in (start_s, end_s))
            tokens += [first, *tiny._processor.tokenizer(text, add_special_tokens=False).input_ids, last]
        return [Hypothesis(-0.1, tokens, [-0.1] * len(tokens))]

    spans = [Span(start_s * SAMPLE_RATE, (start_s + 7) * SAMPLE_RATE) for start_s in (0, 8, 16)]
    monkeypatch.setattr(whisper, "find_speech", lambda _: spans)
    monkeypatch.setattr(whisper, "beam_search", decode)
    [made] = transcribe(tiny, media_samples.speech(24))
    assert made.text == expected, "the end or the start of a neighbor is not said twice"
    assert not written


def test_loops_differ_from_speech() -> None:
    assert is_loop("Thank you. " * 12)
    assert is_loop(". " * 40)
    assert not is_loop("Ask not what your country can do for you, ask what you can do for your country.")
    assert not is_loop("")


def test_loops_of_a_few_letters_are_loops_however_short_the_text() -> None:
    assert is_loop("ha" * 8)
    assert is_loop("é una" + " é una" * 8)
    assert not is_loop("No, no, no, no.")


def test_nothing_is_transcribed_in_silence_and_noise(real: Transcriber) -> None:
    clips = [noise(20, 0), noise(20, 0.001), noise(20, 0.1)]
    assert [text.text for text in transcribe(real, *clips)] == [""] * 3


def test_the_tiny_model_transcribes_nothing_in_silence_and_noise(tiny: Transcriber) -> None:
    clips = [noise(20, 0), noise(20, 0.001), noise(20, 0.1)]
    assert [text.text for text in transcribe(tiny, *clips)] == [""] * 3


def test_a_sample_clip_is_transcribed_with_few_errors_and_true_times(sample_corpus: Path, real: Transcriber) -> None:
    id_ = "9000000000000000134"
    sentences = json.loads((sample_corpus / "spoken.json").read_text(encoding="utf-8"))[id_]
    [made] = transcribe(real, audio(sample_corpus / "videos" / f"{id_}.mp4"))
    expected = words(" ".join(sentence["text"] for sentence in sentences))
    assert edits(expected, words(made.text or "")) / len(expected) < 0.25
    assert made.segments[0].start_s == pytest.approx(sentences[0]["start_s"], abs=0.5)
    assert made.segments[-1].end_s == pytest.approx(sentences[-1]["end_s"], abs=0.5)


@pytest.mark.research_data("recordings of silence")
def test_silent_and_near_silent_clips_have_no_text(shared_data: Path, real: Transcriber) -> None:
    clips = [audio(shared_data / "speech" / "whisper_timestamped" / name) for name in ("empty.wav", "empty.mp3")]
    assert [text.text for text in transcribe(real, *clips)] == ["", ""]


@pytest.mark.research_data("recordings of laughter")
def test_babble_and_laughter_do_not_loop(shared_data: Path, real: Transcriber) -> None:
    """Sounds that pass for speech: Whisper may make something of them, but not the same over and over."""
    laughs = [audio(shared_data / "speech" / "whisper_timestamped" / f"laugh{n}.mp3") for n in (1, 2)]
    for text in transcribe(real, media_samples.speech(30), np.concatenate([laughs[0]] * 6), *laughs):
        said = words(text.text or "")
        assert not is_loop(text.text or "")
        assert len(said) < 120


@pytest.mark.research_data("recordings of people")
def test_speech_after_long_silence_has_true_times(shared_data: Path, real: Transcriber) -> None:
    clip = audio(shared_data / "speech" / "librivox" / "sense_and_sensibility_01_austen_64kb-0920.wav")
    level = np.abs(clip) > 0.03
    spoken = clip[level.argmax() : len(clip) - level[::-1].argmax()]
    starts_s = (7.0, 41.3, 100.9)
    samples = noise(130, 0.0005)
    for start_s in starts_s:
        samples[round(start_s * SAMPLE_RATE) :][: len(spoken)] += spoken
    [made] = transcribe(real, samples)
    length_s = len(spoken) / SAMPLE_RATE
    for start_s in starts_s:
        inside = [s for s in made.segments if s.start_s < start_s + length_s and s.end_s > start_s]
        assert inside[0].start_s == pytest.approx(start_s, abs=0.3)
        assert inside[-1].end_s == pytest.approx(start_s + length_s, abs=0.3)


@pytest.mark.research_data("recordings of people")
def test_a_known_speech_is_transcribed_word_for_word(shared_data: Path, real: Transcriber) -> None:
    [made] = transcribe(real, audio(shared_data / "speech" / "jfk.flac"))
    assert words(made.text or "") == JFK.split()
    assert made.language == "en"
    assert made.segments[-1].end_s == pytest.approx(10.6, abs=0.5)


@pytest.mark.research_data("recordings of people")
def test_speech_in_two_languages_is_transcribed_in_both(shared_data: Path, real: Transcriber) -> None:
    if len(real._languages) < 2:
        pytest.skip("this model is for English")
    english, russian = (audio(shared_data / "speech" / name) for name in ("jfk.flac", "ru.wav"))
    [made] = transcribe(real, np.concatenate([english, noise(3, 0), russian]))
    assert words(made.text or "")[: len(JFK.split())] == JFK.split()
    assert "ребят" in (made.text or "").lower()
    assert made.language == "en"


@pytest.mark.research_data("recordings of people")
def test_no_sentence_is_lost_between_windows(shared_data: Path, real: Transcriber) -> None:
    read = np.concatenate([audio(path) for path in sorted((shared_data / "speech" / "librivox").glob("*.wav"))])
    speech = audio(shared_data / "speech" / "jfk.flac")
    [made] = transcribe(real, np.concatenate([read, speech, read]))
    text = " ".join(words(made.text or ""))
    assert text.count("and so my fellow americans") == 1
    assert text.count("he might even have been made amiable himself") == 2


@pytest.mark.heavy
@pytest.mark.research_data("recordings of people, with what they say")
@pytest.mark.parametrize("name", NAMES)
def test_reference_clips_are_transcribed_with_few_errors(shared_data: Path, name: str) -> None:
    """Numbers are written as digits, so the cards are left out; the rest is held to one wrong word in five."""
    lines = [line.split("\t") for line in (shared_data / "speech" / "reference.tsv").read_text().splitlines()[1:]]
    clips = {line[0]: line[2] for line in lines if line[1] == "en" and "cards" not in line[0] and "sr_" not in line[0]}
    transcriber = Transcriber(name)
    made = transcribe(transcriber, *(audio(shared_data / "speech" / clip) for clip in clips))
    wrong = total = 0
    for text, reference in zip(made, clips.values(), strict=True):
        expected = [word.replace("mister", "mr") for word in words(reference)]
        said = words((text.text or "").replace("-", " "))
        wrong += edits(expected, said)
        total += len(expected)
    assert wrong / total < 0.2
