"""Questions with known answers -> measures of one generation, by mode and by question.

Every question ranks all videos that meet its conditions, as on the page. A target that does not meet them has the rank
after the last video. retrieval/evaluation/compare.py compares several models.
"""

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from pydantic import AliasChoices, BaseModel, Field, computed_field

from ingest.progress import Progress, ProgressMode
from retrieval.embedding.encoder import Encoder
from retrieval.evaluation.measures import rank_outcome, values_by_measure
from retrieval.evaluation.queries import Query, check_targets, read_beir
from retrieval.index.builder import build
from retrieval.index.generation import CACHE_FILE, open_current
from retrieval.search.fusion import MODES, Mode
from retrieval.search.reranker import Reranker
from retrieval.search.searcher import Searcher
from scraper.files import make_private

MAIN_MODE: Mode = "hybrid"


class QueryResult(BaseModel):
    """The rank of a question's target, its first relevant video; `ranks` has it by mode."""

    id: str
    text: str
    target: str
    rank: int
    ranks: dict[str, int]


class Evaluation(BaseModel):
    """The measures of hybrid search, of every mode, and the results of every question."""

    generation: str
    encoder: str
    videos: int
    measures: dict[str, float]
    modes: dict[str, dict[str, float]] = Field(validation_alias=AliasChoices("modes", "lanes"))
    queries: list[QueryResult]

    @computed_field(deprecated=True, description="The older name of `modes`.")  # type: ignore[prop-decorator]
    @property
    def lanes(self) -> dict[str, dict[str, float]]:
        return self.modes


def evaluate(
    searcher: Searcher, queries: Sequence[Query], *, hidden: Collection[str] = (), progress: ProgressMode = "off"
) -> Evaluation:
    """Rank every video for every question in every mode, but for those that are `hidden`.

    Raises:
        EvaluationError: a target is not in the generation, or hidden.
    """
    ids = searcher.generation.ids
    shown = {video: position for video, position in searcher.generation.positions.items() if video not in hidden}
    check_targets(queries, shown, f"generation {searcher.generation.name}")
    vectors = searcher.encoder.queries([query.text for query in queries])
    outcomes = {}
    for mode in MODES:
        tracked = Progress(mode, len(queries), progress, unit="questions").track(queries)
        outcomes[mode] = [
            rank_outcome(
                query,
                [ids[video] for video in searcher.order(query.text, mode=mode, vector=vector, hidden=hidden)[0]],
                len(shown),
            )
            for query, vector in zip(tracked, vectors, strict=True)
        ]
    means: dict[str, dict[str, float]] = {
        mode: {name: float(values.mean()) for name, values in values_by_measure(of_mode).items()}
        for mode, of_mode in outcomes.items()
    }
    return Evaluation(
        generation=searcher.generation.name,
        encoder=searcher.encoder.name,
        videos=len(shown),
        measures=means[MAIN_MODE],
        modes=means,
        queries=[
            QueryResult(
                id=query.id,
                text=query.text,
                target=outcomes[MAIN_MODE][row].target,
                rank=outcomes[MAIN_MODE][row].rank,
                ranks={mode: of_mode[row].rank for mode, of_mode in outcomes.items()},
            )
            for row, query in enumerate(queries)
        ],
    )


def evaluate_beir(
    folder: Path, indexes: Path, encoder: Encoder, reranker: Reranker | None = None, *, progress: ProgressMode = "off"
) -> Evaluation:
    """Evaluate on the corpus of a BEIR folder.

    Its generation is built in a temporary folder and deleted afterwards. Only the vector cache of `indexes` is used, so
    that a second run encodes nothing.
    """
    documents, queries = read_beir(folder)
    make_private(indexes)
    with tempfile.TemporaryDirectory(prefix="beir-", dir=indexes) as temporary:
        build(documents, Path(temporary), encoder, cache=indexes / CACHE_FILE, progress=progress)
        return evaluate(Searcher(open_current(Path(temporary)), encoder, reranker), queries, progress=progress)
