"""The routes behind the page: answers and the view of one video as HTML, with the parameters of the API."""

import logging
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from ingest.catalog import Catalog, CatalogError
from ingest.catalog.database import FILE_NAME
from page.add_dialog import empty_page
from page.cards import ADJUST, filters_on, results
from page.html import notice, text
from page.video_view import details
from retrieval.errors import BadFilter, BadWeights, UnknownGeneration, UnknownVideo
from retrieval.index.generation import generation_names
from retrieval.search.answer import Sort
from retrieval.search.filter_values import WHEN, filters
from retrieval.search.fusion import Mode, parse_weights
from retrieval.server.concurrency import Overloaded, Queue
from retrieval.server.routes.common import ExactParameter, FilterValues, SortParameter
from retrieval.server.routes.search import chosen_mode
from retrieval.server.service import Service
from scraper.errors import UserError

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
) -> str:
    """Return the results of a query as HTML, or a message that says what is wrong.

    Args:
        w: weights as the API takes them.
        filtered: the values of the filters by name, as `retrieval.search.filter_values.filters` takes them.
        offset: how many results the page shows already.
    """
    query = query.strip()
    try:
        conditions = filters(**(filtered or {}))
        if not query and not conditions:
            return _start(service)
        found = service.answer(
            query,
            PAGE_HITS,
            offset=offset,
            mode=mode,
            weights=parse_weights(w),
            filters=conditions,
            sort=sort,
            generation=generation or None,
            exact=exact,
        )
        answer = service.with_videos(found)
        judged = service.judged(query) if query else None
        more = len(answer.hits) == PAGE_HITS and offset + PAGE_HITS < answer.total
        building = not offset and service.building()
        chips = "" if offset else filters_on(filtered or {}, conditions)
        settings = {"q": query, "mode": mode, "w": w, **(filtered or {}), "sort": sort, "generation": generation}
        settings["exact"] = "true" if exact else ""
        table = "" if offset else download(settings)
        return (BUILDING if building else "") + chips + results(answer, judged, offset, more, table)
    except BadFilter as error:
        title = "Invalid date" if error.filter in ("after", "before", *WHEN) else "Invalid filter"
        remove = ADJUST.format(changes=f"{error.filter}=", label="Remove the filter")
        return notice(title, str(error), more=remove)
    except BadWeights as error:
        return notice("Invalid weights", str(error))
    except UnknownGeneration:
        return notice("No such index", "The index in this link does not exist any more. Choose another under “Index”.")
    except UserError as error:
        if not generation_names(service.indexes):
            return _start(service)
        return notice("Not ready to search", str(error), "problem")
    except Exception:
        log.exception("a search from the page failed")
        return notice(*FAULT)


def download(settings: Mapping[str, str]) -> str:
    """Return a link that downloads the results of a search, with the parameters of the API."""
    given = {name: value for name, value in settings.items() if value}
    return f'<a href="api/export?{text(urlencode(given))}">Download results (CSV)</a>'


def _start(service: Service) -> str:
    """What the page shows before the first search: whether there is an index, and what to do."""
    if _is_empty(service):
        return empty_page()
    if generation_names(service.indexes):
        return notice(*WELCOME)
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


def view_html(service: Service, video_id: str, at: float | None, generation: str = "", query: str = "") -> str:
    """Return the view of one video, found with `query`, as HTML, or a message that says what is wrong."""
    try:
        known = service.detail(video_id)
        try:
            similar = service.similar(video_id, SIMILAR, generation or None)
        except UserError:
            similar = []  # the rest of the view needs no index
        judged = service.judged(query) if query.strip() else None
        return details(video_id, service.summary(video_id), known, similar, at, judged)
    except UnknownVideo as error:
        return notice("No such video", str(error), "problem")
    except UserError as error:
        return notice("Cannot show the video", str(error), "problem")
    except Exception:
        log.exception("the view of a video failed")
        return notice(*FAULT)


def routes(service: Service, queue: Queue) -> APIRouter:
    """Return the routes `/page/answer` and `/page/videos/{id}`; to include before the page is mounted."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @router.get("/page/answer")
    async def answer(
        filtered: FilterValues,
        q: Text = "",
        mode: Mode | None = None,
        w: Text = "",
        sort: SortParameter = "relevance",
        generation: Text = "",
        exact: ExactParameter = False,
        offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
        lane: Annotated[Mode | None, Query(deprecated=True)] = None,
    ) -> str:
        chosen = chosen_mode(mode, lane)
        try:
            return await queue.run(
                lambda: answer_html(
                    service,
                    q,
                    mode=chosen,
                    w=w,
                    filtered=filtered,
                    sort=sort,
                    generation=generation,
                    exact=exact,
                    offset=offset,
                )
            )
        except Overloaded as error:
            return notice("The server is busy", str(error), "problem")

    @router.get("/page/videos/{video_id}")
    def view(video_id: str, t: Text = "", generation: Text = "", q: Text = "") -> str:
        try:
            at = float(t) if t else None
        except ValueError:
            at = None
        return view_html(service, video_id, at if at and 0 <= at < 1e6 else None, generation, q)

    return router
