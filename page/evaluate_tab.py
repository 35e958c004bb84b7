"""Judgements and query files -> the tab Evaluate: list judgements, measure the index, compare models."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.context import Context
from pydantic import ValidationError

from ingest.catalog import CatalogError
from page.html import MODE_NAMES, notice, text
from page.job_panel import JobPanel
from page.jobs import PROGRESS, JobError, Jobs, Step, typed_path
from page.reports import REPORT, job_ids, report
from page.static import load
from retrieval.embedding.registry import KEYWORDS_ALONE, OFFERED, Offered
from retrieval.evaluation.evaluate import Evaluation
from retrieval.evaluation.measures import MEAN_RANK
from scraper.files import make_private

if TYPE_CHECKING:
    from retrieval.server.service import Service

TAB = "Evaluate"
MEASURE, COMPARE = "Measure", "Compare"
JUDGED, FILE = "Your judgements", "A query file"
QUERIES, EVALUATION = "queries.json", "evaluation.json"
SHOWN_JUDGEMENTS = 200  # the newest; the query file has all
DEFAULT_MODELS = [KEYWORDS_ALONE, "all-MiniLM-L6-v2"]  # neither needs a model hub


def add(service: "Service", jobs: Jobs) -> None:
    """Add the tab's components, inside `with gr.Tab(...)`. Their values are read when the tab is opened."""
    tab = Context.block
    assert isinstance(tab, gr.Tab)
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

    judged = gr.HTML(
        "", apply_default_css=False, elem_id="judgements", elem_classes="tab-html", js_on_load=load("judgements.js")
    )
    refresh = gr.Button("Refresh", size="sm", scale=0)
    gr.HTML(
        "<h2>Measure</h2><p class=muted>How well the current index finds the videos that are known to be relevant.</p>",
        apply_default_css=False,
        elem_classes="tab-html",
    )
    which = gr.Radio([JUDGED, FILE], value=JUDGED, label="Queries with known answers", elem_id="evaluate-which")
    path = gr.Textbox(
        "",
        label="Query file (JSON or CSV): path on the machine that runs this page",
        placeholder="data/sample/queries.json",
        max_lines=1,
        max_length=1000,
        visible=False,
        elem_id="evaluate-path",
    )
    with gr.Row(elem_classes="actions"):
        measure = gr.Button(MEASURE, variant="primary", scale=0, min_width=160, elem_id="evaluate-measure")
    gr.HTML(
        "<h2>Compare</h2><p class=muted>Each model is indexed separately. The current index does not change.</p>",
        apply_default_css=False,
        elem_classes="tab-html",
    )
    models = gr.Dropdown(
        [(_label(model), model.alias) for model in OFFERED] + [("bm25: keywords only", KEYWORDS_ALONE)],
        value=DEFAULT_MODELS,
        multiselect=True,
        label="Models to compare",
        elem_id="evaluate-models",
    )
    with gr.Row(elem_classes="actions"):
        compare = gr.Button(COMPARE, variant="primary", scale=0, min_width=160, elem_id="evaluate-compare")
    panel = JobPanel(jobs, TAB)
    figures = gr.HTML("", apply_default_css=False, elem_id="evaluation", elem_classes="tab-html")
    reports = gr.Dropdown([], label="Reports of comparisons", visible=False, elem_id="evaluate-reports")
    frame = gr.HTML("", apply_default_css=False, elem_id="report", elem_classes="tab-html")

    def refreshed() -> list[Any]:
        ids = job_ids(jobs, REPORT)
        latest = ids[0] if ids else None
        return [
            judgements_html(service),
            *panel.values(),
            evaluation_html(jobs),
            gr.Dropdown([(_made_at(job_id), job_id) for job_id in ids], value=latest, visible=bool(ids)),
            report_html(jobs, latest),
        ]

    def updated() -> list[Any]:
        return [gr.skip(), *panel.values(), *[gr.skip()] * 3] if panel.running else refreshed()

    everything = [judged, *panel.outputs, figures, reports, frame]
    gr.on([tab.select, refresh.click], refreshed, outputs=everything, **quiet)
    panel.timer.tick(updated, outputs=everything, **quiet)
    reports.input(lambda job_id: report_html(jobs, job_id), reports, frame, **quiet)
    which.change(lambda chosen: gr.Textbox(visible=chosen == FILE), which, path, **quiet)

    def delete(event: gr.EventData) -> str:
        number = (event._data or {}).get("judgement")
        return judgements_html(service, delete=number if isinstance(number, int) else None)

    judged.delete(delete, outputs=judged, **quiet)

    def begin(title: str, which: str, typed: str, models: list[str]) -> list[Any]:
        try:
            jobs.start(TAB, title, job_steps(service, jobs, title, typed if which == FILE else None, models))
        except (JobError, CatalogError, OSError) as error:
            return panel.refused(error)
        return panel.values()

    for title, button in ((MEASURE, measure), (COMPARE, compare)):
        button.click(lambda *given, title=title: begin(title, *given), [which, path, models], panel.outputs, **quiet)


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
        if title == MEASURE:
            arguments = ("retrieval", "evaluate", *queries, *indexes, *PROGRESS, "--json")
            return [Step(title, arguments, answer=folder / EVALUATION)]
        data = ("--data", str(jobs.data.absolute()), "--out", str(folder), "--all")
        return [Step(title, ("retrieval", "compare", *models, *queries, *indexes, *data, *PROGRESS))]

    return steps


def judgements_html(service: "Service", delete: int | None = None) -> str:
    """Return the judgements as a table, newest first, after deleting the one with the number `delete`."""
    try:
        if delete is not None:
            service.delete_judgement(delete)
        judgements = service.judgements()
    except CatalogError as error:
        return notice("No judgements", str(error))
    if not judgements:
        return notice("No judgements yet", "Search for a video that you know, and press “This is the one” on its card.")
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Query", "Video", "When", ""))
    rows = "".join(
        f'<tr><th scope="row" dir="auto">{text(one.query)}</th><td><code>{text(one.video_id)}</code></td>'
        f"<td class=nowrap>{_when(one.made_at)}</td>"
        f'<td><button type="button" class="delete" data-judgement="{one.id}" '
        f'aria-label="Delete the judgement of {text(one.query)}">Delete</button></td></tr>'
        for one in judgements[:SHOWN_JUDGEMENTS]
    )
    more = len(judgements) - SHOWN_JUDGEMENTS
    rest = f"<p class=muted>and {more:,} older ones</p>" if more > 0 else ""
    return (
        f"<h2>Judgements</h2><p>{_plural(len(judgements), 'judgement')}, each of a query and its video. "
        '<a href="api/judgements/queries" download="queries.json">Download as a query file</a></p>'
        '<div class="wide" tabindex="0" role="region" aria-label="Judgements"><table class="stack">'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{rest}"
    )


def evaluation_html(jobs: Jobs) -> str:
    """Return the figures of the last measurement."""
    newest = ((job_id, made) for job_id in job_ids(jobs, EVALUATION) if (made := _evaluation(jobs, job_id)))
    job_id, made = next(newest, ("", None))
    if made is None:
        return ""
    heads = "".join(f'<th scope="col">{text(name)}</th>' for name in ("Mode", *map(_name, made.measures)))
    rows = "".join(
        f'<tr><th scope="row">{MODE_NAMES.get(mode, text(mode))}</th>{_numbers(values, made.modes)}</tr>'
        for mode, values in made.modes.items()
    )
    ranks = "".join(
        f'<tr><th scope="row" dir="auto">{text(one.text)}</th><td><code>{text(one.target)}</code></td>'
        f"<td>{one.rank:,}</td></tr>"
        for one in sorted(made.queries, key=lambda one: -one.rank)
    )
    return (
        f"<h2>Figures</h2><p>{_plural(len(made.queries), 'query', 'queries')}, {_plural(made.videos, 'video')}, "
        f"{text(made.encoder)}, generation {text(made.generation)}; {_made_at(job_id)}.</p>"
        '<div class="wide" tabindex="0" role="region" aria-label="Measures"><table class="numbers"><thead>'
        f"<tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        "<details><summary>The rank of each target</summary>"
        '<div class="wide" tabindex="0" role="region" aria-label="Ranks"><table><thead><tr>'
        '<th scope="col">Query</th><th scope="col">Video</th><th scope="col">Rank</th></tr></thead>'
        f"<tbody>{ranks}</tbody></table></div></details>"
    )


def report_html(jobs: Jobs, job_id: str | None) -> str:
    """Return the report of a comparison in a frame that runs no scripts, with a link to the report."""
    if not job_id or not report(jobs, job_id):
        return ""
    return (
        f'<p><a href="reports/{job_id}" target="_blank" rel="noopener">Open the report in a new tab ↗</a></p>'
        f'<iframe src="reports/{job_id}" title="Report of the comparison {_made_at(job_id)}" '
        'sandbox="allow-popups allow-popups-to-escape-sandbox"></iframe>'
    )


def _evaluation(jobs: Jobs, job_id: str) -> Evaluation | None:
    """Return the result of a measurement; None if it was stopped before its end."""
    try:
        return Evaluation.model_validate_json((jobs.folder / job_id / EVALUATION).read_bytes())
    except (OSError, ValidationError):
        return None


def _judged_queries(service: "Service") -> str:
    """Return the judgements as a query file.

    Raises:
        JobError: there are none.
    """
    if queries := service.judgement_queries():
        return json.dumps(queries, ensure_ascii=False, indent=1)
    raise JobError("There are no judgements yet. Press “This is the one” on a result, or choose a query file.")


def _numbers(values: Mapping[str, float], modes: Mapping[str, Mapping[str, float]]) -> str:
    def best(name: str) -> float | None:
        """The lowest mean rank, else the highest value; None if all are equal."""
        column = {values[name] for values in modes.values()}
        return None if len(column) == 1 else min(column) if name == MEAN_RANK else max(column)

    return "".join(
        f"<td{' class=best' if value == best(name) else ''}>{value:{'.1f' if name == MEAN_RANK else '.3f'}}</td>"
        for name, value in values.items()
    )


def _plural(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _name(measure: str) -> str:
    return "Mean rank" if measure == MEAN_RANK else measure


def _label(model: Offered) -> str:
    carried = "" if model.carried else ", needs a download"
    return f"{model.alias} ({model.parameters_m:g} M, {model.languages}{carried})"


def _made_at(job_id: str) -> str:
    made = datetime.strptime(job_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    return f"{made:%Y-%m-%d %H:%M} UTC"


def _when(unix_s: float) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M}"
