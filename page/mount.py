"""The tabs -> one Gradio page on the API: Search, Evaluate, Library."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from page.html import asset
from page.static import load, preloads

if TYPE_CHECKING:
    from fastapi import FastAPI

    from page.jobs import Jobs
    from retrieval.server.service import Service

# The page may not load from or send to another server, whatever a scraped text says. Gradio's code needs inline scripts
# and eval.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
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
    from fastapi import Request, Response

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

    @app.middleware("http")
    async def policy(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        return response

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
    return mounted


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
