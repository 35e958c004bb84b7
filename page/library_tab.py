"""The catalog and its indexes -> the tab Library: what there is, what failed and why, and jobs that add videos."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.context import Context

from ingest import ocr_packs
from ingest.catalog import Catalog, CatalogError
from ingest.catalog.browse import FailureGroup
from ingest.catalog.database import FILE_NAME
from ingest.catalog.entries import STAGES, Entry
from ingest.language_names import name_of
from ingest.settings import Settings
from page.add_dialog import empty_page
from page.html import STAGE_NAMES, notice, text
from page.job_panel import JobPanel
from page.jobs import PROGRESS, JobError, Jobs, Step
from page.static import load
from retrieval.errors import GenerationError, RetrievalError
from retrieval.index.documents import FIELD_NAMES, TEXT_FIELDS, document
from retrieval.index.generation import current_name, generation_names, read_manifest

if TYPE_CHECKING:
    from retrieval.server.service import Service

TAB = "Library"
PAGE_VIDEOS = 25
DESCRIPTION_CHARS = 160
RUN, BUILD, RETRY = "Process media", "Build index", "Retry failed"
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
    with gr.Row(elem_classes="actions", visible=False) as failed:
        retry = gr.Button(RETRY, size="sm", scale=0, min_width=130)
    start = {RETRY: retry}
    panel = JobPanel(jobs, TAB)
    with gr.Column(visible=False) as browse:
        words = gr.Textbox(
            "",
            label="Filter by words in id, creator, description or file name",
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
    with gr.Accordion("Single steps", open=False, elem_id="library-steps"):
        state = gr.HTML("", apply_default_css=False, elem_classes="tab-html", elem_id="library-state")
        only_read = gr.Checkbox(label="Leave out videos whose OCR or transcript is missing", value=False)
        with gr.Row(elem_classes="actions"):
            start |= {name: gr.Button(name, size="sm", scale=0, min_width=130) for name in (RUN, BUILD)}
    refresh = gr.Button("Refresh", size="sm", elem_id="library-refresh", elem_classes="unseen")
    offset = gr.State(0)
    table: list[Any] = [browse, videos, offset, newer, older]

    def page(words: str, offset: int) -> list[Any]:
        html, total = videos_html(service, words, offset)
        buttons = [gr.Button(interactive=offset > 0), gr.Button(interactive=offset + PAGE_VIDEOS < total)]
        return [gr.Column(visible=bool(html)), html, offset, *buttons]

    def refreshed(words: str, offset: int) -> list[Any]:
        html, any_failed = figures_html(service)
        return [html, gr.Row(visible=any_failed), state_html(service), *panel.values(), *page(words, offset)]

    def updated(words: str, offset: int) -> list[Any]:
        if panel.running:
            return [*[gr.skip()] * 3, *panel.values(), *[gr.skip()] * len(table)]
        return refreshed(words, offset)

    outputs = [figures, failed, state, *panel.outputs, *table]
    gr.on([tab.select, refresh.click], refreshed, [words, offset], outputs, **quiet)
    panel.timer.tick(updated, [words, offset], outputs, **quiet)
    words.change(lambda words: page(words, 0), words, table, trigger_mode="always_last", **quiet)
    newer.click(lambda words, offset: page(words, max(0, offset - PAGE_VIDEOS)), [words, offset], table, **quiet)
    older.click(lambda words, offset: page(words, offset + PAGE_VIDEOS), [words, offset], table, **quiet)

    def begin(name: str, only_read: bool) -> list[Any]:
        try:
            jobs.start(TAB, name, lambda _: job_steps(jobs, name, only_read))
        except JobError as error:
            return panel.refused(error)
        return panel.values()

    for name, button in start.items():
        button.click(lambda *given, name=name: begin(name, *given), only_read, panel.outputs, **quiet)


def job_steps(jobs: Jobs, name: str, only_read: bool) -> Sequence[Step]:
    """Return the commands behind a button."""
    data = ("--data", str(jobs.data.absolute()))
    steps = []
    if name == RETRY:
        steps.append(Step("Reset failed items", ("ingest", "retry", *data)))
    if name in (RUN, RETRY):
        steps.append(Step(RUN, ("ingest", "run", *data, *PROGRESS)))
    if name in (BUILD, RETRY):
        only = ("--only-read",) if only_read else ()
        build = ("retrieval", "build", *data, "--indexes", str(jobs.indexes.absolute()), *PROGRESS, *only)
        steps.append(Step(BUILD, build))
    return steps


def figures_html(service: "Service") -> tuple[str, bool]:
    """Return counts, languages and failures as HTML, and whether something failed."""
    try:
        with Catalog(service.data, read_only=True) as catalog:
            coverage, languages = catalog.browser.coverage(), catalog.browser.languages()
            reasons = catalog.browser.failure_groups()
    except CatalogError as error:
        if (service.data / FILE_NAME).exists():
            return notice("The catalog cannot be read", str(error), "problem"), False
        return empty_page(), False
    if not coverage["videos"]:
        return empty_page(), False
    tiles = "".join(
        f"<li><strong>{coverage.get(name, 0):,}</strong> {label}</li>"
        for name, label in COVERED.items()
        if coverage.get(name) or name in ("videos", "video", "cover", "transcript", "words")
    )
    spoken = "".join(f"<li>{text(name_of(code))} {n:,}</li>" for code, n in languages.items())
    spoken = f'<h3>Languages</h3><ul class="chips">{spoken}</ul>' if spoken else ""
    packs = ocr_packs.advice(languages, Settings().ocr_languages)
    spoken += f'<p class="hint">{text(packs)}</p>' if packs else ""
    return f'<h2>Your videos</h2><ul class="tiles">{tiles}</ul>{spoken}{_reasons_html(reasons)}', bool(reasons)


def state_html(service: "Service") -> str:
    """Return the states of the stages, and the generations."""
    try:
        with Catalog(service.data, read_only=True) as catalog:
            stages = catalog.ledger.stage_counts()
    except CatalogError:
        return generations_html(service)
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
        '<h3>Processing</h3><div class="wide" tabindex="0" role="region" aria-label="Processing">'
        f'<table class="numbers"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"{generations_html(service)}"
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
    except RetrievalError:
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
        with Catalog(service.data, read_only=True) as catalog:
            entries, total = catalog.browser.page(words, offset, PAGE_VIDEOS)
    except CatalogError:
        return "", 0
    if not entries:
        return notice("No video matches", "No id, creator or description has these words."), total
    shown = f"{offset + 1:,} to {offset + len(entries):,} of {total:,}, newest first"
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Video", "Creator", "Description", "Posted", "Has", ""))
    rows = "".join(_row(entry, service.media.url(entry.video.id, entry.file("cover"))) for entry in entries)
    return (
        f'<p class="muted" role="status">{shown}</p><div class="wide" tabindex="0" role="region" aria-label="Videos">'
        f'<table class="videos stack"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>',
        total,
    )


def _row(entry: Entry, cover: str | None) -> str:
    video = entry.video
    texts = document(entry).texts
    has = [FIELD_NAMES[name] for name in TEXT_FIELDS if name in texts]
    open_work = [
        f"{STAGE_NAMES[stage]}: {state}" for stage, state in entry.states.items() if state in ("due", "failed")
    ]
    work = f'<br><small class="muted">{text("; ".join(open_work))}</small>' if open_work else ""
    described = video.description[:DESCRIPTION_CHARS] + "…" * (len(video.description) > DESCRIPTION_CHARS)
    picture = f'<img loading="lazy" alt="" src="{text(cover)}">' if cover else '<span class="blank"></span>'
    name = text(video.file_name) or f"<code>{text(video.id)}</code>"
    opens = f'<a href="?id={text(video.id)}" data-open="{text(video.id)}">{picture}<bdi>{name}</bdi></a>'
    return (
        f'<tr data-id="{text(video.id)}"><th scope="row">{opens}</th>'
        f"<td><bdi>{text(video.creator_username[:80])}</bdi></td><td dir=auto>{text(described)}</td>"
        f"<td>{text(video.posted or '')}</td><td>{text(', '.join(has))}{work}</td>"
        f'<td><button type="button" class="delete" data-remove aria-label="Delete video {text(video.id)}">Delete'
        "</button></td></tr>"
    )
