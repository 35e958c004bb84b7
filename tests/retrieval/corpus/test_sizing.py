"""The plan for many videos: what is measured on this machine, times what a video is like."""

import pytest

from ingest.settings import Settings
from retrieval.corpus.sizing import Nodes, Speeds, assumptions, estimate

SPEEDS = Speeds(ocr_s_per_film=3.6, transcribe_s_per_s=0.12, encode_s_per_text=0.01, dimensions=768)


def test_hours_grow_with_videos_and_shrink_with_nodes() -> None:
    one, ten = estimate(1_000_000, SPEEDS, Nodes()), estimate(10_000_000, SPEEDS, Nodes(10, 2))
    assert one.cpu_hours["ocr"] == pytest.approx(1_000)
    assert one.cpu_hours["transcribe"] == pytest.approx(500)
    assert ten.cpu_hours["ocr"] == pytest.approx(10_000)
    assert ten.hours == pytest.approx(one.hours)
    assert ten.index_gb == pytest.approx(10 * one.index_gb)
    assert ten.shards > one.shards >= 1


def test_graphics_cards_take_over_speech_and_encoding() -> None:
    made = estimate(1_000_000, SPEEDS, Nodes(gpus=1))
    assert set(made.gpu_hours) == {"transcribe", "encode"}
    assert made.hours["ocr"] == pytest.approx(500)
    assert any("guess" in sentence for sentence in assumptions(Settings(), Nodes(gpus=1)))
