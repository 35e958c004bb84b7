"""Sketches are searched here and in FAISS: benchmarks/sketches.py."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from benchmarks import sketches
from retrieval.index import vector_part
from tests.retrieval.fake_encoder import FakeEncoder
from tests.tiny_corpus import make_data, make_index

PROGRAM = typer.Typer()
PROGRAM.command()(sketches.main)


def run(indexes: Path) -> Result:
    return CliRunner().invoke(PROGRAM, ["--indexes", str(indexes), "--count", "3", "--vectors", "4"])


def test_both_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_data(tmp_path / "data")
    make_index(tmp_path / "data", tmp_path / "without", FakeEncoder())
    assert run(tmp_path / "without").exit_code == 2, "few passages have no sketches"
    monkeypatch.setattr(vector_part, "SKETCHED_FROM", 1)
    manifest = make_index(tmp_path / "data", tmp_path / "with", FakeEncoder())
    found = json.loads(run(tmp_path / "with").output)
    assert (found["segments"], found["sketches"]) == (1, manifest.videos)
    assert found["same"] > 0.6 and found["here_p50_ms"] > 0
