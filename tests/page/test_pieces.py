"""The page's pieces of HTML: what is escaped, marked, cut and linked."""

import json
import logging
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import typer
from fastapi.testclient import TestClient
from typer.testing import CliRunner

import app
from ingest.catalog.entries import Segment
from page import cards, html, routes
from page.routes import answer_html, view_html
from page.video_view import details
from retrieval.embedding.encoder import SentenceEncoder
from retrieval.index.documents import FIELDS
from retrieval.search.answer import Reason
from retrieval.search.query import Condition
from retrieval.server.api import create_app
from retrieval.server.schemas import FoundHit, SearchAnswer, TextDetail, VideoDetail, VideoSummary
from retrieval.server.service import Service
from scraper.records import Comment, Video
from tests.tiny_corpus import HOSTILE_COMMENTS, HOSTILE_SPEECH, HOSTILE_TEXTS, make_data, make_index

ALLOWED = {
    *("article", "div", "h3", "p", "span", "bdi", "time", "blockquote", "mark", "button", "ul", "li", "a", "video"),
    *(
        "img",
        "details",
        "summary",
        "table",
        "thead",
        "tbody",
        "tfoot",
        "tr",
        "th",
        "td",
        "small",
        "data",
        "i",
        "b",
        "ol",
    ),
    "h4",
}


class Page(HTMLParser):
    """The tags, attributes and text of some HTML."""

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
        if tag != "img":
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


def hit(reasons: list[Reason], **video: Any) -> FoundHit:
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
    return FoundHit(id="71000", rank=1, score=score, explanation=reasons, video=empty.model_copy(update=video))


def answer(hits: list[FoundHit], **more: Any) -> SearchAnswer:
    values = {"query": "x", "text": "x", "conditions": [], "notes": [], "total": len(hits), **more}
    return SearchAnswer(mode="keyword", generation="g", encoder="e", hits=hits, timings_ms={"total": 1.0}, **values)


def hostile_hits(text: str) -> list[FoundHit]:
    """A text in every place where scraped text can stand."""
    video = {
        "permalink": f"https://example.org/{text}",
        "creator": text,
        "nickname": text,
        "description": text,
        "posted": text,
        "music": text,
        "cover_url": "/media/71000/cover",
        "video_url": "/media/71000/video",
    }
    middle = (len(text) // 3, 2 * len(text) // 3)
    return [hit([reason(field, text, span=middle, matches=[middle], start_s=1.0)], **video) for field in FIELDS]


def hostile_view(text: str) -> str:
    """A text in every place of the view of one video."""
    shown = hostile_hits(text)[0]
    assert shown.video
    made = TextDetail(
        text=text, engine="x", version="", model="", language=text, confidence=None, segments=[Segment(1.0, 2.0, text)]
    )
    known = VideoDetail(
        record=Video(id="71000", description=text, comments=[Comment(text=text, username="ann")]),
        texts={"transcript": made, "cover": made},
        states={},
        media=[],
    )
    return details("71000", shown.video, known, [shown], 1.5)


def check_inert(html: str) -> Page:
    """Only our own tags, no handlers, no addresses but ours and one http link out."""
    page = Page(html)
    for tag, attributes in page.tags:
        assert tag in ALLOWED
        assert not [name for name in attributes if name.startswith("on")]
        assert set(attributes) <= {
            "class", "style", "dir", "href", "target", "rel", "src", "poster", "preload", "controls", "playsinline",
            "loading", "alt", "role", "tabindex", "type", "value", "datetime", "scope", "data-id", "data-seek",
            "aria-label", "aria-pressed", "aria-current", "data-show", "data-at", "data-judge", "data-set", "data-more",
            "data-slide", "data-copy", "data-broken", "aria-hidden", "hidden", "open", "id", "colspan",
        }  # fmt: skip
        assert (attributes.get("src") or "/media/").startswith("/media/")
        assert (attributes.get("href") or "https://").startswith(("https://", "http://"))
    return page


@pytest.mark.parametrize("text", [*HOSTILE_TEXTS.values(), *HOSTILE_COMMENTS, HOSTILE_SPEECH])
def test_hostile_text_stays_text_wherever_it_stands(text: str) -> None:
    for one in hostile_hits(text):
        page = check_inert(cards.card(one))
        assert text[:80] in page.text
    assert text[:80] in check_inert(hostile_view(text)).text


def test_hostile_strings_stay_text(hostile_strings: list[str]) -> None:
    for text in hostile_strings:
        for one in hostile_hits(text):
            check_inert(cards.card(one))
        check_inert(hostile_view(text))
        check_inert(html.notice(text, text).replace("<code>", "<span>").replace("</code>", "</span>"))


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "JaVaScRiPt:1", "//example.org", "/x", ""])
def test_only_web_addresses_become_links(url: str) -> None:
    assert html.link(url, "out") == ""
    assert not Page(cards.card(hit([reason()], permalink=url))).all("a")


def test_a_link_out_tells_the_other_site_nothing() -> None:
    (link,) = Page(html.link("https://example.org/?a=1&b=2", "out")).all("a")
    assert link == {"href": "https://example.org/?a=1&b=2", "target": "_blank", "rel": "noopener noreferrer"}


def test_matched_words_are_marked_in_place() -> None:
    assert html.marked("a < b & c", (4, 5), [(4, 5), (8, 9)]) == "a &lt; <mark>b</mark> &amp; <mark>c</mark>"


def test_a_long_passage_is_cut_around_its_span() -> None:
    passage = "before " * 200 + "needle" + " after" * 200
    at = passage.index("needle")
    shown = html.marked(passage, (at, at + 6), [(0, 6), (at, at + 6)])
    assert "<mark>needle</mark>" in shown and shown.count("<mark>") == 1
    assert shown.startswith("… before ") and shown.endswith(" after …")
    assert len(shown) < html.EXCERPT_CHARS + 40


def test_a_passage_without_spaces_is_cut_too() -> None:
    assert len(html.marked("猫" * 5000, (2000, 2003), [(2000, 2003)])) < html.EXCERPT_CHARS + 40
    assert len(html.marked("猫" * 5000, None, [])) < html.EXCERPT_CHARS + 40


def test_the_passage_shown_is_the_strongest_that_says_something_new() -> None:
    overview, comment = (
        reason("overview", "all of it", 9.0, retriever="dense"),
        reason("comments", "ha", 0.5, matches=[(0, 2)]),
    )
    letters = reason("music", "hum", 2.0)
    assert (
        cards.best_reason(hit([overview, reason("description", "d", 3.0, matches=[(0, 1)]), letters, comment]))
        is comment
    )
    assert cards.best_reason(hit([overview, letters])) is overview
    assert cards.best_reason(hit([])) is None


def test_the_reasons_on_a_card_add_up_to_its_score() -> None:
    one = hit(
        [reason("overview", "x", 2.346, retriever="dense"), reason("transcript", "y", 1.1), reason("music", "z", -0.2)]
    )
    page = Page(cards.reasons(one))
    numbers = [float(data["value"] or "") for data in page.all("data")]
    widths = [float((bar["style"] or "")[6:-1]) for bar in page.all("span")]
    assert widths == [100.0, pytest.approx(46.9), pytest.approx(8.5)]
    assert sum(numbers[:-1]) == pytest.approx(numbers[-1]) == pytest.approx(one.score)


def test_a_cover_and_a_time_open_the_video_at_the_matched_second() -> None:
    spoken = reason("transcript", "hello", matches=[(0, 5)], start_s=72.5, end_s=74.0)
    page = Page(cards.card(hit([spoken], video_url="/media/71000/video", cover_url="/media/71000/cover")))
    cover, time, *_ = page.all("button")
    assert cover["data-at"] == time["data-at"] == "72.50" and "data-show" in cover and "1:12" in page.text
    assert page.all("img")[0]["src"] == "/media/71000/cover" and page.all("img")[0]["loading"] == "lazy"


def test_without_a_video_the_second_is_told_and_the_post_linked() -> None:
    spoken = reason("transcript", "hello", matches=[(0, 5)], start_s=72.5)
    page = Page(cards.card(hit([spoken], permalink="https://example.org/v")))
    assert "at 1:12" in page.text and "Not saved" in page.text and page.all("a")
    assert not [b for b in page.all("button") if (b.get("aria-label") or "").startswith("Play")]


def test_what_was_said_to_be_the_one_is_pressed() -> None:
    def buttons(judged: dict[str, int] | None) -> list[dict[str, str | None]]:
        return [b for b in Page(cards.card(hit([reason()]), judged)).all("button") if "data-judge" in b]

    (open_,), (pressed,) = buttons({"71001": 6}), buttons({"71000": 7})
    assert open_["aria-pressed"] == "false" and not open_["data-judge"]
    assert pressed["aria-pressed"] == "true" and pressed["data-judge"] == "7"
    assert not buttons(None), "nothing is asked that it could be the one of"


def test_the_length_stands_on_the_cover_of_a_video_that_says_it() -> None:
    film = {"video_url": "/media/71000/video", "cover_url": "/media/71000/cover", "creator": "ann"}
    page = check_inert(cards.card(hit([reason()], duration_s=72.9, **film)))
    assert "1:12" in page.text and "1:12 long" in (page.all("button")[0]["aria-label"] or "")
    assert "long" not in (Page(cards.card(hit([reason()], **film))).all("button")[0]["aria-label"] or "")


def test_a_photo_post_shows_its_slides_with_words_for_them() -> None:
    page = Page(
        cards.card(hit([reason()], slide_urls=["/media/71000/slide?n=0", "/media/71000/slide?n=1"], creator="ann"))
    )
    assert [image["alt"] for image in page.all("img")] == ["Photo 1 of 2 by ann: ", "Photo 2 of 2 by ann: "]


def test_a_hit_whose_video_is_gone_says_so() -> None:
    gone = hit([reason("comments", "ha", matches=[(0, 2)])]).model_copy(update={"video": None})
    assert "no longer in the catalog" in check_inert(cards.card(gone)).text


@pytest.mark.parametrize(("seconds", "shown"), [(0.0, "0:00"), (12.9, "0:12"), (600, "10:00"), (3723, "1:02:03")])
def test_seconds_read_as_a_player_shows_them(seconds: float, shown: str) -> None:
    assert html.clock(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0"), (999, "999"), (20200, "20.2K"), (1_100_000, "1.1M"), (2000, "2K")]
)
def test_counts_read_as_the_site_shows_them(number: int, shown: str) -> None:
    assert html.count(number) == shown


def test_hits_that_nothing_speaks_for_are_not_shown() -> None:
    nothing = hit([])
    assert "No video matches" in cards.results(answer([nothing]))


def test_conditions_and_notes_stand_above_the_results_and_stay_text() -> None:
    tag = Condition(kind="tag", value="<img src=x onerror=alert(1)>")
    noted = answer([hit([reason()])], conditions=[tag], notes=["<script>alert(1)</script>"], total=3)
    page = check_inert(cards.results(noted))
    assert "<script>alert(1)</script>" in page.text
    assert "The best 1 of 3 videos with #<img src=x onerror=alert(1)>, in" in page.text


def test_conditions_alone_show_the_newest_without_reasons() -> None:
    page = check_inert(cards.results(answer([hit([])], text="", conditions=[Condition(kind="lang", value="en")])))
    assert "The newest 1 of 1 video in the language en" in page.text and "Why this one" not in page.text


def test_where_nothing_fits_the_page_says_why() -> None:
    none = answer([], conditions=[Condition(kind="creator", value="x")], notes=["There is no video by @x."], total=0)
    assert "There is no video by @x." in cards.results(none)


def test_a_filter_that_is_no_date_is_said(tmp_path: Path) -> None:
    asked = answer_html(Service(tmp_path, tmp_path), "", filtered={"after": "<last week>"})
    assert "&lt;last week&gt;" in asked and "write 2022" in asked


def test_every_field_has_a_name_on_the_page() -> None:
    assert set(html.FIELD_NAMES) == set(FIELDS)


def test_what_goes_wrong_is_told_without_a_traceback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    service = Service(tmp_path, tmp_path)
    assert "<code>tiktok-retrieval build</code>" in answer_html(service, "cat")
    assert str(tmp_path) not in answer_html(service, "cat")
    assert "tiktok-retrieval import" in answer_html(service, "   ")
    assert "switched off" in answer_html(service, "cat", w=",".join(f"{field}:0" for field in FIELDS))
    assert "no field" in answer_html(service, "cat", w="<b>:1") and "&lt;b&gt;" in answer_html(
        service, "cat", w="<b>:1"
    )
    assert "tiktok-retrieval import" in view_html(service, "71000", None)
    with caplog.at_level(logging.CRITICAL):
        broken = answer_html(object(), "cat")  # type: ignore[arg-type]
    assert "Internal error" in broken and "Traceback" not in broken


def test_examples_are_the_first_few_questions_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "queries.json"
    file.write_text(json.dumps([{"text": f"question {n}", "target": "1"} for n in range(9)]))
    assert app.read_examples(file) == [f"question {n}" for n in range(app.MAX_EXAMPLES)]
    for broken in ("{", '{"a": 1}', "[1]", '[{"question": "x"}]'):
        file.write_text(broken)
        with pytest.raises(typer.BadParameter, match="does not hold a list"):
            app.read_examples(file)


def test_help_says_how_to_run_it() -> None:
    shown = CliRunner().invoke(app.serve_alone, ["--help"]).output
    for word in ("--data", "--indexes", "--host", "--port", "--examples", "tiktok-retrieval serve", "127.0.0.1"):
        assert word in shown


def test_where_nothing_is_found_the_page_offers_what_may_help() -> None:
    none = Page(cards.results(answer([hit([])])))
    assert [button["data-set"] for button in none.all("button")] == ["mode=hybrid"]
    filtered = answer([], conditions=[Condition(kind="creator", value="x")], notes=["There is none."], total=0)
    (button,) = Page(cards.results(filtered)).all("button")
    assert "creator=&tag=" in (button["data-set"] or "")


def test_results_that_go_on_say_nothing_twice() -> None:
    more = Page(cards.results(answer([hit([reason()])], total=30), offset=10, more=True))
    assert "The best" not in more.text and "More results" in more.text
    assert [button["data-more"] for button in more.all("button") if "data-more" in button] == ["11"]


def test_searches_on_the_page_are_counted_like_those_of_the_api(tmp_path: Path) -> None:
    make_data(tmp_path)
    make_index(tmp_path, tmp_path / "indexes", SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    served = create_app(tmp_path, tmp_path / "indexes")
    served.include_router(routes.routes(served.state.service, served.state.queue))
    client = TestClient(served)
    for address in ("/page/answer?q=loaf", "/api/search?q=loaf", "/page/answer?q=drum"):
        assert client.get(address).status_code == 200
    assert 'tiktok_retrieval_search_seconds_count{step="total"} 3.0' in client.get("/metrics").text
