"""The API as one application: HTTP requests -> JSON and media files. app.py mounts the page on it.

Every error is a problem detail (RFC 9457) that says what to do.
"""

import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from ingest.models.weights import WeightsError
from ingest.text.known_words import is_known
from retrieval.cluster.front import Shards
from retrieval.errors import RetrievalError
from retrieval.search.encoders import SharedEncoders
from retrieval.server.auth import Access, Guard
from retrieval.server.concurrency import Queue
from retrieval.server.headers import WithHeaders
from retrieval.server.local_answers import LocalAnswers
from retrieval.server.metrics import Measured, Metrics
from retrieval.server.problems import add_handlers
from retrieval.server.routes import export, fallback, judgements, library, media, pictures, search, status, videos
from retrieval.server.service import Service

log = logging.getLogger(__name__)


def create_app(
    data: Path,
    indexes: Path,
    access: Access | None = None,
    origins: Sequence[str] = (),
    queue: Queue | None = None,
    *,
    base: str = "",
    shared: SharedEncoders | None = None,
    local_answers: bool = False,
    follow: bool = True,
    shards: Shards | None = None,
) -> FastAPI:
    """Return the API over a data folder and its indexes.

    Args:
        access: what a request must bring; nothing by default.
        origins: other sites whose pages may ask (CORS); none by default.
        queue: of the searches; several corpora may have one.
        base: the path that this is served below, such as /corpus/study.
        shared: encoders that other corpora use as well.
        local_answers: whether `tiktok-retrieval search` of the same user on this machine may ask this server.
        follow: whether the index follows the catalog by itself.
        shards: what scores the videos, if the index is on several machines.
    """
    queue = queue or Queue()
    metrics = Metrics(waiting=lambda: queue.waiting, videos=lambda: service.searchers.answering_videos())
    service = Service(data, indexes, on_search=metrics.search, base=base, shared=shared, shards=shards)
    local = LocalAnswers(service) if local_answers else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # in the background, so that the page is up while the encoder still loads
        threading.Thread(target=_warm_up, args=(service,), daemon=True).start()
        service.eraser.start()
        if local:
            local.start()
        if follow:
            service.updater.start()
        yield
        if local:
            local.stop()
        service.eraser.stop()
        service.updater.stop()
        service.thumbnails.stop()
        service.seen_pictures.asked.stop()

    app = FastAPI(
        title="TikTok-Retrieval",
        summary="Known-item search for short videos: the video, the timestamp in it, and the reason.",
        version="1",
        lifespan=lifespan,
        dependencies=[Depends(fallback.only_known_parameters)],
        docs_url=None,  # FastAPI's pages load scripts from another server; /openapi.json has everything
        redoc_url=None,
        redirect_slashes=False,  # they would lead to the name that this server has for a proxy
        middleware=[  # the first one sees a request first
            Middleware(WithHeaders),
            # before the guard, because a browser asks without a token whether it may ask with one
            Middleware(
                CORSMiddleware, allow_origins=list(origins), allow_methods=["GET"], allow_headers=["Authorization"]
            ),
            Middleware(Measured, metrics=metrics),
            Middleware(Guard, access=access or Access()),
        ],
    )
    app.state.service, app.state.queue, app.state.metrics = service, queue, metrics
    add_handlers(app)
    parts = (search, pictures, export, videos, library, judgements, status, media)
    routers = [part.router for part in parts]
    for router in (*routers, fallback.head(routers), fallback.not_found(routers)):
        app.include_router(router)
    return app


def _warm_up(service: Service) -> None:
    try:
        searcher = service.searchers.get()
        searcher.search("warm")
        # reads the lists of words that a misspelt word is looked up in
        is_known("warm", searcher.generation.keyword["stems"].common_languages | {"en"})
    except (RetrievalError, WeightsError) as error:
        log.warning("%s", error)
