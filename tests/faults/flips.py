"""One flipped bit in a file of a corpus: is it harmless, named, or silent?

A flip is harmless if all rows and answers are as before. It is named if `tiktok-retrieval check`, or the command that
reads the file, ends with a message. A damaged vector is named and encoded again. A flip is silent if nothing says that
something has changed, and a traceback is a bug.
"""

import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from retrieval.index.manifest import MANIFEST, SEGMENT
from tests.command_line import REPOSITORY
from tests.faults.program import Outcome, Program
from tests.faults.trial import Trial

SAMPLE = REPOSITORY / "data" / "sample"
QUESTIONS = 12
HARMLESS, NAMED, REPAIRED, SILENT, TRACEBACK = "harmless", "named", "made again", "silent", "traceback"
MADE_AGAIN = "encoded again"  # what a build says of damaged vectors, and of a damaged cache
ROUNDED = 4e-3  # how far a number may differ if a text is encoded again, in another batch
WHICH = {"generation": "a generation's files", "segment": "a segment's files"}
UNKNOWN_COMMAND = "No such command"


@dataclass(frozen=True)
class Corpus:
    """A data folder with an index, the answers to some questions, and what an export has."""

    program: Program
    data: Path
    indexes: Path
    questions: list[str]
    answers: str
    exported: str
    checks: bool  # whether the program has the command `check`

    @property
    def generation(self) -> Path:
        return self.indexes / "generations" / (self.indexes / "CURRENT").read_text().strip()

    def copy(self, folder: Path) -> "Corpus":
        """Return a copy of the corpus in another folder. Media are not copied."""
        data, indexes = folder / "data", folder / "indexes"
        for source, target in ((self.data, data), (self.indexes, indexes)):
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        return Corpus(self.program, data, indexes, self.questions, self.answers, self.exported, self.checks)

    def check(self) -> Outcome | None:
        """Run `check`, if the program has it."""
        return self.program.run("check", "--data", self.data, "--indexes", self.indexes) if self.checks else None

    def ask(self) -> Outcome:
        return self.program.ask(self.indexes, self.questions)

    def export(self) -> Outcome:
        return export(self.program, self.data, self.indexes)


def export(program: Program, data: Path, indexes: Path) -> Outcome:
    return program.run("export", "--all", "--texts", "--format", "json", "--data", data, "--indexes", indexes)


def make_corpus(program: Program, folder: Path) -> Corpus:
    """Import the sample's records, give them the sample's speech as transcripts, and build an index."""
    data, indexes = folder / "data", folder / "indexes"
    records = folder / "records"
    shutil.copytree(SAMPLE / "info", records)
    spoken = json.loads((SAMPLE / "spoken.json").read_text(encoding="utf-8"))
    imported = program.run("import", records, "--data", data)
    assert imported.code == 0, imported.err
    program.put_transcripts(data, {key: " ".join(part["text"] for part in parts) for key, parts in spoken.items()})
    built = program.run("build", "--data", data, "--indexes", indexes)
    assert built.code == 0, built.err
    with closing(sqlite3.connect(data / "catalog.sqlite")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    questions = [q["text"] for q in json.loads((SAMPLE / "queries.json").read_text(encoding="utf-8"))][:QUESTIONS]
    answers = program.ask(indexes, questions)
    assert answers.code == 0, answers.err
    probe = program.run("check", "--data", data, "--indexes", indexes)
    checks = UNKNOWN_COMMAND not in probe.err
    assert not checks or probe.code == 0, f"the whole corpus is not in order: {probe.out} {probe.err}"
    exported = export(program, data, indexes)
    assert exported.code == 0, exported.err
    return Corpus(program, data, indexes, questions, answers.out, exported.out, checks)


def flip(path: Path, bit: int) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def sqlite_rows(path: Path) -> dict[str, list[tuple[object, ...]]] | None:
    """Return all rows of all tables, without the program; None if SQLite cannot read them."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            db.text_factory = bytes
            tables = [row[0].decode() for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            rows = {name: db.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables}  # noqa: S608
            return rows | {"": db.execute("SELECT * FROM sqlite_schema").fetchall()}
    except (sqlite3.Error, UnicodeError):
        return None


def judged(what: str, detail: str, outcomes: Iterator[tuple[Outcome, bool]]) -> Trial:
    """Return the first ending that decides: a traceback, a message, or else an outcome that differs from before."""
    same, repaired = True, False
    for outcome, as_before in outcomes:
        if outcome.traceback:
            return Trial(what, False, TRACEBACK, f"{detail}: {outcome.last_line[:300]}")
        if outcome.code:
            return Trial(what, True, NAMED, f"{detail}: {outcome.last_line[:300]}")
        same &= as_before
        repaired |= MADE_AGAIN in outcome.err
    return Trial(what, same, SILENT if not same else REPAIRED if repaired else HARMLESS, detail)


def flip_catalog(corpus: Corpus, folder: Path, chance: random.Random) -> Trial:
    """Flip a bit of the catalog, check it, and run the commands that read all of it."""
    hurt = corpus.copy(folder)
    path = hurt.data / "catalog.sqlite"
    before = sqlite_rows(path)
    bit = chance.randrange(path.stat().st_size * 8)
    flip(path, bit)
    same = sqlite_rows(path) == before

    def outcomes() -> Iterator[tuple[Outcome, bool]]:
        if checked := hurt.check():
            yield checked, same
        status = hurt.program.run("status", "--data", hurt.data, "--indexes", hurt.indexes)
        yield status, same
        exported = hurt.export()
        yield exported, exported.out == corpus.exported
        built = hurt.program.run("build", "--data", hurt.data, "--indexes", hurt.indexes)
        yield built, True
        asked = hurt.ask()
        yield asked, asked.out == corpus.answers

    return judged("catalog.sqlite, any bit", f"bit {bit}", outcomes())


def flip_cache(corpus: Corpus, folder: Path, chance: random.Random, *, used: bool) -> Trial:
    """Flip a bit of the vector cache, or of a vector in it that the index uses, and build.

    The segments are gone: a build would take them over, and would not read the cache.
    """
    hurt = corpus.copy(folder)
    shutil.rmtree(hurt.indexes / "segments")
    path = hurt.indexes / "vectors.sqlite"
    if used:
        detail = _flip_vector(path, chance)
    else:
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        bit = chance.randrange(path.stat().st_size * 8)
        flip(path, bit)
        detail = f"bit {bit}"

    def outcomes() -> Iterator[tuple[Outcome, bool]]:
        built = hurt.program.run("build", "--data", hurt.data, "--indexes", hurt.indexes)
        yield built, True
        asked = hurt.ask()
        same = asked.out == corpus.answers or MADE_AGAIN in built.err  # then the last digits of the scores differ
        yield asked, same and _same_vectors(corpus.generation, hurt.generation)

    return judged(f"vectors.sqlite, {'a used vector' if used else 'any bit'}", detail, outcomes())


def _flip_vector(path: Path, chance: random.Random) -> str:
    with closing(sqlite3.connect(path)) as db, db:
        rows = db.execute("SELECT encoder, text_sha256, vector FROM vectors").fetchall()
        encoder, key, vector = chance.choice(rows)
        bit = chance.randrange(len(vector) * 8)
        changed = bytearray(vector)
        changed[bit // 8] ^= 1 << bit % 8
        db.execute(
            "UPDATE vectors SET vector = ? WHERE encoder = ? AND text_sha256 = ?", (bytes(changed), encoder, key)
        )
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return f"bit {bit} of the vector of {key.hex()[:12]}"


def _same_vectors(one: Path, other: Path) -> bool:
    """Whether two generations have the same vectors. A text that is encoded again differs in the last digits."""
    import numpy as np

    from retrieval.index.generation import Generation

    first, second = Generation(one), Generation(other)
    for of_first, of_second in zip(first.dense, second.dense, strict=True):
        for field, index in of_first.items():
            rows = range(index.rows.passages)
            if len(rows) != of_second[field].rows.passages:
                return False
            if not np.allclose(index.vectors(rows), of_second[field].vectors(rows), atol=ROUNDED):
                return False
    return True


def flip_index_file(corpus: Corpus, folder: Path, chance: random.Random, which: str) -> Trial:
    """Flip a bit of CURRENT, of a manifest, or of another file of the current generation or of its segment, and ask.

    Then build: what is damaged is not used again.
    """
    hurt = corpus.copy(folder)
    [segment] = (hurt.indexes / "segments").iterdir()
    path = {
        "CURRENT": lambda: hurt.indexes / "CURRENT",
        "manifest": lambda: hurt.generation / MANIFEST,
        "segment.json": lambda: segment / SEGMENT,
        "generation": lambda: chance.choice(_other_files(hurt.generation, MANIFEST)),
        "segment": lambda: chance.choice(_other_files(segment, SEGMENT)),
    }[which]()
    bit = chance.randrange(path.stat().st_size * 8)
    flip(path, bit)

    def outcomes() -> Iterator[tuple[Outcome, bool]]:
        searched = hurt.program.run(
            "search", corpus.questions[0], "--data", hurt.data, "--indexes", hurt.indexes, "--json"
        )
        yield searched, True
        asked = hurt.ask()
        yield asked, asked.out == corpus.answers

    trial = judged(WHICH.get(which, which), f"{path.name}, bit {bit}", outcomes())
    if which == "CURRENT" or not trial.held:
        return trial
    built = hurt.program.run("build", "--data", hurt.data, "--indexes", hurt.indexes)
    refused = which == "manifest" and built.code  # the encoder is not known; the message says what to do
    if built.traceback or (not refused and (built.code or hurt.ask().out != corpus.answers)):
        return Trial(trial.what, False, trial.how, f"{trial.detail}: not repaired by a build")
    return trial


def _other_files(folder: Path, manifest: str) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != manifest and path.stat().st_size)


KINDS: dict[str, Callable[[Corpus, Path, random.Random], Trial]] = {
    "catalog": flip_catalog,
    "vectors": lambda corpus, folder, chance: flip_cache(corpus, folder, chance, used=True),
    "cache": lambda corpus, folder, chance: flip_cache(corpus, folder, chance, used=False),
    "generation": lambda corpus, folder, chance: flip_index_file(corpus, folder, chance, "generation"),
    "segment": lambda corpus, folder, chance: flip_index_file(corpus, folder, chance, "segment"),
    "segment.json": lambda corpus, folder, chance: flip_index_file(corpus, folder, chance, "segment.json"),
    "manifest": lambda corpus, folder, chance: flip_index_file(corpus, folder, chance, "manifest"),
    "current": lambda corpus, folder, chance: flip_index_file(corpus, folder, chance, "CURRENT"),
}


def flips(corpus: Corpus, folder: Path, kind: str, number: int, seed: int = 18) -> Iterator[Trial]:
    """Flip one bit in each of `number` copies of a corpus. The same seed flips the same bits of the same files."""
    chance = random.Random(f"{seed} {kind}")
    for _ in range(number):
        yield KINDS[kind](corpus, folder, chance)
