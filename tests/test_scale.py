"""The corpora and pictures of benchmarks/scale.py, on a few records of our own."""

import json
import re
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer
from typer.testing import CliRunner

from benchmarks import scale
from benchmarks.growth_plot import growth_svg
from benchmarks.mixed_corpus import MixedCorpus

PROGRAM = typer.Typer()
PROGRAM.command()(scale.main)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder with the parts that a corpus is mixed from."""
    folder = tmp_path / "shared"
    (folder / "scale").mkdir(parents=True)
    (folder / "tiktok" / "info").mkdir(parents=True)
    subjects = ("cat", "dog", "sourdough", "bicycle", "teapot", "garden", "piano", "lighthouse")
    records = [
        {
            "title": f"how my {subject} surprised everybody at the market number {n}",
            "desc": f"a long story about the {subject} and the neighbour who came for tea",
            "hashtags": f"{subject}, fyp",
            "author": subject if n % 2 else "",
            "transcript": f"so this is the {subject} that I told you about last week" if n % 3 else "",
        }
        for n, subject in enumerate(subjects)
    ]
    lines = "\n".join(map(json.dumps, records))
    (folder / "scale" / "shortvideo_mix.jsonl").write_text(lines + "\n", encoding="utf-8")
    (folder / "tiktok" / "ocr.json").write_text('{"1": "wait for it", "2": null}', encoding="utf-8")
    (folder / "tiktok" / "speech_to_text.json").write_text('{"1": "hello and welcome back"}', encoding="utf-8")
    scraped = [{"music-title": "a waltz", "comments": [{"comment-text": "what a lovely day"}, {"comment-text": ""}]}]
    (folder / "tiktok" / "info" / "batch.json").write_text(json.dumps(scraped), encoding="utf-8")
    return folder


def test_a_video_is_the_same_in_every_run_and_in_every_size(shared: Path) -> None:
    first, second = (MixedCorpus(shared, comments=2) for _ in range(2))
    assert [*first.videos(0, 30)][20:] == [*second.videos(20, 30)]
    assert len({found.video.id for found in first.videos(0, 30)}) == 30
    assert MixedCorpus(shared, comments=2, seed=1).video(20) != first.video(20)


def test_a_corpus_has_all_fields_and_more_videos_than_there_are_records(shared: Path) -> None:
    made = [*islice(MixedCorpus(shared, comments=2).videos(8, 10_000), 200)]
    assert len({found.video.description for found in made}) > 50, "mixed from two each"
    for field in ("description", "creator_username", "music_title", "comments"):
        assert any(getattr(found.video, field) for found in made), field
    assert {kind for found in made for kind, text in found.texts.items() if text} == {"cover", "transcript"}
    assert 1.5 < sum(len(found.video.comments) for found in made) / len(made) < 2.5


def test_half_of_the_questions_are_made_from_the_words_of_a_target(shared: Path) -> None:
    corpus = MixedCorpus(shared, comments=2)
    asked = corpus.questions(100, 20)
    assert asked == corpus.questions(100, 20) and [bool(question.target) for question in asked] == [True, False] * 10
    by_id = {found.video.id: found for found in corpus.videos(0, 100)}
    for question in asked[::2]:
        found = by_id[question.target]
        texts = [found.video.description, *found.texts.values(), *(said.text for said in found.video.comments)]
        words = [re.findall(r"\w+", (text or "").lower()) for text in texts]
        assert any(set(question.text.split()) <= set(of_text) for of_text in words)


def test_without_research_data_nothing_is_done(tmp_path: Path) -> None:
    options = ["--work", str(tmp_path / "work"), "--videos", "10", "--shared", str(tmp_path / "none")]
    result = CliRunner().invoke(PROGRAM, options)
    assert result.exit_code == 0 and result.output.startswith("There is no research data in")
    assert not [*(tmp_path / "work").iterdir()]


@pytest.mark.heavy
def test_all_figures_of_a_size_are_measured_once_and_an_interrupted_run_continues(shared: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    options = ["--work", str(work), "--shared", str(shared), "--questions", "8", "--keep"]
    options += ["--plot", str(tmp_path / "growth.svg")]
    for sizes in ((20,), (20, 60)):
        result = CliRunner().invoke(PROGRAM, [*options, *(f"--videos={size}" for size in sizes)])
        assert result.exit_code == 0, result.output
    figures = json.loads((work / "scale.json").read_text())
    assert [of["videos"] for of in figures.values()] == [20, 60] and figures["60"]["imported"] == 40
    balanced = figures["60"]["speed"]["balanced"]
    assert balanced["overlap"] == 1.0 and balanced["rr"] == balanced["rr_exhaustive"] > 0.2
    assert figures["60"]["private_mb"] > 50 and sum(figures["60"]["mb_by_kind"].values()) > 0
    assert (work / "indexes-60" / "CURRENT").is_file() and (tmp_path / "growth.svg").is_file()


def test_growth_is_drawn_as_a_picture_with_both_lines() -> None:
    points = {1_000: {"p50_ms": 8.0, "p95_ms": 14.0}, 1_000_000: {"p50_ms": 40.0, "p95_ms": 90.0}}
    picture = ElementTree.fromstring(growth_svg(points))
    lines = [element.get("points", "").split() for element in picture if element.tag.endswith("polyline")]
    assert [len(line) for line in lines] == [2, 2]
    assert [text for element in picture if (text := element.text) in ("1,000", "1,000,000", "10", "100")]
