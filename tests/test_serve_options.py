"""The options of the command that serves the page."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import app


def test_examples_are_the_first_queries_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "queries.json"
    file.write_text(json.dumps([{"text": f"question {n}", "target": "1"} for n in range(9)]))
    assert app.read_examples(file) == [f"question {n}" for n in range(app.MAX_EXAMPLES)]
    for broken in ("{", '{"a": 1}', "[1]", '[{"question": "x"}]'):
        file.write_text(broken)
        with pytest.raises(typer.BadParameter, match="is not a JSON list"):
            app.read_examples(file)


def test_help_has_the_options_and_an_example() -> None:
    shown = CliRunner().invoke(app.serve_alone, ["--help"]).output
    for word in ("--data", "--indexes", "--host", "--port", "--examples", "tiktok-retrieval serve", "127.0.0.1"):
        assert word in shown
