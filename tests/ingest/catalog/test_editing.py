"""Texts that a person edits: to lines, and back to a text that no later run replaces."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ingest.__main__ import app
from ingest.catalog import Catalog
from ingest.catalog.editing import EditError, from_lines, to_lines
from ingest.catalog.entries import HAND, Segment, Text
from scraper.records import Video
from tests import command_line

ID = "7000000000000000001"
SAID = Text("good mourning all", "whisper", segments=[Segment(6.8, 9.1, "good mourning"), Segment(61.5, 62.0, "all")])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with Catalog(tmp_path, create=True) as catalog:
        catalog.put_video(Video(id=ID, cover_sources=["https://a.example/c.jpg"]))
        catalog.put_text(ID, "transcript", SAID)
    return tmp_path


def test_a_text_survives_conversion_to_lines_and_back() -> None:
    assert to_lines(SAID) == "[0:06.80 - 0:09.10] good mourning\n[1:01.50 - 1:02.00] all\n"
    back = from_lines(to_lines(SAID), "transcript")
    assert (back.text, list(back.segments), back.engine) == (SAID.text, list(SAID.segments), HAND)
    on_screen = Text("MY CAT\nwait for it", "tesseract", segments=[Segment(2.0, 5.0, "wait for it")])
    assert to_lines(on_screen) == "MY CAT\n[0:02.00 - 0:05.00] wait for it\n"
    assert from_lines(to_lines(on_screen), "cover").text == on_screen.text
    assert from_lines("no times [at all]", "transcript").segments == []


def test_lines_with_and_without_times_stay_separate_after_edits() -> None:
    lines = "off screen\n[0:01.00 - 0:02.00] hello there\n"
    assert to_lines(from_lines(lines, "transcript")) == lines


def test_impossible_times_are_an_error() -> None:
    with pytest.raises(EditError, match="line 2 ends before it begins"):
        from_lines("[0:01.00 - 0:02.00] a\n[0:09.00 - 0:02.00] b", "transcript")
    assert from_lines("[1:00:01.00 - 1:00:02.50] late", "transcript").segments[0] == Segment(3601.0, 3602.5, "late")


def test_texts_by_hand_survive_every_later_run(data: Path) -> None:
    result = CliRunner().invoke(app, ["edit", ID, "transcript", "--text", "good morning all", "--data", str(data)])
    assert result.exit_code == 0, result.output
    with Catalog(data) as catalog:
        catalog.put_text(ID, "transcript", Text("something else", "whisper"))
        catalog.import_text(ID, "transcript", "imported")
        assert catalog.outdated("transcribe", ["another recipe"]) == []
        video = catalog.media_folder(ID) / "video.mp4"
        video.write_bytes(b"another video")
        catalog.put_media(ID, "video", video, "downloaded")
        entry = catalog.get(ID)
        assert entry and entry.texts["transcript"].text == "good morning all"
        assert entry.states["transcribe"] == "done"


def test_the_editor_shows_the_text_and_its_changes_are_saved(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/mourning/morning/" "$1"\ntouch -d "+1 hour" "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    monkeypatch.setitem(os.environ, "EDITOR", str(editor))
    assert CliRunner().invoke(app, ["edit", ID, "transcript", "--data", str(data)]).exit_code == 0
    with Catalog(data) as catalog:
        entry = catalog.get(ID)
    assert entry and entry.texts["transcript"].segments[0] == Segment(6.8, 9.1, "good morning")


@pytest.mark.parametrize("editor", ["/no/such/editor", "false"])
def test_an_editor_that_does_not_work_is_one_line(data: Path, editor: str) -> None:
    done = command_line.run("edit", ID, "speech", "--data", data, env={"VISUAL": editor})
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: the editor did not work") and len(done.stderr.splitlines()) == 1


def test_undo_makes_the_text_due_again(data: Path) -> None:
    run = CliRunner().invoke
    run(app, ["edit", ID, "transcript", "--text", "by hand", "--data", str(data)])
    assert "due again" in run(app, ["edit", ID, "transcript", "--undo", "--data", str(data)]).output
    with Catalog(data) as catalog:
        entry = catalog.get(ID)
        assert entry and "transcript" not in entry.texts and catalog.ledger.due("transcribe") == [ID]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["70009", "cover", "--text", "x"], "no video 70009"),
        ([ID, "music", "--text", "x"], "'music' is not one of"),
        ([ID, "transcript", "--text", "[0:09.00 - 0:02.00] b"], "nothing is changed"),
    ],
)
def test_an_invalid_edit_is_reported_and_changes_nothing(data: Path, arguments: list[str], sentence: str) -> None:
    result = CliRunner().invoke(app, ["edit", *arguments, "--data", str(data)])
    assert result.exit_code != 0 and sentence in result.output
    with Catalog(data) as catalog:
        entry = catalog.get(ID)
    assert entry and entry.texts["transcript"].text == SAID.text
