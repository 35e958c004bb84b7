"""Searches on a running server while generations are published, pruned and overwritten in place.

python benchmarks/publishing.py --data data --indexes COPY --searches 2000 --generations 20

It changes the indexes folder: give it a copy. It prints how many searches failed, and after each generation the memory
and the number of open files of the server.
"""

import itertools
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from retrieval.index.builder import prune, reweight
from retrieval.index.generation import current_name, generations_folder, open_current, read_manifest

USERS = 4
MODES = ("hybrid", "dense", "keyword")


def server(data: Path, indexes: Path, port: int) -> "subprocess.Popen[bytes]":
    """Start a server and return it when it answers."""
    command = [sys.executable, "-c", "import app; app.main()", "serve", "--port", str(port)]
    running = subprocess.Popen([*command, "--data", str(data), "--indexes", str(indexes)], stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/api/search", params={"q": "warm"}, timeout=60).is_success:
                return running
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    running.kill()
    raise SystemExit("the server does not answer")


def usage(pid: int) -> tuple[int, int]:
    """Return a process's memory in MB and its number of open files."""
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return kilobytes // 1024, len(list(Path(f"/proc/{pid}/fd").iterdir()))


def overwrite(indexes: Path, backup: Path) -> None:
    """Damage the current generation in place, then copy it over the folder again, as `cp -r` of a backup does."""
    folder = generations_folder(indexes) / current_name(indexes)
    shutil.copytree(folder, backup)
    for path in folder.iterdir():
        os.truncate(path, path.stat().st_size // 2)
    time.sleep(0.2)
    shutil.copytree(backup, folder, dirs_exist_ok=True)
    shutil.rmtree(backup)


def run(data: Path, indexes: Path, searches: int, generations: int, port: int) -> dict[str, Any]:
    """Return the figures of a run."""
    running = server(data, indexes, port)
    words = list(open_current(indexes).phrases.vocabulary)
    left, statuses, taken = itertools.count(), Counter[str](), list[float]()
    answered = Counter[str]()
    published = threading.Event()

    def ask(seed: int) -> None:
        chosen = random.Random(seed)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            while next(left) < searches or not published.is_set():
                began = time.perf_counter()
                asked = {"q": " ".join(chosen.sample(words, 3)), "mode": chosen.choice(MODES)}
                try:
                    answer = client.get("/api/search", params=asked)
                    statuses[str(answer.status_code)] += 1
                    answered[answer.json().get("generation", "")] += 1
                except httpx.HTTPError as error:
                    statuses[type(error).__name__] += 1
                taken.append(time.perf_counter() - began)

    users = [threading.Thread(target=ask, args=(seed,)) for seed in range(USERS)]
    for user in users:
        user.start()
    usages = [usage(running.pid)]
    try:
        for _ in range(generations):
            reweight(indexes, read_manifest(indexes, current_name(indexes)).weights)
            httpx.get(f"http://127.0.0.1:{port}/api/search", params={"q": "new"}, timeout=60)
            overwrite(indexes, indexes / "backup")
            prune(indexes, keep=2)
            usages.append(usage(running.pid))
    finally:
        published.set()
        for user in users:
            user.join()
        ended = running.poll()
        usages.append(usage(running.pid))
        deleted = sum("(deleted)" in str(path.readlink()) for path in Path(f"/proc/{running.pid}/fd").iterdir())
        running.terminate()
        running.wait()
    return {
        "searches": sum(statuses.values()),
        "statuses": dict(statuses),
        "generations that answered": len(answered),
        "p50 ms": round(statistics.median(taken) * 1000, 1),
        "memory MB": [memory for memory, _ in usages],
        "open files": [opened for _, opened in usages],
        "open files that are deleted": deleted,
        "ended": ended,
    }


def main(
    data: Annotated[Path, typer.Option()],
    indexes: Annotated[Path, typer.Option()],
    searches: int = 2_000,
    generations: int = 20,
    port: int = 27_461,
) -> None:
    """Print the figures as JSON."""
    print(json.dumps(run(data, indexes, searches, generations, port), indent=1))


if __name__ == "__main__":
    typer.run(main)
