"""`add` takes files and links to videos that can be found, and says what became of each."""

import json
from pathlib import Path

from tests.command_line import run


def test_what_has_a_description_is_searchable_at_once(tmp_path: Path) -> None:
    records = tmp_path / "mine.jsonl"
    records.write_text('{"id": "7000000000000000001", "description": "goldfish plays football"}\n')
    folders = ("--data", tmp_path / "data", "--indexes", tmp_path / "indexes")
    added = run("add", records, *folders, "--json")
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["searchable"] == 1
    again = run("add", records, *folders)
    assert (again.returncode, again.stdout) == (0, "1 video: 1 searchable\n")
    assert "goldfish" in run("search", "football", *folders).stdout
