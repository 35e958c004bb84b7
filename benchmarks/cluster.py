"""Items per second of each stage with 1 and 2 workers of one core: on a cluster of Ray, and in this machine's own pool.

    python benchmarks/cluster.py --sample data/sample --items 24

Both read the same items of the sample in the same run, in turns. The speed is that between the first and the last
result, so that what is loaded once does not count; `start_s` is the time until the first result. Set OMP_NUM_THREADS=1:
a worker of a cluster has one core.
"""

import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from ingest.catalog import Catalog, Stage
from ingest.cluster.connection import Cluster, connected
from ingest.settings import Settings
from ingest.stages.importer import import_records
from ingest.stages.pipeline import run_stage
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.embedding.on_nodes import EncodingOnNodes
from scraper import sources

STAGES: tuple[Stage, ...] = ("ocr", "transcribe")
TEXTS = 2_048


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


def of_encoding(texts: list[str], cluster: Cluster | None) -> dict[str, float]:
    """Encode texts, after some that load the workers, and return the speed."""
    encoder = SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2")
    with EncodingOnNodes(cluster) as nodes:
        (used,) = nodes.encoders([encoder])
        started = time.perf_counter()
        used.passages(texts[:256])
        start_s = time.perf_counter() - started
        started = time.perf_counter()
        used.passages(texts[256:])
        seconds = time.perf_counter() - started
    return {"items_per_s": round((len(texts) - 256) / seconds, 1), "start_s": round(start_s, 1), "items": len(texts)}


def main(
    sample: Annotated[Path, typer.Option(help="Folder of records and media.")] = Path("data/sample"),
    items: Annotated[int, typer.Option(help="Items of each stage.")] = 24,
    most: Annotated[int, typer.Option(help="Workers at most; more than cores show the overhead.")] = 2,
) -> None:
    """Print the figures as JSON."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
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
        with connected("local", data) as cluster:
            for workers in [count for count in (1, 2, 4, 8) if count <= most]:
                for name, used in (("pool", None), ("cluster", cluster)):
                    for stage in STAGES:
                        figures = of_stage(data, stage, due[stage][:items], workers, used)
                        found[f"{stage}, {workers} workers, {name}"] = figures
                        print(f"{stage}, {workers} workers, {name}", figures, flush=True)
            for name, used in (("pool", None), ("cluster", cluster)):
                found[f"encode, {name}"] = of_encoding(texts, used)
                print(f"encode, {name}", found[f"encode, {name}"], flush=True)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    typer.run(main)
