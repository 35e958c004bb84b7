"""Milliseconds of one search here, in txtai and in LanceDB, question by question in turns, in one run.

    python -m venv --system-site-packages peers/txtai && peers/txtai/bin/pip install txtai==9.14.0
    python -m venv --system-site-packages peers/lancedb && peers/lancedb/bin/pip install lancedb==0.40.0
    python benchmarks/peers.py --queries queries.json --peer txtai=peers/txtai/bin/python \
        --peer lancedb=peers/lancedb/bin/python

Make the environments with the Python that this program runs in, so that they use its PyTorch. Each peer gets one text
and one vector per video, by the first encoder of the index, and searches as it does by default: hybrid, without fields
or reasons. Everything else is equal: the weights of the encoder, its threads, ten results, encoding included. Where
other work shares the machine, the processor time of a search (`cpu_ms`, the median) says more than the clock.
"""

import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ingest.catalog import Catalog
from ingest.models.weights import resolve
from ingest.settings import Settings
from retrieval.embedding.vector_cache import VectorCache
from retrieval.evaluation.queries import Query, read_queries
from retrieval.index.documents import OVERVIEW, document
from retrieval.index.layout import CACHE_FILE
from retrieval.search.searcher import Searcher
from retrieval.server.memory import settle

_settings = Settings()
REST_S = 0.005  # before each search: threads of the one before it, such as PyTorch's, still wait for work for a while
SCRIPT = Path(__file__).with_name("peer.py")


class Peer:
    """A peer in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.index_s = self._read()["index_s"]

    def ask(self, text: str, k: int) -> tuple[float, float, list[str]]:
        """Return the milliseconds of a search, those of processor time, and the ids that it found."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"text": text, "k": k}) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        return answer["ms"], answer["cpu_ms"], answer["ids"]

    def _read(self) -> Any:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit("a peer ended; its message is above")


@contextmanager
def started(name: str, python: str, corpus: Path, model: Path) -> Iterator[Peer]:
    """Start a peer and end it afterwards."""
    command = [python, str(SCRIPT), name, str(corpus), str(model)]
    quiet = {"LANCE_LOG": "error", "LANCEDB_LOG": "error"} | os.environ
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet) as process:
        try:
            yield Peer(process)
        finally:
            process.kill()


def write_corpus(data: Path, indexes: Path, searcher: Searcher, corpus: Path) -> None:
    """Write the whole text of each video, and its vector by the first encoder."""
    with Catalog(data, read_only=True) as catalog:
        found = map(document, catalog.entries(searcher.generation.ids))
        texts = {made.id: made.passages[OVERVIEW][0].text for made in found if OVERVIEW in made.passages}
    with corpus.with_suffix(".jsonl").open("w", encoding="utf-8") as file:
        for video_id, text in texts.items():
            file.write(json.dumps({"id": video_id, "text": text}) + "\n")
    vectors, _ = VectorCache(indexes / CACHE_FILE).encode(searcher.encoders[0], list(texts.values()), progress="auto")
    np.save(corpus.with_suffix(".npy"), vectors)


def run(searcher: Searcher, peers: dict[str, Peer], queries: Sequence[Query], k: int, rounds: int) -> dict[str, Any]:
    """Return the figures. In each round, each question goes to all in turn."""
    taken: dict[str, list[float]] = {name: [] for name in ("here", *peers)}
    computed: dict[str, list[float]] = {name: [] for name in taken}
    ranks: dict[str, list[float]] = {name: [] for name in taken}
    for turn in range(rounds + 1):  # the first is a warm-up
        settle()  # as a server does; so do the peers
        for query in queries:
            for name in taken:
                time.sleep(REST_S)
                if name == "here":
                    at, before = time.perf_counter(), time.process_time()
                    ids = [hit.id for hit in searcher.search(query.text, k).hits]
                    ms, cpu_ms = (time.perf_counter() - at) * 1000, (time.process_time() - before) * 1000
                else:
                    ms, cpu_ms, ids = peers[name].ask(query.text, k)
                if turn:
                    taken[name].append(ms)
                    computed[name].append(cpu_ms)
                elif query.relevant:
                    ranks[name].append(
                        max((1 / (ids.index(one) + 1) for one in query.relevant if one in ids), default=0)
                    )
    return {
        name: {
            "p50_ms": round(float(np.percentile(ms, 50)), 1),
            "p95_ms": round(float(np.percentile(ms, 95)), 1),
            "here_to_this": round(float(np.median(taken["here"]) / np.median(ms)), 2),
            "cpu_ms": round(float(np.median(computed[name])), 1),
            "here_to_this_cpu": round(float(np.median(computed["here"]) / np.median(computed[name])), 2),
            "rr": round(float(np.mean(ranks[name])), 3) if ranks[name] else None,
            **({"index_s": peers[name].index_s} if name in peers else {}),
        }
        for name, ms in taken.items()
    }


def main(
    queries: Annotated[Path, typer.Option(help="Questions, as `evaluate` reads them.")],
    peer: Annotated[list[str], typer.Option(help="NAME=PYTHON: txtai or lancedb, and the Python that has it.")],
    data: Annotated[Path, typer.Option(help="Folder of the catalog.")] = _settings.data,
    indexes: Annotated[Path, typer.Option(help="Folder of the index.")] = _settings.indexes,
    k: Annotated[int, typer.Option(help="How many videos.")] = 10,
    rounds: Annotated[int, typer.Option(help="Of all questions, after a warm-up.")] = 5,
) -> None:
    """Print JSON: median and 95th percentile, and how many times as long a search takes here."""
    searcher = Searcher.open(indexes, complete=True)
    used = searcher.generation.manifest.encoders[0]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        corpus = Path(folder) / "corpus"
        write_corpus(data, indexes, searcher, corpus)
        model = resolve(used.name, wanted=used.sha256).folder
        peers = {
            name: stack.enter_context(started(name, python, corpus, model))
            for name, _, python in (one.partition("=") for one in peer)
        }
        figures = run(searcher, peers, read_queries(queries), k, rounds)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    about = {"date": date.today().isoformat(), "machine": machine, "videos": len(searcher.generation.ids)}
    print(json.dumps({**about, "encoder": searcher.generation.manifest.encoder, **figures}, indent=1))


if __name__ == "__main__":
    typer.run(main)
