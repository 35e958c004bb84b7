"""Audio -> speech: which audio Whisper gets, and how it is cut into windows."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.media import SAMPLE_RATE, NoStream
from ingest.sound import audio
from ingest.speech.vad import (
    EDGE_S,
    LONGEST_S,
    MAX_PAUSE_S,
    WINDOW_S,
    Span,
    Window,
    find_speech,
    halves,
    snap,
    uncovered,
    windows,
)
from tests.ingest import media_samples


def span(start_s: float, end_s: float) -> Span:
    return Span(round(start_s * SAMPLE_RATE), round(end_s * SAMPLE_RATE))


def silent(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def song(timbre: int, seconds: int = 20) -> NDArray[np.float32]:
    """Four chords with a beat; `timbre` is how fast the overtones fall off."""
    time_s = np.arange(seconds * SAMPLE_RATE) / SAMPLE_RATE
    wave = np.zeros(len(time_s))
    for number, chord in enumerate(((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))):
        sounding = (time_s // 2 % 4 == number) * np.exp(-(time_s % 1) * timbre)
        for note in chord:
            for overtone in range(1, 9):
                wave += sounding * np.sin(2 * np.pi * 220 * 2 ** (note / 12) * overtone * time_s) / overtone**timbre
    beat = np.random.default_rng(timbre).standard_normal(len(time_s)) * np.exp(-(time_s % 0.5) * 30)
    return np.asarray(0.5 * wave / np.abs(wave).max() + 0.2 * beat, dtype=np.float32)


@pytest.mark.parametrize("level_dbfs", [-70, -40, -20])
def test_noise_is_not_speech(level_dbfs: int) -> None:
    noise = np.random.default_rng(0).standard_normal(10 * SAMPLE_RATE) * 10 ** (level_dbfs / 20)
    assert find_speech(noise.astype(np.float32)) == []


@pytest.mark.parametrize("timbre", [1, 2, 3])
def test_music_is_not_speech(timbre: int) -> None:
    assert find_speech(song(timbre)) == []


@pytest.mark.parametrize("hertz", [50, 440, 3000])
def test_a_hum_is_not_speech(hertz: int) -> None:
    time_s = np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE
    assert find_speech((0.3 * np.sin(2 * np.pi * hertz * time_s)).astype(np.float32)) == []


def test_no_audio_has_no_speech() -> None:
    assert find_speech(silent(0)) == find_speech(silent(0.01)) == []


@pytest.mark.parametrize("level", [0.9, 0.01])
def test_speech_is_found_where_it_is_loud_or_faint(level: float) -> None:
    [found] = find_speech(np.concatenate([silent(20), media_samples.speech(3, level), silent(20)]))
    assert found.start / SAMPLE_RATE == pytest.approx(20, abs=0.3)
    assert found.end / SAMPLE_RATE == pytest.approx(23, abs=0.3)


def test_endless_speech_is_cut() -> None:
    found = find_speech(media_samples.speech(70))
    assert len(found) >= 3
    assert max(one.length_s for one in found) <= LONGEST_S


def test_a_mapped_file_gives_the_same_as_memory(tmp_path: Path) -> None:
    samples = np.concatenate([silent(3), media_samples.speech(20), silent(3)])
    samples.tofile(tmp_path / "samples")
    assert find_speech(np.memmap(tmp_path / "samples", np.float32, "r")) == find_speech(samples)


def test_finding_speech_does_not_change_the_threads_of_torch() -> None:
    """silero_vad sets one thread for the process when it is imported, so this needs a separate process."""
    code = "import torch; torch.set_num_threads(2); from ingest.speech.vad import find_speech; import numpy as np"
    code += "; find_speech(np.zeros(16000, np.float32)); print(torch.get_num_threads())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "2"


def test_speech_is_found_in_the_sample_clips(sample_corpus: Path) -> None:
    spoken = json.loads((sample_corpus / "spoken.json").read_text(encoding="utf-8"))
    for id_, sentences in spoken.items():
        try:
            found = find_speech(audio(sample_corpus / "videos" / f"{id_}.mp4"))
        except NoStream:  # one clip has no audio
            found = []
        for sentence in sentences:
            here = [one for one in found if one.start / SAMPLE_RATE < sentence["end_s"]]
            assert any(one.end / SAMPLE_RATE > sentence["start_s"] for one in here), (id_, sentence["text"])
        assert bool(found) == bool(sentences), id_


@pytest.mark.research_data("recordings of people, with what they say")
def test_every_spoken_clip_has_speech_and_the_silent_ones_none(shared_data: Path) -> None:
    lines = [line.split("\t") for line in (shared_data / "speech" / "reference.tsv").read_text().splitlines()[1:]]
    wrong = [
        name for name, _, said, *_ in lines if bool(find_speech(audio(shared_data / "speech" / name))) != bool(said)
    ]
    assert lines
    assert wrong == []


def test_short_pauses_stay_in_a_window_and_long_ones_end_it() -> None:
    speech = [span(10, 12), span(13, 14), span(14 + MAX_PAUSE_S + 1, 20)]
    first, second = windows(speech, 60 * SAMPLE_RATE)
    assert first.speech == tuple(speech[:2])
    assert first.span == span(10 - EDGE_S, 14 + EDGE_S)
    assert second.speech == tuple(speech[2:])


def test_windows_contain_all_speech_once_within_the_limit_of_whisper() -> None:
    speech = [span(start, start + 7.9) for start in range(0, 120, 8)]
    made = windows(speech, 120 * SAMPLE_RATE)
    assert [one for window in made for one in window.speech] == speech
    assert all(window.span.length_s <= WINDOW_S for window in made)
    assert all(earlier.span.end <= later.span.start for earlier, later in pairwise(made))
    assert len(made) < len(speech)


def test_a_window_at_the_edge_stays_within_the_audio() -> None:
    [window] = windows([span(0.1, 4.9)], 5 * SAMPLE_RATE)
    assert window.span == span(0, 5)


WINDOW = Window(span(9.7, 20.3), (span(10, 14), span(15, 20)))


@pytest.mark.parametrize(
    ("said", "true"),
    [
        (span(9.7, 14.4), span(10, 14)),  # silence on both sides
        (span(10.3, 13.6), span(10, 14)),  # a little too narrow
        (span(14.2, 20.3), span(15, 20)),
        (span(11, 13), span(11, 13)),  # a sentence within
        (span(9.7, 20.3), span(10, 20)),
        (span(14.05, 14.45), None),  # no speech
    ],
)
def test_times_move_to_near_speech(said: Span, true: Span | None) -> None:
    assert snap(WINDOW, said.start, said.end) == true


def test_speech_without_a_segment_becomes_windows_before_between_and_after_the_segments() -> None:
    assert uncovered(WINDOW, [span(10, 20)]) == []
    assert uncovered(WINDOW, [span(10, 14)]) == [Window(span(15 - EDGE_S, 20.3), (span(15, 20),))]
    assert uncovered(WINDOW, [span(10, 18)]) == [Window(span(18, 20.3), (span(18, 20),))]
    assert uncovered(WINDOW, [span(15, 20)]) == [Window(span(9.7, 14.3), (span(10, 14),))]
    left = uncovered(WINDOW, [span(18, 20), span(10, 12), span(11, 13.5)])
    assert left == [Window(span(15 - EDGE_S, 18), (span(15, 18),))]
    assert uncovered(WINDOW, []) == [WINDOW]


def test_a_second_of_speech_without_a_segment_is_left_alone() -> None:
    assert uncovered(WINDOW, [span(11, 19)]) == []
    assert uncovered(WINDOW, [span(10, 13.5), span(15.5, 20)]) == []


def test_a_window_is_halved_in_its_longest_pause() -> None:
    assert halves(WINDOW) == [
        Window(span(9.7, 14.5), (span(10, 14),)),
        Window(span(14.5, 20.3), (span(15, 20),)),
    ]
    assert halves(Window(span(0, 5), (span(1, 4),))) == [Window(span(0, 5), (span(1, 4),))]
