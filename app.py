"""Answers -> a page: a question box, weights and result cards on top of the API. Run `python app.py --help`.

Every scraped character goes through `text()`, which escapes it; nothing else may put scraped text into the page.
"""

import json
import logging
import os
import re
import sys
import threading
import webbrowser
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ingest.settings import Settings

if TYPE_CHECKING:
    import gradio as gr
    from fastapi import FastAPI

    from retrieval.search import Reason
    from retrieval.service import FoundHit, SearchAnswer, Service, VideoSummary

PAGE_HITS = 10
EXCERPT_CHARS = 200  # about three lines of a card: enough to recognise a moment
MAX_EXAMPLES = 6
LOCAL, PORT = "127.0.0.1", 7860
FIELD_NAMES = {
    "description": "Description",
    "creator": "Creator",
    "music": "Music",
    "cover": "On the cover",
    "transcript": "Said",
    "comments": "Comments",
    "overview": "Whole video",
}
LANES = (("Both", "hybrid"), ("Meaning", "dense"), ("Words", "keyword"))
LANE_NAMES = {"dense": "meaning", "keyword": "words"}
# by their names in the API: what stands on the page, and an example
FILTERS = {
    "creator": ("Creator", "crumb.and.crust"),
    "tag": ("Hashtag", "baking"),
    "lang": ("Language", "en"),
    "after": ("Posted from", "2022-03"),
    "before": ("Posted before", "2023"),
}
# Nothing on the page may come from, or go to, another server, whatever a scraped text says. Gradio's own code needs
# inline scripts and eval.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
log = logging.getLogger("app")


# -- rendering ----------------------------------------------------------------------------------------------------


def text(scraped: str) -> str:
    """Text as HTML, safe between tags and inside a quoted attribute."""
    return escape(scraped, quote=True)


def link(url: str, inner: str) -> str:
    """A link out of the page around `inner` (HTML), or nothing where `url` is no http(s) address."""
    if not url.lower().startswith(("https://", "http://")):
        return ""
    return f'<a href="{text(url)}" target="_blank" rel="noopener noreferrer">{inner}</a>'


def marked(passage: str, span: tuple[int, int] | None, matches: Sequence[tuple[int, int]]) -> str:
    """About EXCERPT_CHARS of a passage around `span`, cut between words, the matched words in `<mark>`."""
    low, high = span or (0, 0)
    room = max(0, EXCERPT_CHARS - (high - low)) // 2
    start, end = max(0, low - room), min(len(passage), max(high + room, low - room + EXCERPT_CHARS))
    if start and (space := passage.find(" ", start, low)) >= 0:
        start = space + 1
    if end < len(passage) and (space := passage.rfind(" ", high, end)) > start:
        end = space
    parts, at = ["… " if start else ""], start
    for first, last in sorted(matches):
        if at <= first and last <= end:
            parts += [text(passage[at:first]), f"<mark>{text(passage[first:last])}</mark>"]
            at = last
    return "".join(parts) + text(passage[at:end]) + (" …" if end < len(passage) else "")


def clock(seconds: float) -> str:
    """Seconds as a player shows them: 0:12, 1:02:03."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def count(number: int) -> str:
    """A count as the site shows it: 999, 20.2K, 1.1M."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + unit
    return str(number)


def media(hit: "FoundHit", video: "VideoSummary", at: float | None) -> str:
    """What can be looked at: the video from its matched second on, a photo post's slides, the cover, or why nothing."""
    what = text(f"{video.nickname or video.creator or hit.id}: {video.description[:120]}")
    cover, fragment = text(video.cover_url or ""), f"#t={at:.1f}" if at else ""
    if video.video_url:
        poster = f' poster="{cover}" preload="none"' if cover else ' preload="metadata"'
        source = text(video.video_url) + fragment
        return f'<video controls playsinline{poster} src="{source}" aria-label="Video by {what}"></video>'
    if video.slide_urls:
        slides = "".join(
            f'<img loading="lazy" src="{text(url)}" alt="Photo {n} of {len(video.slide_urls)} by {what}">'
            for n, url in enumerate(video.slide_urls, 1)
        )
        return f'<div class="slides" tabindex="0" role="group" aria-label="Photos by {what}">{slides}</div>'
    if cover:
        image = f'<img loading="lazy" src="{cover}" alt="Cover of the video by {what}">'
        return link(video.permalink, image) or image
    return '<p class="missing">Neither video nor cover is kept here</p>'


def reasons(hit: "FoundHit") -> str:
    """The reasons as a table of bars whose numbers add up to the score; nothing where there are none."""
    if not hit.explanation:
        return ""
    widest = max((abs(reason.contribution) for reason in hit.explanation), default=1.0) or 1.0
    rows = "".join(
        f'<tr><th scope="row">{FIELD_NAMES[reason.field]}<small>{LANE_NAMES[reason.lane]}</small></th>'
        f'<td class="bar"><span class="{"minus" if reason.contribution < 0 else "plus"}" '
        f'style="width:{abs(reason.contribution) / widest:.1%}"></span></td>'
        f'<td><data value="{reason.contribution!r}">{reason.contribution:+.2f}</data></td></tr>'
        for reason in hit.explanation
    )
    total = f'<td><data class="score" value="{hit.score!r}">{hit.score:.2f}</data></td>'
    return (
        '<details class="why"><summary>Why this one</summary><table><tbody>'
        f'{rows}</tbody><tfoot><tr><th scope="row">Score</th><td></td>{total}</tr></tfoot></table></details>'
    )


def speaks(reason: "Reason") -> bool:
    """Whether a reason's passage can be shown for it: words that share no more than some letters are nothing to see."""
    return reason.contribution > 0 and bool(reason.matches or reason.lane == "dense")


def best_reason(hit: "FoundHit") -> "Reason | None":
    """The reason whose passage says most on a card: description and creator stand there anyway, and the whole video's
    text is the last resort."""
    for reason in hit.explanation:
        if reason.field not in ("description", "creator", "overview") and speaks(reason):
            return reason
    return next((reason for reason in hit.explanation if reason.field == "overview"), None)


def card(hit: "FoundHit") -> str:
    """One result."""
    video, reason = hit.video, best_reason(hit)
    at = reason.start_s if reason else None
    passage = ""
    if reason and (reason.field != "overview" or not (video and video.description)):
        when = ""
        if at is not None:
            when = (
                f'<button type="button" data-seek="{at:.2f}" aria-label="Play from {clock(at)}">▶ {clock(at)}</button>'
                if video and video.has_video
                else f"<time>at {clock(at)}</time>"
            )
        words = marked(reason.passage, reason.span, reason.matches)
        passage = (
            f'<div class="passage"><span class="from">{FIELD_NAMES[reason.field]}{when}</span>'
            f'<blockquote dir="auto">{words}</blockquote></div>'
        )
    # fields that share words with the question, and the one that is shown; every field is a little like any question
    matched = dict.fromkeys(r.field for r in hit.explanation if r is reason or (r.lane == "keyword" and speaks(r)))
    badges = "".join(f"<li>{FIELD_NAMES[field]}</li>" for field in matched if field != "overview")
    badges = f'<ul class="badges" aria-label="Matched in">{badges}</ul>' if badges else ""
    if video is None:
        who = f'<p class="missing">Video {text(hit.id)} is no longer in the catalogue</p>'
        inner = f"<div>{who}{passage}{reasons(hit)}</div>"
        return f'<article class="card bare" aria-label="Result {hit.rank}">{inner}</article>'
    described = next((r for r in hit.explanation if r.field == "description" and r.matches), None)
    words = (
        marked(described.passage, described.span, described.matches)
        if described
        else marked(video.description, None, ())
    )
    description = f'<p class="description" dir="auto">{words}</p>' if words else ""
    facts = "".join(
        f"<span>{fact}</span>"
        for fact in (
            f'<time datetime="{text(video.posted)}">{text(video.posted)}</time>' if video.posted else "",
            f"{count(video.likes)} likes" if video.likes is not None else "",
            f"{count(video.comment_count)} comments" if video.comment_count is not None else "",
            f'<bdi class="music">♪ {text(video.music[:80])}</bdi>' if video.music else "",
        )
        if fact
    )
    facts = f'<p class="facts">{facts}</p>' if facts else ""
    nickname = f"<bdi>{text(video.nickname[:80])}</bdi>" if video.nickname else ""
    handle = f'<bdi class="handle">@{text(video.creator[:80])}</bdi>' if video.creator else ""
    if not (nickname or handle):
        handle = f'<span class="handle">Video {text(hit.id)}</span>'
    return (
        f'<article class="card" aria-label="Result {hit.rank}" data-id="{text(hit.id)}">'
        f'<div class="media">{media(hit, video, at)}</div><div class="what">'
        f'<h3><span class="rank">{hit.rank}</span>{nickname} {handle}</h3>'
        f'{description}{facts}{passage}<div class="foot">{badges}{link(video.permalink, "Open the post ↗")}</div>'
        f"{reasons(hit)}</div></article>"
    )


def results(answer: "SearchAnswer") -> str:
    """All results of an answer, or that there are none."""
    # without a text there is nothing to explain: the conditions alone decide
    hits = [hit for hit in answer.hits if hit.explanation or not answer.text]
    if not hits and answer.conditions and not answer.total:
        return notice("Nothing fits", " ".join(answer.notes))
    notes = "".join(f'<p class="line note" role="status">{text(note)}</p>' for note in answer.notes)
    if not hits:
        none = "No video has any of these words. Try others, or let the meaning count too."
        return notes + notice("Nothing matches", none)
    took = answer.timings_ms.get("total", 0.0)
    which = f" {', '.join(condition.told() for condition in answer.conditions)}" if answer.conditions else ""
    videos = f"{answer.total:,} video{'s' * (answer.total != 1)}{which}"
    line = f"The {'best' if answer.text else 'newest'} {len(hits)} of {videos}, in {took:.0f} ms"
    above = f'{notes}<p class="line" role="status">{text(line)}</p>'
    good = [card(hit) for hit in hits if hit.good]
    apart = [card(hit) for hit in hits if not hit.good]
    if not apart:
        return above + "".join(good)
    title = "Less likely" if answer.good else "No good match, the nearest are"
    below = f'<section class="apart" aria-label="{title}"><h3>{title}</h3>{"".join(apart)}</section>'
    return above + "".join(good) + below


def notice(title: str, message: str, kind: str = "") -> str:
    """A plain message in place of results; `stretches in backticks` become commands."""
    body = re.sub(r"`([^`]+)`", r"<code>\1</code>", text(message))
    return f'<div class="notice {kind}" role="status"><h3>{text(title)}</h3><p>{body}</p></div>'


WELCOME = notice(
    "Ask for a video you remember",
    "What was said, what stood on the screen, who it was, what people wrote below it: any part that stayed with you.",
)


# -- the page -----------------------------------------------------------------------------------------------------


def answer_html(
    service: "Service", question: str, lane: str, weights: dict[str, float], filtered: dict[str, str] | None = None
) -> str:
    """The results of a question as HTML; whatever goes wrong is told in plain words.

    `filtered` has the values of the filters by name: creator, tag, lang, after, before.
    """
    from ingest.catalog import CatalogError
    from ingest.weights import WeightsError
    from retrieval.errors import RetrievalError
    from retrieval.question import filters

    try:
        conditions = filters(**(filtered or {}))
    except ValueError as error:
        return notice("That is no date", str(error))
    if not (question := question.strip()) and not conditions:
        return WELCOME
    if not any(weights.values()):
        return notice("Every field is switched off", "Set at least one weight above 0.")
    try:
        return results(
            service.search(question, PAGE_HITS, lane=lane, weights=weights, filters=conditions)  # type: ignore[arg-type]
        )
    except (RetrievalError, CatalogError, WeightsError) as error:
        return notice("Not ready to answer", str(error), "problem")
    except Exception:
        log.exception("a search from the page failed")
        return notice("That did not work", "This is a fault of the program; its log says more.", "problem")


def build_page(service: "Service", examples: Sequence[str]) -> "gr.Blocks":
    """The Gradio page that asks `service`."""
    import gradio as gr

    page: gr.Blocks = gr.Blocks(title="TikTok-Retrieval", analytics_enabled=False)
    with page:
        gr.HTML(
            "<header><h1>Find the video you half remember</h1>"
            "<p>Say what stayed with you. You get the video, the second inside it, and the reason.</p></header>",
            apply_default_css=False,
        )
        with gr.Row(elem_id="ask", equal_height=True):
            box = gr.Textbox(
                label="What do you remember?",
                show_label=False,
                placeholder="What do you remember?",
                autofocus=True,
                max_lines=1,
                max_length=1000,
                scale=1,
                min_width=120,
                container=False,
                html_attributes=gr.InputHTMLAttributes(autocomplete="off", spellcheck=True),
            )
            ask = gr.Button("Search", variant="primary", scale=0, min_width=96)
        tries = []
        if examples:
            with gr.Row(elem_id="examples"):
                tries = [gr.Button(example, size="sm", min_width=0, scale=0) for example in examples]
        lane = gr.Radio(list(LANES), value="hybrid", label="Match by", elem_id="lane")
        with gr.Accordion("Weights", open=False, elem_id="weights"):
            gr.HTML("<p class=note>1 is a field's usual share, 0 switches it off.</p>", apply_default_css=False)
            with gr.Row():
                sliders = [
                    gr.Slider(0, 2, 1, step=0.1, label=name, min_width=240, elem_id=f"weight-{field}")
                    for field, name in FIELD_NAMES.items()
                ]
            reset = gr.Button("Reset", size="sm", scale=0)
        with gr.Accordion("Filters", open=False, elem_id="filters"), gr.Row():
            narrow = [
                gr.Textbox("", label=label, placeholder=like, max_lines=1, max_length=200, min_width=150)
                for label, like in FILTERS.values()
            ]
        found = gr.HTML(WELCOME, elem_id="results", apply_default_css=False, js_on_load=asset("page.js"))

        def respond(question: str, lane: str, *values: Any) -> str:
            weights = dict(zip(FIELD_NAMES, values[: len(sliders)], strict=True))
            return answer_html(
                service, question, lane, weights, dict(zip(FILTERS, values[len(sliders) :], strict=True))
            )

        common: dict[str, Any] = {
            "fn": respond,
            "inputs": [box, lane, *sliders, *narrow],
            "outputs": found,
            "api_visibility": "private",
            "show_progress": "minimal",
            "concurrency_limit": 4,
        }
        changed = [*(slider.input for slider in sliders), *(one.submit for one in narrow)]
        gr.on([box.submit, ask.click, lane.input, *changed], trigger_mode="always_last", **common)
        for example, button in zip(examples, tries, strict=True):
            button.click(lambda example=example: example, outputs=box, api_visibility="private").then(**common)
        reset.click(lambda: ["hybrid", *[1] * len(sliders)], outputs=[lane, *sliders], api_visibility="private").then(
            **common
        )
    return page


def asset(name: str) -> str:
    """The text of a file of the page's."""
    return (files("retrieval") / "assets" / name).read_text(encoding="utf-8")


def create(data: Path, indexes: Path, examples: Sequence[str] = ()) -> "FastAPI":
    """The API with the page mounted on it."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read at import; asks outside for nothing from then on
    import gradio as gr
    from fastapi import Request, Response

    from retrieval.api import create_app

    app = create_app(data, indexes)

    @app.middleware("http")
    async def policy(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        return response

    system = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
    theme = gr.themes.Default(
        primary_hue="rose", neutral_hue="zinc", font=system, font_mono=("ui-monospace", "monospace")
    )
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        build_page(app.state.service, examples),
        path="/",
        theme=theme,
        css=asset("page.css"),
        footer_links=[],
        run_history=False,
        max_file_size="1kb",  # the page takes no files
        show_error=False,
        ssr_mode=False,
    )
    return mounted


def read_examples(file: Path) -> list[str]:
    """The first questions of a list of {"text": ...}.

    Raises:
        typer.BadParameter: the file is no such list.
    """
    try:
        return [str(query["text"]) for query in json.loads(file.read_text(encoding="utf-8"))[:MAX_EXAMPLES]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise typer.BadParameter(f'{file} is no list of {{"text": ...}}: {error!r}') from error


cli = typer.Typer(add_completion=False, rich_markup_mode=None)
_settings = Settings()


@cli.command(epilog="Example: python app.py --data data --indexes indexes --port 8000")
def main(
    data: Annotated[Path, typer.Option(help="Folder of the catalogue and its media.")] = _settings.data,
    indexes: Annotated[Path, typer.Option(help="Folder of the generations.")] = _settings.indexes,
    host: Annotated[str, typer.Option(help="Address to listen on; any but this machine's own opens it up.")] = LOCAL,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = PORT,
    examples: Annotated[
        Path | None,
        typer.Option(help='Example questions, a JSON list of {"text": ...}; else examples.json in the data folder.'),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Show the page in a browser, where there is one.")] = False,
) -> None:
    """The search page and its API, for a corpus that `python -m retrieval build` has indexed.

    The page is at http://HOST:PORT/, the API below /api, its description at /openapi.json.
    """
    import uvicorn

    if examples is None and (data / "examples.json").is_file():
        examples = data / "examples.json"
    questions = read_examples(examples) if examples else []
    if host not in ("127.0.0.1", "::1", "localhost"):
        typer.echo(f"Warning: everybody who can reach {host}:{port} can read this corpus.", err=True)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    app = create(data, indexes, questions)
    typer.echo(f"The page: http://{f'[{host}]' if ':' in host else host}:{port}/")
    if show and (sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()):
        threading.Timer(2.0, webbrowser.open, [f"http://{LOCAL}:{port}/"]).start()
    uvicorn.run(app, host=host, port=port, log_level="warning")


if __name__ == "__main__":
    cli()
