"""The routes behind “Add videos”: receive files, start and stop additions, say how far they are."""

import re
from pathlib import Path
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect

from page.add_status import brief, status_html
from page.adding import LINKS, Additions
from page.jobs import JobError, typed_path
from page.uploads import Uploads
from retrieval.server.auth import STREAMED
from retrieval.server.problems import Problem

MAX_LINKS = 1_000  # typed or pasted; more come as a file
MAX_LINK_CHARS = 2_000
_LINK = re.compile(r"(?:https?://)?(?:[a-z0-9-]{1,63}\.){0,3}tiktokv?\.(?:com|us|eu)/\S+", re.IGNORECASE)


class ToAdd(BaseModel):
    """What to add: an upload, links as somebody pasted them, or a path on the server."""

    model_config = ConfigDict(extra="forbid")

    upload: str = Field("", max_length=32)
    links: str = Field("", max_length=60_000)
    path: str = Field("", max_length=4_000)


def links_in(pasted: str) -> list[str]:
    """Return the links in a text that somebody pasted, each once.

    Raises:
        Problem: 422, there are none, too many, or one that does not lead to the site.
    """
    words = [word.strip("<>\"'()[]") for word in re.split(r"[\s,;]+", pasted)]
    links = list(dict.fromkeys(word for word in words if word))
    if not links:
        raise Problem(422, "Paste at least one link.")
    if len(links) > MAX_LINKS:
        raise Problem(422, f"Paste at most {MAX_LINKS:,} links, or save them as a .txt file and add that.")
    for link in links:
        if len(link) > MAX_LINK_CHARS or not _LINK.fullmatch(link):
            raise Problem(422, f"“{link[:80]}” is not a link to TikTok. A link looks like https://www.tiktok.com/@…")
    return [link if "://" in link else f"https://{link}" for link in links]


def routes(uploads: Uploads, additions: Additions) -> APIRouter:
    """Return the routes; to include before the page is mounted."""
    router = APIRouter(include_in_schema=False)

    @router.post(STREAMED, status_code=201)
    def open_upload() -> dict[str, Any]:
        return {"id": uploads.open(), "free": uploads.free_bytes()}

    @router.put(STREAMED + "/{upload_id}/file", status_code=201)
    async def receive(
        request: Request,
        upload_id: str,
        name: Annotated[str, Query(max_length=4_000)],
        modified: Annotated[float, Query(ge=0, le=4e12)] = 0,
    ) -> Response:
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            raise Problem(411, "An upload needs a Content-Length.")
        if upload_id in additions.in_use():
            raise Problem(409, "These files are being added already. Start another upload.")
        try:
            await uploads.receive(upload_id, name, int(length), request.stream(), modified / 1000)
        except ClientDisconnect:
            return Response(status_code=400)
        return Response(status_code=201)

    @router.delete(STREAMED + "/{upload_id}", status_code=204)
    def delete(upload_id: str) -> None:
        if upload_id in additions.in_use():
            raise Problem(409, "These files are being added. Stop that first.")
        uploads.delete(upload_id)

    def start_new(title: str, path: Path | None) -> str:
        upload_id = uploads.open()
        try:
            return additions.start(upload_id, title, path).id
        except Problem:
            uploads.delete(upload_id)
            raise

    @router.post("/page/add", status_code=202)
    def add(wanted: Annotated[ToAdd, Body()]) -> dict[str, str]:
        if wanted.path:
            try:
                path: Path | None = typed_path(wanted.path, "a file or folder")
            except JobError as error:
                raise Problem(422, str(error)) from error
            return {"id": start_new(f"Add {wanted.path.strip()[:100]}", path)}
        if wanted.upload and (before := additions.path_of(wanted.upload)):  # it was stopped, and continues
            return {"id": additions.start(wanted.upload, f"Add {before}", before).id}
        links = links_in(wanted.links) if wanted.links.strip() or not wanted.upload else []
        upload_id = wanted.upload or uploads.open()
        if links:
            uploads.put_text(upload_id, LINKS, "\n".join(links))
        count = uploads.count(upload_id)
        if not count:
            raise Problem(422, "No file has arrived that can be added.")
        what = f"{len(links):,} link" if links else f"{count:,} file"
        number = len(links) or count
        return {"id": additions.start(upload_id, f"Add {what}{'' if number == 1 else 's'}").id}

    @router.delete("/page/add/{upload_id}", status_code=204)
    def stop(upload_id: str) -> None:
        additions.stop(upload_id)

    @router.get("/page/add")
    async def status() -> dict[str, Any]:
        def read() -> dict[str, Any]:
            shown = additions.shown()
            left = uploads.left([addition.id for addition in shown])
            busy = bool(additions.in_use())
            return {"busy": busy, "brief": brief(shown), "html": status_html(shown, left)}

        return await to_thread.run_sync(read)

    return router
