"""The picture that is searched by, its words, and frames on a card and in the view."""

from typing import Any

from page.pictures import Asked, asked_html, frame_strip, shown_frame
from retrieval.server.schemas import FrameDetail
from tests.page.fragments import Page, check_inert, hit, reason, why

SHA = "a" * 64


def test_each_word_that_was_read_can_be_left_out_and_taken_in_again() -> None:
    page = check_inert(asked_html(Asked("/media/x", ("soup", "onion", "über")), "soup über"))
    words = [one for one in page.all("button") if "aria-pressed" in one]
    assert [one["aria-pressed"] for one in words] == ["true", "false", "true"]
    assert [one["data-set"] for one in words] == ["read=%C3%BCber", "read=soup+onion+%C3%BCber", "read=soup"]
    assert [one["data-set"] for one in page.all("button")][-2:] == ["read=", "picture=&read="]
    assert "read=soup+onion" in str(check_inert(asked_html(Asked("/media/x", ("soup", "onion")), "")).all("button"))


def test_a_frame_that_is_searched_by_leads_to_its_second() -> None:
    video = hit([], creator="<script>").video
    page = check_inert(asked_html(Asked("/media/x", (), "71000", video, 3.5), ""))
    assert "More like this frame of <script> at 0:03" in page.text
    assert page.all("a")[0]["href"] == "?id=71000&t=3.50" and page.all("a")[0]["data-open"] == "71000"


def test_a_card_shows_the_frame_with_its_second_and_the_cover_once() -> None:
    seen: dict[str, Any] = {"retriever": "vision", "picture": SHA}
    cause = why("seen", picture=SHA, thumbnail_url="/media/71000/seen/x", start_s=4.0)
    frame, more = shown_frame(hit([reason("seen", start_s=4.0, **seen)], cause, video_url="/media/71000/video"), cause)
    (button,) = Page(frame).all("button")
    assert button["data-at"] == "4.00" and button["title"] == "Play from 0:04"
    assert Page(more).all("button")[0]["data-like"] == f"71000:{SHA}"
    cover, more = shown_frame(hit([reason("seen", **seen)], cause), cause)
    assert not cover and more, "the card has its cover anyway"
    photo, _ = shown_frame(hit([reason("seen", **seen)], cause, slide_urls=["/media/71000/slide"]), cause)
    assert Page(photo).all("img")


def test_the_strip_marks_what_was_found_and_offers_more_only_where_that_can_be_answered() -> None:
    frames = [
        FrameDetail(kind="cover", start_s=None, end_s=None, sha256="b" * 64, url="/media/71000/seen/b"),
        FrameDetail(kind="video", start_s=2.5, end_s=4.0, sha256=SHA, url="/media/71000/seen/a"),
    ]
    strip = check_inert(frame_strip("71000", frames, True, frozenset({SHA})))
    assert [one.get("class") for one in strip.all("li")] == [None, "found"]
    assert [one["data-seek"] for one in strip.all("button") if "data-seek" in one] == ["2.50"]
    assert "Play from 0:02, found by your search" in strip.text and "1 of 2" in strip.text
    assert [one["data-like"] for one in strip.all("button") if "data-like" in one] == [
        f"71000:{'b' * 64}",
        f"71000:{SHA}",
    ]
    assert "data-like" not in frame_strip("71000", frames, True, None)
