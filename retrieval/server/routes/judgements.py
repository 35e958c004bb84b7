"""Relevance judgements: list, add, delete, and export as a query file."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from ingest.catalog.judgements import Judgement
from retrieval.server.problems import Problem, problem_responses
from retrieval.server.routes.common import MAX_OFFSET, UseService
from retrieval.server.schemas import NewJudgement

router = APIRouter()


@router.get("/api/judgements", summary="List relevance judgements", responses=problem_responses(422, 503))
def judgements(
    service: UseService,
    k: Annotated[int, Query(ge=1, le=1_000)] = 100,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
) -> list[Judgement]:
    """Return queries and the videos that are relevant for them, newest first."""
    return service.judgements(k, offset)


@router.get("/api/judgements/queries", summary="Export judgements as a query file", responses=problem_responses(503))
def judgement_queries(service: UseService) -> list[dict[str, object]]:
    """Return what `tiktok-retrieval evaluate --queries` and `compare --queries` read: each query with its videos."""
    return service.judgement_queries()


@router.post(
    "/api/judgements",
    status_code=201,
    summary="Add a relevance judgement",
    responses=problem_responses(400, 403, 404, 413, 422, 503),
)
def judge(service: UseService, judgement: NewJudgement) -> Judgement:
    """Store that a video is relevant for a query. A second judgement of both replaces the timestamp."""
    return service.judge(judgement.query, judgement.video_id, judgement.time_s, judgement.generation)


@router.delete(
    "/api/judgements/{number}",
    status_code=204,
    summary="Delete a relevance judgement",
    responses=problem_responses(403, 404, 422, 503),
)
def delete_judgement(service: UseService, number: Annotated[int, Path(ge=1, le=2**62)]) -> None:
    """Delete a judgement."""
    if not service.delete_judgement(number):
        raise Problem(404, "No judgement has this number.")
