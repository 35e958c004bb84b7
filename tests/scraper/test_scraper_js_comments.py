"""scraper.js: wait for comments, scroll for more, and never mix up two videos."""

import re
import time
from dataclasses import replace

from playwright.sync_api import expect

from tests.scraper.browser_script import IN_VAIN, Open, extract, numbered, scrape, texts
from tests.scraper.faulty_answers import PROMPT_S
from tests.scraper.pages import Clip, Remark, Site


def test_comments_are_awaited_only_until_they_come(open_site: Open) -> None:
    page = open_site(Site([Clip(1, remarks_after_ms=900)]))
    started = time.monotonic()
    record = extract(page, delay=30_000)
    assert texts(record) == ["first", "so bright"]
    assert time.monotonic() - started < PROMPT_S


def test_missing_comments_cost_only_the_delay(open_site: Open) -> None:
    page = open_site(Site([Clip(1, remarks_after_ms=None), Clip(2)]))
    started = time.monotonic()
    records = scrape(page, 2, delay=IN_VAIN)
    assert IN_VAIN / 1000 < time.monotonic() - started < PROMPT_S
    assert (records[0]["missing"], records[0]["comments"]) == (["comments"], [])
    assert records[0]["description"] == Clip(1).text
    assert texts(records[1]) == ["first", "so bright"]


def test_a_video_without_comments_is_not_delayed(open_site: Open) -> None:
    page = open_site(Site([Clip(1, remarks=())]))
    started = time.monotonic()
    record = extract(page, delay=30_000)
    assert time.monotonic() - started < PROMPT_S
    assert (record["comments"], record["missing"]) == ([], [])


def test_more_comments_are_loaded_by_scrolling(open_site: Open) -> None:
    remarks = tuple(Remark(f"remark {n}") for n in range(70))
    page = open_site(Site([Clip(1, remarks=remarks)], page_size=10))
    assert len(extract(page)["comments"]) == 10
    assert texts(extract(page, comments=35)) == [f"remark {n}" for n in range(40)]
    assert len(extract(page, comments=500, delay=IN_VAIN)["comments"]) == 70


def test_replies_are_opened_and_follow_their_comment(open_site: Open) -> None:
    replies = tuple(Remark(f"reply {n}", f"r{n}") for n in range(7))
    page = open_site(Site([Clip(1, remarks=(Remark("first", replies=replies), Remark("second")))]))
    assert [comment["replies-count"] for comment in extract(page)["comments"]] == ["7", ""]
    record = extract(page, replies=True)
    assert texts(record) == ["first", *(f"reply {n}" for n in range(7)), "second"]
    assert [comment["replies-count-exact"] for comment in record["comments"]] == [7, *[0] * 8]
    assert record["comments"][3]["commenter-username"] == "@r2"


def test_elements_of_the_previous_video_are_never_used(open_site: Open) -> None:
    clips = numbered(4, panel_after_ms=250, remarks_after_ms=400)
    clips[2] = replace(clips[2], remarks_after_ms=None)
    records = scrape(open_site(Site(clips, leaves_comments=True)), 4, delay=1200)
    assert [record["description"] for record in records] == [f"clip {n}" for n in range(4)]
    assert [texts(record)[:1] for record in records] == [["about 0"], ["about 1"], [], ["about 3"]]


def test_a_late_panel_is_awaited_even_without_comments(open_site: Open) -> None:
    clips = [replace(clip, remarks=()) for clip in numbered(3, panel_after_ms=500)]
    assert [record["description"] for record in scrape(open_site(Site(clips)), 3)] == ["clip 0", "clip 1", "clip 2"]


LATE_PARTS = """() => {
  const draw = show;
  show = async (index) => {
    const old = Object.fromEntries(["browse-video-desc", "browse-like-count", "browse-comment-count"].map(
      (mark) => [mark, app.querySelector(`[data-e2e="${mark}"]`).textContent]));
    await draw(index);
    for (const [mark, text] of Object.entries(old)) {
      const element = app.querySelector(`[data-e2e="${mark}"]`);
      const own = element.textContent;
      element.textContent = text;
      setTimeout(() => { element.textContent = own; }, 500);
    }
  };
}"""


def test_a_panel_that_comes_too_late_is_replaced_by_the_page_data(open_site: Open) -> None:
    clips = [replace(clip, name=f"maker{n}") for n, clip in enumerate(numbered(2, panel_after_ms=2500))]
    for look_up in (True, False):
        page = open_site(Site(clips))
        expect(page.get_by_text("about 0")).to_be_visible()
        record = scrape(page, 2, delay=IN_VAIN, look_up=look_up)[1]
        assert record["id"] == clips[1].id
        assert record["creator-username"] == "@maker1"
        assert record["description"] == ("clip 1" if look_up else None)
        assert (record["comments"], "comments" in record["missing"]) == ([], True)
        assert ("description" in record["missing"]) is not look_up
        assert not record["video-src"] or clips[1].id in record["video-src"]


def test_a_panel_drawn_in_two_steps_is_awaited(open_site: Open) -> None:
    clips = [replace(clip, likes=100 + n) for n, clip in enumerate(numbered(3))]
    page = open_site(Site(clips))
    page.evaluate(LATE_PARTS)
    records = scrape(page, 3, look_up=False)
    assert [(record["description"], record["like-count"]) for record in records] == [
        (f"clip {n}", str(100 + n)) for n in range(3)
    ]


def test_a_video_and_a_cover_outside_of_the_player_are_used_only_when_new(open_site: Open) -> None:
    page = open_site(Site(numbered(2, blob=False), page_data="none"))
    page.evaluate(
        """() => {
          const draw = player;
          const old = [app.querySelector("video").src, app.querySelector(".ImgPoster").src];
          player = (clip) => {
            const box = draw(clip);
            [box.querySelector("video").src, box.querySelector(".ImgPoster").src] = old;
            box.querySelector("video").parentElement.id = "";
            return box;
          };
        }"""
    )
    record = scrape(page, 2, look_up=False)[1]
    assert (record["video-src"], record["video-srcs"], record["coverphoto-srcs"]) == (None, [], [])
    assert {"video-src", "coverphoto-src"} <= set(record["missing"])


def test_equal_first_comments_of_two_videos_are_both_kept(open_site: Open) -> None:
    clips = [Clip(n, remarks=(Remark("first"), Remark(f"more {n}")), remarks_after_ms=200) for n in range(3)]
    records = scrape(open_site(Site(clips)), 3)
    assert [texts(record) for record in records] == [["first", f"more {n}"] for n in range(3)]


def test_a_comment_whose_likes_change_is_still_the_old_one(open_site: Open) -> None:
    page = open_site(Site(numbered(2, remarks_after_ms=1000), leaves_comments=True))
    page.evaluate(
        """() => {
          const load = load_comments;
          const mark = '[data-e2e="comment-like-count"]';
          load_comments = (clip, list) => {
            setTimeout(() => { for (const likes of list.querySelectorAll(mark)) likes.textContent = "4"; }, 200);
            return load(clip, list);
          };
        }"""
    )
    assert [texts(record)[0] for record in scrape(page, 2)] == ["about 0", "about 1"]


def test_an_empty_comment_counter_does_not_mean_no_comments(open_site: Open) -> None:
    page = open_site(Site([Clip(1, remarks_after_ms=900)], page_data="none"))
    page.evaluate("""() => { app.querySelector('[data-e2e="browse-comment-count"]').textContent = ""; }""")
    assert texts(extract(page, look_up=False)) == ["first", "so bright"]


def test_comments_received_before_they_are_drawn_are_scrolled_in_the_right_box(open_site: Open) -> None:
    remarks = tuple(Remark(f"remark {n}") for n in range(50))
    page = open_site(Site([Clip(0), Clip(1, remarks=remarks)], page_size=10, transport="fetch"))
    page.evaluate(
        """() => {
          const ask = request;
          request = async (address) => {
            const answer = await ask(address);
            if (address.includes("comment")) await wait(400);
            return answer;
          };
          const sheet = document.head.appendChild(document.createElement("style"));
          sheet.textContent = ".DivCommentItem { overflow-x: hidden }";
        }"""
    )
    assert len(scrape(page, 2, comments=35, delay=2000)[1]["comments"]) == 40


def test_more_than_a_thousand_replies_are_counted(open_site: Open) -> None:
    page = open_site(Site([Clip(1, remarks=(Remark("first", replies=(Remark("no"),)),))]))
    found = []
    for shown in ("View 1,234 replies", "View 1.2K replies"):
        page.get_by_text(re.compile("^View")).evaluate("(more, shown) => { more.textContent = shown; }", shown)
        (comment,) = extract(page)["comments"]
        found.append((comment["replies-count"], comment["replies-count-exact"]))
    assert found == [("1234", 1234), ("1.2K", None)]


def test_a_page_that_forbids_parsing_is_still_read(open_site: Open) -> None:
    site = Site(numbered(2))
    page = open_site(site)
    page.evaluate("() => { DOMParser.prototype.parseFromString = () => { throw new TypeError('TrustedHTML'); }; }")
    assert scrape(page, 2)[1]["video-src"] == site.clips[1].play_address
