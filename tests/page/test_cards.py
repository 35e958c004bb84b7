"""Results as cards: passage, score, cover, judgement, and what is above and below them."""

import pytest

from page import cards
from retrieval.search.answer import Part
from retrieval.search.conditions import Condition
from retrieval.search.filter_values import filters
from retrieval.search.spelling import Correction
from scraper.records import Encounter
from tests.page.fragments import Page, answer, check_inert, hit, reason, why


def test_a_card_says_why_it_is_there_and_does_not_repeat_what_it_shows_anyway() -> None:
    said = why("transcript", "it sounds like a brick", matches=[(16, 22)], others="also in 2 comments")
    page = Page(cards.card(hit([], said)))
    assert "Said" in page.text and "sounds like a brick" in page.text and "also in 2 comments" in page.text
    described = hit([], why("description", "my loaf"), description="my loaf")
    assert Page(cards.card(described)).text.count("my loaf") == 1


def test_what_the_whole_video_adds_is_shown_where_it_comes_from() -> None:
    parts = [
        Part(field="transcript", contribution=1.5, passage="x"),
        Part(field="cover", contribution=0.5, passage="y"),
    ]
    whole = reason("overview", "all", 2.0, retriever="dense", parts=parts)
    page = Page(cards.reasons(hit([whole, reason("transcript", "x", 0.25)])))
    assert "Whole video" not in page.text
    assert [data["value"] for data in page.all("data")] == ["1.5", "0.25", "0.5", "2.25"]


def test_the_reasons_on_a_card_add_up_to_its_score() -> None:
    one = hit(
        [reason("overview", "x", 2.346, retriever="dense"), reason("transcript", "y", 1.1), reason("music", "z", -0.2)]
    )
    page = Page(cards.reasons(one))
    numbers = [float(data["value"] or "") for data in page.all("data")]
    widths = [float((bar["style"] or "")[6:-1]) for bar in page.all("span")]
    assert widths == [100.0, pytest.approx(46.9), pytest.approx(8.5)]
    assert sum(numbers[:-1]) == pytest.approx(numbers[-1]) == pytest.approx(one.score)


def test_copies_are_counted_and_lead_to_the_others() -> None:
    one = hit([reason()], why(), description="a repost").model_copy(update={"copies": ["72000", "73000"]})
    other = hit([], creator="<b>thief", posted="2024-03-03").video
    assert other
    page = check_inert(cards.results(answer([one]), others={"72000": other}))
    assert "3 copies" in page.text and "@<b>thief" in page.text and "posted 3 March 2024" in page.text
    assert [link["data-open"] for link in page.all("a") if "data-open" in link] == ["72000", "73000"]
    assert "copies" not in cards.card(hit([reason()], why()))


def test_a_cover_and_a_time_open_the_video_at_the_matched_second() -> None:
    spoken = why("transcript", "hello", matches=[(0, 5)], start_s=72.5, end_s=74.0)
    page = Page(cards.card(hit([], spoken, video_url="/media/71000/video", cover_url="/media/71000/cover")))
    cover, time, *_ = page.all("button")
    assert cover["data-at"] == time["data-at"] == "72.50" and "data-show" in cover and "1:12" in page.text
    assert page.all("img")[0]["src"] == "/media/71000/cover" and page.all("img")[0]["loading"] == "lazy"


def test_without_a_video_file_the_card_shows_the_time_and_a_link_to_the_post() -> None:
    spoken = why("transcript", "hello", matches=[(0, 5)], start_s=72.5)
    page = Page(cards.card(hit([], spoken, permalink="https://example.org/v")))
    assert "at 1:12" in page.text and page.all("a")
    assert (page.all("button")[0]["aria-label"] or "").endswith(", not kept here")
    assert not [b for b in page.all("button") if (b.get("aria-label") or "").startswith("Play")]


def test_the_button_of_a_judged_video_is_pressed() -> None:
    def buttons(judged: dict[str, int] | None) -> list[dict[str, str | None]]:
        return [b for b in Page(cards.card(hit([reason()]), judged)).all("button") if "data-judge" in b]

    (open_,), (pressed,) = buttons({"71001": 6}), buttons({"71000": 7})
    assert open_["aria-pressed"] == "false" and not open_["data-judge"]
    assert pressed["aria-pressed"] == "true" and pressed["data-judge"] == "7"
    assert not buttons(None), "nothing is asked that it could be the one of"


def test_the_cover_shows_the_length_of_the_video() -> None:
    film = {"video_url": "/media/71000/video", "cover_url": "/media/71000/cover", "creator": "ann"}
    page = check_inert(cards.card(hit([reason()], duration_s=72.9, **film)))
    assert "1:12" in page.text and "1:12 long" in (page.all("button")[0]["aria-label"] or "")
    assert "long" not in (Page(cards.card(hit([reason()], **film))).all("button")[0]["aria-label"] or "")


def test_a_card_says_when_and_in_which_list_the_video_was_met() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    encounters = [
        *(Encounter(list="history", at=f"2024-0{month}-05T10:00:00") for month in (1, 2)),
        *(Encounter(list=kind, at="2024-03-03T10:00:00") for kind in ("likes", "shares")),
        Encounter(list="collection", name=hostile),
    ]
    video = hit([reason()], encounters=encounters, likes=20_200).video
    assert video is not None
    page = check_inert(cards.metadata(video))
    assert page.text == f'in your collection "{hostile}"liked on 3 March 2024shared on 3 March 202420.2K likes'


def test_filters_are_buttons_that_remove_them() -> None:
    filtered = {"in": '"><script>', "seen": "2024-03", "tag": ""}
    page = check_inert(cards.filters_on(filtered, filters(**filtered)))
    assert [button["data-set"] for button in page.all("button")] == ["in=", "seen="]
    assert page.all("button")[1]["aria-label"] == "Remove the filter: seen in March 2024"
    assert '"><script>' in page.text and cards.filters_on({"in": " "}, []) == ""


def test_the_line_above_the_results_names_their_order() -> None:
    for sort, order in (("seen", "The most recently seen 1"), ("oldest", "The oldest 1"), ("relevance", "The best 1")):
        assert order in Page(cards.results(answer([hit([reason()])], sort=sort))).text


def test_a_photo_post_shows_its_first_photo_and_how_many_there_are() -> None:
    page = Page(
        cards.card(hit([reason()], slide_urls=["/media/71000/slide?n=0", "/media/71000/slide?n=1"], creator="ann"))
    )
    assert [image["src"] for image in page.all("img")] == ["/media/71000/slide?n=0"]
    assert page.all("button")[0]["aria-label"] == "Look at the photos by ann: " and "❐ 2" in page.text


def test_a_hit_without_a_video_in_the_catalog_says_so() -> None:
    gone = hit([reason("comments", "ha", matches=[(0, 2)])]).model_copy(update={"video": None})
    assert "no longer in the catalog" in check_inert(cards.card(gone)).text


def test_hits_without_a_reason_are_not_shown() -> None:
    nothing = hit([])
    assert "No video matches" in cards.results(answer([nothing]))


def test_conditions_and_notes_are_above_the_results_and_stay_text() -> None:
    tag = Condition(kind="tag", value="<img src=x onerror=alert(1)>")
    noted = answer([hit([reason()])], conditions=[tag], notes=["<script>alert(1)</script>"], total=3)
    page = check_inert(cards.results(noted))
    assert "<script>alert(1)</script>" in page.text
    assert "The best 1 of 3 videos with #<img src=x onerror=alert(1)>, in" in page.text


def test_a_correction_can_be_undone_with_one_press() -> None:
    corrected = answer([hit([reason()])], corrections=[Correction("sourdogh", "sourdough")])
    (button,) = [one for one in Page(cards.results(corrected)).all("button") if "data-set" in one]
    assert button["data-set"] == "exact=true"
    exact = Page(cards.results(answer([], exact=True)))
    assert "Misspelt words are not corrected" in exact.text
    assert "exact=" in [button["data-set"] for button in exact.all("button")]


def test_conditions_alone_show_the_newest_without_reasons() -> None:
    page = check_inert(
        cards.results(answer([hit([])], text="", sort="newest", conditions=[Condition(kind="lang", value="en")]))
    )
    assert "The newest 1 of 1 video in English" in page.text and "Why this one" not in page.text


def test_without_a_match_the_page_says_why() -> None:
    none = answer([], conditions=[Condition(kind="creator", value="x")], notes=["There is no video by @x."], total=0)
    assert "There is no video by @x." in cards.results(none)


def test_without_a_match_the_page_offers_other_settings() -> None:
    none = Page(cards.results(answer([hit([])])))
    assert [button["data-set"] for button in none.all("button")] == ["mode=hybrid"]
    filtered = answer([], conditions=[Condition(kind="creator", value="x")], notes=["There is none."], total=0)
    (button,) = Page(cards.results(filtered)).all("button")
    assert "creator=&tag=" in (button["data-set"] or "")


def test_later_results_repeat_no_summary() -> None:
    more = Page(cards.results(answer([hit([reason()])], total=30), offset=10, more=True))
    assert "The best" not in more.text and "More results" in more.text
    assert [button["data-more"] for button in more.all("button") if "data-more" in button] == ["11"]
