"""Judgements and query files -> the tab Evaluate: what was said to be the one, and what the models make of it."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.context import Context
from pydantic import ValidationError

from ingest.catalog import CatalogError
from page.html import notice, text
from page.job_panel import Panel
from page.jobs import JobError, Jobs, Step, typed_path
from page.reports import REPORT, job_ids, report
from page.static import load
from retrieval.embedding.registry import KEYWORDS_ALONE, OFFERED, Offered
from retrieval.evaluation.evaluate import Evaluation
from retrieval.evaluation.measures import MEAN_RANK

if TYPE_CHECKING:
    from retrieval.server.service import Service

PLACE = "Evaluate"
MEASURE, COMPARE = "Measure", "Compare"
JUDGED, FILE = "What was said to be the one", "A query file"
QUERIES, EVALUATION = "queries.json", "evaluation.json"
SHOWN_JUDGEMENTS = 200  # the newest; the file has all
LANES = {"hybrid": "Both", "dense": "Meaning", "keyword": "Words"}
DEFAULT_MODELS = [KEYWORDS_ALONE, "all-MiniLM-L6-v2"]  # both are there without any model hub


def add(service: "Service", jobs: Jobs) -> None:
    """The tab's components, inside `with gr.Tab(...)`; what they show is read when the tab is opened."""
    tab = Context.block
    assert isinstance(tab, gr.Tab)
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

    judged = gr.HTML(
        "", apply_default_css=False, elem_id="judgements", elem_classes="tab-html", js_on_load=load("judgements.js")
    )
    refresh = gr.Button("Refresh", size="sm", scale=0)
    gr.HTML(
        "<h2>Measure</h2><p class=muted>How well the index that answers now finds what is known to be right.</p>",
        apply_default_css=False,
        elem_classes="tab-html",
    )
    which = gr.Radio([JUDGED, FILE], value=JUDGED, label="Questions with known answers", elem_id="evaluate-which")
    path = gr.Textbox(
        "",
        label="Path of a query file (JSON or CSV) on the machine where this page runs",
        placeholder="data/sample/queries.json",
        max_lines=1,
        max_length=1000,
        visible=False,
        elem_id="evaluate-path",
    )
    with gr.Row(elem_classes="actions"):
        measure = gr.Button(MEASURE, variant="primary", scale=0, min_width=160, elem_id="evaluate-measure")
    gr.HTML(
        "<h2>Compare</h2><p class=muted>Each model is indexed aside; the index that answers now is not touched.</p>",
        apply_default_css=False,
        elem_classes="tab-html",
    )
    models = gr.Dropdown(
        [(_label(model), model.alias) for model in OFFERED] + [("bm25: the words alone", KEYWORDS_ALONE)],
        value=DEFAULT_MODELS,
        multiselect=True,
        label="Models to compare",
        elem_id="evaluate-models",
    )
    with gr.Row(elem_classes="actions"):
        compare = gr.Button(COMPARE, variant="primary", scale=0, min_width=160, elem_id="evaluate-compare")
    panel = Panel(jobs, PLACE)
    figures = gr.HTML("", apply_default_css=False, elem_id="evaluation", elem_classes="tab-html")
    reports = gr.Dropdown([], label="Reports of comparisons", visible=False, elem_id="evaluate-reports")
    frame = gr.HTML("", apply_default_css=False, elem_id="report", elem_classes="tab-html")

    def whole() -> list[Any]:
        ids = job_ids(jobs, REPORT)
        latest = ids[0] if ids else None
        return [
            judgements_html(service),
            *panel.shown(),
            evaluation_html(jobs),
            gr.Dropdown([(_told(job_id), job_id) for job_id in ids], value=latest, visible=bool(ids)),
            report_html(jobs, latest),
        ]

    def ticked() -> list[Any]:
        return [gr.skip(), *panel.shown(), *[gr.skip()] * 3] if panel.running else whole()

    everything = [judged, *panel.outputs, figures, reports, frame]
    gr.on([tab.select, refresh.click], whole, outputs=everything, **quiet)
    panel.timer.tick(ticked, outputs=everything, **quiet)
    reports.input(lambda job_id: report_html(jobs, job_id), reports, frame, **quiet)
    which.change(lambda chosen: gr.Textbox(visible=chosen == FILE), which, path, **quiet)

    def delete(event: gr.EventData) -> str:
        number = (event._data or {}).get("judgement")
        return judgements_html(service, forget=number if isinstance(number, int) else None)

    judged.delete(delete, outputs=judged, **quiet)

    def begin(title: str, which: str, typed: str, models: list[str]) -> list[Any]:
        try:
            jobs.start(PLACE, title, _steps(service, jobs, title, typed if which == FILE else None, models))
        except (JobError, CatalogError, OSError) as error:
            return panel.refused(error)
        return panel.shown()

    for title, button in ((MEASURE, measure), (COMPARE, compare)):
        button.click(lambda *given, title=title: begin(title, *given), [which, path, models], panel.outputs, **quiet)


def _steps(
    service: "Service", jobs: Jobs, title: str, typed: str | None, models: Sequence[str]
) -> Callable[[str], Sequence[Step]]:
    """What a job of some id is to run, on the query file whose path was typed, or on the judgements as they are now.

    Raises:
        JobError: nothing can be asked, or no model was chosen.
    """
    asked = None if typed is None else typed_path(typed, "a query file")
    if asked and title == MEASURE and not asked.is_file():
        raise JobError(f"{asked} is a folder: a query file is wanted.")
    if title == COMPARE and not models:
        raise JobError("Choose at least one model.")
    questions = _judged(service) if asked is None else ""

    def steps(job_id: str) -> Sequence[Step]:
        folder = jobs.folder.absolute() / job_id
        folder.mkdir(parents=True)
        if questions:
            (folder / QUERIES).write_text(questions, encoding="utf-8")
        queries = ("--queries", str(asked or folder / QUERIES))
        indexes = ("--indexes", str(jobs.indexes.absolute()))
        if title == MEASURE:
            arguments = ("retrieval", "evaluate", *queries, *indexes, "--json")
            return [Step(title, arguments, answer=folder / EVALUATION)]
        data = ("--data", str(jobs.data.absolute()), "--out", str(folder), "--all")
        return [Step(title, ("retrieval", "compare", "--models", *models, *queries, *indexes, *data))]

    return steps


def judgements_html(service: "Service", forget: int | None = None) -> str:
    """The judgements as a table, newest first, after deleting one."""
    try:
        if forget is not None:
            service.delete_judgement(forget)
        judgements = service.judgements()
    except CatalogError as error:
        return notice("No judgements", str(error))
    if not judgements:
        return notice("No judgements yet", "Ask for a video that you know, and say “This is the one” on its card.")
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Question", "Video", "When", ""))
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
        f"<h2>Judgements</h2><p>{_questions(len(judgements))} whose video somebody pointed out. "
        '<a href="/api/judgements/queries" download="queries.json">Download as a query file</a></p>'
        '<div class="wide" tabindex="0" role="region" aria-label="Judgements"><table class="stack">'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{rest}"
    )


def evaluation_html(jobs: Jobs) -> str:
    """The measures that were taken last."""
    newest = ((job_id, made) for job_id in job_ids(jobs, EVALUATION) if (made := _evaluation(jobs, job_id)))
    job_id, made = next(newest, ("", None))
    if made is None:
        return ""
    heads = "".join(f'<th scope="col">{text(name)}</th>' for name in ("Matched by", *map(_name, made.measures)))
    rows = "".join(
        f'<tr><th scope="row">{LANES.get(lane, text(lane))}</th>{_numbers(values, made.lanes)}</tr>'
        for lane, values in made.lanes.items()
    )
    places = "".join(
        f'<tr><th scope="row" dir="auto">{text(one.text)}</th><td><code>{text(one.target)}</code></td>'
        f"<td>{one.rank:,}</td></tr>"
        for one in sorted(made.queries, key=lambda one: -one.rank)
    )
    return (
        f"<h2>How well it finds them</h2><p>{_questions(len(made.queries))}, {made.videos:,} videos, "
        f"{text(made.encoder)}, generation {text(made.generation)}; {_told(job_id)}.</p>"
        '<div class="wide" tabindex="0" role="region" aria-label="Measures"><table class="numbers"><thead>'
        f"<tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        "<details><summary>The place of every video that was looked for</summary>"
        '<div class="wide" tabindex="0" role="region" aria-label="Places"><table><thead><tr>'
        '<th scope="col">Question</th><th scope="col">Video</th><th scope="col">Place</th></tr></thead>'
        f"<tbody>{places}</tbody></table></div></details>"
    )


def report_html(jobs: Jobs, job_id: str | None) -> str:
    """A comparison's report in a frame that runs no script, with a link to it alone."""
    if not job_id or not report(jobs, job_id):
        return ""
    return (
        f'<p><a href="/reports/{job_id}" target="_blank" rel="noopener">Open the report alone ↗</a></p>'
        f'<iframe src="/reports/{job_id}" title="Report of the comparison {_told(job_id)}" '
        'sandbox="allow-popups allow-popups-to-escape-sandbox"></iframe>'
    )


def _evaluation(jobs: Jobs, job_id: str) -> Evaluation | None:
    """What a measurement came to; None where it was stopped before its end."""
    try:
        return Evaluation.model_validate_json((jobs.folder / job_id / EVALUATION).read_bytes())
    except (OSError, ValidationError):
        return None


def _judged(service: "Service") -> str:
    """The judgements as a query file.

    Raises:
        JobError: there are none.
    """
    if queries := service.judgement_queries():
        return json.dumps(queries, ensure_ascii=False, indent=1)
    raise JobError("Nobody has said “This is the one” yet: do so on a result's card, or choose a query file.")


def _numbers(values: Mapping[str, float], lanes: Mapping[str, Mapping[str, float]]) -> str:
    def best(name: str) -> float | None:
        """Of a mean place the lowest, of all else the highest; none where all are level."""
        column = {lane[name] for lane in lanes.values()}
        return None if len(column) == 1 else min(column) if name == MEAN_RANK else max(column)

    return "".join(
        f"<td{' class=best' if value == best(name) else ''}>{value:{'.1f' if name == MEAN_RANK else '.3f'}}</td>"
        for name, value in values.items()
    )


def _questions(number: int) -> str:
    return f"{number:,} question{'s' * (number != 1)}"


def _name(measure: str) -> str:
    return "Mean place" if measure == MEAN_RANK else measure


def _label(model: Offered) -> str:
    carried = "" if model.carried else ", needs a model hub"
    return f"{model.alias} ({model.parameters_m:g} M, {model.languages}{carried})"


def _told(job_id: str) -> str:
    made = datetime.strptime(job_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    return f"{made:%Y-%m-%d %H:%M} UTC"


def _when(unix_s: float) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M}"
