"""Pictures that somebody searches by: sent, shown again, forgotten."""

from typing import Annotated, Any

from anyio import fail_after, to_thread
from fastapi import APIRouter, Path, Request, Response
from starlette.requests import ClientDisconnect

from retrieval.errors import NoVision
from retrieval.server.auth import MAX_PICTURE, PICTURES
from retrieval.server.concurrency import Overloaded
from retrieval.server.media import MEDIA_HEADERS
from retrieval.server.problems import Problem, problem_responses
from retrieval.server.routes.common import UseService
from retrieval.server.schemas import AskedPicture

AT_ONCE = 4  # pictures that arrive or are read; they are in memory
ARRIVES_S = 120.0
PRIVATE = MEDIA_HEADERS | {"Cache-Control": "no-store"}
PictureId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"A picture file, at most {MAX_PICTURE >> 20} MB and 40 megapixels.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
router = APIRouter()
_arriving: set[Request] = set()


@router.post(
    PICTURES,
    status_code=201,
    summary="Send a picture to search by",
    responses=problem_responses(400, 403, 408, 409, 413, 422, 503),
    openapi_extra=_BODY,
)
async def send(service: UseService, request: Request) -> AskedPicture:
    """Take a picture, such as a screenshot, and read the words in it. Give its `id` to a search as `picture`. It is
    read in a separate process, and kept small and in memory only: for an hour since the last search by it."""
    if (await to_thread.run_sync(service.searchers.get)).vision is None:
        raise NoVision("")
    if len(_arriving) >= AT_ONCE:
        raise Overloaded("Several pictures are being read. Try again in a few seconds.")
    _arriving.add(request)
    try:
        content = await _received(request)
        kept = await to_thread.run_sync(service.seen_pictures.asked.add, content)
    finally:
        _arriving.discard(request)
    return AskedPicture(id=kept.id, words=list(kept.words), thumbnail_url=service.media.asked_url(kept.id))


@router.get(
    f"{PICTURES}/{{picture_id}}",
    summary="Get a picture that is searched by",
    response_class=Response,
    responses={200: {"description": "The picture", "content": {"image/webp": {}}}, **problem_responses(404, 422)},
)
def shown(service: UseService, picture_id: PictureId) -> Response:
    """Return the picture as WebP, at most 480 by 480 pixels."""
    return Response(service.seen_pictures.asked.get(picture_id).webp, media_type="image/webp", headers=PRIVATE)


@router.delete(
    f"{PICTURES}/{{picture_id}}",
    status_code=204,
    summary="Forget a picture",
    responses=problem_responses(403, 422),
)
def forget(service: UseService, picture_id: PictureId) -> None:
    """Forget a picture before its hour is over."""
    service.seen_pictures.asked.forget(picture_id)


async def _received(request: Request) -> bytes:
    """Return the body of a request.

    Raises:
        Problem: 408, it takes too long; 413, it is longer than it said; 422, it is empty.
    """
    content = bytearray()
    try:
        with fail_after(ARRIVES_S):
            async for chunk in request.stream():
                content += chunk
                if len(content) > MAX_PICTURE:
                    raise Problem(413, f"A picture may have {MAX_PICTURE:,} bytes.")
    except TimeoutError:
        raise Problem(408, f"The picture has not arrived within {ARRIVES_S:g} seconds.") from None
    except ClientDisconnect:
        raise Problem(400, "The picture has not arrived.") from None
    if not content:
        raise Problem(422, "Send a picture as the body of the request.")
    return bytes(content)
