"""The media files of a video."""

import pathlib
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse

from retrieval.server.media import MADE_HEADERS, MEDIA_HEADERS, readable_ranges
from retrieval.server.problems import Problem, problem_responses
from retrieval.server.routes.common import UseService

SHA256 = "^[0-9a-f]{64}$"
router = APIRouter()
Version = Annotated[str, Query(max_length=16, description="Changes with the file; it is not looked at.")]
_PARTIAL: dict[int | str, dict[str, Any]] = {
    206: {"description": "The bytes that Range asks for"},
    304: {"description": "The file is still what If-None-Match names"},
}


def _made(path: pathlib.Path | None) -> Response:
    if path is None:
        raise Problem(404, "There is no such picture of this video.")
    return FileResponse(path, media_type="image/webp", headers=MADE_HEADERS)


@router.get(
    "/media/{video_id}/thumbnail",
    summary="Get a small picture of a video",
    response_class=Response,
    responses=problem_responses(404, 422),
)
def thumbnail(service: UseService, video_id: str, v: Version = "") -> Response:
    """Return the cover, a slide or a frame as WebP, at most 270 by 480 pixels. It is made once."""
    return _made(service.thumbnails.thumbnail(service.entry(video_id)))


@router.get(
    "/media/{video_id}/frames",
    summary="Get frames of a video",
    response_class=Response,
    responses=problem_responses(404, 422),
)
def frames(service: UseService, video_id: str, v: Version = "") -> Response:
    """Return up to 8 frames of a kept video as one WebP, next to each other in cells of the same size. A video's
    `frame_times` are their seconds. It is made once."""
    length = service.summary(video_id).duration_s
    return _made(service.thumbnails.strip(service.entry(video_id), length) if length else None)


@router.get(
    "/media/{video_id}/seen/{sha256}",
    summary="Get a picture that was found",
    response_class=Response,
    responses=problem_responses(404, 422),
)
def seen(service: UseService, video_id: str, sha256: Annotated[str, Path(pattern=SHA256)]) -> Response:
    """Return a picture of what a video shows as WebP, at most 480 by 480 pixels. A reason of `seen` names it."""
    webp = service.picture(video_id, sha256)
    if webp is None:
        raise Problem(404, "There is no such picture of this video.")
    return Response(webp, media_type="image/webp", headers=MADE_HEADERS)


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
