"""The media files of a video."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from retrieval.server.media import MEDIA_HEADERS, readable_ranges
from retrieval.server.problems import Problem, problem_responses
from retrieval.server.routes.common import UseService

router = APIRouter()
_PARTIAL: dict[int | str, dict[str, Any]] = {
    206: {"description": "The bytes that Range asks for"},
    304: {"description": "The file is still what If-None-Match names"},
}


@router.get(
    "/media/{video_id}/{kind}",
    summary="Get a file of a video",
    response_class=Response,
    responses={**_PARTIAL, **problem_responses(404, 416, 422)},
)
def media(
    service: UseService, request: Request, video_id: str, kind: str, n: Annotated[int, Query(ge=0)] = 0
) -> Response:
    """Return a cover, video or slide (`n` is the number of the slide, from 0). Answers Range and If-None-Match."""
    entry = service.entry(video_id)
    wanted = next((media for media in entry.media if (media.kind, media.position) == (kind, n)), None)
    if not (wanted and (found := service.media.servable(wanted))):
        raise Problem(404, "This video has no such file.")
    path, content_type = found
    stat = path.stat()
    if "range" in request.headers:  # Starlette would refuse a malformed one, which must be ignored
        ranges = readable_ranges(request.headers["range"], stat.st_size)
        rest = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
        request.scope["headers"] = rest + ([(b"range", ranges.encode())] if ranges else [])
    file = FileResponse(path, media_type=content_type, headers=MEDIA_HEADERS, stat_result=stat)
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if known & {file.headers["etag"], "*"}:
        return Response(status_code=304, headers={**MEDIA_HEADERS, "ETag": file.headers["etag"]})
    return file
