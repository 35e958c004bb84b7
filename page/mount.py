"""The tabs -> one Gradio page on the API: Search, Evaluate, Library."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.routing import Mount, compile_path

from page.html import asset
from page.static import load, preloads
from retrieval.server.headers import WithHeaders

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

    from page.jobs import Jobs
    from retrieval.server.service import Service

# The page may not load from or send to another server, whatever a scraped text says. Gradio's code needs inline scripts
# and eval.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
# What the page asks Gradio for. Everything else that Gradio serves, such as uploads, files and its own tools, is a 404.
GRADIO_PATHS = (
    "/",
    "/assets/{path:path}",
    "/config",
    "/favicon.ico",
    "/gradio_api/app_id",  # after a restart of the server
    "/gradio_api/heartbeat/{session_hash}",
    "/gradio_api/queue/data",
    "/gradio_api/queue/join",
    "/manifest.json",
    "/robots.txt",
    "/static/{path:path}",
    "/theme.css",
)
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")


def mount(
    app: "FastAPI", data: Path, indexes: Path, examples: Sequence[str] = (), *, base: str = "", switch: str = ""
) -> "FastAPI":
    """Mount the page and its routes on the API's `app`, whose `state.service` answers.

    Args:
        base: the path that the page is served below, such as /corpus/study.
        switch: the switch between several corpora (HTML).
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read at import; no requests to other servers from then on
    import gradio as gr

    from page import add_routes, reports, routes, static
    from page.adding import Additions
    from page.jobs import Jobs
    from page.uploads import Uploads

    service: Service = app.state.service
    jobs, uploads = Jobs(data, indexes), Uploads(data)
    uploads.sweep()
    app.include_router(routes.routes(service, app.state.queue))
    app.include_router(reports.routes(service, jobs))
    app.include_router(add_routes.routes(uploads, Additions(jobs, uploads)))
    app.include_router(static.routes())

    app.add_middleware(WithHeaders, headers={"Content-Security-Policy": PAGE_POLICY})

    theme = gr.themes.Default(
        primary_hue="rose", neutral_hue="zinc", font=FONTS, font_mono=("ui-monospace", "monospace")
    ).set(  # Gradio's own colours have less contrast than 4.5 to 1 (WCAG 1.4.3)
        button_primary_background_fill="#be123c",
        button_primary_background_fill_hover="#9f1239",
        button_primary_background_fill_dark="#be123c",
        link_text_color_dark="#93c5fd",
        input_placeholder_color="#52525b",
        input_placeholder_color_dark="#a1a1aa",
    )
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        tabs(service, jobs, examples, switch),
        path="/",
        root_path=base or None,
        theme=theme,
        css=asset("page.css") + asset("tabs.css") + asset("add.css"),
        head=preloads(),
        footer_links=[],
        run_history=False,
        max_file_size="1kb",  # files come in through page/uploads.py alone
        show_error=False,
        ssr_mode=False,
    )
    route = mounted.router.routes[-1]
    if not isinstance(route, Mount):
        raise TypeError(f"Gradio has added {route!r}, which cannot be limited to the addresses of the page")
    route.app = OnlyPaths(route.app, GRADIO_PATHS)
    return mounted


class OnlyPaths:
    """ASGI middleware that passes on requests for some paths and answers 404 to all others."""

    def __init__(self, app: "ASGIApp", paths: Sequence[str]) -> None:
        self._app, self._patterns = app, [compile_path(path)[0] for path in paths]

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] == "http" and not any(pattern.match(path) for pattern in self._patterns):
            raise HTTPException(404, "Not found.")
        await self._app(scope, receive, send)


def tabs(service: "Service", jobs: "Jobs", examples: Sequence[str], switch: str = "") -> Any:
    """Return the page as Gradio blocks, with the switch between several corpora (HTML) above it, if there is one."""
    import gradio as gr

    from page import evaluate_tab, library_tab
    from page.add_dialog import header
    from page.routes import WELCOME
    from page.search_tab import search_tab
    from page.uploads import Limits

    with gr.Blocks(title="TikTok-Retrieval", analytics_enabled=False) as page:
        if switch:
            gr.HTML(switch, elem_id="corpora", apply_default_css=False, js_on_load=load("corpora.js"))
        gr.HTML(header(Limits()), elem_id="adding", apply_default_css=False, js_on_load=load("add.js"))
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Search"):
                gr.HTML(
                    search_tab(examples, *WELCOME),
                    elem_id="search",
                    apply_default_css=False,
                    js_on_load=load("main.js"),
                )
            with gr.Tab("Evaluate"):
                evaluate_tab.add(service, jobs)
            with gr.Tab("Library"):
                library_tab.add(service, jobs)
    return page
