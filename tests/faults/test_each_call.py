"""Each write, sync, rename, open, deletion and read of each command fails in turn, and nothing is lost.

The plain run has a few faults of each command; `make test-faults` has all of them.
"""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.faults.corpus import IDS, Corpus, faults_of, kept, make
from tests.faults.shim import CALLS, COMPILER, Call, Fault, Faults, ForkServer, Outcome, copy_of

pytestmark = pytest.mark.skipif(not COMPILER, reason="the shim needs a C compiler (Debian: apt install gcc)")
ERRORS: dict[Call, tuple[int, ...]] = {
    "write": (errno.ENOSPC, errno.EIO),
    "sync": (errno.EIO, errno.ENOSPC),
    "rename": (errno.ENOSPC, errno.EACCES),
    "open": (errno.EMFILE, errno.EACCES, errno.EIO),
    "unlink": (errno.EACCES, errno.EIO),
    "read": (errno.EIO,),
}
MAX_EACH = int(os.environ.get("FAULTS_MAX_EACH", "24"))  # faults of one kind of call, spread over all calls
WORDS = {
    errno.ENOSPC: ("full", "disk"),
    errno.EIO: ("disk reports an error", "cannot be", "I/O error"),
    errno.EACCES: ("permission", "cannot be", "disk reports an error", "disk"),
    errno.EMFILE: ("too many files", "cannot be", "disk"),
}


@dataclass(frozen=True)
class Trial:
    """A command, what it may delete, and whether it changed what it was to change."""

    name: str
    arguments: Callable[[Corpus], list[str | Path]]
    may_lose: frozenset[str] = frozenset()
    before: Callable[[Corpus], list[str | Path]] | None = None  # a command that prepares it
    own_process: bool = False  # it starts workers, which a copy of a process that has threads cannot do

    def __str__(self) -> str:
        return self.name


def _add_text(corpus: Corpus) -> list[str | Path]:
    return ["edit", IDS[0], "speech", "--text", "by hand", "--data", corpus.data]


def _import(corpus: Corpus) -> list[str | Path]:
    return ["import", corpus.source, "--quiet", *corpus.folders()]


def _backup(corpus: Corpus) -> list[str | Path]:
    return ["backup", corpus.root / "b.zip", "--media", "--quiet", *corpus.folders()]


def _restore(corpus: Corpus) -> list[str | Path]:
    restored: list[str | Path] = ["--data", corpus.root / "d2", "--indexes", corpus.root / "i2"]
    return ["restore", corpus.root / "b.zip", "--quiet", *restored]


ALL = frozenset({"videos", "texts", "media", "judgements"})
TRIALS = (
    Trial("import", _import),
    Trial("run", lambda c: ["run", "--quiet", *c.folders()], before=_import, own_process=True),
    Trial("build", lambda c: ["build", "--quiet", *c.folders()], before=_add_text),
    Trial("prune", lambda c: ["prune", "--keep", "1", "--indexes", c.indexes]),
    Trial("rollback", lambda c: ["rollback", "--indexes", c.indexes]),
    Trial("remove", lambda c: ["remove", IDS[2], "--now", "--yes", *c.folders()], ALL),
    Trial("backup", _backup),
    Trial("restore", _restore, before=_backup),
    Trial("edit", _add_text),
)
# what a second try may say if the first one had done its work before the fault
DONE_ALREADY = ("exists", "older than the current", "not empty", "no video", "removed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    server = ForkServer(tmp_path_factory.mktemp("shim"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus that each trial has a copy of."""
    root = tmp_path_factory.mktemp("original")
    make(root)
    return root


def test_the_shim_counts_calls_and_fails_the_right_one(server: ForkServer, original: Path, tmp_path: Path) -> None:
    corpus = Corpus(copy_of(original, tmp_path / "c"))
    whole = server.run(_add_text(corpus), [corpus.root])
    assert whole.code == 0, whole.stderr
    assert whole.calls["write"] > 2 and whole.failed == 0
    failed = server.run(_add_text(corpus), [corpus.root], Fault("write", 2))
    assert (failed.code, failed.failed) == (1, 1), failed


@pytest.mark.parametrize("trial", [t for t in TRIALS if t.name in ("import", "prune", "backup", "edit")], ids=str)
def test_a_few_failing_calls_lose_nothing(trial: Trial, server: ForkServer, original: Path, tmp_path: Path) -> None:
    assert not _tried(trial, server, original, tmp_path, most=1, errors=1)[1]


@pytest.mark.faults
@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_every_failing_call_loses_nothing(trial: Trial, server: ForkServer, original: Path, tmp_path: Path) -> None:
    tried, wrong = _tried(trial, server, original, tmp_path, most=MAX_EACH, errors=9)
    print(f"\n{trial}: {tried} tried, {tried - len(wrong)} held, {len(wrong)} broke")
    assert not wrong, "\n".join(wrong)


def _tried(
    trial: Trial, server: ForkServer, original: Path, folder: Path, *, most: int, errors: int
) -> tuple[int, list[str]]:
    """Return how many faults were tried, and a line for each that did harm."""
    run = partial(Faults.run if trial.own_process else ForkServer.run, server)
    ready = Corpus(copy_of(original, folder / "corpus"))
    if trial.before:
        prepared = run(trial.before(ready), [])
        assert prepared.code == 0, prepared.stderr
    ready_copy = copy_of(ready.root, folder / "ready")
    whole = run(trial.arguments(ready), [ready.root])
    assert whole.code == 0, whole.stderr
    tried, wrong = 0, []
    for fault in _faults(whole, most, errors):
        copy_of(ready_copy, ready.root)
        before = kept(ready)
        outcome = run(trial.arguments(ready), [ready.root], fault)
        if not outcome.failed:  # the number of calls differs by a few from run to run
            continue
        tried += 1
        found = _wrong(trial, ready, outcome, fault, before)
        again = run(trial.arguments(ready), [])
        if again.code and not any(words in again.stderr for words in DONE_ALREADY):
            found.append(f"a second try fails: {again.stderr[-300:]}")
        if found:
            wrong.append(f"{trial}, {fault}: {'; '.join(found)}")
    return tried, wrong


def _faults(whole: Outcome, most: int, errors: int) -> Iterator[Fault]:
    for call in CALLS:
        count = whole.calls[call]
        numbers = sorted({1 + round(n * (count - 1) / max(most - 1, 1)) for n in range(most)}) if count else []
        for place, nth in enumerate(numbers):
            yield Fault(call, nth, ERRORS[call][place % min(errors, len(ERRORS[call]))], forever=place % 2 == 1)


def _wrong(trial: Trial, corpus: Corpus, outcome: Outcome, fault: Fault, before: dict[str, set[str]]) -> list[str]:
    found = faults_of(corpus, before, may_lose=trial.may_lose)
    if "Traceback" in outcome.stderr:
        found.append(f"a traceback: {outcome.stderr.strip().splitlines()[-1]}")
    if outcome.code not in (0, 1, 3):
        found.append(f"exit code {outcome.code}: {outcome.stderr[-300:]}")
    if outcome.code and not outcome.stderr.strip():
        found.append("no message")
    if outcome.code == 1 and "Traceback" not in outcome.stderr and not _is_plain(outcome.stderr, fault.error):
        found.append(f"a message without the cause: {outcome.stderr[-300:]}")
    if "damaged" in outcome.stderr or "import again" in outcome.stderr:
        found.append(f"the wrong cause: {outcome.stderr[-300:]}")
    return found


def _is_plain(message: str, error: int) -> bool:
    return any(words in message for words in WORDS[error])
