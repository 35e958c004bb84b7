"""The catalog and its indexes -> the tab Library: all videos, what failed and why, and jobs that add videos."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, ConfigDict, Field

from ingest import ocr_packs
from ingest.catalog import Catalog, CatalogError
from ingest.catalog.browse import FailureGroup
from ingest.catalog.database import FILE_NAME
from ingest.catalog.entries import STAGES
from ingest.settings import Settings
from page.add_dialog import empty_page
from page.cards import named
from page.html import STAGE_NAMES, notice, text
from page.job_panel import job_panel
from page.jobs import PROGRESS, JobError, Jobs, Step
from page.library_view import SORTS, chips, months, nothing, shelves
from retrieval.errors import GenerationError, RetrievalError
from retrieval.index.generation import read_manifest
from retrieval.index.layout import current_name, generation_names
from retrieval.search.filter_values import filters
from retrieval.server.library import LibrarySort
from retrieval.server.problems import Problem
from retrieval.server.routes.common import MAX_OFFSET, FilterValues
from retrieval.server.routes.library import Kept, Month, SortBy, Words

if TYPE_CHECKING:
    from retrieval.server.service import Service

TAB = "Library"
PAGE_VIDEOS = 60
MAX_CHOSEN = 1_000  # videos that one request deletes
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


def section() -> str:
    """Return the tab before its contents arrive: they are read when it is opened."""
    return (
        '<div id="library-figures" class="tab-html"></div>'
        f'<p class="actions"><button type="button" id="library-retry" data-job="{RETRY}" hidden>{RETRY}</button></p>'
        f"{job_panel(TAB)}"
        f"{_browse()}"
        '<details id="library-steps"><summary>Single steps</summary>'
        '<div id="library-state" class="tab-html"></div>'
        '<p><label class="check"><input type="checkbox" id="library-only-read"> Leave out videos whose OCR or '
        f'transcript is missing</label></p><p class="actions"><button type="button" data-job="{RUN}">{RUN}</button>'
        f'<button type="button" data-job="{BUILD}">{BUILD}</button></p></details>'
    )


def _browse() -> str:
    """Return the covers with the shelves next to them."""
    sorts = "".join(f'<option value="{value}">{label}</option>' for value, label in SORTS.items())
    return (
        '<div id="library-browse" hidden><aside id="library-shelves" aria-label="Shelves"></aside><div>'
        '<div class="toolbar" role="group" aria-label="Which videos"><label class="unseen" for="library-filter">'
        'Filter by words in id, creator, description or file name</label><input id="library-filter" type="search" '
        'maxlength="200" autocomplete="off" dir="auto" placeholder="Creator, description, file name">'
        '<label class="unseen" for="library-sort">Order of the videos</label>'
        f'<select class="pill" id="library-sort" autocomplete="off">{sorts}</select>'
        '<button type="button" class="pill" id="library-kept" data-filter="kept=true" aria-pressed="false">Kept here'
        '</button><button type="button" class="pill" id="library-select" aria-pressed="false">Select</button>'
        '<button type="button" class="pill" id="library-unfold" aria-expanded="false" '
        'aria-controls="library-shelves">Shelves</button></div><div id="library-chips"></div>'
        '<p class="line" role="status" id="library-count"></p><div id="library-videos"></div>'
        '<button type="button" class="more" id="library-more" hidden>More videos</button></div></div>'
        '<div id="library-chosen" role="group" aria-label="Selected videos" hidden><strong id="library-chosen-count" '
        'role="status"></strong><button type="button" class="danger" data-delete-chosen>Delete …</button>'
        '<button type="button" data-choose-all>Select all on show</button>'
        '<button type="button" class="quiet" data-choose-none>Cancel</button></div>'
        '<dialog id="delete-chosen" class="sheet ask" aria-labelledby="delete-title"><form method="dialog"><h2 '
        'id="delete-title"></h2><p></p><p class="actions"><button value="delete" class="danger">Delete</button>'
        '<button value="" autofocus>Keep them</button></p></form></dialog>'
    )


class Chosen(BaseModel):
    """Which videos to delete, or to bring back."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[Annotated[str, Field(pattern=r"^[0-9]{5,25}$")]], Field(min_length=1, max_length=MAX_CHOSEN)]


class Start(BaseModel):
    """Which job to start: the text of its button."""

    model_config = ConfigDict(extra="forbid")

    name: Literal["Process media", "Build index", "Retry failed"]
    only_read: bool = False


def routes(service: "Service", jobs: Jobs) -> APIRouter:
    """Return the routes of the tab."""
    router = APIRouter(include_in_schema=False)

    @router.get("/page/library")
    def about() -> dict[str, Any]:
        figures, failed = figures_html(service)
        return {"figures": figures, "failed": failed, "state": state_html(service)}

    @router.get("/page/library/videos")
    def videos(
        values: FilterValues,
        words: Words = "",
        month: Month = "",
        kept: Kept = False,
        sort: SortBy = "saved",
        offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
    ) -> dict[str, Any]:
        chosen = {name: value for name, value in values.items() if value and name != "has"}
        chosen |= {"month": month} if month else {}
        chosen |= {"kept": "true"} if kept else {}
        return videos_page(service, words, chosen, sort, offset)

    @router.post("/page/library/remove")
    def remove(chosen: Annotated[Chosen, Body()]) -> dict[str, list[str]]:
        removed = service.removing.remove_all(chosen.ids)
        return {"removed": removed, "unknown": [one for one in chosen.ids if one not in set(removed)]}

    @router.post("/page/library/undo")
    def undo(chosen: Annotated[Chosen, Body()]) -> dict[str, list[str]]:
        return {"back": service.removing.undo_all(chosen.ids)}

    @router.post("/page/library/jobs", status_code=202)
    def begin(wanted: Annotated[Start, Body()]) -> None:
        try:
            jobs.start(TAB, wanted.name, lambda _: job_steps(jobs, wanted.name, wanted.only_read))
        except JobError as error:
            raise Problem(409, str(error)) from error

    return router


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
            coverage, reasons = catalog.browser.coverage(), catalog.browser.failure_groups()
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
    return f'<h2>Your videos</h2><ul class="tiles">{tiles}</ul>{_reasons_html(service, reasons)}', bool(reasons)


def state_html(service: "Service") -> str:
    """Return the states of the stages, and the generations."""
    try:
        with Catalog(service.data, read_only=True) as catalog:
            stages, languages = catalog.ledger.stage_counts(), catalog.browser.languages()
    except CatalogError:
        return generations_html(service)
    advice = ocr_packs.advice(languages, Settings().ocr_languages)
    packs = f'<p class="hint">{text(advice)}</p>' if advice else ""
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
        f"{packs}{generations_html(service)}"
    )


def _reasons_html(service: "Service", reasons: Sequence[FailureGroup]) -> str:
    if not reasons:
        return ""
    videos = service.summaries(video for reason in reasons for video, _ in reason.examples)

    def opened(video_id: str) -> str:
        name = named(videos[video_id], video_id) if video_id in videos else text(video_id)
        return f'<a href="?tab=Library&amp;id={text(video_id)}" data-open="{text(video_id)}"><bdi>{name}</bdi></a>'

    items = "".join(
        f"<li><details><summary><b>{reason.count:,}</b> × {text(STAGE_NAMES.get(reason.stage, reason.stage))}: "
        f"{text(reason.error)}</summary><ul>"
        + "".join(f"<li>{opened(video)}: {text(error)}</li>" for video, error in reason.examples)
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


def videos_page(
    service: "Service", words: str, chosen: Mapping[str, str], sort: LibrarySort, offset: int
) -> dict[str, Any]:
    """Return a page of the videos that meet the filters, as HTML with what is around it.

    Args:
        chosen: the values of the filters that are on, by name.
    """
    month, kept = chosen.get("month", ""), "kept" in chosen
    try:
        conditions = filters(**{name: value for name, value in chosen.items() if name not in ("month", "kept")})
        shown = service.library.shelf().show(words, conditions, month, kept, sort, offset, PAGE_VIDEOS)
        videos = service.summaries(shown.ids)
    except CatalogError:  # `figures_html` says why
        return {"html": "", "shelves": "", "chips": "", "count": "", "total": 0, "next": None}
    end = offset + len(shown.ids)
    count = f"{shown.total:,} video{'s' * (shown.total != 1)}, {SORTS[sort].lower()} first"
    return {
        "html": months(shown, videos) if shown.ids else nothing(words),
        "shelves": shelves(shown, chosen),
        "chips": chips(chosen),
        "count": count,
        "total": shown.total,
        "next": end if shown.ids and end < shown.total else None,
    }
