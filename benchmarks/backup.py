"""A backup while ten people search and an import writes, then restored: counts, answers, and how long each waited.

    python benchmarks/backup.py --data data --indexes indexes --queries queries.json

It works on copies. Prints JSON.
"""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from ingest.catalog import Catalog
from ingest.settings import Settings
from retrieval.corpus.backup import back_up
from retrieval.corpus.restore import restore
from retrieval.evaluation.queries import read_queries
from retrieval.index.generation import open_current
from retrieval.search.searcher import Searcher
from scraper.records import Video

_settings = Settings()
PEOPLE = 10
IMPORTED = 10**19  # ids of the videos that are imported during the backup
T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Return what `work` returns, and the seconds it took."""
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def main(
    queries: Annotated[Path, typer.Option(help='JSON list of {"text", "target"}.')],
    data: Annotated[Path, typer.Option(help="Data folder.")] = _settings.data,
    indexes: Annotated[Path, typer.Option(help="Folder of the generations.")] = _settings.indexes,
) -> None:
    """Print the seconds of backup and restore, the slowest write during them, and whether the answers are equal."""
    questions = [query.text for query in read_queries(queries)]
    with tempfile.TemporaryDirectory() as name:
        folder, stop, slowest = Path(name), threading.Event(), [0.0]
        copied = shutil.copytree(data, folder / "data")
        searcher = Searcher.open(indexes)

        def write() -> int:
            number = 0
            with Catalog(copied) as catalog:
                while not stop.is_set():
                    video = Video(id=str(IMPORTED + number), description=f"imported {number}")
                    slowest[0] = max(slowest[0], timed(lambda one=video: catalog.put_video(one))[1])  # type: ignore[misc]
                    number += 1
            return number

        def search() -> int:
            done = 0
            while not stop.is_set():
                searcher.search(questions[done % len(questions)])
                done += 1
            return done

        with ThreadPoolExecutor(PEOPLE + 1) as pool:
            writing, searching = pool.submit(write), [pool.submit(search) for _ in range(PEOPLE)]
            time.sleep(2)
            made, backup_s = timed(lambda: back_up(copied, indexes, folder / "backup.zip", media=True))
            stop.set()
            written, searched = writing.result(), sum(one.result() for one in searching)
        _, restore_s = timed(lambda: restore(made.file, folder / "new", folder / "new indexes"))
        restored = Searcher(open_current(folder / "new indexes"), *searcher.encoders)

        def hits(one: Searcher, question: str) -> list[tuple[str, float]]:
            return [(hit.id, hit.score) for hit in one.search(question, 100).hits]

        result = {
            "backup_s": backup_s,
            "restore_s": restore_s,
            "bytes": made.bytes,
            "counts": made.manifest.counts,
            "imported_meanwhile": written,
            "slowest_import_s": slowest[0],
            "searches_meanwhile": searched,
            "questions": len(questions),
            "equal_answers": sum(hits(restored, text) == hits(searcher, text) for text in questions),
        }
        print(json.dumps(result))


if __name__ == "__main__":
    typer.run(main)
