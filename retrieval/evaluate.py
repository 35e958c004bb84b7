"""Known questions with their right videos -> measures, per lane and per question, through ir-measures.

Every video is ranked for every question, so a target is never "not found". Query files are the study's JSON
(`[{"text", "target", ...}]`) or BEIR folders (corpus.jsonl, queries.jsonl, qrels.tsv), the latter with their own
corpus, indexed aside by the same code.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import ir_measures
from ir_measures import RR, Success, nDCG
from pydantic import AfterValidator, BaseModel, Field

from retrieval.encoder import Encoder
from retrieval.errors import EvaluationError
from retrieval.fields import Document, plain_document
from retrieval.fusion import LANES, Lane
from retrieval.generation import CACHE_FILE, build, open_current
from retrieval.search import Searcher
from scraper.records import MAX_MADE_TEXT_CHARS, Text, clean_text

MEASURES = (RR, Success @ 1, Success @ 5, Success @ 10, nDCG @ 10)
MAIN_LANE: Lane = "hybrid"


@dataclass(frozen=True)
class Query:
    """A question and its right videos with their grades (one for known items)."""

    id: str
    text: str
    relevant: dict[str, int]


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


def read_queries(path: Path) -> list[Query]:
    """The questions of a JSON file in the study's shape.

    Raises:
        EvaluationError: the file cannot be read, or a question has no text or no target.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise EvaluationError(f"{path} cannot be read as a query file: {error}") from error
    if not isinstance(raw, list) or not raw:
        raise EvaluationError(f'{path} is no list of questions like [{{"text": "...", "target": "..."}}]')
    queries = []
    for number, item in enumerate(raw):
        text, target = (item.get("text"), item.get("target")) if isinstance(item, dict) else (None, None)
        if not (isinstance(text, str) and text.strip() and isinstance(target, str) and target):
            raise EvaluationError(f"{path}, question {number}: it needs a text and a target, both not empty")
        queries.append(Query(f"q{number + 1}", clean_text(text), {target: 1}))
    return queries


def read_beir(folder: Path) -> tuple[list[Document], list[Query]]:
    """Corpus and judged questions of a BEIR folder; qrels may lie in `qrels.tsv` or `qrels/test.tsv`.

    Raises:
        EvaluationError: a file is missing or broken.
    """
    try:
        corpus = [_Row.model_validate(row) for row in _json_lines(folder / "corpus.jsonl")]
        texts = {row.id: row.text for row in map(_Row.model_validate, _json_lines(folder / "queries.jsonl"))}
        qrels_file = folder / "qrels.tsv" if (folder / "qrels.tsv").is_file() else folder / "qrels" / "test.tsv"
        relevant: dict[str, dict[str, int]] = {}
        for line in qrels_file.read_text(encoding="utf-8").splitlines()[1:]:
            query, document, grade = line.split("\t")
            if int(grade) > 0:
                relevant.setdefault(query, {})[document] = int(grade)
        queries = [Query(query, texts[query], grades) for query, grades in relevant.items()]
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise EvaluationError(f"{folder} cannot be read as a BEIR folder: {type(error).__name__} {error}") from error
    if not queries:
        raise EvaluationError(f"{qrels_file} judges no document as relevant")
    if len({row.id for row in corpus}) < len(corpus):
        raise EvaluationError(f"{folder / 'corpus.jsonl'} holds an _id twice")
    return [plain_document(row.id, row.title, row.text) for row in corpus], queries


class _Row(BaseModel):
    """A line of corpus.jsonl or queries.jsonl."""

    id: str = Field(alias="_id")
    title: Text = ""
    text: Annotated[str, AfterValidator(partial(clean_text, max_chars=MAX_MADE_TEXT_CHARS))]


def _json_lines(path: Path) -> Iterator[object]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def evaluate(searcher: Searcher, queries: Sequence[Query], *, progress: bool = False) -> Evaluation:
    """Rank every video for every question in every lane.

    Raises:
        EvaluationError: a target is not in the generation.
    """
    from tqdm import tqdm

    ids = searcher.generation.ids
    missing = [
        query for query in queries if not any(video in searcher.generation.positions for video in query.relevant)
    ]
    if missing:
        named = ", ".join(f"{query.id} ({', '.join(query.relevant)})" for query in missing[:5])
        raise EvaluationError(
            f"{len(missing)} of {len(queries)} questions have their target not in generation"
            f" {searcher.generation.name}: {named}{' ...' if len(missing) > 5 else ''}"
        )
    vectors = searcher.encoder.queries([query.text for query in queries])
    qrels = [ir_measures.Qrel(q.id, video, grade) for q in queries for video, grade in q.relevant.items()]
    lanes: dict[str, dict[str, float]] = {}
    ranks: dict[str, dict[str, int]] = {query.id: {} for query in queries}
    best: dict[str, str] = {}
    for lane in LANES:
        per_query: dict[str, list[float]] = {str(measure): [] for measure in MEASURES}
        for query, vector in zip(tqdm(queries, desc=lane, unit=" queries", disable=not progress), vectors, strict=True):
            order = searcher.rank(query.text, lane=lane, vector=vector).order()
            # places, not scores, are what ir-measures is given: it then breaks ties exactly as a user sees them
            run = [ir_measures.ScoredDoc(query.id, ids[video], -place) for place, video in enumerate(order)]
            own = [qrel for qrel in qrels if qrel.query_id == query.id]
            for value in ir_measures.iter_calc(MEASURES, own, run):
                per_query[str(value.measure)].append(value.value)
            place_of = {ids[video]: place + 1 for place, video in enumerate(order)}
            place, target = min((place_of[video], video) for video in query.relevant if video in place_of)
            ranks[query.id][lane] = place
            if lane == MAIN_LANE:
                best[query.id] = target
        lanes[lane] = {name: sum(values) / len(queries) for name, values in per_query.items()}
        lanes[lane]["mean_rank"] = sum(ranks[query.id][lane] for query in queries) / len(queries)
    return Evaluation(
        generation=searcher.generation.name,
        encoder=searcher.encoder.name,
        videos=len(ids),
        measures=lanes[MAIN_LANE],
        lanes=lanes,
        queries=[
            QueryResult(id=q.id, text=q.text, target=best[q.id], rank=ranks[q.id][MAIN_LANE], ranks=ranks[q.id])
            for q in queries
        ],
    )


def evaluate_beir(folder: Path, indexes: Path, encoder: Encoder, *, progress: bool = False) -> Evaluation:
    """Evaluate on a BEIR folder's own corpus: its generation is built aside and deleted again, the current one is not
    touched; only the vector cache in `indexes` is shared, so that a second run encodes nothing."""
    documents, queries = read_beir(folder)
    indexes.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="beir-", dir=indexes) as aside:
        build(documents, Path(aside), encoder, cache=indexes / CACHE_FILE, progress=progress)
        return evaluate(Searcher(open_current(Path(aside)), encoder), queries, progress=progress)
