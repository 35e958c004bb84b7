"""One video, others like it, and removing it."""

from typing import Annotated

from fastapi import APIRouter, Query

from retrieval.server.problems import problem_responses
from retrieval.server.routes.common import MAX_PAGE, Generation, UseService
from retrieval.server.schemas import Removed, Similar, VideoDetail

router = APIRouter(responses=problem_responses(404, 422, 503))


@router.get("/api/videos/{video_id}", summary="Get a video")
def video(service: UseService, video_id: str) -> VideoDetail:
    """Return the record with its comments, each text made from its media and where that text comes from, transcript
    segments in seconds, the state of each processing stage, and the addresses of its media."""
    return service.detail(video_id)


@router.get("/api/videos/{video_id}/similar", summary="Find similar videos")
def similar(
    service: UseService,
    video_id: str,
    k: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 6,
    generation: Generation = "",
) -> Similar:
    """Return the videos whose texts are closest in meaning; `score` is the cosine similarity."""
    return Similar(hits=service.similar(video_id, k, generation or None))


@router.delete("/api/videos/{video_id}", summary="Remove a video", responses=problem_responses(403))
def remove(service: UseService, video_id: str) -> Removed:
    """Hide a video from all answers at once. After `undo_until` it is erased: its record, texts, media, judgements,
    vectors, and every generation of the index that has it. A later import does not bring it back."""
    removal = service.removing.remove(video_id)
    return Removed(video_id=video_id, undo_until=removal.undo_until)


@router.post(
    "/api/videos/{video_id}/undo",
    status_code=204,
    summary="Bring a removed video back",
    responses=problem_responses(403, 410),
)
def undo(service: UseService, video_id: str) -> None:
    """Bring a video back that was removed less than 30 seconds ago."""
    service.removing.undo(video_id)
