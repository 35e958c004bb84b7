"""Answers to show on the page, and checks of the HTML that shows them."""

from html.parser import HTMLParser
from typing import Any

from starlette.testclient import TestClient

from page import gradio_engine
from retrieval.search.answer import Reason, Why
from retrieval.server.schemas import FoundHit, SearchAnswer, VideoSummary

ALLOWED = {
    "article", "div", "h2", "h3", "p", "span", "bdi", "time", "blockquote", "mark", "button", "ul", "ol", "li", "a",
    "video", "img", "details", "summary", "small", "data", "i", "b", "table", "thead", "tbody", "tfoot", "tr", "th",
    "td", "section", "label", "input",
}  # fmt: skip


def answered(client: TestClient, **settings: str) -> str:
    """Return the HTML that answers a search on the page."""
    answer = client.post(f"{gradio_engine.PATH}{gradio_engine.ANSWER}", json={"data": [settings]})
    assert answer.status_code == 200
    html: str = answer.json()["data"][0]
    return html


class Page(HTMLParser):
    """The tags, attributes and text of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def reason(field: str = "comments", passage: str = "", contribution: float = 1.0, **more: Any) -> Reason:
    values = {"retriever": "keyword", "span": (0, len(passage)), "matches": [], "start_s": None, "end_s": None, **more}
    return Reason(field=field, passage=passage, contribution=contribution, **values)


def why(field: str = "comments", passage: str = "", **more: Any) -> Why:
    values = {"span": (0, len(passage)), "matches": [], "start_s": None, "end_s": None, "others": "", **more}
    lead = {"transcript": "Said", "comments": "A comment"}.get(field, f"The {field}")
    return Why(sentence=f"{lead}: {passage}", lead=lead, field=field, passage=passage, also={}, **values)


def hit(reasons: list[Reason], cause: Why | None = None, /, **video: Any) -> FoundHit:
    empty = VideoSummary(
        permalink="",
        creator="",
        nickname="",
        description="",
        posted=None,
        likes=None,
        comment_count=None,
        music="",
        hashtags=[],
        has_video=bool(video.get("video_url")),
        duration_s=None,
        video_url=None,
        cover_url=None,
        slide_urls=[],
    )
    score = sum(reason.contribution for reason in reasons)
    return FoundHit(
        id="71000", rank=1, score=score, explanation=reasons, why=cause, video=empty.model_copy(update=video)
    )


def answer(hits: list[FoundHit], **more: Any) -> SearchAnswer:
    values = {"query": "x", "text": "x", "conditions": [], "notes": [], "total": len(hits), **more}
    return SearchAnswer(mode="keyword", generation="g", encoder="e", hits=hits, timings_ms={"total": 1.0}, **values)


def check_inert(html: str) -> Page:
    """Check for known tags, no handlers, and no addresses but ours and links to http(s) sites."""
    page = Page(html)
    for tag, attributes in page.tags:
        assert tag in ALLOWED
        assert not [name for name in attributes if name.startswith("on")]
        assert set(attributes) <= {
            "class", "style", "dir", "href", "target", "rel", "src", "poster", "preload", "controls", "playsinline",
            "loading", "alt", "role", "tabindex", "type", "value", "datetime", "scope", "data-id", "data-seek",
            "aria-label", "aria-pressed", "aria-current", "data-show", "data-at", "data-judge", "data-set", "data-more",
            "data-slide", "data-copy", "data-remove", "data-broken", "aria-hidden", "hidden", "open", "id", "colspan",
            "title", "data-near", "data-part", "data-filter", "data-open", "data-month", "decoding", "data-generation",
            "data-download", "data-likely", "data-like", "aria-labelledby", "width", "height", "autocomplete",
        }  # fmt: skip
        assert (attributes.get("src") or "/media/").startswith("/media/")
        assert (attributes.get("href") or "https://").startswith(("https://", "http://", "api/", "?"))
    return page
