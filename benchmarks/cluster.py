"""Items per second of each stage with 1 and 2 workers of one core: on a cluster of Ray, and in this machine's own pool.

    OMP_NUM_THREADS=1 python benchmarks/cluster.py --sample data/sample --items 24 --workers 1 --workers 2
    OMP_NUM_THREADS=1 python benchmarks/cluster.py --kind nothing --workers 1 --workers 2 --workers 4 --workers 8

Both read the same items of the sample in the same run, in turns. The speed is that between the first and the last
result, so that what is loaded once does not count; `start_s` is the time until the first result. Jobs without any work
show what it costs to hand out an item.

Ray starts its workers with a niceness of 15, so that other programs of a machine come first. Here they have none, or
whatever else runs would slow down only them.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

import typer

from ingest.catalog import Catalog, Stage
from ingest.cluster.connection import Cluster, connected
from ingest.cluster.leases import Leases
from ingest.cluster.node import Read
from ingest.cluster.work import Needs, Work
from ingest.settings import Settings
from ingest.stages.importer import import_records
from ingest.stages.pipeline import run_stage
from ingest.stages.workers import each
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.embedding.on_nodes import EncodingOnNodes
from scraper import sources

STAGES: tuple[Stage, ...] = ("ocr", "transcribe")
TEXTS, WARM = 2_304, 256
NOTHINGS = 2_000


@dataclass(frozen=True)
class Nothing:
    """A job without files."""

    number: int
    sources: tuple[()] = ()
    output: None = None

    def at(self, places: Mapping[Path, Path]) -> Self:
        return self


def answer(job: Nothing) -> int:
    return job.number


def load() -> Read:
    return lambda job, _limit_s: answer(job)


def of_nothing(workers: int, cluster: Cluster | None) -> dict[str, float]:
    """Hand out jobs without work, and return what one costs, in milliseconds."""
    jobs = [(number, Nothing(number)) for number in range(NOTHINGS)]
    started, came = time.perf_counter(), []
    if cluster:
        work = Work(load, Needs(1), most=workers)
        with Leases[int](cluster, work) as leases:
            came = [time.perf_counter() for _ in leases.each((number, job, 60.0) for number, job in jobs)]
    else:
        came = [time.perf_counter() for _ in each(answer, jobs, processes=workers, limit_s=lambda _: 60.0)]
    return {
        "ms_per_item": round(1e3 * (came[-1] - came[0]) / (len(came) - 1), 2),
        "start_s": round(came[0] - started, 1),
        "items": len(came),
    }


def of_stage(data: Path, stage: Stage, ids: list[str], workers: int, cluster: Cluster | None) -> dict[str, float]:
    """Run a stage over items of a copy of a catalog, and return its speed."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "data")
        shutil.copytree(data, copy)
        started = time.time()
        with Catalog(copy) as catalog:
            if cluster:
                cluster = Cluster(cluster.ray, cluster.address, type(cluster.media)(copy.resolve()))
            run_stage(catalog, stage, Settings(frames=2), ids=ids, processes=workers, cluster=cluster)
            rows = catalog.database.execute(
                "SELECT updated_at FROM ledger WHERE stage = ? AND state = 'done' AND tries > 0 ORDER BY 1", (stage,)
            )
            times = [row["updated_at"] for row in rows]
    return {
        "items_per_s": round((len(times) - 1) / (times[-1] - times[0]), 3),
        "start_s": round(times[0] - started, 1),
        "items": len(times),
    }


def of_encoding(texts: list[str], workers: int, cluster: Cluster | None) -> dict[str, float]:
    """Encode texts, after some that load workers, and return the speed. Without a cluster, `workers` are threads."""
    import torch

    encoder = SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2")
    torch.set_num_threads(workers)
    with EncodingOnNodes(cluster) as nodes:
        (used,) = nodes.encoders([encoder])
        started = time.perf_counter()
        used.passages(texts[:WARM])
        start_s = time.perf_counter() - started
        started = time.perf_counter()
        used.passages(texts[WARM:])
        seconds = time.perf_counter() - started
    return {
        "items_per_s": round((len(texts) - WARM) / seconds, 1),
        "start_s": round(start_s, 1),
        "items": len(texts),
    }


def main(
    sample: Annotated[Path, typer.Option(help="Folder of records and media.")] = Path("data/sample"),
    items: Annotated[int, typer.Option(help="Items of ocr and transcribe.")] = 24,
    kind: Annotated[list[str], typer.Option(help="Of work.")] = ["nothing", *STAGES, "encode"],  # noqa: B006
    workers: Annotated[list[int], typer.Option(help="How many; more than cores show the overhead.")] = [1, 2],  # noqa: B006
) -> None:
    """Print the figures as JSON."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    found: dict[str, Any] = {}
    texts = [
        f"{n} the recipe that you saved and never found again: salt, flour and {n % 97} eggs" for n in range(TEXTS)
    ]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        with Catalog(data, create=True) as catalog:
            import_records(catalog, sources.read(sample))
            due = {stage: catalog.ledger.due(stage) for stage in STAGES}
        with_video = due["transcribe"]
        due["ocr"] = [video_id for video_id in due["ocr"] if video_id not in with_video]
        for count in workers:
            with connected("local", data, cpus=count) as cluster:
                for name, used in (("pool", None), ("cluster", cluster)):
                    measured: dict[str, Callable[[], dict[str, float]]] = {
                        "nothing": partial(of_nothing, count, used),
                        **{stage: partial(of_stage, data, stage, due[stage][:items], count, used) for stage in STAGES},
                        "encode": partial(of_encoding, texts, count, used),
                    }
                    for one in kind:
                        found[f"{one}, {count} workers, {name}"] = figures = measured[one]()
                        print(f"{one}, {count} workers, {name}", figures, flush=True)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    typer.run(main)
