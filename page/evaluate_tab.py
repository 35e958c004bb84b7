"""Judgements and query files -> the tab Evaluate: list judgements, measure the index, compare models."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Body
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from page.evaluation_view import EVALUATION, evaluation_html, judgements_html, made_at, report_html
from page.job_panel import job_panel
from page.jobs import PROGRESS, JobError, Jobs, Step, typed_path
from page.reports import REPORT, job_ids
from retrieval.corpus.removal import hidden_videos
from retrieval.embedding.registry import KEYWORDS_ALONE, OFFERED, Offered
from retrieval.evaluation.evaluate import evaluate
from retrieval.evaluation.queries import read_queries
from retrieval.server.problems import Problem
from scraper.errors import UserError
from scraper.files import make_private

if TYPE_CHECKING:
    from retrieval.server.service import Service

TAB = "Evaluate"
MEASURE, COMPARE = "Measure", "Compare"
JUDGED, FILE = "Your judgements", "A query file"
QUERIES = "queries.json"
QUICK = 50  # queries: they take a few seconds here, about as long as a new process needs to start
QUICK_BYTES = 1 << 20  # of a query file that may have so few
DEFAULT_MODELS = [KEYWORDS_ALONE, "all-MiniLM-L6-v2"]  # neither needs a model hub


def _label(model: Offered) -> str:
    carried = "" if model.carried else ", needs a download"
    return f"{model.alias} ({model.parameters_m:g} M, {model.languages}{carried})"


MODELS = [(_label(model), model.alias) for model in OFFERED] + [("bm25: keywords only", KEYWORDS_ALONE)]


def section() -> str:
    """Return the tab before its contents arrive: they are read when it is opened."""
    models = "".join(
        f'<label class="check"><input type="checkbox" name="models" value="{alias}"'
        f"{' checked' if alias in DEFAULT_MODELS else ''}> {label}</label>"
        for label, alias in MODELS
    )
    return (
        '<div id="judgements" class="tab-html"></div>'
        '<form id="evaluate"><fieldset class="choice" id="evaluate-which"><legend>Queries with known answers</legend>'
        f'<label><input type="radio" name="which" value="judged" checked><span>{JUDGED}</span></label>'
        f'<label><input type="radio" name="which" value="file"><span>{FILE}</span></label></fieldset>'
        '<div id="evaluate-path" hidden><label for="query-file">Query file (JSON or CSV): path on the machine that '
        'runs this page</label><input id="query-file" name="path" maxlength="1000" autocomplete="off" '
        'spellcheck="false" dir="auto" placeholder="data/sample/queries.json"></div>'
        '<h2>Measure</h2><p class="hint">How well the current index finds the videos that are known to be relevant.</p>'
        f'<p class="actions"><button type="button" class="primary" data-job="{MEASURE}">{MEASURE}</button></p>'
        '<h2>Compare</h2><p class="hint">Each model is indexed separately. The current index does not change.</p>'
        f'<fieldset class="checks" id="evaluate-models"><legend>Models to compare</legend>{models}</fieldset>'
        f'<p class="actions"><button type="button" class="primary" data-job="{COMPARE}">{COMPARE}</button></p></form>'
        f'{job_panel(TAB)}<div id="evaluation" class="tab-html"></div>'
        '<p id="evaluate-reports" hidden><label for="evaluate-report">Reports of comparisons</label>'
        '<select id="evaluate-report" autocomplete="off"></select></p><div id="report" class="tab-html"></div>'
    )


class Start(BaseModel):
    """Which job to start: the text of its button, and its input. Without `path`, the queries are the judgements."""

    model_config = ConfigDict(extra="forbid")

    name: Literal["Measure", "Compare"]
    path: str | None = Field(None, max_length=1_000)
    models: list[Annotated[str, Field(max_length=200)]] = Field([], max_length=50)


def routes(service: "Service", jobs: Jobs) -> APIRouter:
    """Return the routes of the tab."""
    router = APIRouter(include_in_schema=False)

    @router.get("/page/evaluate")
    def shown() -> dict[str, Any]:
        ids = job_ids(jobs, REPORT)
        return {
            "judgements": judgements_html(service),
            "evaluation": evaluation_html(jobs),
            "reports": [{"id": job_id, "made": made_at(job_id)} for job_id in ids],
            "report": report_html(jobs, ids[0] if ids else None),
        }

    @router.get("/page/evaluate/reports/{job_id}")
    def chosen(job_id: str) -> HTMLResponse:
        return HTMLResponse(report_html(jobs, job_id))

    @router.post("/page/evaluate/jobs", status_code=202)
    def begin(wanted: Annotated[Start, Body()]) -> None:
        try:
            jobs.start(TAB, wanted.name, job_steps(service, jobs, wanted.name, wanted.path, wanted.models))
        except JobError as error:
            raise Problem(409, str(error)) from error

    return router


def job_steps(
    service: "Service", jobs: Jobs, title: str, typed: str | None, models: Sequence[str]
) -> Callable[[str], Sequence[Step]]:
    """Return what gives the steps of a job by its id. The queries come from the file at the path `typed`, or else from
    the judgements as they are now.

    Raises:
        JobError: there are no queries, or no model was chosen.
    """
    file = None if typed is None else typed_path(typed, "a query file")
    if file and title == MEASURE and not file.is_file():
        raise JobError(f"{file} is a folder. Give the path of a query file.")
    if title == COMPARE and not models:
        raise JobError("Choose at least one model.")
    judged = _judged_queries(service) if file is None else ""

    def steps(job_id: str) -> Sequence[Step]:
        folder = jobs.folder.absolute() / job_id
        make_private(folder)
        if judged:
            (folder / QUERIES).write_text(judged, encoding="utf-8")
        queries = ("--queries", str(file or folder / QUERIES))
        indexes = ("--indexes", str(jobs.indexes.absolute()))
        if title == MEASURE and _is_quick(file or folder / QUERIES, service):
            return [Step(title, work=lambda: _measure(service, file or folder / QUERIES, folder, judged=not file))]
        if title == MEASURE:
            arguments = ("retrieval", "evaluate", *queries, *indexes, *PROGRESS, "--json")
            return [Step(title, arguments, answer=folder / EVALUATION)]
        data = ("--data", str(jobs.data.absolute()), "--out", str(folder), "--all")
        return [Step(title, ("retrieval", "compare", *models, *queries, *indexes, *data, *PROGRESS))]

    return steps


def _is_quick(file: Path, service: "Service") -> bool:
    """Return whether the queries of a file are few, and this server has all encoders of the index that they need."""
    try:
        searcher = service.searchers.get()
        few = file.stat().st_size <= QUICK_BYTES and len(read_queries(file)) <= QUICK
        return few and not searcher.missing and not searcher.keyword_only
    except (OSError, UserError):
        return False  # the command says what is wrong


def _measure(service: "Service", file: Path, folder: Path, *, judged: bool) -> None:
    """Measure the index with the encoders that this server has, and write the result as the command would.

    Args:
        judged: whether the queries are judgements. Their videos may have been removed, or may not be in the index yet.

    Raises:
        EvaluationError: a query's target is not in the index.
        JobError: that is so for all judgements.
    """
    searcher, hidden, notes = service.searchers.get(), hidden_videos(service.data), list[str]()
    queries = read_queries(file, notes=notes)
    if judged:
        there = searcher.generation.positions.keys() - hidden
        known = [one for one in queries if there & one.relevant.keys()]
        if not known:
            raise JobError("No video that you have judged is in the index. Build the index first.")
        if left_out := len(queries) - len(known):
            notes.append(f"Judged queries whose video is not in the index: {left_out}. They are left out.")
        queries = known
    made = evaluate(searcher, queries, hidden=hidden, notes=notes)
    (folder / EVALUATION).write_text(made.model_dump_json(), encoding="utf-8")


def _judged_queries(service: "Service") -> str:
    """Return the judgements as a query file.

    Raises:
        JobError: there are none.
    """
    if queries := service.judgement_queries():
        return json.dumps(queries, ensure_ascii=False, indent=1)
    raise JobError("There are no judgements yet. Press “This is the one” on a result, or choose a query file.")
