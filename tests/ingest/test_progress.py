"""Progress is a bar on a terminal, a line now and then elsewhere, or JSON for another program."""

import json
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from ingest.progress import Progress

REPOSITORY = Path(__file__).resolve().parents[2]


def test_json_progress_is_one_object_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ingest.progress.JSON_EVERY_S", 0.0)
    with Progress("ocr", 3, "json") as progress:
        progress.advance()
        progress.advance(outcome="failed")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines[0] == {"stage": "ocr", "done": 0, "total": 3, "failed": 0}
    assert lines[-1] == {"stage": "ocr", "done": 2, "total": 3, "failed": 1}


def test_json_progress_of_an_unknown_number_has_no_total(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(Progress("import", None, "json").track("ab")) == ["a", "b"]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines[-1] == {"stage": "import", "done": 2, "total": None, "failed": 0}


def test_short_work_off_a_terminal_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(Progress("rank", 2, "auto").track("ab")) == ["a", "b"]
    assert capsys.readouterr().err == ""


def test_long_work_off_a_terminal_shows_lines_with_speed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ingest.progress.LINE_EVERY_S", 0.0)
    with Progress("ocr", 4, "auto") as progress:
        progress.advance()
        progress.advance(outcome="failed")
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.startswith("ocr: 1 done, of 4; ") and first.endswith(" left") and " a minute, " in first
    assert last.startswith("ocr: 1 done, 1 failed, of 4; ")


@pytest.mark.parametrize("mode", ["auto", "json", "off"])
def test_nothing_to_do_shows_nothing(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(Progress("encode", 0, mode).track([])) == []  # type: ignore[arg-type]
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_a_bar() -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    code = "from ingest.progress import Progress; list(Progress('encode', 2, 'auto', unit='texts').track('ab'))"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "encode: 100%|" in shown and "2/2" in shown and "texts/s" in shown


def test_one_progress_shows_several_pieces_of_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ingest.progress.JSON_EVERY_S", 0.0)
    with Progress("import", None, "json") as progress:
        progress.advance(3)
        progress.begin("read", 2)
        progress.advance(outcome="failed")
        progress.step("ocr")
        progress.say("a sentence")
    lines = capsys.readouterr().err.splitlines()
    assert "a sentence" in lines
    shown = [json.loads(line) for line in lines if line != "a sentence"]
    assert {"stage": "read", "done": 0, "total": 2, "failed": 0} in shown
    assert shown[-1] == {"stage": "ocr", "done": 1, "total": 2, "failed": 1}
