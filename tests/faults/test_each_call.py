"""Each write, sync, rename, open, deletion and read of each command fails in turn, and nothing is lost.

The plain run has a few faults of each command; `make test-faults` has all of them.
"""

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.faults.commands import COMMANDS, DONE_ALREADY, Command, edit
from tests.faults.corpus import Corpus, faults_of, kept
from tests.faults.shim import CALLS, Call, Fault, Faults, ForkedFaults, Outcome, copy_of

ERRORS: dict[Call, tuple[int, ...]] = {
    "write": (errno.ENOSPC, errno.EIO),
    "sync": (errno.EIO, errno.ENOSPC),
    "rename": (errno.ENOSPC, errno.EACCES),
    "open": (errno.EMFILE, errno.EACCES, errno.EIO),
    "unlink": (errno.EACCES, errno.EIO),
    "read": (errno.EIO,),
}
MAX_EACH = int(os.environ.get("FAULTS_MAX_EACH", "8"))  # faults of one kind of call, spread over all calls
FAILURES = "(see `tiktok-retrieval status --failures`)"
WORDS = {
    errno.ENOSPC: ("full", "disk"),
    errno.EIO: ("disk reports an error", "cannot be", "I/O error"),
    errno.EACCES: ("permission", "cannot be", "disk reports an error", "disk"),
    errno.EMFILE: ("too many files", "cannot be", "disk"),
}


def test_the_shim_counts_calls_and_fails_the_right_one(shim: ForkedFaults, original: Path, tmp_path: Path) -> None:
    corpus = Corpus(copy_of(original, tmp_path / "c"))
    whole = shim.run(edit(corpus), [corpus.root])
    assert whole.code == 0, whole.stderr
    assert whole.calls["write"] > 2 and whole.failed == 0
    failed = shim.run(edit(corpus), [corpus.root], Fault("write", 2))
    assert (failed.code, failed.failed) == (1, 1), failed


@pytest.mark.parametrize("command", [t for t in COMMANDS if t.name == "import"], ids=str)
def test_a_few_failing_calls_lose_nothing(command: Command, shim: ForkedFaults, original: Path, tmp_path: Path) -> None:
    assert not _tried(command, shim, original, tmp_path, most=1, errors=1)[1]


@pytest.mark.faults
@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_every_failing_call_loses_nothing(command: Command, shim: ForkedFaults, original: Path, tmp_path: Path) -> None:
    tried, wrong = _tried(command, shim, original, tmp_path, most=MAX_EACH, errors=9)
    print(f"\n{command}: {tried} tried, {tried - len(wrong)} held, {len(wrong)} broke")
    assert not wrong, "\n".join(wrong)


def _tried(
    command: Command, shim: ForkedFaults, original: Path, folder: Path, *, most: int, errors: int
) -> tuple[int, list[str]]:
    """Return how many faults were tried, and a line for each that did harm."""
    run = partial(Faults.run if command.own_process else ForkedFaults.run, shim)
    ready = Corpus(copy_of(original, folder / "corpus"))
    if command.before:
        prepared = run(command.before(ready), [])
        assert prepared.code == 0, prepared.stderr
    ready_copy = copy_of(ready.root, folder / "ready")
    whole = run(command.arguments(ready), [ready.root])
    assert whole.code == 0, whole.stderr
    tried, wrong = 0, []
    for fault in _faults(whole, most, errors):
        copy_of(ready_copy, ready.root)
        before = kept(ready)
        outcome = run(command.arguments(ready), [ready.root], fault)
        if not outcome.failed:  # the number of calls differs by a few from run to run
            continue
        tried += 1
        if FAILURES in outcome.stdout:  # one item failed: the command says where its cause is
            listed = ForkedFaults.run(shim, ["status", "--failures", *ready.folders()], [])
            outcome = replace(outcome, stderr=outcome.stderr + listed.stdout)
        found = _wrong(command, ready, outcome, fault, before)
        again = run(command.arguments(ready), [])
        if again.code and not any(words in again.stderr for words in DONE_ALREADY):
            found.append(f"a second try fails: {again.stderr[-300:]}")
        if found:
            wrong.append(f"{command}, {fault}: {'; '.join(found)}")
    return tried, wrong


def _faults(whole: Outcome, most: int, errors: int) -> Iterator[Fault]:
    for call in CALLS:
        count = whole.calls[call]
        numbers = sorted({1 + round(n * (count - 1) / max(most - 1, 1)) for n in range(most)}) if count else []
        for place, nth in enumerate(numbers):
            yield Fault(call, nth, ERRORS[call][place % min(errors, len(ERRORS[call]))], forever=place % 2 == 1)


def _wrong(command: Command, corpus: Corpus, outcome: Outcome, fault: Fault, before: dict[str, set[str]]) -> list[str]:
    found = faults_of(corpus, before, may_lose=command.may_lose)
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
