"""Audio -> text: the mechanics on a tiny Whisper made here, the words on real ones where their weights lie ready."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from ingest import transcribe, weights
from ingest.media import SAMPLE_RATE, audio
from ingest.transcribe import Transcriber, has_speech, is_loop
from tests.ingest import making

JFK = "and so my fellow americans ask not what your country can do for you ask what you can do for your country"


@pytest.fixture
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transcriber]:
    threads, tokens = torch.get_num_threads(), transcribe.MAX_TOKENS
    torch.set_num_threads(1)  # so small a model only loses time on handing work around
    transcribe.MAX_TOKENS = 40
    compression, transcribe.MAX_COMPRESSION = transcribe.MAX_COMPRESSION, 99.0  # random weights may write a loop
    yield Transcriber(str(making.tiny_whisper(tmp_path_factory.mktemp("whisper"))))
    torch.set_num_threads(threads)
    transcribe.MAX_TOKENS = tokens
    transcribe.MAX_COMPRESSION = compression


@pytest.fixture(scope="module", params=["openai/whisper-tiny.en", "openai/whisper-base"])
def real(request: pytest.FixtureRequest) -> Transcriber:
    pin = weights._pinned(request.param)
    assert pin
    if weights._cached(pin, weights._default_cache()) is None:
        pytest.skip(f"the weights of {request.param} are not on this machine yet; `make test-heavy` fetches them")
    return Transcriber(request.param)


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


def test_silence_gives_the_empty_text_and_speech_a_text(tiny: Transcriber) -> None:
    clips = [("silent", np.zeros(5 * SAMPLE_RATE, np.float32)), ("nothing", np.zeros(0, np.float32))]
    made = dict(tiny.run([*clips, ("spoken", making.voice(3))]))
    assert made["silent"].text == made["nothing"].text == ""
    assert made["silent"].confidence is None
    assert made["spoken"].text
    assert made["spoken"].language in ("en", "de")
    assert made["spoken"].confidence is not None
    assert 0 < made["spoken"].confidence <= 1


def test_a_batch_gives_what_one_by_one_gives(tiny: Transcriber) -> None:
    clips = [(n, making.voice(seconds, pitch_hz=100 + 30 * n)) for n, seconds in enumerate((3, 65, 8, 31))]
    assert dict(tiny.run(clips, batch=1)) == dict(tiny.run(clips, batch=3))


def test_segments_lie_in_order_inside_the_audio_beyond_30_seconds(tiny: Transcriber) -> None:
    [(_, made)] = tiny.run([("long", making.voice(75))])
    times = [time for segment in made.segments for time in (segment.start_s, segment.end_s)]
    assert times == sorted(times)
    assert 60 < times[-1] <= 75
    assert made.text == " ".join(segment.text for segment in made.segments)


def test_a_model_that_is_no_whisper_is_refused_with_its_folder(tmp_path: Path) -> None:
    folder = making.tiny_whisper(tmp_path / "whisper")
    (folder / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(weights.WeightsError, match="no Whisper"):
        Transcriber(str(folder))


def test_a_model_that_brings_code_is_refused_and_its_code_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "y")  # transformers asks, unless it is told
    folder = making.tiny_whisper(tmp_path / "whisper")
    (folder / "config.json").write_text('{"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}')
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(weights.WeightsError, match="no Whisper"):
        Transcriber(str(folder))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("written", "segments", "done_s"),
    [
        ((0.0, "a", 24.0), [(0.0, 24.0)], 30.0),  # the rest is silent
        ((0.0, "a", 24.0, 24.0), [(0.0, 24.0)], 24.0),  # the next sentence starts, beyond what is heard
        ((0.0, "a", 9.0, 9.0, "b", 24.0, 26.0), [(0.0, 9.0), (9.0, 24.0)], 24.0),
        ((0.0, "a", 24.0, 24.0, "b"), [(0.0, 24.0)], 24.0),  # it breaks off
        ((0.0, "a", 2.0, 2.0), [(0.0, 2.0)], 30.0),  # hardly anything done
        ((0.0, "a", 29.5, 29.5), [(0.0, 29.5)], 30.0),  # hardly anything left
        ((0.0, 0.0), [], 30.0),
        ((), [], 30.0),
    ],
)
def test_a_window_is_done_up_to_where_the_next_sentence_starts(
    tiny: Transcriber, written: tuple[float | str, ...], segments: list[tuple[float, float]], done_s: float
) -> None:
    tokens = [0 if isinstance(item, str) else tiny._first_time + round(item / transcribe.TICK_S) for item in written]
    pieces, done = tiny._split(tokens, transcribe.WINDOW_S)
    assert [piece[2:] for piece in pieces] == [pytest.approx(segment) for segment in segments]
    assert done == pytest.approx(done_s)


@pytest.mark.parametrize("level_dbfs", [-70, -50, -40])
def test_room_noise_is_no_speech(level_dbfs: int) -> None:
    noise = np.random.default_rng(0).standard_normal(10 * SAMPLE_RATE) * 10 ** (level_dbfs / 20)
    assert not has_speech(noise.astype(np.float32))


def test_faint_voices_and_short_ones_are_speech() -> None:
    assert has_speech(making.voice(2, level=0.05))
    assert has_speech(np.pad(making.voice(1), (0, 20 * SAMPLE_RATE)))


def test_mains_hum_is_no_speech() -> None:
    time_s = np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE
    assert not has_speech((0.1 * np.sin(2 * np.pi * 50 * time_s)).astype(np.float32))


def test_loops_are_told_from_speech() -> None:
    assert is_loop("Thank you. " * 12)
    assert is_loop(". " * 40)
    assert not is_loop("Ask not what your country can do for you, ask what you can do for your country.")
    assert not is_loop("")


def test_silent_and_near_silent_clips_have_no_text(shared_data: Path, real: Transcriber) -> None:
    for name in ("empty.wav", "empty.mp3"):
        samples = audio(shared_data / "speech" / "whisper_timestamped" / name)
        assert not has_speech(samples), name
        assert [text.text for _, text in real.run([(name, samples)])] == [""]


def test_every_spoken_clip_passes_the_gate(shared_data: Path) -> None:
    lines = (shared_data / "speech" / "reference.tsv").read_text().splitlines()[1:]
    spoken = [line.split("\t")[0] for line in lines if line.split("\t")[2]]
    assert spoken
    assert [name for name in spoken if not has_speech(audio(shared_data / "speech" / name))] == []


def test_a_known_speech_comes_out_word_for_word(shared_data: Path, real: Transcriber) -> None:
    [(_, made)] = real.run([("jfk", audio(shared_data / "speech" / "jfk.flac"))])
    assert words(made.text or "") == JFK.split()
    assert made.language == "en"
    assert made.segments[-1].end_s == pytest.approx(10.6, abs=0.5)


def test_no_sentence_is_lost_where_windows_meet(shared_data: Path, real: Transcriber) -> None:
    read = np.concatenate([audio(path) for path in sorted((shared_data / "speech" / "librivox").glob("*.wav"))])
    speech = audio(shared_data / "speech" / "jfk.flac")
    [(_, made)] = real.run([("both", np.concatenate([read, speech, read]))])
    heard = " ".join(words(made.text or ""))
    assert heard.count("and so my fellow americans") == 1
    assert heard.count("he might even have been made amiable himself") == 2


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["openai/whisper-tiny.en", "openai/whisper-base"])
def test_reference_clips_come_out_with_few_wrong_words(shared_data: Path, name: str) -> None:
    """Numbers are written as digits, so the cards are left out; the rest is held to one wrong word in five."""
    lines = [line.split("\t") for line in (shared_data / "speech" / "reference.tsv").read_text().splitlines()[1:]]
    clips = {line[0]: line[2] for line in lines if line[1] == "en" and "cards" not in line[0] and "sr_" not in line[0]}
    transcriber = Transcriber(name)
    made = dict(transcriber.run((clip, audio(shared_data / "speech" / clip)) for clip in clips))
    wrong = total = 0
    for clip, reference in clips.items():
        expected = [word.replace("mister", "mr") for word in words(reference)]
        heard = words((made[clip].text or "").replace("-", " "))
        wrong += edits(expected, heard)
        total += len(expected)
    assert wrong / total < 0.2
