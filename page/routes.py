"""The page's own addresses: answers and the view of one video as HTML, with the same parameters as the API's."""

import logging
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from ingest.catalog import CatalogError
from ingest.models.weights import WeightsError
from page.cards import results
from page.html import FIRST_STEPS, notice
from page.video_view import details
from retrieval.errors import RetrievalError, UnknownGeneration, UnknownVideo
from retrieval.index.generation import generation_names
from retrieval.search.fusion import Lane
from retrieval.search.query import filters
from retrieval.server.concurrency import Overloaded, Queue
from retrieval.server.problems import Problem
from retrieval.server.routes.search import parse_weights
from retrieval.server.service import Service

log = logging.getLogger(__name__)
PAGE_HITS = 10
SIMILAR = 6
Text = Annotated[str, Query(max_length=1_000)]
BUILDING = '<p class="line note" role="status">A new index is being built; until then the one before it answers.</p>'
WELCOME = (
    "Ask for a video you remember",
    "What was said, what stood on the screen, who it was, what people wrote below it: any part that stayed with you.",
)


def answer_html(
    service: Service,
    question: str,
    *,
    lane: Lane = "hybrid",
    w: str = "",
    filtered: dict[str, str] | None = None,
    generation: str = "",
    offset: int = 0,
) -> str:
    """The results of a question as HTML; whatever goes wrong is told in plain words.

    Args:
        w: weights as the API takes them.
        filtered: the values of the filters by name, as `retrieval.question.filters` takes them.
        offset: how many results the page shows already.
    """
    question = question.strip()
    try:
        conditions = filters(**(filtered or {}))
        if not question and not conditions:
            return _start(service)
        answer = service.search(
            question,
            PAGE_HITS,
            offset=offset,
            lane=lane,
            weights=parse_weights(w),
            filters=conditions,
            generation=generation or None,
        )
        judged = service.judged(question) if question else None
        more = len(answer.hits) == PAGE_HITS and offset + PAGE_HITS < answer.total
        building = not offset and service.building()
        return (BUILDING if building else "") + results(answer, judged, offset, more)
    except ValueError as error:
        return notice("That is no date" if "date" in str(error) else "That cannot be asked", str(error))
    except (Problem, UnknownGeneration) as problem:
        return notice("That cannot be asked", str(problem))
    except (RetrievalError, CatalogError, WeightsError) as error:
        if not generation_names(service.indexes):
            return _start(service)
        return notice("Not ready to answer", str(error), "problem")
    except Exception:
        log.exception("a search from the page failed")
        return notice("That did not work", "This is a fault of the program; its log says more.", "problem")


def _start(service: Service) -> str:
    """What stands where nothing is asked: that there is nothing to ask yet, or what to ask for."""
    if generation_names(service.indexes):
        return notice(*WELCOME)
    if service.building():
        return notice("The first index is being built", "It answers as soon as it is there: ask again then.")
    return notice("Nothing can be found yet", FIRST_STEPS)


def view_html(service: Service, video_id: str, at: float | None, generation: str = "", question: str = "") -> str:
    """The view of one video, which was found by `question`, as HTML; whatever goes wrong is told in plain words."""
    try:
        known = service.detail(video_id)
        try:
            similar = service.similar(video_id, SIMILAR, generation or None)
        except (RetrievalError, WeightsError, UnknownVideo, UnknownGeneration):
            similar = []  # the video can be looked at without
        judged = service.judged(question) if question.strip() else None
        return details(video_id, service.summary(video_id), known, similar, at, judged)
    except UnknownVideo as error:
        return notice("No such video", str(error), "problem")
    except CatalogError as error:
        return notice("Not ready to answer", str(error), "problem")
    except Exception:
        log.exception("a video cannot be shown")
        return notice("That did not work", "This is a fault of the program; its log says more.", "problem")


def routes(service: Service, queue: Queue) -> APIRouter:
    """`/page/answer` and `/page/videos/{id}`; to be included before the page is mounted."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @router.get("/page/answer")
    async def answer(
        q: Text = "",
        lane: Lane = "hybrid",
        w: Text = "",
        creator: Text = "",
        tag: Text = "",
        lang: Text = "",
        after: Text = "",
        before: Text = "",
        has: Text = "",
        generation: Text = "",
        offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    ) -> str:
        filtered = {"creator": creator, "tag": tag, "lang": lang, "after": after, "before": before, "has": has}
        try:
            return await queue.run(
                lambda: answer_html(service, q, lane=lane, w=w, filtered=filtered, generation=generation, offset=offset)
            )
        except Overloaded as busy:
            return notice("Much is being asked just now", str(busy), "problem")

    @router.get("/page/videos/{video_id}")
    def view(video_id: str, t: Text = "", generation: Text = "", q: Text = "") -> str:
        try:
            at = float(t) if t else None
        except ValueError:
            at = None
        return view_html(service, video_id, at if at and 0 <= at < 1e6 else None, generation, q)

    return router
