"""CPU and wall seconds of `tiktok-retrieval search` from the shell, with and without a server, in turns.

    python benchmarks/shell.py --queries queries.json --data data --indexes indexes --before ../older/checkout

With `--before`, an older source tree searches in the same run, without a server. The server that is asked is one of
this program: it is started before and ended after.
"""

import json
import os
import resource
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

HERE = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-c", "import app; app.main()"]
START_S = 180.0


def used(arguments: list[str], tree: Path) -> tuple[float, float, str]:
    """Return the CPU seconds and wall seconds of a command in a source tree, and what it printed."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=tree, env=_env(tree), check=True, stdout=subprocess.PIPE, text=True
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, done.stdout


def _env(tree: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(tree)}


def main(
    queries: Annotated[Path, typer.Option(help="Questions to ask in turn: a JSON list of {text}.")],
    data: Annotated[Path, typer.Option(help="Folder of the catalog.")] = Path("data"),
    indexes: Annotated[Path, typer.Option(help="Folder of the indexes.")] = Path("indexes"),
    before: Annotated[Path | None, typer.Option(help="An older source tree to compare with.")] = None,
    rounds: Annotated[int, typer.Option(help="Questions to ask each way.", min=1)] = 5,
) -> None:
    """Print JSON: the medians of each way, and whether the server's answers are those of the command."""
    texts = [query["text"] for query in json.loads(queries.read_text(encoding="utf-8"))][:rounds]
    folders = ["--data", str(data.resolve()), "--indexes", str(indexes.resolve())]
    ways = {"server": (HERE, folders), "alone": (HERE, [*folders, "--no-server"])}
    if before:
        ways["before"] = (before.resolve(), folders)
    serving = subprocess.Popen(
        [*COMMAND, "serve", *folders, "--port", "0"], cwd=HERE, env=_env(HERE), stdout=subprocess.PIPE, text=True
    )
    assert serving.stdout
    try:
        address = serving.stdout.readline().removeprefix("The page: ").strip()
        with urllib.request.urlopen(f"{address}api/health", timeout=START_S):
            pass  # index and models are loaded
        figures: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        same = 0
        for text in texts:
            printed = {}
            for way, (tree, options) in ways.items():
                cpu, wall, printed[way] = used(["search", text, *options], tree)
                figures[way].append((cpu, wall))
            same += printed["server"] == printed["alone"]
    finally:
        serving.terminate()
        serving.wait()
        serving.stdout.close()
    found = {
        way: {"cpu_s": round(median(cpu for cpu, _ in runs), 2), "wall_s": round(median(wall for _, wall in runs), 2)}
        for way, runs in figures.items()
    }
    print(json.dumps({"questions": len(texts), "same_answers": same, **found}, indent=1))


if __name__ == "__main__":
    typer.run(main)
