"""The tabs -> one Gradio page on the API: Ask, Evaluate, Library."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from page.html import asset

if TYPE_CHECKING:
    from fastapi import FastAPI

    from page.jobs import Jobs
    from retrieval.server.service import Service

# Nothing on the page may come from, or go to, another server, whatever a scraped text says. Gradio's own code needs
# inline scripts and eval.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")


def mount(app: "FastAPI", data: Path, indexes: Path, examples: Sequence[str] = ()) -> "FastAPI":
    """The page and its own addresses on the API's `app`, which answers from its `state.service`."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read at import; asks outside for nothing from then on
    import gradio as gr
    from fastapi import Request, Response

    from page import reports, routes
    from page.jobs import Jobs

    service: Service = app.state.service
    jobs = Jobs(data, indexes)
    app.include_router(routes.routes(service, app.state.queue))
    app.include_router(reports.routes(service, jobs))

    @app.middleware("http")
    async def policy(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        return response

    theme = gr.themes.Default(
        primary_hue="rose", neutral_hue="zinc", font=FONTS, font_mono=("ui-monospace", "monospace")
    ).set(  # Gradio's own are too pale to be read by everybody: 4.5 to 1 is asked (WCAG 1.4.3)
        button_primary_background_fill="#be123c",
        button_primary_background_fill_hover="#9f1239",
        button_primary_background_fill_dark="#be123c",
        link_text_color_dark="#93c5fd",
        input_placeholder_color="#52525b",
        input_placeholder_color_dark="#a1a1aa",
    )
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        tabs(service, jobs, examples),
        path="/",
        theme=theme,
        css=asset("page.css") + asset("tabs.css"),
        footer_links=[],
        run_history=False,
        max_file_size="1kb",  # the page takes no files
        show_error=False,
        ssr_mode=False,
    )
    return mounted


def tabs(service: "Service", jobs: "Jobs", examples: Sequence[str]) -> Any:
    """The Gradio blocks."""
    import gradio as gr

    from page import evaluate_tab, library_tab
    from page.routes import WELCOME
    from page.search_tab import form

    with gr.Blocks(title="TikTok-Retrieval", analytics_enabled=False) as page, gr.Tabs(elem_id="tabs"):
        with gr.Tab("Ask"):
            gr.HTML(form(examples, *WELCOME), elem_id="asking", apply_default_css=False, js_on_load=asset("page.js"))
        with gr.Tab("Evaluate"):
            evaluate_tab.add(service, jobs)
        with gr.Tab("Library"):
            library_tab.add(service, jobs)
    return page
