"""HTTP requests -> what the service gives, as JSON and media files; the page is mounted on the same app by app.py.

Every error is a problem detail (RFC 9457) that says what to do.
"""

import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

from ingest.models.weights import WeightsError
from retrieval.errors import RetrievalError
from retrieval.server.auth import Access, Guard
from retrieval.server.concurrency import Queue
from retrieval.server.metrics import Measured, Metrics
from retrieval.server.problems import Problem, _add_handlers
from retrieval.server.routes import _add_routes
from retrieval.server.service import Service

log = logging.getLogger(__name__)


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


def _warm(service: Service) -> None:
    try:
        service.searcher().search("warm")
    except (RetrievalError, WeightsError) as error:
        log.warning("%s", error)
