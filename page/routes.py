"""The routes behind the page: answers and the view of one video as HTML, with the parameters of the API."""

import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError, validate_call

from ingest.catalog import Catalog, CatalogError
from ingest.catalog.database import FILE_NAME
from page.add_dialog import empty_page
from page.cards import ADJUST, filters_on, results
from page.choices import choices_on
from page.home import latest_html
from page.html import MODE_NAMES, notice, text
from page.offers import offers, offers_html
from page.pictures import asked_html, asked_of, gone, no_vision, with_read
from page.search_tab import remembered
from page.video_view import details
from retrieval.errors import (
    BadChoices,
    BadFilter,
    BadWeights,
    NoVision,
    UnknownGeneration,
    UnknownPicture,
    UnknownVideo,
)
from retrieval.index.layout import generation_names
from retrieval.search.answer import Sort
from retrieval.search.choices import Choice, read_choices
from retrieval.search.filter_values import PERIODS, filters
from retrieval.search.fusion import Mode, parse_weights
from retrieval.server.concurrency import Overloaded, Queue
from retrieval.server.problems import Problem
from retrieval.server.routes.common import MAX_OFFSET, filter_values
from retrieval.server.routes.search import chosen_mode
from retrieval.server.seen_pictures import PICTURE
from retrieval.server.service import Service
from scraper.errors import UserError

if TYPE_CHECKING:
    from retrieval.server.schemas import FoundHit

log = logging.getLogger(__name__)
PAGE_HITS = 10
SIMILAR = 6
Text = Annotated[str, Query(max_length=1_000)]
BUILDING = '<p class="line note" role="status">A new index is being built. Until then the previous one answers.</p>'
WELCOME = (
    "Search for a video you remember",
    "Enter anything that you remember: speech, on-screen text, the creator, or what people commented.",
)
NO_INDEX = (
    "Videos that are being added can be found soon. Otherwise, open the tab Library, then “Single steps”, and press"
    " “Build index”. Or, in a terminal: `tiktok-retrieval build`."
)
FAULT = ("Something went wrong", "Internal error. See the server log.", "problem")


def answer_html(
    service: Service,
    query: str,
    *,
    mode: Mode = "hybrid",
    w: str = "",
    filtered: dict[str, str] | None = None,
    sort: Sort = "relevance",
    generation: str = "",
    exact: bool = False,
    offset: int = 0,
    nearer: str = "",
    found: str = "",
    picture: str = "",
    read: str = "",
) -> str:
    """Return the results of a query as HTML, or a message that says what is wrong.

    Args:
        w: weights as the API takes them.
        filtered: the values of the filters by name, as `retrieval.search.filter_values.filters` takes them.
        offset: how many results the page shows already.
        nearer: choices of videos as the API takes them.
        found: the generation of the results that this follows: more of them, or choices of them. It answers; if it is
            gone, the current one does, and a note says so.
        picture: to search by, as the API takes it, and the words `read` in it that count.
    """
    typed = query.strip()
    query = with_read(typed, read)
    try:
        conditions = filters(**(filtered or {}))
        if not query and not conditions and not picture:
            return _start(service)
        made = service.answer(
            query,
            PAGE_HITS,
            offset=offset,
            mode=mode,
            weights=parse_weights(w),
            filters=conditions,
            sort=sort,
            generation=generation or None,
            exact=exact,
            choices=read_choices(nearer),
            found=found,
            picture=picture,
        )
        said = {one.note() for one in conditions if one.named() != one.describe()}  # their chips say it
        answer = service.with_videos(made.model_copy(update={"notes": [n for n in made.notes if n not in said]}))
        judged = service.judged(query) if query and not picture else None  # a judgement is of words
        more = len(answer.hits) == PAGE_HITS and offset + PAGE_HITS < answer.total
        building = not offset and service.building()
        chips = "" if offset else filters_on(filtered or {}, conditions, _unusual(mode, w, generation))
        chips += "" if offset else _choices(service, made.choices)
        chips += "" if offset or not picture else asked_html(asked_of(service, picture), read)
        chips += "" if offset else offers_html(offers(typed, filtered or {}, lists=service.knows_lists()))
        settings = {"q": query, "mode": mode, "w": w, **(filtered or {}), "sort": sort, "found": made.generation}
        settings |= {"exact": "true" if exact else "", "nearer": nearer, "picture": picture}
        table = "" if offset else download(settings)
        copies = {one for hit in answer.hits for one in hit.copies}
        others = service.summaries(copies) if copies else {}
        return (BUILDING if building else "") + chips + results(answer, judged, offset, more, table, others)
    except BadFilter as error:
        title = "Invalid date" if error.filter in ("after", "before", *PERIODS) else "Invalid filter"
        remove = ADJUST.format(changes=f"{error.filter}=", label="Remove the filter")
        return notice(title, str(error), more=remove)
    except BadChoices as error:
        return notice("Invalid choices", str(error), more=ADJUST.format(changes="nearer=", label="Remove the choices"))
    except BadWeights as error:
        return notice("Invalid weights", str(error))
    except UnknownPicture as error:
        return gone(str(error))
    except NoVision:
        return no_vision()
    except UnknownGeneration:
        return notice("No such index", "The index in this link does not exist any more. Choose another under “Index”.")
    except UserError as error:
        if not generation_names(service.indexes):
            return _start(service)
        return notice("Not ready to search", str(error), "problem")
    except Exception:
        log.exception("a search from the page failed")
        return notice(*FAULT)


def _unusual(mode: Mode, w: str, generation: str) -> dict[str, str]:
    """Return what settings for researchers say, if they differ from the usual."""
    said = {
        "w": w and f"I remember: {remembered(w) or 'own weights'}",
        "mode": f"mode: {MODE_NAMES[mode]}" if mode != "hybrid" else "",
        "generation": generation and f"index: {generation}",
    }
    return {name: of for name, of in said.items() if of}


def _choices(service: Service, choices: Sequence[Choice]) -> str:
    """Return the choices of videos as buttons that take them back."""
    return choices_on(choices, service.summaries(one.video_id for one in choices)) if choices else ""


def download(settings: Mapping[str, str]) -> str:
    """Return a link that downloads the results of a search, with the parameters of the API."""
    given = {name: value for name, value in settings.items() if value}
    return f'<a href="api/export?{text(urlencode(given))}" data-download>Download results (CSV)</a>'


def _start(service: Service) -> str:
    """What the page shows before the first search: whether there is an index, and what to do."""
    if _is_empty(service):
        return empty_page()
    if generation_names(service.indexes):
        return latest_html(service)
    if service.building():
        return notice("The first index is being built", "Search again when it is finished.")
    return notice("There is no index yet", NO_INDEX)


def _is_empty(service: Service) -> bool:
    """Whether there is no video yet."""
    try:
        with Catalog(service.data, read_only=True) as catalog:
            return not catalog.browser.coverage()["videos"]
    except CatalogError:
        return not (service.data / FILE_NAME).exists()


def _similar(service: Service, video_id: str, found: str) -> "list[FoundHit]":
    """Return the videos most like one, by the generation that found it, or by the current one if that is gone."""
    for name in dict.fromkeys((found or None, None)):
        with contextlib.suppress(UserError):
            return service.similar(video_id, SIMILAR, name)
    return []  # the rest of the view needs no index


def _changed(service: Service, found: str) -> str:
    """Return a sentence that says so if a generation that gave an answer is gone."""
    with contextlib.suppress(UserError):
        return service.following(found)[1]
    return ""


def view_html(
    service: Service,
    video_id: str,
    at: float | None,
    found: str = "",
    query: str = "",
    w: str = "",
    picture: str = "",
) -> str:
    """Return the view of one video, or a message that says what is wrong.

    Args:
        found: the generation that found it with `query`, the weights `w` and `picture`, which answers what the view
            asks.
    """
    try:
        known = service.detail(video_id)
        similar = _similar(service, video_id, found)
        judged = service.judged(query) if query.strip() and not picture else None
        frames = service.found_frames(video_id, query, w, picture, found or None)
        marker = service.marker(query, found or None)
        changed = _changed(service, found)
        return details(video_id, service.summary(video_id), known, similar, at, judged, marker, changed, frames)
    except UnknownVideo as error:
        return notice("No such video", str(error), "problem")
    except UserError as error:
        return notice("Cannot show the video", str(error), "problem")
    except Exception:
        log.exception("the view of a video failed")
        return notice(*FAULT)


class Asked(BaseModel):
    """The settings of a search, by their names in the page's address. Those that are not named here are filters."""

    model_config = ConfigDict(extra="allow")

    q: str = Field("", max_length=1_000)
    mode: Mode | None = None
    w: str = Field("", max_length=1_000)
    sort: Sort = "relevance"
    generation: str = Field("", max_length=1_000)
    exact: bool = False
    nearer: str = Field("", max_length=2_000)
    picture: str = Field("", pattern=f"^$|{PICTURE}")
    read: str = Field("", max_length=1_000)
    found: str = Field("", max_length=1_000)
    offset: int = Field(0, ge=0, le=MAX_OFFSET)
    lane: Mode | None = None  # the old name of `mode`


def answers(service: Service, queue: Queue) -> Callable[[dict[str, str]], Awaitable[str]]:
    """Return a function that answers a search as HTML, from its settings by their names in the page's address."""
    checked_filters = validate_call(filter_values)

    async def answer(settings: dict[str, str]) -> str:
        try:
            asked = Asked.model_validate(settings)
            filtered = await checked_filters(**(asked.model_extra or {}))
            return await queue.run(
                lambda: answer_html(
                    service,
                    asked.q,
                    mode=chosen_mode(asked.mode, asked.lane),
                    w=asked.w,
                    filtered=filtered,
                    sort=asked.sort,
                    generation=asked.generation,
                    exact=asked.exact,
                    offset=asked.offset,
                    nearer=asked.nearer,
                    found=asked.found,
                    picture=asked.picture,
                    read=asked.read,
                )
            )
        except ValidationError as error:
            return notice("Invalid search", "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors()))
        except Problem as error:
            return notice("Invalid search", str(error))
        except Overloaded as error:
            return notice("The server is busy", str(error), "problem")

    return answer


def routes(service: Service, queue: Queue) -> APIRouter:
    """Return the route `/page/videos/{id}`. A view searches as well: for similar videos, and for the frames that the
    question means."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @router.get("/page/videos/{video_id}")
    async def view(
        video_id: str,
        t: Text = "",
        generation: Text = "",
        q: Text = "",
        w: Text = "",
        picture: Text = "",
        read: Text = "",
    ) -> str:
        try:
            at = float(t) if t else None
        except ValueError:
            at = None
        at = at if at and 0 <= at < 1e6 else None
        known = picture if re.fullmatch(PICTURE, picture) else ""
        asked = with_read(q, read if known else "")
        try:
            return await queue.run(lambda: view_html(service, video_id, at, generation, asked, w, known))
        except Overloaded as error:
            return notice("The server is busy", str(error), "problem")

    return router
