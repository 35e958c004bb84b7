"""The effect of each part of the ranking: measures of the same questions with and without it.

    python benchmarks/ablation.py --beir scifact --beir title_to_transcript --beir caption_to_speech
    python benchmarks/ablation.py --queries queries.dev.json --indexes indexes

BEIR folders contain a corpus; other questions go to the current generation of --indexes. Vectors are cached in
--indexes. --encoder names other models; for --queries they must be those of the generation. RR is printed for all
questions and for two random halves of them, which shows how much of a difference is random; nDCG@10 is for all.
"""

import json
import platform
import tempfile
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import numpy as np
import typer
from numpy.typing import NDArray

from ingest.settings import Settings
from retrieval.embedding.encoder import Encoder, SentenceEncoder
from retrieval.embedding.registry import label
from retrieval.evaluation.measures import rank_outcome, values_by_measure
from retrieval.evaluation.queries import Query, answerable, read_beir, read_queries, text_of
from retrieval.index import dense
from retrieval.index.builder import build
from retrieval.index.generation import open_current
from retrieval.index.layout import CACHE_FILE
from retrieval.index.manifest import FusionWeights
from retrieval.search.fusion import DENSE_PART, part_names
from retrieval.search.searcher import Searcher

_settings = Settings()
SEED = 7
Weights = dict[str, float]
# Name, changed weights of the parts, share of hubness to subtract.
CHANGES: list[tuple[str, Weights, float]] = [
    ("unchanged", {}, dense.HUB_SHARE),
    ("no hubness subtracted", {}, 0.0),
    ("half the hubness subtracted", {}, dense.HUB_SHARE / 2),
    ("without bigrams", {"bigrams": 0.0}, dense.HUB_SHARE),
    ("bigrams doubled", {"bigrams": 0.2}, dense.HUB_SHARE),
    ("without 4-grams", {"char_ngrams": 0.0, "stems": 0.9}, dense.HUB_SHARE),
    ("without stems", {"stems": 0.0, "char_ngrams": 0.9}, dense.HUB_SHARE),
    ("dense 1.0", {"dense_retriever": 1.0}, dense.HUB_SHARE),
    ("dense 2.0", {"dense_retriever": 2.0}, dense.HUB_SHARE),
    ("keyword only", {"dense_retriever": 0.0}, dense.HUB_SHARE),
    ("dense only", {"stems": 0.0, "char_ngrams": 0.0, "bigrams": 0.0}, dense.HUB_SHARE),
    (
        "plain: retrievers 1 to 1, no bigrams, no hubness",
        {"dense_retriever": 1.0, "stems": 0.5, "char_ngrams": 0.5, "bigrams": 0.0},
        0.0,
    ),
]


def main(
    beir: Annotated[list[Path] | None, typer.Option(help="BEIR folder; repeatable.")] = None,
    queries: Annotated[Path | None, typer.Option(help="Questions for the current generation.")] = None,
    indexes: Annotated[Path, typer.Option(help="Folder of the generations and the vector cache.")] = _settings.indexes,
    models: Annotated[
        list[str], typer.Option("--encoder", help="Embedding model: a name or a local folder; repeatable.")
    ] = list(_settings.encoder),  # noqa: B006
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the ranking with each part changed."""
    encoders = [SentenceEncoder(model) for model in models]
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, searcher, asked in _sets(beir or [], queries, indexes, encoders):
        found[name] = _changed(searcher, asked)
    if as_json:
        print(json.dumps(found, indent=1))
        return
    print(f"{date.today()}, {platform.machine()}, {label(models)}")
    for name, rows in found.items():
        print(f"\n{name}\n\n| | RR | halves | Success@10 | nDCG@10 | mean rank |\n|---|---|---|---|---|---|")
        for change, row in rows.items():
            halves = f"{row['first half']:.3f} / {row['second half']:.3f}"
            print(
                f"| {change} | {row['RR']:.4f} | {halves} | {row['Success@10']:.3f} | {row['nDCG@10']:.4f}"
                f" | {row['mean_rank']:.1f} |"
            )


def _sets(
    folders: Sequence[Path], queries: Path | None, indexes: Path, encoders: Sequence[Encoder]
) -> Iterator[tuple[str, Searcher, list[Query]]]:
    for folder in folders:
        documents, asked = read_beir(folder)
        indexes.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=indexes) as temporary:
            build(documents, Path(temporary), *encoders, cache=indexes / CACHE_FILE, progress="auto")
            yield folder.name, Searcher(open_current(Path(temporary)), *encoders), asked
    if queries:
        yield queries.name, Searcher(open_current(indexes), *encoders), answerable(read_queries(queries), "")[0]


def _changed(searcher: Searcher, queries: list[Query]) -> dict[str, dict[str, float]]:
    """Measures by change."""
    vectors = searcher.vectors([text_of(query.asked) for query in queries])
    today = searcher.generation.manifest.weights
    half = np.zeros(len(queries), bool)
    half[np.random.default_rng(SEED).permutation(len(queries))[: len(queries) // 2]] = True
    rows = {}
    parts: dict[float, list[dict[str, NDArray[np.float32]]]] = {}
    for name, weights, share in CHANGES:
        if share not in parts:
            with patch.object(dense, "HUB_SHARE", share):
                parts[share] = [
                    {
                        part: scores.astype(np.float32)
                        for part, scores in searcher.rank(q.asked, vectors=v).parts.items()
                    }
                    for q, v in zip(queries, vectors, strict=True)
                ]
        by_part = {
            part: _weight(part, weights, today) for part in part_names(searcher.generation.manifest.encoder_names)
        }
        summed = [sum(weight * scores[part] for part, weight in by_part.items()) for scores in parts[share]]
        orders = [np.argsort(-np.asarray(scores), kind="stable") for scores in summed]
        values = values_by_measure(
            [
                rank_outcome(q, [searcher.generation.ids[v] for v in o], len(o))
                for q, o in zip(queries, orders, strict=True)
            ]
        )
        rows[name] = {measure: float(of.mean()) for measure, of in values.items()}
        rows[name] |= {"first half": float(values["RR"][half].mean()), "second half": float(values["RR"][~half].mean())}
    return rows


def _weight(part: str, changed: Weights, today: FusionWeights) -> float:
    """A changed weight of the dense retriever is shared by its encoders in the proportions of today."""
    name = part.partition(":")[0]
    if name not in changed:
        return today.of_part(part)
    return changed[name] * today.of_part(part) / today.dense_retriever if name == DENSE_PART else changed[name]


if __name__ == "__main__":
    typer.run(main)
