"""The catalog and its indexes -> the tab Library: what there is, what failed and why, and jobs that add videos."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.context import Context

from ingest.catalog import Catalog, CatalogError
from ingest.catalog.browse import FailureGroup
from ingest.catalog.database import FILE_NAME
from ingest.catalog.entries import STAGES, Entry
from page.html import FIRST_STEPS, STAGE_NAMES, link, notice, text
from page.job_panel import JobPanel
from page.jobs import PROGRESS, JobError, Jobs, Step, typed_path
from page.static import load
from retrieval.errors import GenerationError
from retrieval.index.documents import FIELD_NAMES, TEXT_FIELDS, document
from retrieval.index.generation import current_name, generation_names, read_manifest

if TYPE_CHECKING:
    from retrieval.server.service import Service

TAB = "Library"
PAGE_VIDEOS = 25
DESCRIPTION_CHARS = 160
IMPORT, RUN, BUILD, ALL, RETRY = "Import", "Process media", "Build index", "All three", "Retry failed"
COVERED = {
    "videos": "videos",
    "video": "with a video file",
    "cover": "with a cover",
    "slide": "with slides",
    "transcript": "with speech",
    "words": "with on-screen text",
    "comments": "with comments",
}


def add(service: "Service", jobs: Jobs) -> None:
    """Add the tab's components, inside `with gr.Tab(...)`. Their values are read when the tab is opened."""
    tab = Context.block
    assert isinstance(tab, gr.Tab)
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

    figures = gr.HTML("", apply_default_css=False, elem_id="library-figures", elem_classes="tab-html")
    refresh = gr.Button("Refresh", size="sm", scale=0)
    gr.HTML(
        "<h2>Add videos</h2><p class=muted>You can search while videos are added. A new index answers as soon as it is"
        " built.</p>",
        apply_default_css=False,
        elem_classes="tab-html",
    )
    source = gr.Textbox(
        "",
        label="Records: path of a file or folder on the machine that runs this page",
        placeholder="scraped/",
        max_lines=1,
        max_length=1000,
        elem_id="library-source",
    )
    only_read = gr.Checkbox(label="Leave out videos whose OCR or transcript is missing", value=False)
    with gr.Row(elem_classes="actions"):
        start = {
            name: gr.Button(name, size="md", min_width=130, variant="primary" if name == ALL else "secondary")
            for name in (IMPORT, RUN, BUILD, ALL, RETRY)
        }
    panel = JobPanel(jobs, TAB)
    with gr.Column(visible=False) as browse:
        gr.HTML("<h2>Browse</h2>", apply_default_css=False, elem_classes="tab-html")
        words = gr.Textbox(
            "",
            label="Filter by words in id, creator or description",
            max_lines=1,
            max_length=200,
            elem_id="library-filter",
        )
        videos = gr.HTML(
            "",
            apply_default_css=False,
            elem_id="library-videos",
            elem_classes="tab-html",
            js_on_load=load("library.js"),
        )
        with gr.Row(elem_classes="actions"):
            newer = gr.Button("Newer", size="sm", interactive=False)
            older = gr.Button("Older", size="sm", interactive=False)
    offset = gr.State(0)
    table: list[Any] = [browse, videos, offset, newer, older]

    def page(words: str, offset: int) -> list[Any]:
        html, total = videos_html(service, words, offset)
        buttons = [gr.Button(interactive=offset > 0), gr.Button(interactive=offset + PAGE_VIDEOS < total)]
        return [gr.Column(visible=bool(html)), html, offset, *buttons]

    def refreshed(words: str, offset: int) -> list[Any]:
        return [figures_html(service), *panel.values(), *page(words, offset)]

    def updated(words: str, offset: int) -> list[Any]:
        if panel.running:
            return [gr.skip(), *panel.values(), *[gr.skip()] * len(table)]
        return refreshed(words, offset)

    outputs = [figures, *panel.outputs, *table]
    gr.on([tab.select, refresh.click], refreshed, [words, offset], outputs, **quiet)
    panel.timer.tick(updated, [words, offset], outputs, **quiet)
    words.change(lambda words: page(words, 0), words, table, trigger_mode="always_last", **quiet)
    newer.click(lambda words, offset: page(words, max(0, offset - PAGE_VIDEOS)), [words, offset], table, **quiet)
    older.click(lambda words, offset: page(words, offset + PAGE_VIDEOS), [words, offset], table, **quiet)

    def begin(name: str, typed: str, only_read: bool) -> list[Any]:
        try:
            steps = job_steps(jobs, name, typed, only_read)
            jobs.start(TAB, name if name != ALL else "Import, process media, build index", lambda _: steps)
        except JobError as error:
            return panel.refused(error)
        return panel.values()

    for name, button in start.items():
        button.click(lambda *given, name=name: begin(name, *given), [source, only_read], panel.outputs, **quiet)


def job_steps(jobs: Jobs, name: str, typed: str, only_read: bool) -> Sequence[Step]:
    data = ("--data", str(jobs.data.absolute()))
    steps = []
    if name in (IMPORT, ALL):
        path = typed_path(typed, "a file or folder of records")
        steps.append(Step(IMPORT, ("ingest", "import", str(path), *data, *PROGRESS)))
    if name == RETRY:
        steps.append(Step("Reset failed items", ("ingest", "retry", *data)))
    if name in (RUN, ALL, RETRY):
        steps.append(Step(RUN, ("ingest", "run", *data, *PROGRESS)))
    if name in (BUILD, ALL):
        only = ("--only-read",) if only_read else ()
        build = ("retrieval", "build", *data, "--indexes", str(jobs.indexes.absolute()), *PROGRESS, *only)
        steps.append(Step(BUILD, build))
    return steps


def figures_html(service: "Service") -> str:
    """Return counts, languages, stages, failures and generations as HTML."""
    try:
        with Catalog(service.data) as catalog:
            coverage, languages = catalog.browser.coverage(), catalog.browser.languages()
            stages, reasons = catalog.ledger.stage_counts(), catalog.browser.failure_groups()
    except CatalogError as error:
        if (service.data / FILE_NAME).exists():
            return notice("The catalog cannot be read", str(error), "problem")
        return notice("No videos yet", FIRST_STEPS)
    tiles = "".join(
        f"<li><strong>{coverage.get(name, 0):,}</strong> {label}</li>"
        for name, label in COVERED.items()
        if coverage.get(name) or name in ("videos", "video", "cover", "transcript", "words")
    )
    known = any(languages)  # imported texts may have no language
    spoken = "".join(f"<li>{text(name or 'unknown')} {n:,}</li>" for name, n in languages.items() if known)
    spoken = f'<h3>Spoken languages</h3><ul class="chips">{spoken}</ul>' if spoken else ""
    rows = "".join(
        f'<tr><th scope="row">{STAGE_NAMES[stage]}</th>'
        + "".join(
            f"<td{' class=bad' if state == 'failed' and stages[stage][state] else ''}>{stages[stage][state]:,}</td>"
            for state in ("due", "done", "failed", "absent")
        )
        + "</tr>"
        for stage in STAGES
    )
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("", "Due", "Done", "Failed", "No such media"))
    return (
        f'<h2>Your videos</h2><ul class="tiles">{tiles}</ul>{spoken}<h3>Processing</h3>'
        '<div class="wide" tabindex="0" role="region" aria-label="Processing"><table class="numbers"><thead>'
        f"<tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{_reasons_html(reasons)}{generations_html(service)}"
    )


def _reasons_html(reasons: Sequence[FailureGroup]) -> str:
    if not reasons:
        return ""
    items = "".join(
        f"<li><details><summary><b>{reason.count:,}</b> × {text(STAGE_NAMES.get(reason.stage, reason.stage))}: "
        f"{text(reason.error)}</summary><ul>"
        + "".join(f"<li><code>{text(video)}</code> {text(error)}</li>" for video, error in reason.examples)
        + (f"<li>and {reason.count - len(reason.examples):,} more</li>" if reason.count > len(reason.examples) else "")
        + "</ul></details></li>"
        for reason in reasons
    )
    return f'<h3>Reasons for failures</h3><ul class="reasons">{items}</ul>'


def generations_html(service: "Service") -> str:
    """Return the generations, newest first, with the current one marked."""
    try:
        current = current_name(service.indexes)
    except GenerationError:
        current = ""
    rows = ""
    for name in reversed(generation_names(service.indexes)):
        mark = "✓ current" if name == current else ""
        try:
            made = read_manifest(service.indexes, name)
            values = (made.created[:16].replace("T", " "), f"{made.videos:,}", made.encoder)
        except GenerationError as error:
            values = ("", "", str(error))
        cells = "".join(f"<td>{text(cell)}</td>" for cell in (*values, mark))
        rows += f'<tr{" class=current" if mark else ""}><th scope="row">{text(name)}</th>{cells}</tr>'
    if not rows:
        return "<h3>Indexes</h3><p>None yet. “Build index” below creates one.</p>"
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Generation", "Made", "Videos", "Model", ""))
    return (
        '<h3>Indexes</h3><div class="wide" tabindex="0" role="region" aria-label="Indexes"><table class="stack">'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def videos_html(service: "Service", words: str, offset: int) -> tuple[str, int]:
    """Return one page of the videos whose id, creator or description has `words`, and how many there are in total."""
    try:
        with Catalog(service.data) as catalog:
            entries, total = catalog.browser.page(words, offset, PAGE_VIDEOS)
    except CatalogError:
        return "", 0
    if not entries:
        return notice("No video matches", "No id, creator or description has these words."), total
    shown = f"{offset + 1:,} to {offset + len(entries):,} of {total:,}, newest first"
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Video", "Creator", "Description", "Posted", "Has", ""))
    rows = "".join(_row(entry) for entry in entries)
    return (
        f'<p class="muted" role="status">{shown}</p><div class="wide" tabindex="0" role="region" aria-label="Videos">'
        f'<table class="videos stack"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>',
        total,
    )


def _row(entry: Entry) -> str:
    video = entry.video
    texts = document(entry).texts
    has = [FIELD_NAMES[name] for name in TEXT_FIELDS if name in texts]
    open_work = [
        f"{STAGE_NAMES[stage]}: {state}" for stage, state in entry.states.items() if state in ("due", "failed")
    ]
    work = f'<br><small class="muted">{text("; ".join(open_work))}</small>' if open_work else ""
    described = video.description[:DESCRIPTION_CHARS] + "…" * (len(video.description) > DESCRIPTION_CHARS)
    video_id = f"<code>{text(video.id)}</code>"
    return (
        f'<tr data-id="{text(video.id)}"><th scope="row">{link(video.permalink, video_id) or video_id}</th>'
        f"<td><bdi>{text(video.creator_username[:80])}</bdi></td><td dir=auto>{text(described)}</td>"
        f"<td>{text(video.posted or '')}</td><td>{text(', '.join(has))}{work}</td>"
        f'<td><button type="button" class="delete" data-remove aria-label="Delete video {text(video.id)}">Delete'
        "</button></td></tr>"
    )
