"""HTTP requests -> what the service gives, as JSON and media files; the page is mounted on the same app by app.py.

Every error is a problem detail (RFC 9457) that says what to do.
"""

import json
import logging
import re
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Match

from ingest.catalog.judgements import Judgement, NoSuchVideo
from ingest.catalog.store import Catalog, CatalogError
from ingest.models.weights import WeightsError
from retrieval.errors import RetrievalError
from retrieval.index.documents import FIELDS
from retrieval.search.fusion import Lane, Method
from retrieval.search.query import filters
from retrieval.search.searcher import MAX_QUERY_CHARS
from retrieval.server.auth import Access, Guard
from retrieval.server.concurrency import RETRY_S, Busy, Queue
from retrieval.server.metrics import CONTENT_TYPE, Measured, Metrics
from retrieval.server.service import (
    FoundHit,
    GenerationSummary,
    SearchAnswer,
    Service,
    Suggestion,
    UnknownGeneration,
    UnknownVideo,
    VideoDetail,
)
from scraper.records import clean_text

log = logging.getLogger(__name__)

MAX_PAGE = 100  # hits an answer; who wants more asks again with an offset
MAX_OFFSET = 1_000_000
MAX_FILTER_CHARS = 200  # names and hashtags on the site are shorter
MAX_WEIGHT = 5.0  # five times its usual share lets a field outvote all others
MAX_RANGES = 8  # of a file in one request; browsers ask for one
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
_RANGE = re.compile(r"[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18}")
MEDIA_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",  # kept by the browser, asked about each time: a file may be fetched anew
}


class Health(BaseModel):
    """What answers now; `status` is "words only" while the encoder cannot be had."""

    status: Literal["ok", "words only"] = "ok"
    generation: str
    videos: int
    encoder: str


class ProblemDetails(BaseModel):
    """An error after RFC 9457; `detail` says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Similar(BaseModel):
    """The videos most like one, the nearest first."""

    hits: list[FoundHit]


class Suggestions(BaseModel):
    """How a question may go on."""

    suggestions: list[Suggestion]


class Generations(BaseModel):
    """All that can be asked."""

    generations: list[GenerationSummary]


class Stats(BaseModel):
    """What the catalogue holds, as `python -m ingest status --json` says it."""

    catalog: dict[str, Any]


def _asked(query: str) -> str:
    if not clean_text(" ".join(query.split())).strip("\N{REPLACEMENT CHARACTER} "):  # control characters are nothing
        raise ValueError("there is nothing in it")
    return query


class NewJudgement(BaseModel):
    """That a question was about a video."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"query": "bread that sounds hollow", "video_id": "71000000000000001"}]},
    )

    query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS), AfterValidator(_asked)]
    video_id: str = Field(pattern=r"^[0-9]{5,25}$")
    time_s: float | None = Field(None, ge=0, le=1e6, description="the moment in the video that was meant, in seconds")
    generation: str = Field(
        "",
        max_length=MAX_FILTER_CHARS,
        pattern=r"^[0-9A-Za-z_.-]*$",
        description="that answered; the current one if not named",
    )


class Problem(Exception):
    """A request that cannot be answered, with the HTTP status that says why."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


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


def readable_ranges(wanted: str, size: int) -> str | None:
    """A Range header of a file of `size` bytes with those of its ranges that the file has, each with both ends; None
    where it is to be passed over: of another unit, malformed, or of more than MAX_RANGES (RFC 9110, 14.2).

    Raises:
        Problem: 416, the file has none of them.
    """
    unit, _, listed = wanted.partition("=")
    parts = [part.strip() for part in listed.split(",")]
    if unit.strip().lower() != "bytes" or len(parts) > MAX_RANGES or not all(map(_RANGE.fullmatch, parts)):
        return None
    ranges = []
    for part in parts:
        first, _, last = part.partition("-")
        if first and last and int(last) < int(first):
            return None
        start = int(first) if first else max(0, size - int(last))
        end = min(int(last), size - 1) if first and last else size - 1
        if start <= end:
            ranges.append(f"{start}-{end}")
    if not ranges:
        raise Problem(416, f"the file has {size} bytes and none of these", {"Content-Range": f"bytes */{size}"})
    return f"bytes={','.join(ranges)}"


def create_app(
    data: Path, indexes: Path, access: Access | None = None, origins: Sequence[str] = (), queue: Queue | None = None
) -> FastAPI:
    """The API over a data folder and its indexes; the page is mounted on it by app.py.

    Args:
        access: what a request must bring; nothing where it is not given.
        origins: other sites whose pages may ask (CORS); none unless named.
    """
    service, queue = Service(data, indexes), queue or Queue()
    metrics = Metrics(service, queue)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # beside the start, not before it: the page is up while the encoder still loads
        threading.Thread(target=_warm, args=(service,), daemon=True).start()
        yield

    app = FastAPI(
        title="TikTok-Retrieval",
        summary="Known-item search for short videos: the video, the second inside it, and the reason.",
        version="1",
        lifespan=lifespan,
        dependencies=[Depends(_only_known_parameters)],
        docs_url=None,  # FastAPI's own pages load their scripts from elsewhere; /openapi.json is all here
        redoc_url=None,
    )
    app.state.service, app.state.queue = service, queue
    _add_handlers(app)
    _add_routes(app, service, queue, metrics)
    # the last one added is the first that a request meets
    app.add_middleware(Guard, access=access or Access())
    app.add_middleware(Measured, metrics=metrics)
    # Where no origin is named, too: Gradio lets in others by rules of its own where it finds none of these. It comes
    # first, for a browser asks without a token whether it may ask with one.
    app.add_middleware(
        CORSMiddleware, allow_origins=list(origins), allow_methods=["GET"], allow_headers=["Authorization"]
    )
    return app


def _only_known_parameters(request: Request) -> None:
    """Refuse a parameter that would be passed over: who writes `weights` for `w` gets no answer without weights.

    Raises:
        Problem: 422.
    """
    route = request.scope["route"]
    if isinstance(route, APIRoute) and route.include_in_schema:
        known = [parameter.alias for parameter in route.dependant.query_params]
        if unknown := set(request.query_params) - set(known):
            there = f"there is {', '.join(known)}" if known else "there are none here"
            raise Problem(422, f"{min(unknown)[:40]!r} is no parameter; {there}")


def _filter(description: str) -> Any:
    return Query(max_length=MAX_FILTER_CHARS, description=description)


def _warm(service: Service) -> None:
    try:
        service.searcher().search("warm")
    except (RetrievalError, WeightsError) as error:
        log.warning("%s", error)


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


def _add_handlers(app: FastAPI) -> None:
    def answer(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
        problem = ProblemDetails(title=HTTPStatus(status).phrase, status=status, detail=detail)
        return JSONResponse(problem.model_dump(), status, headers, media_type="application/problem+json")

    @app.exception_handler(Problem)
    def refused(_: Request, problem: Problem) -> JSONResponse:
        return answer(problem.status, problem.detail, problem.headers)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        def where(loc: Sequence[str | int]) -> str:  # ("query", "k"), ("body", "video_id"), ("body", 1) of broken JSON
            return ".".join(name for name in loc[1:] if isinstance(name, str)) or str(loc[0])

        return answer(422, "; ".join(f"{where(part['loc'])}: {part['msg']}" for part in error.errors()))

    @app.exception_handler(HTTPException)
    def http(_: Request, error: HTTPException) -> JSONResponse:
        return answer(error.status_code, error.detail, dict(error.headers or {}))

    @app.exception_handler(UnknownGeneration)
    @app.exception_handler(NoSuchVideo)
    @app.exception_handler(UnknownVideo)
    def unknown(_: Request, error: Exception) -> JSONResponse:
        return answer(404, str(error))

    @app.exception_handler(RetrievalError)
    @app.exception_handler(CatalogError)
    @app.exception_handler(WeightsError)
    def unready(_: Request, error: Exception) -> JSONResponse:
        return answer(503, str(error))

    @app.exception_handler(Busy)
    def busy(_: Request, error: Busy) -> JSONResponse:
        return answer(503, str(error), {"Retry-After": str(RETRY_S)})

    @app.exception_handler(Exception)
    def broken(_: Request, error: Exception) -> JSONResponse:
        return answer(500, "this is a fault of the program; its log says more")
