"""One search engine to compare with, in a process and an environment of its own: see benchmarks/peers.py.

It reads a corpus (JSON lines of {"id", "text"}) and its vectors (.npy), makes an index, and then answers one line of
JSON, {"text", "k"}, with another, {"ms", "cpu_ms", "ids"}. The milliseconds include encoding the question. `cpu_ms` is
the processor time of all threads. It needs the engine, sentence-transformers and numpy, and nothing of this project.
"""

import gc
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Ask = Callable[[str, int], list[str]]
Encode = Callable[[str], Any]


def txtai(ids: list[str], texts: list[str], vectors: Any, encode: Encode, folder: Path) -> Ask:
    """Return a hybrid search by txtai: BM25 and exact vectors, its two default weights."""
    import numpy as np
    from txtai import Embeddings

    known = dict(zip(texts, vectors, strict=True))

    def transform(batch: list[str]) -> Any:
        return np.array([known[text] if text in known else encode(text) for text in batch], np.float32)

    index = Embeddings(method="external", transform=transform, hybrid=True, content=False)
    index.index(zip(ids, texts, [None] * len(ids), strict=True))
    return lambda text, k: [str(found) for found, _ in index.search(text, k)]


def lancedb(ids: list[str], texts: list[str], vectors: Any, encode: Encode, folder: Path) -> Ask:
    """Return a hybrid search by LanceDB: full-text index, exact vectors, reciprocal rank fusion (its default)."""
    import lancedb as engine
    import pyarrow as pa

    width = vectors.shape[1]
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), width)
    shutil.rmtree(folder, ignore_errors=True)
    table = engine.connect(folder).create_table("videos", pa.table({"id": ids, "text": texts, "vector": column}))
    table.create_fts_index("text", replace=True)

    def ask(text: str, k: int) -> list[str]:
        query = table.search(query_type="hybrid").vector(encode(text)).text(text)
        return [str(row["id"]) for row in query.select(["id"]).limit(k).to_list()]

    return ask


def main(engine: str, corpus: Path, model: str) -> None:
    """Make the index, say how long that took, and answer."""
    import numpy as np
    from sentence_transformers import SentenceTransformer

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    encoder = SentenceTransformer(model, device="cpu", local_files_only=True)
    rows = [json.loads(line) for line in corpus.with_suffix(".jsonl").open(encoding="utf-8")]
    vectors = np.load(corpus.with_suffix(".npy"))
    began = time.perf_counter()
    make = {"txtai": txtai, "lancedb": lancedb}[engine]
    ids, texts = [row["id"] for row in rows], [row["text"] for row in rows]
    ask = make(
        ids, texts, vectors, lambda text: encoder.encode(text, normalize_embeddings=True), corpus.parent / engine
    )
    print(json.dumps({"index_s": round(time.perf_counter() - began, 1)}), flush=True)
    gc.collect()
    gc.freeze()  # what is loaded stays, as in a server
    gc.set_threshold(10_000, *gc.get_threshold()[1:])
    for line in sys.stdin:
        asked = json.loads(line)
        at, computed = time.perf_counter(), time.process_time()
        found = ask(asked["text"], asked["k"])
        taken, cpu = time.perf_counter() - at, time.process_time() - computed
        print(json.dumps({"ms": taken * 1000, "cpu_ms": cpu * 1000, "ids": found}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
