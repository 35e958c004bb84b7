"""The page's pieces of HTML: what is escaped, marked, cut and linked."""

import json
import logging
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import app
from retrieval.fields import FIELDS
from retrieval.question import Condition
from retrieval.search import Reason
from retrieval.service import FoundHit, SearchAnswer, Service, VideoSummary
from tests.tiny_corpus import HOSTILE_COMMENTS, HOSTILE_SPEECH, HOSTILE_TEXTS

ALLOWED = {
    *("article", "div", "h3", "p", "span", "bdi", "time", "blockquote", "mark", "button", "ul", "li", "a", "video"),
    *("img", "details", "summary", "table", "tbody", "tfoot", "tr", "th", "td", "small", "data"),
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
    values = {"lane": "keyword", "span": (0, len(passage)), "matches": [], "start_s": None, "end_s": None, **more}
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
        video_url=None,
        cover_url=None,
        slide_urls=[],
    )
    score = sum(reason.contribution for reason in reasons)
    return FoundHit(id="71000", rank=1, score=score, explanation=reasons, video=empty.model_copy(update=video))


def answer(hits: list[FoundHit], **more: Any) -> SearchAnswer:
    values = {"query": "x", "text": "x", "conditions": [], "notes": [], "total": len(hits), **more}
    return SearchAnswer(lane="keyword", generation="g", encoder="e", hits=hits, timings_ms={"total": 1.0}, **values)


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


def check_inert(html: str) -> Page:
    """Only our own tags, no handlers, no addresses but ours and one http link out."""
    page = Page(html)
    for tag, attributes in page.tags:
        assert tag in ALLOWED
        assert not [name for name in attributes if name.startswith("on")]
        assert set(attributes) <= {
            "class", "style", "dir", "href", "target", "rel", "src", "poster", "preload", "controls", "playsinline",
            "loading", "alt", "role", "tabindex", "type", "value", "datetime", "scope", "data-id", "data-seek",
            "aria-label",
        }  # fmt: skip
        assert (attributes.get("src") or "/media/").startswith("/media/")
        assert (attributes.get("href") or "https://").startswith(("https://", "http://"))
    return page


@pytest.mark.parametrize("text", [*HOSTILE_TEXTS.values(), *HOSTILE_COMMENTS, HOSTILE_SPEECH])
def test_hostile_text_stays_text_wherever_it_stands(text: str) -> None:
    for one in hostile_hits(text):
        page = check_inert(app.card(one))
        assert text[:80] in page.text


def test_the_shared_naughty_strings_stay_text(shared_data: Path) -> None:
    strings = json.loads((shared_data / "hostile" / "blns" / "blns.json").read_text(encoding="utf-8"))
    assert len(strings) > 500
    for text in strings:
        for one in hostile_hits(text):
            check_inert(app.card(one))
        check_inert(app.notice(text, text).replace("<code>", "<span>").replace("</code>", "</span>"))


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "JaVaScRiPt:1", "//example.org", "/x", ""])
def test_only_web_addresses_become_links(url: str) -> None:
    assert app.link(url, "out") == ""
    assert not Page(app.card(hit([reason()], permalink=url))).all("a")


def test_a_link_out_tells_the_other_site_nothing() -> None:
    (link,) = Page(app.link("https://example.org/?a=1&b=2", "out")).all("a")
    assert link == {"href": "https://example.org/?a=1&b=2", "target": "_blank", "rel": "noopener noreferrer"}


def test_matched_words_are_marked_in_place() -> None:
    assert app.marked("a < b & c", (4, 5), [(4, 5), (8, 9)]) == "a &lt; <mark>b</mark> &amp; <mark>c</mark>"


def test_a_long_passage_is_cut_around_its_span() -> None:
    passage = "before " * 200 + "needle" + " after" * 200
    at = passage.index("needle")
    shown = app.marked(passage, (at, at + 6), [(0, 6), (at, at + 6)])
    assert "<mark>needle</mark>" in shown and shown.count("<mark>") == 1
    assert shown.startswith("… before ") and shown.endswith(" after …")
    assert len(shown) < app.EXCERPT_CHARS + 40


def test_a_passage_without_spaces_is_cut_too() -> None:
    assert len(app.marked("猫" * 5000, (2000, 2003), [(2000, 2003)])) < app.EXCERPT_CHARS + 40
    assert len(app.marked("猫" * 5000, None, [])) < app.EXCERPT_CHARS + 40


def test_the_passage_shown_is_the_strongest_that_says_something_new() -> None:
    overview, comment = (
        reason("overview", "all of it", 9.0, lane="dense"),
        reason("comments", "ha", 0.5, matches=[(0, 2)]),
    )
    letters = reason("music", "hum", 2.0)
    assert (
        app.best_reason(hit([overview, reason("description", "d", 3.0, matches=[(0, 1)]), letters, comment])) is comment
    )
    assert app.best_reason(hit([overview, letters])) is overview
    assert app.best_reason(hit([])) is None


def test_the_reasons_on_a_card_add_up_to_its_score() -> None:
    one = hit(
        [reason("overview", "x", 2.346, lane="dense"), reason("transcript", "y", 1.1), reason("music", "z", -0.2)]
    )
    numbers = [float(data["value"] or "") for data in Page(app.reasons(one)).all("data")]
    assert sum(numbers[:-1]) == pytest.approx(numbers[-1]) == pytest.approx(one.score)


def test_a_video_plays_from_the_matched_second_with_a_button_to_it() -> None:
    spoken = reason("transcript", "hello", matches=[(0, 5)], start_s=72.5, end_s=74.0)
    page = Page(app.card(hit([spoken], video_url="/media/71000/video", cover_url="/media/71000/cover")))
    (video,) = page.all("video")
    assert video["src"] == "/media/71000/video#t=72.5" and video["poster"] == "/media/71000/cover"
    assert video["preload"] == "none"
    assert page.all("button")[0]["data-seek"] == "72.50" and "1:12" in page.text


def test_without_a_video_the_second_is_told_and_the_post_linked() -> None:
    spoken = reason("transcript", "hello", matches=[(0, 5)], start_s=72.5)
    page = Page(app.card(hit([spoken], permalink="https://example.org/v")))
    assert not page.all("button") and not page.all("video")
    assert "1:12" in page.text and "Neither video nor cover" in page.text and page.all("a")


def test_a_photo_post_shows_its_slides_with_words_for_them() -> None:
    page = Page(
        app.card(hit([reason()], slide_urls=["/media/71000/slide?n=0", "/media/71000/slide?n=1"], creator="ann"))
    )
    assert [image["alt"] for image in page.all("img")] == ["Photo 1 of 2 by ann: ", "Photo 2 of 2 by ann: "]


def test_a_hit_whose_video_is_gone_says_so() -> None:
    gone = hit([reason("comments", "ha", matches=[(0, 2)])]).model_copy(update={"video": None})
    assert "no longer in the catalogue" in check_inert(app.card(gone)).text


@pytest.mark.parametrize(("seconds", "shown"), [(0.0, "0:00"), (12.9, "0:12"), (600, "10:00"), (3723, "1:02:03")])
def test_seconds_read_as_a_player_shows_them(seconds: float, shown: str) -> None:
    assert app.clock(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0"), (999, "999"), (20200, "20.2K"), (1_100_000, "1.1M"), (2000, "2K")]
)
def test_counts_read_as_the_site_shows_them(number: int, shown: str) -> None:
    assert app.count(number) == shown


def test_hits_that_nothing_speaks_for_are_not_shown() -> None:
    nothing = hit([])
    assert "Nothing matches" in app.results(answer([nothing]))


def test_conditions_and_notes_stand_above_the_results_and_stay_text() -> None:
    tag = Condition(kind="tag", value="<img src=x onerror=alert(1)>")
    noted = answer([hit([reason()])], conditions=[tag], notes=["<script>alert(1)</script>"], total=3)
    page = check_inert(app.results(noted))
    assert "<script>alert(1)</script>" in page.text
    assert "The best 1 of 3 videos with #<img src=x onerror=alert(1)>, in" in page.text


def test_conditions_alone_show_the_newest_without_reasons() -> None:
    page = check_inert(app.results(answer([hit([])], text="", conditions=[Condition(kind="lang", value="en")])))
    assert "The newest 1 of 1 video in the language en" in page.text and "Why this one" not in page.text


def test_where_nothing_fits_the_page_says_why() -> None:
    none = answer([], conditions=[Condition(kind="creator", value="x")], notes=["There is no video by @x."], total=0)
    assert "There is no video by @x." in app.results(none)


def test_a_filter_that_is_no_date_is_said(tmp_path: Path) -> None:
    asked = app.answer_html(Service(tmp_path, tmp_path), "", "hybrid", {"cover": 1.0}, {"after": "<last week>"})
    assert "&lt;last week&gt;" in asked and "write 2022" in asked


def test_every_field_has_a_name_on_the_page() -> None:
    assert set(app.FIELD_NAMES) == set(FIELDS)


def test_what_goes_wrong_is_told_without_a_traceback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    weights = dict.fromkeys(FIELDS, 1.0)
    service = Service(tmp_path, tmp_path)
    assert "<code>python -m retrieval build</code>" in app.answer_html(service, "cat", "hybrid", weights)
    assert app.answer_html(service, "   ", "hybrid", weights) == app.WELCOME
    assert "switched off" in app.answer_html(service, "cat", "hybrid", dict.fromkeys(FIELDS, 0.0))
    with caplog.at_level(logging.CRITICAL):
        broken = app.answer_html(object(), "cat", "hybrid", weights)  # type: ignore[arg-type]
    assert "fault of the program" in broken and "Traceback" not in broken


def test_examples_are_the_first_few_questions_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "queries.json"
    file.write_text(json.dumps([{"text": f"question {n}", "target": "1"} for n in range(9)]))
    assert app.read_examples(file) == [f"question {n}" for n in range(app.MAX_EXAMPLES)]
    for broken in ("{", '{"a": 1}', "[1]", '[{"question": "x"}]'):
        file.write_text(broken)
        with pytest.raises(typer.BadParameter, match="no list of"):
            app.read_examples(file)


def test_help_says_how_to_run_it() -> None:
    shown = CliRunner().invoke(app.cli, ["--help"]).output
    for word in ("--data", "--indexes", "--host", "--port", "--examples", "python app.py", "127.0.0.1"):
        assert word in shown
