"""Small pieces of HTML: links, marked words, cut passages, times and counts."""

import pytest

from page import cards, html
from retrieval.index.documents import FIELD_NAMES, FIELDS
from tests.page.fragments import Page, hit, reason


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "JaVaScRiPt:1", "//example.org", "/x", ""])
def test_only_web_addresses_become_links(url: str) -> None:
    assert html.link(url, "out") == ""
    assert not Page(cards.card(hit([reason()], permalink=url))).all("a")


def test_a_link_sends_no_referrer_and_no_opener() -> None:
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


def test_a_passage_without_spaces_is_cut_as_well() -> None:
    assert len(html.marked("猫" * 5000, (2000, 2003), [(2000, 2003)])) < html.EXCERPT_CHARS + 40
    assert len(html.marked("猫" * 5000, None, [])) < html.EXCERPT_CHARS + 40


@pytest.mark.parametrize(("seconds", "shown"), [(0.0, "0:00"), (12.9, "0:12"), (600, "10:00"), (3723, "1:02:03")])
def test_seconds_are_shown_as_a_player_shows_them(seconds: float, shown: str) -> None:
    assert html.clock(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0"), (999, "999"), (20200, "20.2K"), (1_100_000, "1.1M"), (2000, "2K")]
)
def test_counts_are_shown_as_tiktok_shows_them(number: int, shown: str) -> None:
    assert html.count(number) == shown


def test_every_field_has_a_name_on_the_page() -> None:
    assert set(FIELD_NAMES) == set(FIELDS)
