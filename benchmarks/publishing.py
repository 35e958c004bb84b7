"""Searches on a running server while generations are published, pruned and overwritten in place.

python benchmarks/publishing.py --data COPY --indexes COPY --searches 2000 --generations 20
python benchmarks/publishing.py --data COPY --indexes COPY --generations 200 --add

It changes both folders: give it copies. With --add, each generation has one video more than the one before. It prints
how many searches failed, and after each generation the memory
and the number of open files of the server.
"""

import contextlib
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
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from ingest.catalog import Catalog
from ingest.settings import load_settings
from retrieval.corpus.build import build
from retrieval.index.generation import open_current, read_manifest
from retrieval.index.layout import current_name, generations_folder, segments_folder
from retrieval.index.publish import prune, reweight
from retrieval.search.encoders import load_all
from scraper.records import Video

FIRST_ID = 7_900_000_000_000_000_000
USERS = 4
MODES = ("hybrid", "dense", "keyword")


def server(data: Path, indexes: Path, port: int) -> "subprocess.Popen[bytes]":
    """Start a server and return it when it answers."""
    command = [sys.executable, "-c", "import app; app.main()", "serve", "--port", str(port)]
    command += ["--data", str(data), "--indexes", str(indexes)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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


def opened_files(pid: int) -> list[str]:
    """Return the names of the files that a process has open."""
    names = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            names.append(str(path.readlink()))
    return names


def overwrite(indexes: Path, backup: Path) -> None:
    """Damage the current generation in place, then copy it over the folder again, as `cp -r` of a backup does."""
    name = current_name(indexes)
    folders = [segments_folder(indexes) / entry.name for entry in read_manifest(indexes, name).segments]
    folders.append(generations_folder(indexes) / name)
    for folder in folders:
        shutil.copytree(folder, backup / folder.name)
        for path in folder.iterdir():
            os.truncate(path, path.stat().st_size // 2)
    time.sleep(0.2)
    for folder in folders:
        shutil.copytree(backup / folder.name, folder, dirs_exist_ok=True)
    shutil.rmtree(backup)


def publisher(data: Path, indexes: Path, *, add: bool) -> Callable[[int], None]:
    """Return what publishes a generation: with one video more, or with the same content."""

    def publish_again(_: int) -> None:
        reweight(indexes, read_manifest(indexes, current_name(indexes)).weights)

    if not add:
        return publish_again
    settings = load_settings(data=data, indexes=indexes)
    encoders = load_all(read_manifest(indexes, current_name(indexes)).encoders, complete=True)
    first = FIRST_ID + time.time_ns() // 1_000_000 % 10**15

    def publish(number: int) -> None:
        with Catalog(data) as catalog:
            catalog.put_video(Video(id=str(first + number), description=f"the {number}th pelican sings"))
        build(settings, encoders)

    return publish


def wait_until_followed(data: Path, port: int) -> None:
    """Add a video, and wait until the server has indexed it by itself. It loads what encodes many texts then."""
    video_id, word = str(FIRST_ID - 1), "zyzzogeton"
    with Catalog(data) as catalog:
        catalog.put_video(Video(id=video_id, description=f"the {word} sings"))
    for _ in range(600):
        found = httpx.get(f"http://127.0.0.1:{port}/api/search", params={"q": word, "k": 1}, timeout=60).json()
        if found["hits"] and found["hits"][0]["id"] == video_id:
            return
        time.sleep(0.2)
    raise SystemExit("the server does not follow its catalog")


def run(data: Path, indexes: Path, searches: int, generations: int, port: int, *, add: bool = False) -> dict[str, Any]:
    """Return the figures of a run."""
    publish = publisher(data, indexes, add=add)
    running = server(data, indexes, port)
    if add:
        wait_until_followed(data, port)
    words = list(open_current(indexes).phrases.words())
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
        for number in range(generations):
            publish(number)
            httpx.get(f"http://127.0.0.1:{port}/api/search", params={"q": "new"}, timeout=60)
            if not add:
                overwrite(indexes, indexes / "backup")
            prune(indexes, keep=2)
            usages.append(usage(running.pid))
    finally:
        published.set()
        for user in users:
            user.join()
        ended = running.poll()
        usages.append(usage(running.pid))
        deleted = [name for name in opened_files(running.pid) if name.endswith("(deleted)")]
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
    add: bool = False,
) -> None:
    """Print the figures as JSON."""
    print(json.dumps(run(data, indexes, searches, generations, port, add=add), indent=1))


if __name__ == "__main__":
    typer.run(main)
