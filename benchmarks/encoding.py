"""Passages per second into the vector cache, compared with sentence-transformers' `encode` in the same run.

    python benchmarks/encoding.py --data data --encoder all-MiniLM-L6-v2 --texts 2000

Both get the same passages, sorted by length, with equal weights, precision and threads. Plain `encode` keeps nothing;
ours also checks, hashes and saves each vector. They take turns, because other work on the machine comes and goes. The
ratios are medians over the rounds: above 1, ours is faster. On a graphics card plain `encode` computes in fp32 as well.
"""

import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from ingest.catalog import Catalog
from ingest.settings import Settings
from retrieval.embedding.encoder import BATCH, SentenceEncoder
from retrieval.embedding.vector_cache import VectorCache
from retrieval.index.documents import document

_settings = Settings()
PEEKED = 20_000  # videos to take passages from


def passages(data: Path, count: int, seed: int) -> list[str]:
    """Return different passages of a catalog, sorted by length. If it has too few, they are numbered and used again."""
    with Catalog(data, read_only=True) as catalog:
        ids = catalog.ids()
        found = map(document, catalog.entries(random.Random(seed).sample(ids, min(PEEKED, len(ids)))))
        texts = {passage.text: None for made in found for of in made.passages.values() for passage in of}
    known = list(texts)
    random.Random(seed).shuffle(known)
    again = [f"{known[n % len(known)]} {n}" for n in range(len(known), count)]
    return sorted([*known[:count], *again], key=len)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of a piece of work, and those of processor time."""
    wall, computed = time.perf_counter(), time.process_time()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - computed


def ways(encoder: SentenceEncoder, texts: Sequence[str], folder: Path) -> dict[str, Callable[[], object]]:
    """Return the ways to encode the texts."""
    model = encoder._model

    def plain() -> None:
        with encoder._autocast():
            model.encode_document(list(texts), batch_size=BATCH, show_progress_bar=False)

    def ours() -> None:
        (folder / "vectors.sqlite").unlink(missing_ok=True)
        VectorCache(folder / "vectors.sqlite").encode(encoder, texts)

    found: dict[str, Callable[[], object]] = {"plain": plain, "ours": ours}
    if model.device.type == "cuda":
        exact = SentenceEncoder(encoder.name, precision="fp32")._model
        found["plain fp32"] = lambda: exact.encode_document(list(texts), batch_size=BATCH, show_progress_bar=False)
    return found


def main(
    data: Annotated[Path, typer.Option(help="Folder of the catalog.")] = _settings.data,
    encoder: Annotated[str, typer.Option(help="Name or folder of the model.")] = _settings.encoder[0],
    texts: Annotated[int, typer.Option(help="How many passages.")] = 2_000,
    rounds: Annotated[int, typer.Option(help="Of each way.")] = 3,
    seed: Annotated[int, typer.Option()] = 21,
) -> None:
    """Print JSON: texts per second of each way, and the ratio of ours to plain `encode`."""
    loaded = SentenceEncoder(encoder)
    sample = passages(data, texts, seed)
    with tempfile.TemporaryDirectory() as folder:
        each = ways(loaded, sample, Path(folder))
        for work in ways(loaded, sample[:: max(1, len(sample) // 64)], Path(folder)).values():
            work()  # warm-up
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in each}
        for _ in range(rounds):
            for name, work in each.items():
                taken[name].append(timed(work))
    wall, computed = (
        np.median([plain[which] / ours[which] for plain, ours in zip(taken["plain"], taken["ours"], strict=True)])
        for which in (0, 1)
    )
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "no graphics card"
    figures: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {card}, load {os.getloadavg()[0]:.1f}",
        "encoder": f"{loaded.name} in {loaded.precision}",
        "texts": len(sample),
        "texts_per_s": {name: round(len(sample) / float(np.median([s for s, _ in of]))) for name, of in taken.items()},
        "ratio": round(float(wall), 3),
        "ratio_of_processor_time": round(float(computed), 3),
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    typer.run(main)
