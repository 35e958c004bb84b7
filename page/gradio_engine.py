"""The page's questions -> answers in HTML, through Gradio in its server mode: its engine behind a document of our own.

Gradio's own document loads some ninety files and needs scripts that a content security policy should forbid.
"""

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Mount

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATH = "/gradio"
ANSWER = "/gradio_api/run/answer"  # below PATH. Everything else that Gradio serves, such as uploads, is a 404.


def mount(app: "FastAPI", answer: Callable[[dict[str, str]], Awaitable[str]]) -> None:
    """Mount the address that the page asks.

    Args:
        answer: takes the settings of a search, by their names in the page's address, and returns HTML.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read at import; no requests to other servers from then on
    import gradio as gr
    from gradio.events import api

    with gr.Blocks(mode="server", analytics_enabled=False) as blocks:
        # Searches have a queue of their own, which the API shares.
        api(answer, api_name="answer", queue=False, concurrency_limit=None, api_visibility="undocumented")
    gr.mount_gradio_app(
        app,
        blocks,
        path=PATH,
        footer_links=[],
        run_history=False,
        max_file_size="1kb",
        show_error=False,
        ssr_mode=False,
    )
    route = app.router.routes[-1]
    if not isinstance(route, Mount):
        raise TypeError(f"Gradio has added {route!r}, which cannot be limited to the address of the page")
    route.app = _OnlyAnswers(route.app)


class _Question(BaseModel):
    """What the page sends: the settings of one search.

    Gradio knows more: it copies files of this machine, and of other servers, that a request describes.
    """

    model_config = ConfigDict(extra="forbid")

    data: tuple[dict[str, str]]


class _OnlyAnswers:
    """ASGI middleware that passes on questions. To other addresses it answers 404, to other requests 405 or 422."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or path != ANSWER:
            raise HTTPException(404, "Not found.")
        if scope["method"] != "POST":
            raise HTTPException(405, "Send a question with POST.", headers={"Allow": "POST"})
        body = await Request(scope, receive).body()
        try:
            _Question.model_validate_json(body)
        except ValidationError:
            raise HTTPException(422, 'Send {"data": [{"q": "..."}]}: the settings of one search, as texts.') from None
        await self._app(scope, _with_body(body, receive), send)


def _with_body(body: bytes, receive: "Receive") -> "Receive":
    """Return what receives a body that has been read already, and then what comes after it."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> "Message":
        return left.pop() if left else await receive()

    return again
