"""A real disk that is full: a small file system in memory, with a little less room than a command needs."""

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from retrieval.index.generation import read_manifest
from retrieval.index.layout import current_name
from retrieval.index.publish import reweight
from scraper.disk import DiskError
from tests.faults.commands import COMMANDS, Command
from tests.faults.corpus import Corpus, faults_of, kept
from tests.faults.shim import ForkedFaults, copy_of

SHARES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)  # of the room that a command needs
ALL_BYTES = 64 << 20
PAGE = 4096  # of a file system in memory


TRIALS = [one for one in COMMANDS if one.name in ("build", "import", "edit", "backup")]


@contextlib.contextmanager
def disk(folder: Path) -> Iterator[Callable[[int], None]]:
    """Mount a file system in memory. Yield a function that changes its size in bytes."""
    folder.mkdir()
    mount = shutil.which("mount") or "mount"
    made = ["-t", "tmpfs", "-o", f"size={ALL_BYTES}", "tmpfs", str(folder)]
    try:
        subprocess.run([mount, *made], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a file system is not allowed here")

    def resize(size: int) -> None:
        subprocess.run([mount, "-o", f"remount,size={size}", str(folder)], check=True)

    try:
        yield resize
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.faults
@pytest.mark.parametrize("command", TRIALS, ids=str)
def test_a_full_disk_is_named_and_loses_nothing(
    command: Command, shim: ForkedFaults, original: Path, tmp_path: Path
) -> None:
    prepared = Corpus(copy_of(original, tmp_path / "prepared"))
    if command.before:
        assert shim.run(command.before(prepared), []).code == 0
    with disk(tmp_path / "disk") as resize:
        corpus = Corpus(copy_of(prepared.root, tmp_path / "disk" / "corpus"))
        used = _used(corpus.root)
        whole = shim.run(command.arguments(corpus), [])
        assert whole.code == 0, whole.stderr
        needed = _used(corpus.root) - used
        refused = 0
        for share in SHARES:
            resize(ALL_BYTES)
            copy_of(prepared.root, corpus.root)
            arguments, before = command.arguments(corpus), kept(corpus)
            resize(_used(corpus.root) + int(needed * share) // PAGE * PAGE)
            outcome = shim.run(arguments, [])
            assert "Traceback" not in outcome.stderr, f"{share}: {outcome.stderr}"
            if outcome.code:
                refused += 1
                assert outcome.code == 1, f"{share}: {outcome}"
                assert _is_right(outcome.stderr, corpus.root), f"{share}: {outcome.stderr}"
            resize(ALL_BYTES)
            assert faults_of(corpus, before, may_lose=command.may_lose) == [], share
            again = shim.run(arguments, [])
            assert again.code == 0 or "exists" in again.stderr, f"{share}: {again.stderr}"
        print(f"\n{command}: {needed:,} bytes needed, {refused} of {len(SHARES)} sizes refused")
        assert refused >= 3


def test_weights_for_which_there_is_no_room_are_refused_with_the_bytes_they_need(
    original: Path, tmp_path: Path
) -> None:
    with disk(tmp_path / "disk") as resize:
        corpus = Corpus(copy_of(original, tmp_path / "disk" / "corpus"))
        before, current = kept(corpus), current_name(corpus.indexes)
        weights = read_manifest(corpus.indexes, current).weights
        for room in (0, PAGE):
            resize(_used(corpus.root) + room)
            with pytest.raises(DiskError) as refused:
                reweight(corpus.indexes, weights)
            assert _is_right(str(refused.value), corpus.root)
        assert current_name(corpus.indexes) == current
        resize(ALL_BYTES)
        assert reweight(corpus.indexes, weights).name != current
        assert faults_of(corpus, before) == []


def _used(folder: Path) -> int:
    """Return the bytes of a folder in a file system in memory."""
    paths = [folder, *folder.rglob("*")]
    return sum(-(-path.stat().st_size // PAGE) * PAGE if path.is_file() else 0 for path in paths) + PAGE


def _is_right(message: str, folder: Path) -> bool:
    """Whether a message has the cause, the folder and a number of bytes, and no advice that would destroy anything."""
    cause = "is full" in message or (" needs " in message and " free" in message)
    wrong = any(words in message for words in ("damaged", "import again", "imported again", "corrupt"))
    return cause and str(folder) in message and ("bytes" in message or "kB" in message) and not wrong
