"""Known questions with their right videos -> measures of one generation, per lane and per question.

Every video that meets a question's own conditions is ranked for it, as on the page; a target that does not meet them
has the place after the last. Questions come from retrieval/evaluation/queries.py; a BEIR folder brings its own corpus,
indexed
aside by the same code. Several models: retrieval/evaluation/compare.py.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from ingest.progress import Progress, ProgressMode
from retrieval.embedding.encoder import Encoder
from retrieval.evaluation.measures import measured, rank_outcome
from retrieval.evaluation.queries import Query, check_targets, read_beir
from retrieval.index.builder import build
from retrieval.index.generation import CACHE_FILE, open_current
from retrieval.search.fusion import MODES, Mode
from retrieval.search.reranker import Reranker
from retrieval.search.searcher import Searcher

MAIN_MODE: Mode = "hybrid"


class QueryResult(BaseModel):
    """How a question fared: `target` is its right video (of several, the best placed), `rank` its 1-based place."""

    id: str
    text: str
    target: str
    rank: int
    ranks: dict[str, int]


class Evaluation(BaseModel):
    """Measures of the hybrid lane, of every lane, and the place of every question's target."""

    generation: str
    encoder: str
    videos: int
    measures: dict[str, float]
    lanes: dict[str, dict[str, float]]
    queries: list[QueryResult]


def evaluate(searcher: Searcher, queries: Sequence[Query], *, progress: ProgressMode = "off") -> Evaluation:
    """Rank every video for every question in every lane.

    Raises:
        EvaluationError: a target is not in the generation.
    """
    ids = searcher.generation.ids
    check_targets(queries, searcher.generation.positions, f"generation {searcher.generation.name}")
    vectors = searcher.encoder.queries([query.text for query in queries])
    outcomes = {}
    for lane in MODES:
        asked = Progress(lane, len(queries), progress, unit="questions").track(queries)
        outcomes[lane] = [
            rank_outcome(
                query, [ids[video] for video in searcher.order(query.text, mode=lane, vector=vector)[0]], len(ids)
            )
            for query, vector in zip(asked, vectors, strict=True)
        ]
    lanes: dict[str, dict[str, float]] = {
        lane: {name: float(values.mean()) for name, values in measured(of_lane).items()}
        for lane, of_lane in outcomes.items()
    }
    return Evaluation(
        generation=searcher.generation.name,
        encoder=searcher.encoder.name,
        videos=len(ids),
        measures=lanes[MAIN_MODE],
        lanes=lanes,
        queries=[
            QueryResult(
                id=query.id,
                text=query.text,
                target=outcomes[MAIN_MODE][row].target,
                rank=outcomes[MAIN_MODE][row].place,
                ranks={lane: of_lane[row].place for lane, of_lane in outcomes.items()},
            )
            for row, query in enumerate(queries)
        ],
    )


def evaluate_beir(
    folder: Path, indexes: Path, encoder: Encoder, reranker: Reranker | None = None, *, progress: ProgressMode = "off"
) -> Evaluation:
    """Evaluate on a BEIR folder's own corpus: its generation is built aside and deleted again, the current one is not
    touched; only the vector cache in `indexes` is shared, so that a second run encodes nothing."""
    documents, queries = read_beir(folder)
    indexes.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="beir-", dir=indexes) as aside:
        build(documents, Path(aside), encoder, cache=indexes / CACHE_FILE, progress=progress)
        return evaluate(Searcher(open_current(Path(aside)), encoder, reranker), queries, progress=progress)
