"""What the ledger says of a text: what was chosen to be read, or why nothing was found."""

from pathlib import Path

import pytest
from PIL import Image

from ingest.catalog import Catalog, Segment, Stage
from ingest.catalog.entries import CAPTIONS, HAND, Text
from ingest.settings import Settings
from ingest.stages.pipeline import run_stage
from ingest.stages.stage_run import StageReport
from ingest.stages.transcribe import recipes
from tests.ingest import media_samples
from tests.ingest.stream_layouts import Audio, babble, music, silence, write


def run(catalog: Catalog, stage: Stage, whisper: Path | str = "none") -> StageReport:
    return run_stage(catalog, stage, Settings(whisper=str(whisper)), processes=1)


def text(catalog: Catalog, stage: Stage) -> str | None:
    entry = catalog.get("10001")
    assert entry
    return entry.texts["cover" if stage == "ocr" else "transcript"].text


def test_the_track_that_was_read_and_tracks_without_speech_are_noted(
    catalog: Catalog, tmp_path: Path, whisper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.speech.segments.MAX_COMPRESSION", 99.0)
    spoken, hum, none = (Audio(samples, "aac") for samples in (babble(), music(), silence()))
    media_samples.add(catalog, "10001", video=write(tmp_path / "a.mp4", [none, spoken]))
    media_samples.add(catalog, "10002", video=write(tmp_path / "b.mp4", [none, hum, hum]))
    assert run(catalog, "transcribe", whisper).done == 2
    assert text(catalog, "transcribe")
    assert catalog.ledger.notes("10001") == {"transcribe": "track 2 of 2 read"}
    assert catalog.ledger.notes("10002") == {"transcribe": "no speech found in 3 audio tracks"}
    assert catalog.ledger.stage_counts()["transcribe"]["notes"] == {
        "no speech found in 3 audio tracks": 1,
        "track 2 of 2 read": 1,
    }
    assert not list(catalog.data.glob(".hearing-*"))


def test_speech_without_certain_words_is_noted(
    catalog: Catalog, whisper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.speech.whisper.MIN_LOGPROB", 1.0)  # nothing is certain
    media_samples.add(catalog, "10001", video=write(tmp_path / "a.mp4", [Audio(babble(), "aac")]))
    run(catalog, "transcribe", whisper)
    assert text(catalog, "transcribe") == ""
    assert catalog.ledger.notes("10001") == {"transcribe": "3 s of speech, but no words that are certain"}


def test_pictures_without_text_are_noted(catalog: Catalog, tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), (90, 30, 30)).save(tmp_path / "plain.png")
    black = media_samples.video(tmp_path / "black.mp4", None, 2, [Image.new("RGB", (160, 288))])
    media_samples.add(catalog, "10001", cover=tmp_path / "plain.png", video=black)
    run(catalog, "ocr")
    assert text(catalog, "ocr") == ""
    assert catalog.ledger.notes("10001") == {
        "ocr": "no text found in 1 picture; the video shows nothing but blank frames"
    }


def test_an_empty_text_without_a_reason_is_made_again_once(
    catalog: Catalog, whisper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = write(tmp_path / "a.mp4", [Audio(silence(), "aac"), Audio(babble(), "aac")])
    media_samples.add(catalog, "10001", video=video)
    [recipe] = recipes(Settings(whisper=str(whisper)))
    catalog.put_text("10001", "transcript", Text("", "whisper", recipe=recipe))  # as older versions did
    assert run(catalog, "transcribe", whisper).done == 1
    assert catalog.ledger.notes("10001")
    assert run(catalog, "transcribe", whisper).done == 0


def test_a_note_goes_with_the_text_it_belongs_to(catalog: Catalog, whisper: Path, tmp_path: Path) -> None:
    media_samples.add(catalog, "10001", video=write(tmp_path / "a.mp4", [Audio(music(), "aac")]))
    run(catalog, "transcribe", whisper)
    assert catalog.ledger.notes("10001")
    catalog.put_text("10001", "transcript", Text("what is said", HAND))
    assert catalog.ledger.notes("10001") == {}


def test_damaged_captions_stay_if_whisper_finds_nothing(catalog: Catalog, whisper: Path, tmp_path: Path) -> None:
    media_samples.add(catalog, "10001", video=write(tmp_path / "a.mp4", [Audio(music(), "aac")]))
    captions = Text("the half that is left", CAPTIONS, "vtt", "ASR", "en", segments=[Segment(0, 2, "the half")])
    catalog.put_captions("10001", captions, "5 of 10 lines lost")
    assert catalog.ledger.states("10001")["transcribe"] == "due"
    assert run(catalog, "transcribe", whisper).done == 1
    entry = catalog.get("10001")
    assert entry
    kept = entry.texts["transcript"]
    assert (kept.text, kept.engine, kept.segments) == (captions.text, CAPTIONS, captions.segments)
    assert catalog.ledger.states("10001")["transcribe"] == "done"
    assert catalog.ledger.notes("10001") == {"transcribe": "no speech found in the audio track"}


def test_damaged_captions_are_replaced_if_whisper_finds_words(
    catalog: Catalog, whisper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.speech.segments.MAX_COMPRESSION", 99.0)
    media_samples.add(catalog, "10001", video=write(tmp_path / "a.mp4", [Audio(babble(), "aac")]))
    catalog.put_captions("10001", Text("the half", CAPTIONS, "vtt", "ASR", "en"), "5 of 10 lines lost")
    assert run(catalog, "transcribe", whisper).done == 1
    entry = catalog.get("10001")
    assert entry
    assert entry.texts["transcript"].engine == "whisper"
    assert entry.texts["transcript"].text not in ("", None, "the half")
