"""Two source trees search in turns: benchmarks/versions.py."""

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from benchmarks import versions
from retrieval.embedding.encoder import KeywordOnly
from tests.tiny_corpus import make_data, make_index

PROGRAM = typer.Typer()
PROGRAM.command()(versions.main)
ROOT = Path(__file__).resolve().parent.parent


def test_a_source_tree_answers_as_it_does_itself(tmp_path: Path) -> None:
    indexes, queries = tmp_path / "indexes", tmp_path / "queries.json"
    make_data(tmp_path / "data")
    make_index(tmp_path / "data", indexes, KeywordOnly())
    queries.write_text(json.dumps([{"text": "sourdough bread"}, {"text": "no such thing"}]))
    asked = ["--queries", str(queries), "--indexes", str(indexes), "--before", str(ROOT), "--rounds", "1"]
    found = json.loads(CliRunner().invoke(PROGRAM, asked, catch_exceptions=False).output)
    assert (found["questions"], found["answers_that_differ"]) == (2, 0)
    assert 0 < found["now"]["p50_ms"] <= found["now"]["p95_ms"]


def test_answers_are_the_same_if_hits_and_scores_are() -> None:
    one = {"hits": [["1", 2.0], ["2", 1.0]]}
    assert versions.same(one, {"hits": [["1", 2.0 + 1e-9], ["2", 1.0]]})
    for other in ([["1", 2.0]], [["2", 2.0], ["1", 1.0]], [["1", 2.1], ["2", 1.0]]):
        assert not versions.same(one, {"hits": other})
