"""The commands of the program that write, as they are tried on the corpus of corpus.py."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.corpus import IDS, Corpus


@dataclass(frozen=True)
class Command:
    """A command of the program that writes, and what it may delete."""

    name: str
    arguments: Callable[[Corpus], list[str | Path]]
    may_lose: frozenset[str] = frozenset()
    before: Callable[[Corpus], list[str | Path]] | None = None  # a command that prepares it
    own_process: bool = False  # it starts workers, which a copy of a process that has threads cannot do

    def __str__(self) -> str:
        return self.name


def edit(corpus: Corpus) -> list[str | Path]:
    return ["edit", IDS[0], "speech", "--text", "by hand", "--data", corpus.data]


def _import(corpus: Corpus) -> list[str | Path]:
    return ["import", corpus.source, "--quiet", *corpus.folders()]


def _backup(corpus: Corpus) -> list[str | Path]:
    return ["backup", corpus.root / "b.zip", "--media", "--quiet", *corpus.folders()]


def _restore(corpus: Corpus) -> list[str | Path]:
    restored: list[str | Path] = ["--data", corpus.root / "d2", "--indexes", corpus.root / "i2"]
    return ["restore", corpus.root / "b.zip", "--quiet", *restored]


ALL = frozenset({"videos", "texts", "media", "judgements"})
COMMANDS = (
    Command("import", _import),
    Command("run", lambda c: ["run", "--quiet", *c.folders()], before=_import, own_process=True),
    Command("build", lambda c: ["build", "--quiet", *c.folders()], before=edit),
    Command("prune", lambda c: ["prune", "--keep", "1", "--indexes", c.indexes]),
    Command("rollback", lambda c: ["rollback", "--indexes", c.indexes]),
    Command("remove", lambda c: ["remove", IDS[2], "--now", "--yes", *c.folders()], ALL),
    Command("backup", _backup),
    Command("restore", _restore, before=_backup),
    Command("edit", edit),
)
# what a second try may say if the first one had done its work before the fault
DONE_ALREADY = ("exists", "older than the current", "not empty", "no video", "removed")
