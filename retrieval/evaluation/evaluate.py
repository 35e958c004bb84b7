"""Questions with known answers -> measures of one generation, by mode and by question.

Every question ranks all videos that meet its conditions, as on the page. A target that does not meet them has the rank
after the last video. retrieval/evaluation/compare.py compares several models.
"""

import itertools
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pydantic import AliasChoices, BaseModel, Field, computed_field

from ingest.progress import Progress, ProgressMode
from retrieval.embedding.encoder import Encoder
from retrieval.evaluation.breakdown import groups_by_label
from retrieval.evaluation.measures import QueryOutcome, Values, rank_outcome, values_by_measure
from retrieval.evaluation.pairs import PairedTest, paired_tests, verdict
from retrieval.evaluation.queries import Query, check_targets, read_beir, text_of
from retrieval.evaluation.significance import RESAMPLES, SEED, interval
from retrieval.index.builder import build
from retrieval.index.generation import open_current
from retrieval.index.layout import CACHE_FILE
from retrieval.search.fusion import MODES, Mode
from retrieval.search.reranker import Reranker
from retrieval.search.searcher import Searcher
from scraper.files import make_private

MAIN_MODE: Mode = "hybrid"
MAIN_MEASURE = "RR"


class QueryResult(BaseModel):
    """The rank of a question's target, its first relevant video; `ranks` has it by mode.

    An unanswerable question has no target, and no rank (0). `good` is whether the answer was called good.
    """

    id: str
    text: str
    target: str
    rank: int
    ranks: dict[str, int]
    good: bool | None = None


class Confidence(BaseModel):
    """Unanswerable questions that got "no good match", and answerable ones that got it although there is an answer."""

    unanswerable: int
    recognised: int
    answerable: int
    lost: int


class LabelRow(BaseModel):
    """The measures of the questions with one value of a label. There are none if none of these has an answer."""

    value: str
    questions: int
    measures: dict[str, float]
    confidence: Confidence | None


class Evaluation(BaseModel):
    """The measures of hybrid search, of every mode, and the results of every question.

    `by_label` has the rows of every label of the query file. `confidence` is measured if some questions are
    unanswerable; other measures are of the answerable ones. `intervals` are those of RR by mode (95%), `pairs` the
    tests of each two modes, and `verdict` says what they show.
    """

    generation: str
    encoder: str
    videos: int
    measures: dict[str, float]
    modes: dict[str, dict[str, float]] = Field(validation_alias=AliasChoices("modes", "lanes"))
    queries: list[QueryResult]
    by_label: dict[str, list[LabelRow]] = {}
    confidence: Confidence | None = None
    notes: list[str] = []
    verdict: str = ""
    intervals: dict[str, tuple[float, float]] = {}
    pairs: list[PairedTest] = []
    resamples: int = RESAMPLES
    seed: int = SEED

    @computed_field(deprecated=True, description="The older name of `modes`.")  # type: ignore[prop-decorator]
    @property
    def lanes(self) -> dict[str, dict[str, float]]:
        return self.modes


def evaluate(
    searcher: Searcher,
    queries: Sequence[Query],
    *,
    hidden: Collection[str] = (),
    modes: Sequence[Mode] = MODES,
    notes: Sequence[str] = (),
    progress: ProgressMode = "off",
) -> Evaluation:
    """Rank every video for every question, but for those that are `hidden`.

    If some questions are unanswerable, every question is also answered as on the page, to see which answers are called
    good.

    Args:
        modes: the modes to measure, hybrid among them.
        notes: messages about the questions, to be part of the result.

    Raises:
        EvaluationError: a target is not in the generation, or hidden.
    """
    ids = searcher.generation.ids
    shown = {video: position for video, position in searcher.generation.positions.items() if video not in hidden}
    check_targets(queries, shown, f"generation {searcher.generation.name}")
    asked = [query for query in queries if not query.unanswerable]
    vectors = searcher.vectors([text_of(query.asked) for query in asked])
    outcomes = {}
    for mode in modes:
        tracked = Progress(mode, len(asked), progress, unit="questions").track(asked)
        outcomes[mode] = [
            rank_outcome(
                query,
                [ids[video] for video in searcher.order(query.asked, mode=mode, vectors=found, hidden=hidden)[0]],
                len(shown),
            )
            for query, found in zip(tracked, vectors, strict=True)
        ]
    values = {mode: values_by_measure(of_mode) for mode, of_mode in outcomes.items()}
    means: dict[str, dict[str, float]] = {
        mode: {name: float(of.mean()) for name, of in by_name.items()} for mode, by_name in values.items()
    }
    good = _called_good(searcher, queries, hidden, progress) if len(asked) < len(queries) else None
    rows = {query.id: row for row, query in enumerate(asked)}
    of_rr: dict[str, Values] = {mode: by_name[MAIN_MEASURE] for mode, by_name in values.items()}
    pairs = paired_tests(MAIN_MEASURE, of_rr, itertools.combinations(of_rr, 2))
    return Evaluation(
        generation=searcher.generation.name,
        encoder=searcher.generation.manifest.encoder,
        videos=len(shown),
        measures=means[MAIN_MODE],
        modes=means,
        queries=[
            _result(query, {mode: of_mode[rows[query.id]] for mode, of_mode in outcomes.items()}, good)
            if query.id in rows
            else _result(query, {}, good)
            for query in queries
        ],
        by_label=_by_label(queries, values[MAIN_MODE], good),
        confidence=_confidence(queries, good) if good else None,
        notes=list(notes),
        verdict=verdict("mode", {mode: float(of.mean()) for mode, of in of_rr.items()}, pairs, len(asked)),
        intervals={mode: interval(of) for mode, of in of_rr.items()},
        pairs=pairs,
    )


def _called_good(
    searcher: Searcher, queries: Sequence[Query], hidden: Collection[str], progress: ProgressMode
) -> dict[str, bool]:
    """Return whether the answer to each question, as on the page, is called good, by the question's id."""
    tracked = Progress("confidence", len(queries), progress, unit="questions").track(queries)
    return {query.id: searcher.search(query.text, 1, hidden=hidden).good for query in tracked}


def _result(query: Query, outcomes: Mapping[str, QueryOutcome], good: Mapping[str, bool] | None) -> QueryResult:
    main = outcomes.get(MAIN_MODE)
    return QueryResult(
        id=query.id,
        text=query.text,
        target=main.target if main else "",
        rank=main.rank if main else 0,
        ranks={mode: outcome.rank for mode, outcome in outcomes.items()},
        good=good[query.id] if good else None,
    )


def _confidence(queries: Sequence[Query], good: Mapping[str, bool]) -> Confidence:
    return Confidence(
        unanswerable=sum(query.unanswerable for query in queries),
        recognised=sum(query.unanswerable and not good[query.id] for query in queries),
        answerable=sum(not query.unanswerable for query in queries),
        lost=sum(not query.unanswerable and not good[query.id] for query in queries),
    )


def _by_label(
    queries: Sequence[Query], values: Mapping[str, Values], good: Mapping[str, bool] | None
) -> dict[str, list[LabelRow]]:
    """Return the rows of every label. `values` are those of the answerable questions, in their order."""
    rows = {query.id: row for row, query in enumerate(query for query in queries if not query.unanswerable)}
    found: dict[str, list[LabelRow]] = {}
    for name, by_value in groups_by_label(queries)[0].items():
        for value, members in by_value.items():
            here = [queries[member] for member in members]
            measured = [rows[query.id] for query in here if not query.unanswerable]
            found.setdefault(name, []).append(
                LabelRow(
                    value=value,
                    questions=len(here),
                    measures={name: float(of[measured].mean()) for name, of in values.items()} if measured else {},
                    confidence=_confidence(here, good) if good else None,
                )
            )
    return found


def evaluate_beir(
    folder: Path,
    indexes: Path,
    *encoders: Encoder,
    reranker: Reranker | None = None,
    progress: ProgressMode = "off",
) -> Evaluation:
    """Evaluate on the corpus of a BEIR folder by BEIR's rules (`Query.beir`).

    Its generation is built in a temporary folder and deleted afterwards. Only the vector cache of `indexes` is used, so
    that a second run encodes nothing.
    """
    notes: list[str] = []
    documents, queries = read_beir(folder, notes)
    make_private(indexes)
    with tempfile.TemporaryDirectory(prefix="beir-", dir=indexes) as temporary:
        build(documents, Path(temporary), *encoders, cache=indexes / CACHE_FILE, progress=progress)
        searcher = Searcher(open_current(Path(temporary)), *encoders, reranker=reranker)
        return evaluate(searcher, queries, notes=notes, progress=progress)
