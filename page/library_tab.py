"""The catalogue and its indexes -> the tab Library: what is here, what failed and why, and jobs that take in more."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.context import Context

from ingest.catalog import Catalog, CatalogError
from ingest.catalog.browse import FailureGroup
from ingest.catalog.database import FILE_NAME
from ingest.catalog.entries import STAGES, Entry
from page.html import FIELD_NAMES, FIRST_STEPS, link, notice, text
from page.job_panel import Panel
from page.jobs import JobError, Jobs, Step, typed_path
from retrieval.errors import GenerationError
from retrieval.index.documents import TEXT_FIELDS, document
from retrieval.index.generation import current_name, generation_names, read_manifest

if TYPE_CHECKING:
    from retrieval.server.service import Service

PLACE = "Library"
PAGE_VIDEOS = 25
DESCRIPTION_CHARS = 160
IMPORT, READ, BUILD, ALL, RETRY = "Import", "Read media", "Build index", "All three", "Try failed again"
STAGE_NAMES = {"download": "Download", "ocr": "Read pictures", "transcribe": "Listen"}
COVERED = {
    "videos": "videos",
    "video": "with their video file",
    "cover": "with a cover",
    "slide": "with slides",
    "transcript": "where something is said",
    "words": "with words on the screen",
    "comments": "with comments",
}


def add(service: "Service", jobs: Jobs) -> None:
    """The tab's components, inside `with gr.Tab(...)`; what they show is read when the tab is opened."""
    tab = Context.block
    assert isinstance(tab, gr.Tab)
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

    figures = gr.HTML("", apply_default_css=False, elem_id="library-figures", elem_classes="tab-html")
    refresh = gr.Button("Refresh", size="sm", scale=0)
    gr.HTML(
        "<h2>Take in more</h2><p class=muted>Searches go on meanwhile; a new index answers as soon as it is built.</p>",
        apply_default_css=False,
        elem_classes="tab-html",
    )
    source = gr.Textbox(
        "",
        label="Scraped records: path of a file or folder on the machine where this page runs",
        placeholder="scraped/",
        max_lines=1,
        max_length=1000,
        elem_id="library-source",
    )
    unread = gr.Checkbox(label="Index videos whose media are unread or unreadable too", value=False)
    with gr.Row(elem_classes="actions"):
        start = {
            name: gr.Button(name, size="md", min_width=130, variant="primary" if name == ALL else "secondary")
            for name in (IMPORT, READ, BUILD, ALL, RETRY)
        }
    panel = Panel(jobs, PLACE)
    with gr.Column(visible=False) as browse:
        gr.HTML("<h2>Videos</h2>", apply_default_css=False, elem_classes="tab-html")
        words = gr.Textbox(
            "",
            label="Only those with these words in id, creator or description",
            max_lines=1,
            max_length=200,
            elem_id="library-filter",
        )
        videos = gr.HTML("", apply_default_css=False, elem_id="library-videos", elem_classes="tab-html")
        with gr.Row(elem_classes="actions"):
            back = gr.Button("Newer", size="sm", interactive=False)
            on = gr.Button("Older", size="sm", interactive=False)
    offset = gr.State(0)
    table: list[Any] = [browse, videos, offset, back, on]

    def turned(words: str, offset: int) -> list[Any]:
        html, total = videos_html(service, words, offset)
        older, newer = offset + PAGE_VIDEOS < total, offset > 0
        return [gr.Column(visible=bool(html)), html, offset, gr.Button(interactive=newer), gr.Button(interactive=older)]

    def whole(words: str, offset: int) -> list[Any]:
        return [figures_html(service), *panel.shown(), *turned(words, offset)]

    def ticked(words: str, offset: int) -> list[Any]:
        if panel.running:
            return [gr.skip(), *panel.shown(), *[gr.skip()] * len(table)]
        return whole(words, offset)

    everything = [figures, *panel.outputs, *table]
    gr.on([tab.select, refresh.click], whole, [words, offset], everything, **quiet)
    panel.timer.tick(ticked, [words, offset], everything, **quiet)
    words.change(lambda words: turned(words, 0), words, table, trigger_mode="always_last", **quiet)
    back.click(lambda words, offset: turned(words, max(0, offset - PAGE_VIDEOS)), [words, offset], table, **quiet)
    on.click(lambda words, offset: turned(words, offset + PAGE_VIDEOS), [words, offset], table, **quiet)

    def begin(name: str, typed: str, unread: bool) -> list[Any]:
        try:
            steps = _steps(jobs, name, typed, unread)
            jobs.start(PLACE, name if name != ALL else "Import, read media, build index", lambda _: steps)
        except JobError as error:
            return panel.refused(error)
        return panel.shown()

    for name, button in start.items():
        button.click(lambda *given, name=name: begin(name, *given), [source, unread], panel.outputs, **quiet)


def _steps(jobs: Jobs, name: str, typed: str, unread: bool) -> Sequence[Step]:
    data = ("--data", str(jobs.data.absolute()))
    steps = []
    if name in (IMPORT, ALL):
        path = typed_path(typed, "scraped records (a file or a folder)")
        steps.append(Step(IMPORT, ("ingest", "import", str(path), *data)))
    if name == RETRY:
        steps.append(Step("Make failed work due", ("ingest", "retry", *data)))
    if name in (READ, ALL, RETRY):
        steps.append(Step(READ, ("ingest", "run", *data)))
    if name in (BUILD, ALL):
        everything = ("--all",) if unread else ()
        build = ("retrieval", "build", *data, "--indexes", str(jobs.indexes.absolute()), *everything)
        steps.append(Step(BUILD, build))
    return steps


def figures_html(service: "Service") -> str:
    """Counts, languages, ledger, failures and generations as HTML."""
    try:
        with Catalog(service.data) as catalog:
            coverage, languages = catalog.browser.coverage(), catalog.browser.languages()
            stages, reasons = catalog.ledger.stage_counts(), catalog.browser.failure_groups()
    except CatalogError as error:
        if (service.data / FILE_NAME).exists():
            return notice("The catalogue cannot be read", str(error), "problem")
        return notice("Nothing here yet", FIRST_STEPS)
    tiles = "".join(
        f"<li><strong>{coverage.get(name, 0):,}</strong> {label}</li>"
        for name, label in COVERED.items()
        if coverage.get(name) or name in ("videos", "video", "cover", "transcript", "words")
    )
    known = any(languages)  # a corpus that came with its texts may not say
    spoken = "".join(f"<li>{text(name or 'not known')} {n:,}</li>" for name, n in languages.items() if known)
    spoken = f'<h3>Languages that are spoken</h3><ul class="chips">{spoken}</ul>' if spoken else ""
    rows = "".join(
        f'<tr><th scope="row">{STAGE_NAMES[stage]}</th>'
        + "".join(
            f"<td{' class=bad' if state == 'failed' and stages[stage][state] else ''}>{stages[stage][state]:,}</td>"
            for state in ("due", "done", "failed", "absent")
        )
        + "</tr>"
        for stage in STAGES
    )
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("", "Due", "Done", "Failed", "Absent"))
    return (
        f'<h2>What is here</h2><ul class="tiles">{tiles}</ul>{spoken}<h3>Work</h3>'
        f'<div class="wide" tabindex="0" role="region" aria-label="Work"><table class="numbers"><thead><tr>{heads}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div>{_reasons_html(reasons)}{generations_html(service)}"
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
    return f'<h3>Why something failed</h3><ul class="reasons">{items}</ul>'


def generations_html(service: "Service") -> str:
    """The generations, newest first, the current one marked."""
    try:
        current = current_name(service.indexes)
    except GenerationError:
        current = ""
    rows = ""
    for name in reversed(generation_names(service.indexes)):
        mark = "✓ answers" if name == current else ""
        try:
            made = read_manifest(service.indexes, name)
            told = (made.created[:16].replace("T", " "), f"{made.videos:,}", made.encoder)
        except GenerationError as error:
            told = ("", "", str(error))
        cells = "".join(f"<td>{text(cell)}</td>" for cell in (*told, mark))
        rows += f'<tr{" class=current" if mark else ""}><th scope="row">{text(name)}</th>{cells}</tr>'
    if not rows:
        return "<h3>Indexes</h3><p>None yet: “Build index” below makes one. Until then nothing is found.</p>"
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Generation", "Made", "Videos", "Model", ""))
    return (
        '<h3>Indexes</h3><div class="wide" tabindex="0" role="region" aria-label="Indexes"><table class="stack">'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def videos_html(service: "Service", words: str, offset: int) -> tuple[str, int]:
    """One page of the videos whose id, creator or description hold `words`, and how many there are in all."""
    try:
        with Catalog(service.data) as catalog:
            entries, total = catalog.browser.page(words, offset, PAGE_VIDEOS)
    except CatalogError:
        return "", 0
    if not entries:
        return notice("No such video", "No id, creator or description has these words."), total
    shown = f"{offset + 1:,} to {offset + len(entries):,} of {total:,}, newest first"
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Video", "Creator", "Description", "Posted", "Has"))
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
        f'<tr><th scope="row">{link(video.permalink, video_id) or video_id}</th>'
        f"<td><bdi>{text(video.creator_username[:80])}</bdi></td><td dir=auto>{text(described)}</td>"
        f"<td>{text(video.posted or '')}</td><td>{text(', '.join(has))}{work}</td></tr>"
    )
