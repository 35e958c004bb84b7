"""The page -> routes on the API: the document, its script and style, and what its tabs ask for."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from page import add_routes, bundle, docs, evaluate_tab, gradio_engine, job_panel, library_tab, reports, routes, shell
from page.adding import Additions
from page.jobs import Jobs
from page.uploads import Uploads
from retrieval.server.headers import WithHeaders
from retrieval.server.problems import http_error

if TYPE_CHECKING:
    from fastapi import FastAPI

    from retrieval.server.service import Service

NO_STORE = {"Cache-Control": "no-cache"}  # the document names the versions of script and style


def mount(
    app: "FastAPI", data: Path, indexes: Path, examples: Sequence[str] = (), *, base: str = "", switch: str = ""
) -> "FastAPI":
    """Mount the page and its routes on the API's `app`, whose `state.service` answers.

    Args:
        base: the path that the page is served below, such as /corpus/study.
        switch: the switch between several corpora (HTML).
    """
    service: Service = app.state.service
    jobs, uploads = Jobs(data, indexes), Uploads(data)
    uploads.sweep()
    for router in (
        _document(examples, switch),
        bundle.routes(),
        docs.routes(),
        routes.routes(service, app.state.queue),
        library_tab.routes(service, jobs),
        evaluate_tab.routes(service, jobs),
        job_panel.routes(jobs),
        reports.routes(service, jobs),
        add_routes.routes(uploads, Additions(jobs, uploads)),
    ):
        app.include_router(router)
    gradio_engine.mount(app, routes.answers(service, app.state.queue))
    _explain_wrong_addresses(app, base)
    app.add_middleware(WithHeaders, headers={"Content-Security-Policy": shell.POLICY})
    return app


def _document(examples: Sequence[str], switch: str) -> APIRouter:
    router, html = (
        APIRouter(include_in_schema=False),
        shell.page(examples, routes.WELCOME, switch, has_docs=bool(docs.files())),
    )

    @router.api_route("/", methods=["GET", "HEAD"])
    def document() -> HTMLResponse:
        return HTMLResponse(html, headers=NO_STORE)

    return router


def _explain_wrong_addresses(app: "FastAPI", base: str) -> None:
    """Answer a person who follows a wrong address with a page; programs get a problem detail as before."""

    async def lost(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        wants_page = request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")
        if error.status_code == 404 and wants_page:
            return HTMLResponse(shell.not_found(f"{base}/"), 404)
        return http_error(request, error)

    app.exception_handler(HTTPException)(lost)
