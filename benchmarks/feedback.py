"""People who say which video on show is nearer to the one they mean: after how many rounds is that one first?

    python benchmarks/feedback.py --beir title_to_transcript --indexes indexes
    python benchmarks/feedback.py --queries queries.dev.json --indexes indexes

Only questions count whose target is beyond the first ten. In each round, a simulated person looks at the first ten and
chooses the one that is nearest to the target. `same` judges by the vectors that the index has, as in arXiv 2505.15128.
`other` judges by another encoder (--judge), which the index must not have: a person does not see vectors. `hasty`
judges as `same`, but takes the second nearest half of the time. BEIR folders contain a corpus; other questions go to
the current generation of --indexes. Vectors are cached in --indexes.
"""

import platform
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ingest.catalog import Catalog
from ingest.settings import Settings
from retrieval.embedding.encoder import Encoder, SentenceEncoder
from retrieval.embedding.registry import label
from retrieval.embedding.vector_cache import VectorCache
from retrieval.evaluation.queries import Query, answerable, read_beir, read_queries
from retrieval.index.builder import build
from retrieval.index.documents import OVERVIEW, Document, document
from retrieval.index.generation import open_current
from retrieval.index.layout import CACHE_FILE
from retrieval.search.feedback import SHOWN, Refinement, Similarity
from retrieval.search.fusion import Scores
from retrieval.search.searcher import Searcher

_settings = Settings()
ROUNDS = 10
PRINTED = (1, 2, 3, 5, 10)
SEED = 7
Judge = Callable[[int], Scores]  # a target -> the similarity of every video to it


def main(
    beir: Annotated[list[Path] | None, typer.Option(help="BEIR folder; repeatable.")] = None,
    queries: Annotated[Path | None, typer.Option(help="Questions for the current generation.")] = None,
    indexes: Annotated[Path, typer.Option(help="Folder of the generations and the vector cache.")] = _settings.indexes,
    data: Annotated[Path, typer.Option(help="Folder of the catalog, for --queries with --judge.")] = _settings.data,
    models: Annotated[
        list[str],
        typer.Option("--encoder", help="Embedding model for --beir: a name or a local folder; repeatable."),
    ] = list(_settings.encoder),  # noqa: B006
    judge: Annotated[str, typer.Option(help="Embedding model by which people judge; by default none does.")] = "",
    most: Annotated[int, typer.Option(help="Questions of a set; more are sampled.")] = 1_000,
) -> None:
    """Print, by set and by kind of person, the share of targets that are first and in the first ten after rounds."""
    print(f"{date.today()}, {platform.machine()}, {label(models)}{f', judged by {judge}' if judge else ''}")
    heads = [f"{what} after {rounds}" for what in ("first", "in ten") for rounds in PRINTED]
    print(f"\n| questions | person | targets beyond ten | median rank | {' | '.join(heads)} |")
    print("|---" * (4 + len(heads)) + "|")
    for name, searcher, documents, asked in _sets(beir or [], queries, indexes, data, models, judge):
        rng = np.random.default_rng(SEED)
        chosen = [asked[number] for number in sorted(rng.permutation(len(asked))[:most])]
        cases = list(_beyond_ten(searcher, chosen))
        if not cases:
            print(f"| {name} | | 0 | |")
            continue
        same = _by_index(searcher)
        people = {"same": (same, 0.0), "hasty": (same, 0.5)}
        if judge:
            people["other"] = (_by_vectors(SentenceEncoder(judge), documents, searcher, indexes / CACHE_FILE), 0.0)
        for person, (judged, slips) in people.items():
            found = [rounds(searcher, scores, target, judged(target), slips, rng) for scores, target, _ in cases]
            shares = [
                f"{np.mean([one[kind] is not None and one[kind] <= after for one in found]):.2f}"  # type: ignore[operator]
                for kind in (0, 1)
                for after in PRINTED
            ]
            median = float(np.median([rank for *_, rank in cases]))
            print(f"| {name} | {person} | {len(cases)} | {median:.0f} | {' | '.join(shares)} |", flush=True)


def rounds(
    searcher: Searcher, scores: Scores, target: int, similarity: Scores, slips: float, rng: np.random.Generator
) -> tuple[int | None, int | None]:
    """Return after how many rounds the target is first, and in the first ten; None if it is not within ROUNDS.

    Args:
        similarity: of every video to the target, as the person sees it.
        slips: how often the person takes the second nearest.
    """
    refinement = Refinement(searcher.generation, np.arange(len(scores)), scores)
    in_ten: int | None = None
    for number in range(ROUNDS + 1):
        order = refinement.order()
        if in_ten is None and target in order[:SHOWN]:
            in_ten = number
        if order[0] == target:
            return number, in_ten
        shown = [video for video in order[:SHOWN].tolist() if video != target]
        shown.sort(key=lambda video: -similarity[video])
        refinement.choose(shown[1 if len(shown) > 1 and rng.random() < slips else 0])
    return None, in_ten


def _beyond_ten(searcher: Searcher, queries: Sequence[Query]) -> Iterator[tuple[Scores, int, int]]:
    """Yield scores, target and its rank of each question with one target, if that is beyond the first ten."""
    positions = searcher.generation.positions
    for query in queries:
        targets = [positions[video] for video in query.relevant if video in positions]
        if len(targets) != 1:
            continue
        scores = searcher.rank(query.asked).scores
        rank = int(np.flatnonzero(np.argsort(-scores, kind="stable") == targets[0])[0]) + 1
        if rank > SHOWN:
            yield scores, targets[0], rank


def _by_index(searcher: Searcher) -> Judge:
    """Judge by the vectors of the index."""
    similarity, every = Similarity(searcher.generation), np.arange(len(searcher.generation.ids))
    return lambda target: similarity.of([target], every)[0][0]


def _by_vectors(encoder: Encoder, documents: Sequence[Document], searcher: Searcher, cache: Path) -> Judge:
    """Judge by the vectors that an encoder makes of whole videos."""
    whole = {doc.id: doc.passages[OVERVIEW][0].text for doc in documents if doc.passages.get(OVERVIEW)}
    texts = [whole.get(video, "") for video in searcher.generation.ids]
    vectors, _ = VectorCache(cache).encode(encoder, texts)
    return lambda target: np.asarray(vectors @ vectors[target], np.float64)


def _sets(
    folders: Sequence[Path], queries: Path | None, indexes: Path, data: Path, models: Sequence[str], judge: str
) -> Iterator[tuple[str, Searcher, Sequence[Document], list[Query]]]:
    for folder in folders:
        encoders = [SentenceEncoder(model) for model in models]
        documents, asked = read_beir(folder)
        indexes.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=indexes) as temporary:
            build(documents, Path(temporary), *encoders, cache=indexes / CACHE_FILE, progress="auto")
            yield folder.name, Searcher(open_current(Path(temporary)), *encoders), documents, asked
    if queries:
        searcher = Searcher.open(indexes)
        documents = []
        if judge:
            with Catalog(data, read_only=True) as catalog:
                documents = [document(entry) for entry in catalog.entries(searcher.generation.ids)]
        yield queries.name, searcher, documents, answerable(read_queries(queries), "")[0]


if __name__ == "__main__":
    typer.run(main)
