"""`remove` on the command line: what it says before, the time to undo, and what is left."""

import json
import os
import pty
import select
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

from ingest.catalog import Catalog
from ingest.catalog.entries import Encounter
from retrieval.embedding.encoder import KeywordOnly
from scraper.records import Video
from tests.byte_search import find
from tests.command_line import ENTRY_POINT, REPOSITORY, environment, run
from tests.tiny_corpus import BREAD, KETTLE, LOST, PHOTOS, make_data, make_index

OTHER = "7100000000000000200"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    make_data(tmp_path / "data")
    make_index(tmp_path / "data", tmp_path / "indexes", KeywordOnly())
    return tmp_path / "data", tmp_path / "indexes"


def options(folders: tuple[Path, Path]) -> list[str]:
    return ["--data", str(folders[0]), "--indexes", str(folders[1])]


def test_videos_are_erased_by_id_link_and_creator(folders: tuple[Path, Path]) -> None:
    link = f"https://www.tiktok.com/@gone/video/{LOST}"
    removed = run("remove", BREAD, link, "@Tea.Physics", "@nobody", "--yes", "--now", "--json", *options(folders))
    assert removed.returncode == 1  # @nobody
    assert "no video in the catalog by @nobody" in removed.stderr
    report = json.loads(removed.stdout)
    assert set(report["removed"]) == {BREAD, LOST, KETTLE} and report["erased"] and report["generation"]
    assert find(folders, ["sourdough", "lost sock", "tea.physics"]) == {}
    again = run("remove", BREAD, "--yes", *options(folders))
    assert (again.returncode, again.stdout) == (1, "")


def test_without_a_terminal_and_without_yes_nothing_is_removed(folders: tuple[Path, Path]) -> None:
    refused = run("remove", BREAD, *options(folders))
    assert refused.returncode == 2 and "--yes" in refused.stderr
    wrong = run("remove", BREAD, "--list", "likes", *options(folders))
    assert wrong.returncode == 2 and "--list NAME, or --undo" in " ".join(wrong.stderr.split())
    with Catalog(folders[0]) as catalog:
        assert catalog.get(BREAD)


def test_ctrl_c_during_the_countdown_undoes(folders: tuple[Path, Path]) -> None:
    terminal, own = pty.openpty()
    command = [*ENTRY_POINT, "remove", BREAD, PHOTOS, *options(folders)]
    listen = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell makes background processes ignore it
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=environment({}),
        stdin=own,
        stdout=subprocess.PIPE,
        stderr=own,
        text=True,
        preexec_fn=listen,
    )
    os.close(own)
    asked = _read_until(terminal, "Remove?")
    assert "2 videos will be removed" in asked and "@crumb.and.crust: is it done??" in asked
    os.write(terminal, b"y\n")
    _read_until(terminal, "Press Ctrl-C to undo")
    with Catalog(folders[0]) as catalog:
        assert catalog.get(BREAD) is None and catalog.removals.hidden() >= {BREAD, PHOTOS}
    process.send_signal(signal.SIGINT)
    answer, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert (process.returncode, answer.lstrip()) == (0, "Undone: 2 videos back.\n")
    with Catalog(folders[0]) as catalog:
        assert catalog.get(BREAD) and not catalog.removals.hidden()


def _read_until(terminal: int, words: str) -> str:
    read, deadline = "", time.monotonic() + 60
    while words not in read and time.monotonic() < deadline:
        if select.select([terminal], [], [], 1)[0]:
            read += os.read(terminal, 4096).decode()
    assert words in read
    return read


def test_undo_brings_back_what_another_process_removed(folders: tuple[Path, Path]) -> None:
    with Catalog(folders[0]) as catalog:
        catalog.removals.hide([BREAD])
    assert f'"{BREAD}"' not in run("search", "sourdough", "--json", *options(folders)).stdout
    assert run("remove", "--undo", *options(folders)).stdout == "1 video back.\n"
    nothing = run("remove", "--undo", *options(folders))
    assert nothing.returncode == 1 and "Nothing can be undone" in nothing.stdout


def test_a_removed_source_takes_only_what_came_from_it_alone(folders: tuple[Path, Path], tmp_path: Path) -> None:
    files = [tmp_path / "old.jsonl", tmp_path / "new.jsonl"]
    files[0].write_text(
        f'{{"id": "{OTHER}1", "description": "quokka"}}\n{{"id": "{OTHER}2", "description": "wombat"}}\n'
    )
    files[1].write_text(f'{{"id": "{OTHER}2", "description": "wombat"}}\n')
    assert run("import", *files, *options(folders)).returncode == 0
    removed = run("remove", "--source", files[0], "--yes", "--now", "--json", *options(folders))
    assert json.loads(removed.stdout)["removed"] == [f"{OTHER}1"]
    unknown = run("remove", "--source", tmp_path / "never.zip", "--yes", *options(folders))
    assert unknown.returncode == 1 and "known to come from" in unknown.stderr
    again = run("import", files[0], *options(folders))
    assert again.returncode == 0
    assert "removed earlier and left out: 1; --again brings them back" in again.stdout
    with Catalog(folders[0]) as catalog:
        assert catalog.get(f"{OTHER}1") is None
    assert "1 new" in run("import", files[0], "--again", *options(folders)).stdout
    with Catalog(folders[0]) as catalog:
        assert catalog.get(f"{OTHER}1")


def test_a_removed_list_says_what_stays(folders: tuple[Path, Path]) -> None:
    with Catalog(folders[0]) as catalog:
        catalog.put_video(Video(id=OTHER, description="numbat", source="data export"))
        for video in (OTHER, KETTLE):
            catalog.put_encounters(video, [Encounter(list="collection", name="Tea & more")])
    unknown = run("remove", "--list", "tea", "--yes", *options(folders))
    assert unknown.returncode == 1 and "there is no list" in unknown.stderr and "Tea & more" in unknown.stderr
    removed = run("remove", "--list", "tea & MORE", "--yes", "--now", "--json", *options(folders))
    report = json.loads(removed.stdout)
    assert (report["removed"], report["memberships_ended"], report["erased"]) == ([OTHER], 2, True)
    with Catalog(folders[0]) as catalog:
        entry = catalog.get(KETTLE)
        assert entry and [met.name for met in entry.encounters] == ["Tea time"]
