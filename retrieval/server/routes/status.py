"""What the server has and how it is doing: generations, counts, health, metrics."""

import logging
from typing import Literal

from fastapi import APIRouter, Response

from ingest.catalog import Catalog
from ingest.models.weights import WeightsError
from retrieval.errors import RetrievalError
from retrieval.index.layout import generation_names
from retrieval.server.health import BAD_CATALOG, NO_CATALOG, problems
from retrieval.server.metrics import CONTENT_TYPE
from retrieval.server.problems import Problem, problem_responses
from retrieval.server.routes.common import UseMetrics, UseService
from retrieval.server.schemas import EncoderSummary, Generations, Health, Stats

NO_INDEX = (
    "Not ready. Run `tiktok-retrieval import` to fill a catalog and `tiktok-retrieval build` to index it."
    " See the server log."
)
BAD_INDEX = "The index cannot answer. Run `tiktok-retrieval check` to see why, and see the server log."
log = logging.getLogger(__name__)
router = APIRouter()


@router.get("/api/generations", summary="List generations", responses=problem_responses(503))
def generations(service: UseService) -> Generations:
    """Return all finished generations of the index, newest first; one is current."""
    return Generations(generations=service.searchers.generations())


@router.get("/api/stats", summary="Get counts of the catalog", responses=problem_responses(503))
def stats(service: UseService) -> Stats:
    """Return counts of videos, texts and media, and of processing by stage and state."""
    with Catalog(service.data, read_only=True) as catalog:
        return Stats(catalog=catalog.status())


@router.get("/api/health", summary="Check that searches are answered", responses=problem_responses(503))
def health(service: UseService) -> Health:
    """Return 200 if the index has answered a question in the last seconds, else 503 with what to run.

    `problems` says what does not work although searches are answered: a full disk, a catalog that cannot be read.
    """
    try:  # anybody may call this without a token, so the answer names no folder
        searcher = service.searchers.get()
        service.trial.ask(searcher)
    except (RetrievalError, WeightsError) as error:
        log.warning("not ready: %s", error)
        raise Problem(503, BAD_INDEX if generation_names(service.indexes) else NO_INDEX) from None
    except Exception:
        log.exception("the index cannot answer")
        raise Problem(503, BAD_INDEX) from None
    manifest, found = searcher.generation.manifest, problems(service)
    status: Literal["ok", "words only", "no catalog"] = "words only" if searcher.keyword_only else "ok"
    if NO_CATALOG in found or BAD_CATALOG in found:
        status = "no catalog"
    return Health(
        status=status,
        generation=manifest.name,
        videos=manifest.videos,
        encoder=manifest.encoder,
        encoders=[EncoderSummary(**used.summary()) for used in manifest.encoders],
        problems=found,
    )


@router.get("/metrics", include_in_schema=False)
async def metrics(counters: UseMetrics) -> Response:  # in the event loop, which knows how many searches wait
    return Response(counters.text(), media_type=CONTENT_TYPE)
