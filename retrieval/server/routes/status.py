"""What the server has and how it is doing: generations, counts, health, metrics."""

import logging
from typing import Literal

from fastapi import APIRouter, Response

from ingest.catalog import Catalog, CatalogError
from ingest.models.weights import WeightsError
from retrieval.errors import RetrievalError
from retrieval.server.metrics import CONTENT_TYPE
from retrieval.server.problems import Problem, problem_responses
from retrieval.server.routes.common import UseMetrics, UseService
from retrieval.server.schemas import Generations, Health, Stats

log = logging.getLogger(__name__)
router = APIRouter()


@router.get("/api/generations", summary="List generations", responses=problem_responses(503))
def generations(service: UseService) -> Generations:
    """Return all finished generations of the index, newest first; one is current."""
    return Generations(generations=service.searchers.generations())


@router.get("/api/stats", summary="Get counts of the catalog", responses=problem_responses(503))
def stats(service: UseService) -> Stats:
    """Return counts of videos, texts and media, and of processing by stage and state."""
    with Catalog(service.data) as catalog:
        return Stats(catalog=catalog.status())


@router.get("/api/health", summary="Check that searches are answered", responses=problem_responses(503))
def health(service: UseService) -> Health:
    """Return 200 if a generation and the catalog can answer, else 503 with what to run."""
    try:
        searcher = service.searchers.get()
        Catalog(service.data).close()
    except (RetrievalError, CatalogError, WeightsError) as error:
        log.warning("not ready: %s", error)
        raise Problem(  # anybody may call this without a token, so it names no folder
            503,
            "Not ready. Run `tiktok-retrieval import` to fill a catalog and `tiktok-retrieval build` to index it."
            " See the server log.",
        ) from None
    manifest = searcher.generation.manifest
    status: Literal["ok", "words only"] = "words only" if searcher.keyword_only else "ok"
    return Health(status=status, generation=manifest.name, videos=manifest.videos, encoder=manifest.encoder)


@router.get("/metrics", include_in_schema=False)
async def metrics(counters: UseMetrics) -> Response:  # in the event loop, which knows how many searches wait
    return Response(counters.text(), media_type=CONTENT_TYPE)
