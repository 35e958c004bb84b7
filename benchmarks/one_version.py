"""Searches of one source tree, in a process of its own: see benchmarks/versions.py.

It answers a line of JSON, a question, with another: {"ms", "cpu_ms", "hits"}, the hits as pairs of id and score. It
imports the tree that PYTHONPATH names.
"""

import json
import sys
import time
from pathlib import Path

from retrieval.search.searcher import Searcher
from retrieval.server.memory import settle


def main(indexes: Path, k: int) -> None:
    """Open the index, say so, and answer."""
    searcher = Searcher.open(indexes, complete=True)
    searcher.search("warm", k)
    settle()  # as a server does
    print(json.dumps({"generation": searcher.generation.name}), flush=True)
    for line in sys.stdin:
        at, computed = time.perf_counter(), time.process_time()
        answer = searcher.search(json.loads(line), k)
        taken, cpu = time.perf_counter() - at, time.process_time() - computed
        hits = [(hit.id, hit.score) for hit in answer.hits]
        print(json.dumps({"ms": taken * 1000, "cpu_ms": cpu * 1000, "hits": hits}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
