"""Whatever a power cut leaves of a command: the catalog and one whole generation open, and nothing saved is lost.

Each command is recorded once. The folders that a power cut could have left at any point of it are made from the
recording (power_cut.py), and the program opens them.
"""

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.commands import COMMANDS, DONE_ALREADY, Command
from tests.faults.corpus import IDS, Corpus, faults_of, kept
from tests.faults.power_cut import Disk, State, Tree, read, states
from tests.faults.shim import ForkedFaults, copy_of

MOST = 4 * int(os.environ.get("FAULTS_MAX_EACH", "8"))  # folders of each command that are opened
REPLACED = f"its cover media/{IDS[0][-2:]}/{IDS[0]}/cover.jpg has changed since it was stored"
FRESH = Command("import into a new folder", lambda c: ["import", c.source, "--quiet", *c.folders()])
RECORDED = (*[one for one in COMMANDS if one.name != "run"], FRESH)  # `run` fetches, and stores as `import` does


@pytest.mark.parametrize("command", [one for one in RECORDED if one.name == "prune"], ids=str)
def test_a_power_cut_loses_nothing_in_a_few_places(
    command: Command, shim: ForkedFaults, original: Path, tmp_path: Path
) -> None:
    assert not _tried(command, shim, original, tmp_path, most=3)


@pytest.mark.faults
@pytest.mark.parametrize("command", RECORDED, ids=str)
def test_a_power_cut_loses_nothing(command: Command, shim: ForkedFaults, original: Path, tmp_path: Path) -> None:
    wrong = _tried(command, shim, original, tmp_path, most=MOST)
    assert not wrong, "\n".join(wrong)


def _tried(command: Command, shim: ForkedFaults, original: Path, folder: Path, *, most: int) -> list[str]:
    """Return a line for each power cut that did harm."""
    corpus = Corpus(copy_of(original, folder / "corpus"))
    if command is FRESH:
        shutil.rmtree(corpus.data)
        shutil.rmtree(corpus.indexes)
    if command.before:
        prepared = shim.run(command.before(corpus), [])
        assert prepared.code == 0, prepared.stderr
    before = {} if command is FRESH else kept(corpus)
    disk, recording = Disk(corpus.root), folder / "recording"
    done = shim.run(command.arguments(corpus), [corpus.root], recording=recording)
    assert done.code == 0, done.stderr
    possible = list(states(disk, read(recording), mixed=2))
    chosen = random.Random(18).sample(possible, min(most, len(possible)))
    print(f"\n{command}: {len(chosen)} of {len(possible)} folders")
    wrong = []
    for state in chosen:
        cut = _written(state.tree, folder / "cut")
        wrong += [f"{command}, {state}: {one}" for one in _wrong(command, cut, shim, before)]
    assert _content(corpus.root) == _content(_written(disk.after_power_cut("all", "all"), folder / "all").root)
    lost = _differences(corpus.root, _written(disk.after_power_cut("none", "none"), folder / "cut").root)
    return wrong + [f"{command} has ended: {one}" for one in lost]


def _written(tree: Tree, folder: Path) -> Corpus:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    State(0, 0, "all", "all", tree).write(folder)
    return Corpus(folder)


def _wrong(command: Command, cut: Corpus, shim: ForkedFaults, before: dict[str, set[str]]) -> list[str]:
    """Open what a power cut has left, as the program does, and then try the command again."""
    found = []
    if not before and not (cut.data / "catalog.sqlite").exists():
        checked = None  # the import had stored nothing yet
    else:
        checked = shim.run(["check", *cut.folders()], [])
        if checked.code not in (0, 1) or "Traceback" in checked.stderr:
            found.append(f"check: {checked.stderr[-500:]}")
        found += faults_of(cut, before, may_lose=command.may_lose) if before else []
    again = shim.run(command.arguments(cut), [])
    if again.code and not any(words in again.stderr for words in DONE_ALREADY):
        found.append(f"a second try fails: {again.stderr[-300:]}")
    if checked and checked.code:
        problems = [line for line in checked.stdout.splitlines() if "To do: " in line]
        # an import puts a new file in the place of the old one before it changes its line; the next import does that
        if not (command.name == "import" and len(problems) == 1 and REPLACED in problems[0]):
            found += problems or [checked.stdout + checked.stderr]
        elif shim.run(["check", *cut.folders()], []).code:
            found.append("the second import has not finished what the first had begun")
    return found


def _differences(one: Path, other: Path) -> list[str]:
    """Return what differs between two folders, apart from locks. Databases are compared by their rows."""
    first, second = _content(one), _content(other)
    return [path for path in sorted(first.keys() | second.keys()) if first.get(path) != second.get(path)]


def _content(folder: Path) -> dict[str, object]:
    """Return the content of all files that matter, by path."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.name in ("catalog.sqlite", "vectors.sqlite"):
            found[name] = _rows(path)
        elif path.is_file() and not path.name.endswith((".lock", "-wal", "-shm", "-journal")):
            found[name] = path.read_bytes()
    return found


def _rows(path: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(path)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: sorted(map(repr, db.execute(f'SELECT * FROM "{name}"'))) for name in tables}  # noqa: S608
