"""The endpoints of the API."""

import json
import logging
from http import HTTPStatus
from importlib.resources import files
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse
from fastapi.routing import APIRoute
from starlette.routing import Match

from ingest.catalog import Catalog, CatalogError
from ingest.catalog.judgements import Judgement
from ingest.models.weights import WeightsError
from retrieval.errors import RetrievalError
from retrieval.index.documents import FIELDS
from retrieval.search.fusion import Lane, Method
from retrieval.search.query import filters
from retrieval.search.searcher import MAX_QUERY_CHARS
from retrieval.server.concurrency import Queue
from retrieval.server.media import MEDIA_HEADERS, readable_ranges
from retrieval.server.metrics import CONTENT_TYPE, Metrics
from retrieval.server.problems import Problem
from retrieval.server.schemas import (
    MAX_FILTER_CHARS,
    Generations,
    Health,
    NewJudgement,
    ProblemDetails,
    SearchAnswer,
    Similar,
    Stats,
    Suggestions,
    VideoDetail,
)
from retrieval.server.service import Service

MAX_PAGE = 100  # hits an answer; who wants more asks again with an offset

MAX_OFFSET = 1_000_000

log = logging.getLogger(__name__)

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


MAX_WEIGHT = 5.0  # five times its usual share lets a field outvote all others


def parse_weights(text: str) -> dict[str, float]:
    """`transcript:2,comments:0` as field -> weight.

    Raises:
        Problem: 422, a field is not known, or a weight is no number from 0 to MAX_WEIGHT.
    """
    weights: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        field, _, value = (piece.strip() for piece in part.partition(":"))
        if field not in FIELDS:
            raise Problem(422, f"w: {field[:40]!r} is no field; the fields are {', '.join(FIELDS)}")
        try:
            weights[field] = float(value)
        except ValueError:
            weights[field] = -1.0
        if not 0 <= weights[field] <= MAX_WEIGHT:
            raise Problem(422, f"w: {field} needs a weight from 0 to {MAX_WEIGHT:g}, as in `{field}:2`")
    if weights and all(weights.get(field, 1.0) == 0 for field in FIELDS):
        raise Problem(422, "w: every field is switched off; leave one above 0")
    return weights


def _filter(description: str) -> Any:
    return Query(max_length=MAX_FILTER_CHARS, description=description)


def _add_routes(app: FastAPI, service: Service, queue: Queue, metrics: Metrics) -> None:
    def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
        schema = ProblemDetails.model_json_schema()
        return {
            code: {"description": HTTPStatus(code).phrase, "content": {"application/problem+json": {"schema": schema}}}
            for code in codes
        }

    example = json.loads((files("retrieval.server") / "answer_example.json").read_text(encoding="utf-8"))
    answered: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"example": example}}}}

    @app.get("/api/search", summary="Ask for a video", responses={**answered, **problems(422, 503)})
    async def search(
        q: Annotated[
            str,
            Query(
                max_length=MAX_QUERY_CHARS,
                description='What is remembered of the video, with operators: "exact phrase", @creator, #tag, -word,'
                " field:word, before:2023, after:2022-06, lang:en. Conditions alone give the newest first; an empty"
                " question without any has no hits.",
                examples=["cat falls off the shelf", '"no your other left" @slowlane -dog after:2021'],
            ),
        ],
        k: Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many hits.")] = 10,
        offset: Annotated[int, Query(ge=0, le=MAX_OFFSET, description="How many to pass over first.")] = 0,
        lane: Annotated[Lane, Query(description="By meaning (dense), by words (keyword), or both.")] = "hybrid",
        w: Annotated[
            str,
            Query(
                max_length=400,
                description=f"Weights of fields, 0 (off) to {MAX_WEIGHT:g}, 1 where not named. Fields: "
                + ", ".join(FIELDS),
                examples=["transcript:2,comments:0"],
            ),
        ] = "",
        method: Annotated[Method, Query(description="How scores of lanes and fields are fused.")] = "zscore",
        creator: Annotated[str, _filter("Only this creator's videos: username or nickname.")] = "",
        tag: Annotated[str, _filter("Only videos with this hashtag; with several, with all of them.")] = "",
        lang: Annotated[str, _filter("Only videos whose speech is in this language, as in en.")] = "",
        after: Annotated[str, _filter("Only videos posted on this date or later: 2022, 2022-03 or 2022-03-15.")] = "",
        before: Annotated[str, _filter("Only videos posted before this date: 2022, 2022-03 or 2022-03-15.")] = "",
        has: Annotated[str, _filter("Only videos that have this: speech, text, comments, music.")] = "",
        generation: Annotated[str, _filter("The name of a generation to ask; the current one where not named.")] = "",
    ) -> SearchAnswer:
        """The best videos, each with the reasons whose contributions add up to its score: field, lane, the passage,
        the span in it to look at, the matched words, and the second it is spoken. Operators in the question and the
        filters beside it must all be met; `notes` says where none can be, and which words were corrected."""
        try:
            conditions = filters(creator, tag, lang, after, before, has)
        except ValueError as error:
            raise Problem(422, str(error)) from None
        weights = parse_weights(w)
        answer = await queue.run(
            lambda: service.search(
                q,
                k,
                offset=offset,
                lane=lane,
                weights=weights,
                method=method,
                filters=conditions,
                generation=generation or None,
            )
        )
        metrics.search(answer.timings_ms)
        return answer

    @app.get("/api/videos/{video_id}", summary="All that is known of a video", responses=problems(404, 422, 503))
    def video(video_id: str) -> VideoDetail:
        """The record with its comments, every text made from its media with its provenance, transcript segments in
        seconds, the work ledger's states, and where its media are served."""
        return service.detail(video_id)

    @app.get("/api/videos/{video_id}/similar", summary="More like one video", responses=problems(404, 422, 503))
    def similar(
        video_id: str,
        k: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 6,
        generation: Annotated[str, _filter("As in search.")] = "",
    ) -> Similar:
        """The videos whose texts mean most nearly what this one's do; `score` is the cosine of the two."""
        return Similar(hits=service.similar(video_id, k, generation or None))

    @app.get("/api/suggest", summary="How a question may go on", responses=problems(422, 503))
    def suggest(
        q: Annotated[str, Query(max_length=MAX_QUERY_CHARS, examples=["bread @cru", "#bak"])],
        k: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 8,
    ) -> Suggestions:
        """The question with its last word completed: a creator after @, a hashtag after #, else a word of the corpus;
        what the most videos have comes first."""
        return Suggestions(suggestions=service.suggest(q, k))

    @app.get("/api/generations", summary="The generations that can be asked", responses=problems(503))
    def generations() -> Generations:
        """All finished generations, newest first; one is current."""
        return Generations(generations=service.generations())

    @app.get("/api/judgements", summary="What was said to be the one", responses=problems(422, 503))
    def judgements(
        k: Annotated[int, Query(ge=1, le=1_000)] = 100, offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0
    ) -> list[Judgement]:
        """Questions and the videos that they were about, newest first."""
        return service.judgements(k, offset)

    @app.get("/api/judgements/queries", summary="The judgements as a query file", responses=problems(503))
    def judgement_queries() -> list[dict[str, object]]:
        """What `python -m retrieval evaluate --queries` and `compare` read: a question with all of its videos."""
        return service.judgement_queries()

    @app.post(
        "/api/judgements",
        status_code=201,
        summary="Say which video was the one",
        responses=problems(400, 403, 404, 413, 422, 503),
    )
    def judge(said: NewJudgement) -> Judgement:
        """Keep that a question was about a video; said again of both, the moment is the new one."""
        return service.judge(said.query, said.video_id, said.time_s, said.generation)

    @app.delete(
        "/api/judgements/{number}",
        status_code=204,
        summary="Take a judgement back",
        responses=problems(403, 404, 422, 503),
    )
    def forget(number: Annotated[int, PathParameter(ge=1, le=2**62)]) -> None:
        """Forget a judgement."""
        if not service.forget_judgement(number):
            raise Problem(404, "there is no judgement of this number")

    @app.get("/api/health", summary="Whether searches are answered", responses=problems(503))
    def health() -> Health:
        """200 only while a generation and the catalogue answer; else 503 with what to run."""
        try:
            searcher = service.searcher()
            Catalog(service.data).close()
        except (RetrievalError, CatalogError, WeightsError) as error:  # anybody may ask this: it names no folder
            log.warning("not ready: %s", error)
            raise Problem(
                503,
                "nothing answers yet: `python -m ingest import` fills a catalogue, `python -m retrieval build` makes"
                " its index; the log says more",
            ) from None
        manifest = searcher.generation.manifest
        status: Literal["ok", "words only"] = "words only" if searcher.words_only else "ok"
        return Health(status=status, generation=manifest.name, videos=manifest.videos, encoder=manifest.encoder)

    @app.get("/api/stats", summary="What is in the corpus", responses=problems(503))
    def stats() -> Stats:
        """Counts of the catalogue: videos, texts, media, and the work ledger by stage and state."""
        with Catalog(service.data) as catalog:
            return Stats(catalog=catalog.status())

    @app.get("/metrics", include_in_schema=False)
    async def counted() -> Response:  # in the event loop, which knows what waits
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    partly: dict[int | str, dict[str, Any]] = {
        206: {"description": "The bytes that Range asks for"},
        304: {"description": "What If-None-Match names is what there is"},
    }

    @app.get(
        "/media/{video_id}/{kind}",
        summary="A file of a video",
        response_class=Response,
        responses={**partly, **problems(404, 416, 422)},
    )
    def media(request: Request, video_id: str, kind: str, n: Annotated[int, Query(ge=0)] = 0) -> Response:
        """A cover, video or slide (`n` counts slides from 0), by id only; answers Range and If-None-Match."""
        entry = service.entry(video_id)
        kept = next((media for media in entry.media if (media.kind, media.position) == (kind, n)), None)
        if not (kept and (found := service.file(kept))):
            raise Problem(404, "no such file is kept of this video")
        path, content_type = found
        stat = path.stat()
        if "range" in request.headers:  # Starlette answers what it cannot read of one in its own way
            ranges = readable_ranges(request.headers["range"], stat.st_size)
            rest = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
            request.scope["headers"] = rest + ([(b"range", ranges.encode())] if ranges else [])
        file = FileResponse(path, media_type=content_type, headers=MEDIA_HEADERS, stat_result=stat)
        known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
        if known & {file.headers["etag"], "*"}:
            return Response(status_code=304, headers={**MEDIA_HEADERS, "ETag": file.headers["etag"]})
        return file

    documented = [route for route in app.routes if isinstance(route, APIRoute)]
    for route in [route for route in documented if "GET" in (route.methods or ())]:
        # what a GET would answer, without the body; the server leaves that out
        app.add_api_route(route.path, route.endpoint, methods=["HEAD"], include_in_schema=False)

    @app.api_route("/api/{rest:path}", methods=_METHODS, include_in_schema=False)
    @app.api_route("/media/{rest:path}", methods=_METHODS, include_in_schema=False)
    def nothing(request: Request, rest: str) -> None:
        if any(route.matches(request.scope)[0] is Match.PARTIAL for route in app.routes):  # another method's path
            allowed = {
                method
                for route in documented
                if route.matches(request.scope)[0] is not Match.NONE
                for method in route.methods or ()
            }
            allow = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
            raise Problem(405, f"{request.method} does nothing here; there is {allow}", {"Allow": allow})
        raise Problem(404, "there is nothing here; /openapi.json lists what there is")
