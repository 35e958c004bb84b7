"""How long a change takes to reach the index: builds after few changes, and videos in a running server.

    python -m benchmarks.updates DATA INDEXES

It changes both folders: give it copies. Unless `--no-builds` is given, it builds an index anew with the vectors that
are in the cache, then with nothing changed and with 1 % of the videos changed. Then it starts a server, adds, changes
and removes a video many times, and asks until the video is found or gone.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from benchmarks.publishing import server
from ingest.catalog import Catalog
from ingest.settings import Settings, load_settings
from retrieval.corpus.build import build
from retrieval.index.generation import read_manifest
from retrieval.index.layout import CACHE_FILE, current_name
from retrieval.search.encoders import load_all
from scraper import files
from scraper.records import Video

FIRST_ID = 7_900_000_000_000_000_000
LIMIT_S = 60.0


def timed(step: Callable[[], object]) -> float:
    """Return how many seconds a step takes."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def change(data: Path, ids: list[str], words: str) -> None:
    """Change the descriptions of videos."""
    with Catalog(data) as catalog:
        for video_id in ids:
            entry = catalog.get(video_id)
            assert entry is not None
            changed = entry.video.model_copy(update={"description": f"{entry.video.description} {words}"})
            catalog.put_video(changed.model_copy(update={"scraped_at": time.time()}))


def builds(settings: Settings, again: Callable[[Settings], object]) -> dict[str, float]:
    """Return the seconds of a first build with all vectors in the cache, of one without changes, and of one after 1 %
    has changed."""
    new = settings.indexes.with_name(f"{settings.indexes.name}-new")
    files.make_private(new)
    (new / CACHE_FILE).write_bytes((settings.indexes / CACHE_FILE).read_bytes())
    fresh = settings.model_copy(update={"indexes": new})
    with Catalog(settings.data) as catalog:
        ids = catalog.ids()[::100]
    found = {"first build": timed(lambda: again(fresh))}
    found["nothing changed"] = timed(lambda: again(fresh))
    change(settings.data, ids, "pelican")
    found["1 % changed"] = timed(lambda: again(fresh))
    return found


def until(client: httpx.Client, word: str, video_id: str, *, found: bool) -> float:
    """Return how many seconds it takes until the first hit for a word is a video, or is not."""
    began = time.perf_counter()
    while time.perf_counter() - began < LIMIT_S:
        hits = client.get("/api/search", params={"q": f'"{word}"', "k": 1}).raise_for_status().json()["hits"]
        if (bool(hits) and hits[0]["id"] == video_id) == found:
            return time.perf_counter() - began
        time.sleep(0.02)
    raise SystemExit(f"{word} was not {'found' if found else 'gone'} within {LIMIT_S:.0f} s")


def updates(data: Path, client: httpx.Client, times: int) -> dict[str, list[float]]:
    """Return the seconds until a new video is found, a changed one is found by its new words, and a removed one is
    gone."""
    taken: dict[str, list[float]] = {"added": [], "changed": [], "removed": []}
    for _ in range(times):
        number = time.time_ns() // 1_000_000 % 10**15
        video_id = str(FIRST_ID + number)
        old, new = f"zyzzogeton{number}", f"quockerwodger{number}"  # a run that was stopped has left others
        with closing(Catalog(data)) as catalog:
            catalog.put_video(Video(id=video_id, description=f"the {old} sings", scraped_at=time.time()))
            taken["added"].append(until(client, old, video_id, found=True))
            catalog.put_video(Video(id=video_id, description=f"the {new} sings", scraped_at=time.time()))
            taken["changed"].append(until(client, new, video_id, found=True))
            catalog.removals.hide([video_id])
            taken["removed"].append(until(client, new, video_id, found=False))
    return taken


def of_builds(settings: Settings) -> dict[str, float]:
    """Return the figures of builds, and leave the index as the catalog is."""
    manifest = read_manifest(settings.indexes, current_name(settings.indexes))
    again = partial(build, encoders=load_all(manifest.encoders, complete=True), only_read=manifest.only_read)
    taken = builds(settings, again)
    again(settings)
    figures = {name: round(seconds, 2) for name, seconds in taken.items()}
    figures["nothing changed / first build"] = round(taken["nothing changed"] / taken["first build"], 3)
    figures["1 % changed / first build"] = round(taken["1 % changed"] / taken["first build"], 3)
    return figures


def main(
    data: Path,
    indexes: Path,
    times: Annotated[int, typer.Option(help="Number of videos to add, change and remove.")] = 10,
    port: Annotated[int, typer.Option(help="Port of the server.")] = 7878,
    builds_as_well: Annotated[bool, typer.Option("--builds/--no-builds", help="Whether to build anew.")] = True,
) -> None:
    """Measure, and print the figures as JSON."""
    figures: dict[str, Any] = of_builds(load_settings(data=data, indexes=indexes)) if builds_as_well else {}
    running: subprocess.Popen[bytes] = server(data, indexes, port)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            for name, seconds in updates(data, client, times).items():
                shown = (seconds[0], statistics.median(seconds), max(seconds))
                figures[f"{name}, first, p50 and longest, s"] = [round(one, 2) for one in shown]
    finally:
        running.terminate()
        running.wait()
    json.dump(figures, sys.stdout, indent=1)


if __name__ == "__main__":
    typer.run(main)
