"""Inject faults, and print the table "what, tried, held, broke".

    python -m tests.faults.table                       # this code
    python -m tests.faults.table --code ../older-code  # another folder of code, for the figures before a change

The full disk and the read-only disk need the right to mount a file system; without it they are left out, and the table
says so.
"""

import contextlib
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from tests.command_line import REPOSITORY
from tests.faults.flips import KINDS, flips, make_corpus
from tests.faults.program import Program
from tests.faults.served import SERVED
from tests.faults.trial import Trial, markdown, rows

MEMORY = Path("/dev/shm")  # where copies are made fast; elsewhere in the folder for temporary files
ALL = (*KINDS, *SERVED)


def main(
    code: Annotated[Path, typer.Option(help="Folder of the code to test.")] = REPOSITORY,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="Flips of each kind.")] = 200,
    only: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(ALL)}; repeatable.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every fault that broke something.")] = False,
) -> None:
    """Inject each kind of fault, and print how many tries held."""
    if unknown := set(only or ()) - set(ALL):
        raise typer.BadParameter(f"no kind {', '.join(sorted(unknown))}", param_hint="--only")
    started = time.monotonic()
    done: list[Trial] = []
    with contextlib.suppress(KeyboardInterrupt):  # what was tried until then is shown
        for trial in trials(code, number, only or ALL):
            done.append(trial)
    table = rows(done)
    about = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "seconds": round(time.monotonic() - started),
    }
    if as_json:
        print(json.dumps(about | {"table": table}, indent=1, ensure_ascii=False))
        return
    print(", ".join(f"{name} {value}" for name, value in about.items()), end="\n\n")
    print(markdown(table))


def trials(code: Path, number: int, kinds: "list[str] | tuple[str, ...]") -> Iterator[Trial]:
    """Try each kind of fault, and say on stderr how far that is."""
    place = MEMORY if MEMORY.is_dir() else None
    with Program(code) as program, tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        corpus = make_corpus(program, folder / "whole")
        for kind in kinds:
            if kind in KINDS:
                for done, trial in enumerate(flips(corpus, folder / "hurt", kind, number), 1):
                    print(f"\r{kind}: {done} of {number}", end="", file=sys.stderr, flush=True)
                    yield trial
                print(file=sys.stderr)
            else:
                print(kind, file=sys.stderr, flush=True)
                yield from SERVED[kind](corpus, folder / "served")


if __name__ == "__main__":
    typer.run(main)
