"""The console script in a real browser, on a made-up site that is slow, broken and hostile; its file is imported."""

import json
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Route, expect
from typer.testing import CliRunner

from ingest.__main__ import app
from ingest.catalog import Catalog
from scraper import bookmarklet, sources
from scraper.records import Video
from tests.conftest import REPOSITORY
from tests.scraper.faulty_answers import PROMPT_S
from tests.scraper.pages import WEB_ID, Clip, Remark, Site, served

SCRIPT = (REPOSITORY / "scraper" / "scraper.js").read_text(encoding="utf-8")
OLD_KEYS = {
    *("video-src", "coverphoto-src", "permalink", "web-id", "id", "like-count", "comment-count", "creator-username"),
    *("creator-nickname", "time-posted", "music-title", "music-src", "description", "comments", "scrape-timestamp"),
}
NEW_KEYS = {
    *("video-srcs", "coverphoto-srcs", "slides-src", "hashtags", "captions", "time-posted-iso", "like-count-exact"),
    *("comment-count-exact", "play-count", "share-count", "missing"),
}
QUICK = {"delay": 5000, "pause": 0, "save": False}  # ms; far longer than anything takes that does come
IN_VAIN = 1000  # ms; the delay where something never comes
Record = dict[str, Any]


@pytest.fixture(scope="module")
def trouble() -> list[str]:
    """Dialogs and crashes of all pages: there must be none."""
    return []


@pytest.fixture(scope="module")
def profile(browser: Browser, trouble: list[str]) -> Iterator[BrowserContext]:
    """A fresh profile whose pages reach loopback and nothing else."""

    def only_loopback(route: Route) -> None:
        if route.request.url.startswith("http://127.0.0.1:"):
            route.continue_()
        else:
            route.abort()

    def opened(dialog: Dialog) -> None:
        trouble.append(dialog.message)
        dialog.dismiss()

    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    context.set_default_timeout(20_000)
    context.route("**/*", only_loopback)
    context.on("dialog", opened)
    context.on("weberror", lambda error: trouble.append(str(error.error)))
    yield context
    context.close()


@pytest.fixture
def context(profile: BrowserContext, trouble: list[str]) -> Iterator[BrowserContext]:
    """The profile without the pages of other tests; sites and tabs are new for each, and with them what is kept."""
    yield profile
    for page in profile.pages:
        page.close()
    assert trouble == []


Open = Callable[..., Page]


@pytest.fixture
def open_site(context: BrowserContext) -> Iterator[Open]:
    """Opens a made-up site at one of its videos and pastes the script."""
    with ExitStack() as servers:

        def open_page(site: Site, index: int = 0) -> Page:
            address = servers.enter_context(served(site))
            page = context.new_page()
            page.goto(site.start(address, index))
            page.evaluate(SCRIPT)
            return page

        yield open_page


def scrape(page: Page, count: int, **options: object) -> list[Record]:
    records: list[Record] = page.evaluate("([n, o]) => scrape_tiktoks(n, o)", [count, QUICK | options])
    return records


def extract(page: Page, **options: object) -> Record:
    wanted = {name: value for name, value in (QUICK | options).items() if name != "save"}
    record: Record = page.evaluate("(o) => extract_tiktok_information(o)", wanted)
    return record


def texts(record: Record) -> list[str]:
    return [comment["comment-text"] for comment in record["comments"]]


def imported(batch: Path, data: Path) -> dict[str, Video]:
    """The videos of the catalogue into which `python -m ingest import` has taken a batch; no record may be refused."""
    result = CliRunner().invoke(app, ["import", str(batch), "--data", str(data), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["problems"] == []
    with Catalog(data) as catalog:
        return {entry.video.id: entry.video for entry in catalog.entries(catalog.ids())}


def numbered(count: int, **same: Any) -> list[Clip]:
    return [
        Clip(n, text=f"clip {n}", remarks=(Remark(f"about {n}"), Remark(f"more of {n}")), **same) for n in range(count)
    ]


# ---- what a record is


def test_every_value_of_the_contract_is_read(open_site: Open) -> None:
    clip = Clip(1, remarks=(Remark("first", replies=(Remark("no, me"),)), Remark("so bright", "second.reader", 12_345)))
    before = time.time()
    record = extract(open_site(Site([clip])))
    assert before - 1 < record.pop("scrape-timestamp") < time.time() + 1
    video, mirror, cover = (f"https://{host}.example/{clip.id}" for host in ("v16", "v19", "p16"))
    assert {key: record[key] for key in record if key != "coverphoto-srcs"} == {
        "video-src": clip.play_address,
        "video-srcs": [clip.play_address, f"{mirror}/high.mp4", f"{video}/low.mp4", f"{video}/watermarked.mp4"],
        "coverphoto-src": f"{cover}/origin.jpg",
        "slides-src": [],
        "permalink": f"https://www.tiktok.com/@maker/video/{clip.id}?is_from_webapp=v1&web_id={WEB_ID}",
        "web-id": WEB_ID,
        "id": clip.id,
        "like-count": "20.2K",
        "like-count-exact": 20_240,
        "comment-count": "3",
        "comment-count-exact": 3,
        "play-count": 90_210,
        "share-count": 17,
        "creator-username": "@maker",
        "creator-nickname": "The Maker",
        "time-posted": "11-14",
        "time-posted-iso": "2023-11-14T22:13:21.000Z",
        "music-title": "made up - The Maker",
        "music-src": record["music-src"],
        "description": "A lamp from a jar #diy #Lamp",
        "hashtags": ["diy", "jar", "Lamp"],
        "captions": [
            {"language": "eng-US", "source": "ASR", "format": "webvtt", "url": "https://v16.example/a.vtt"},
            {"language": "deu-DE", "source": "MT", "format": "webvtt", "url": "https://v16.example/b.vtt"},
        ],
        "comments": [
            {
                "commenter-username": "@reader",
                "comment-text": "first",
                "like-count": "3",
                "like-count-exact": 3,
                "time-posted": "2d ago",
                "time-posted-iso": None,
                "replies-count": "1",
                "replies-count-exact": 1,
            },
            {
                "commenter-username": "@second.reader",
                "comment-text": "so bright",
                "like-count": "12.3K",
                "like-count-exact": None,
                "time-posted": "2d ago",
                "time-posted-iso": None,
                "replies-count": "",
                "replies-count-exact": 0,
            },
        ],
        "missing": [],
    }
    assert record["coverphoto-srcs"][:2] == [f"{cover}/origin.jpg", f"{cover}/cover.jpg"]
    assert record["music-src"].endswith(f"/music/made-up-{clip.id}")
    assert set(record) | {"scrape-timestamp"} == OLD_KEYS | NEW_KEYS


def test_the_older_page_data_is_read_too(open_site: Open) -> None:
    record = extract(open_site(Site([Clip(1)], page_data="sigi")))
    assert (record["like-count-exact"], record["creator-username"], len(record["captions"])) == (20_240, "@maker", 2)
    assert (record["video-src"], record["missing"]) == (Clip(1).play_address, [])


def test_a_photo_post_gives_all_slides_in_order_and_misses_no_video(open_site: Open) -> None:
    slides = tuple(f"https://p16.example/slide{n}.webp" for n in (3, 1, 2))
    record = extract(open_site(Site([Clip(1, slides=slides)])))
    assert (record["slides-src"], record["video-src"], record["missing"]) == (list(slides), None, [])
    assert "/photo/" in record["permalink"]


def test_the_slides_on_the_page_are_read_where_its_data_is_not(open_site: Open) -> None:
    slides = tuple(f"https://p16.example/slide{n}.webp" for n in (3, 1, 2))
    record = extract(open_site(Site([Clip(1, slides=slides)], page_data="none")))
    assert record["slides-src"] == list(slides)
    assert "video-src" not in record["missing"]


# ---- real addresses instead of blob:


def test_a_blob_link_is_kept_only_where_nothing_better_is_to_be_had(open_site: Open) -> None:
    record = extract(open_site(Site([Clip(1)], page_data="none")))
    assert record["video-src"].startswith("blob:")
    assert record["video-srcs"] == []
    assert {"captions", "play-count", "like-count-exact"} <= set(record["missing"])
    assert record["time-posted-iso"] == "2023-11-14T22:13:21.000Z"  # the id itself tells the second


def test_the_videos_own_page_is_asked_where_this_page_does_not_know_its_address(open_site: Open) -> None:
    site = Site(numbered(3))
    page = open_site(site)
    records = scrape(page, 3)
    assert [record["video-src"] for record in records] == [clip.play_address for clip in site.clips]
    assert [path for path in site.asked if path == f"/@maker/video/{site.clips[2].id}"] != []


def test_without_look_up_no_page_is_asked_for(open_site: Open) -> None:
    site = Site(numbered(2))
    records = scrape(open_site(site), 2, look_up=False)
    assert records[1]["video-src"].startswith("blob:")
    assert f"/@maker/video/{site.clips[1].id}" not in site.asked


@pytest.mark.parametrize("transport", ["fetch", "xhr"])
def test_what_the_app_loads_later_is_heard_and_the_app_gets_its_own_functions_back(
    open_site: Open, transport: Any
) -> None:
    site = Site(numbered(3), transport=transport)
    page = open_site(site)
    own = "[window.fetch, XMLHttpRequest.prototype.open].map(String).join()"
    before = page.evaluate(own)
    records = scrape(page, 3, look_up=False)
    assert [record["video-src"] for record in records] == [clip.play_address for clip in site.clips]
    heard = records[2]["comments"][0]
    assert (heard["like-count-exact"], heard["time-posted-iso"]) == (3, "2023-11-14T23:13:20.000Z")
    assert records[2]["missing"] == []
    assert page.evaluate(own) == before
    assert "native code" in before


# ---- comments


def test_comments_are_waited_for_no_longer_than_they_take(open_site: Open) -> None:
    page = open_site(Site([Clip(1, remarks_after_ms=900)]))
    started = time.monotonic()
    record = extract(page, delay=30_000)
    assert texts(record) == ["first", "so bright"]
    assert time.monotonic() - started < PROMPT_S


def test_comments_that_never_come_cost_the_delay_and_nothing_else(open_site: Open) -> None:
    page = open_site(Site([Clip(1, remarks_after_ms=None), Clip(2)]))
    started = time.monotonic()
    records = scrape(page, 2, delay=IN_VAIN)
    assert IN_VAIN / 1000 < time.monotonic() - started < PROMPT_S
    assert (records[0]["missing"], records[0]["comments"]) == (["comments"], [])
    assert records[0]["description"] == Clip(1).text
    assert texts(records[1]) == ["first", "so bright"]


def test_a_video_without_comments_is_not_waited_for(open_site: Open) -> None:
    page = open_site(Site([Clip(1, remarks=())]))
    started = time.monotonic()
    record = extract(page, delay=30_000)
    assert time.monotonic() - started < PROMPT_S
    assert (record["comments"], record["missing"]) == ([], [])


def test_more_comments_are_scrolled_for_until_enough_are_there(open_site: Open) -> None:
    remarks = tuple(Remark(f"remark {n}") for n in range(70))
    page = open_site(Site([Clip(1, remarks=remarks)], page_size=10))
    assert len(extract(page)["comments"]) == 10
    assert texts(extract(page, comments=35)) == [f"remark {n}" for n in range(40)]
    assert len(extract(page, comments=500, delay=IN_VAIN)["comments"]) == 70


def test_replies_are_opened_and_stand_behind_what_they_answer(open_site: Open) -> None:
    replies = tuple(Remark(f"reply {n}", f"r{n}") for n in range(7))
    page = open_site(Site([Clip(1, remarks=(Remark("first", replies=replies), Remark("second")))]))
    assert [comment["replies-count"] for comment in extract(page)["comments"]] == ["7", ""]
    record = extract(page, replies=True)
    assert texts(record) == ["first", *(f"reply {n}" for n in range(7)), "second"]
    assert [comment["replies-count-exact"] for comment in record["comments"]] == [7, *[0] * 8]
    assert record["comments"][3]["commenter-username"] == "@r2"


def test_what_still_shows_the_video_before_is_never_taken_for_this_one(open_site: Open) -> None:
    clips = numbered(4, panel_after_ms=250, remarks_after_ms=400)
    clips[2] = replace(clips[2], remarks_after_ms=None)
    records = scrape(open_site(Site(clips, leaves_comments=True)), 4, delay=1200)
    assert [record["description"] for record in records] == [f"clip {n}" for n in range(4)]
    assert [texts(record)[:1] for record in records] == [["about 0"], ["about 1"], [], ["about 3"]]


def test_a_panel_that_is_drawn_late_is_waited_for_even_where_no_comments_are(open_site: Open) -> None:
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


def test_a_panel_that_comes_too_late_is_not_taken_and_the_data_speaks_instead(open_site: Open) -> None:
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


def test_a_panel_drawn_in_two_steps_is_waited_for(open_site: Open) -> None:
    clips = [replace(clip, likes=100 + n) for n, clip in enumerate(numbered(3))]
    page = open_site(Site(clips))
    page.evaluate(LATE_PARTS)
    records = scrape(page, 3, look_up=False)
    assert [(record["description"], record["like-count"]) for record in records] == [
        (f"clip {n}", str(100 + n)) for n in range(3)
    ]


def test_a_film_and_a_cover_outside_the_videos_player_are_taken_only_when_new(open_site: Open) -> None:
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


def test_equal_first_comments_of_two_videos_are_both_taken_at_once(open_site: Open) -> None:
    clips = [Clip(n, remarks=(Remark("first"), Remark(f"more {n}")), remarks_after_ms=200) for n in range(3)]
    records = scrape(open_site(Site(clips)), 3)
    assert [texts(record) for record in records] == [["first", f"more {n}"] for n in range(3)]


def test_an_old_comment_whose_likes_change_stays_an_old_one(open_site: Open) -> None:
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


def test_comments_heard_before_they_are_drawn_are_still_scrolled_in_the_right_box(open_site: Open) -> None:
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


def test_replies_over_a_thousand_are_counted_whole(open_site: Open) -> None:
    page = open_site(Site([Clip(1, remarks=(Remark("first", replies=(Remark("no"),)),))]))
    found = []
    for shown in ("View 1,234 replies", "View 1.2K replies"):
        page.get_by_text(re.compile("^View")).evaluate("(more, shown) => { more.textContent = shown; }", shown)
        (comment,) = extract(page)["comments"]
        found.append((comment["replies-count"], comment["replies-count-exact"]))
    assert found == [("1234", 1234), ("1.2K", None)]


def test_a_page_that_forbids_parsing_is_still_looked_up(open_site: Open) -> None:
    site = Site(numbered(2))
    page = open_site(site)
    page.evaluate("() => { DOMParser.prototype.parseFromString = () => { throw new TypeError('TrustedHTML'); }; }")
    assert scrape(page, 2)[1]["video-src"] == site.clips[1].play_address


# ---- the feed


def test_a_swallowed_click_is_repeated_and_a_feed_that_ended_can_be_gone_on_with(open_site: Open) -> None:
    page = open_site(Site(numbered(3)))
    page.evaluate("() => { const draw = show; let n = 0; show = (i) => { if (n++ % 2) return draw(i); }; }")
    assert len(scrape(page, 3, delay=IN_VAIN)) == 3
    page = open_site(Site(numbered(3)))
    page.evaluate("() => { window.draw = show; show = () => {}; }")
    assert len(scrape(page, 3, delay=IN_VAIN)) == 1
    page.evaluate("() => { show = window.draw; }")
    assert [record["description"] for record in scrape(page, 3)] == ["clip 0", "clip 1", "clip 2"]


@pytest.mark.parametrize("end", ["disabled", "none", "stays"])
def test_the_end_of_the_feed_ends_the_run_with_what_there_is(open_site: Open, end: Any) -> None:
    page = open_site(Site(numbered(3), end=end))
    assert [record["description"] for record in scrape(page, 10, delay=IN_VAIN)] == ["clip 0", "clip 1", "clip 2"]
    assert "the feed ends here" in page.get_by_role("status").inner_text()


def test_a_video_that_comes_again_is_skipped_and_not_counted(open_site: Open) -> None:
    a, b, c = numbered(3)
    records = scrape(open_site(Site([a, b, a, b, c])), 3)
    assert [record["id"] for record in records] == [a.id, b.id, c.id]


def test_a_feed_that_goes_round_in_circles_is_left(open_site: Open) -> None:
    page = open_site(Site(numbered(2) * 20))
    assert len(scrape(page, 3)) == 2
    assert "repeats itself" in page.get_by_role("status").inner_text()


# ---- changed markup


MARKS: dict[str, set[str]] = {  # what is lost with a mark where the page's data is not to be had either
    "browse-username": set(),  # the address has it too
    "browser-nickname": set(),  # there is another place, by class name
    "browse-video-desc": {"description"},
    "browse-music": set(),
    "browse-like-count": {"like-count"},
    "browse-comment-count": {"comment-count", "comment-count-exact"},
    "browse-video-link": {"web-id"},
    "comment-username-1": set(),
    "comment-time-1": set(),
    "search-comment-container": set(),
    "comment-level-1": {"comments"},
}


def test_each_lost_mark_costs_at_most_its_own_value(open_site: Open) -> None:
    page = open_site(Site([Clip(1)], page_data="none"))
    whole = extract(page)
    missing = set(whole["missing"])
    assert missing == {"like-count-exact", "play-count", "share-count", "captions"}  # on the page they do not stand
    for mark, lost in MARKS.items():
        page.evaluate("(mark) => { feed.lost.push(mark); lose_marks(); }", mark)
        record = extract(page, delay=IN_VAIN)
        missing |= lost
        assert set(record["missing"]) == missing, mark
        assert record["creator-username"] == "@maker"
        assert lost == {"comments"} or texts(record) == texts(whole)


def test_with_all_marks_lost_the_pages_data_still_gives_a_record(open_site: Open, tmp_path: Path) -> None:
    page = open_site(Site([Clip(1)], lost=("*",)))
    record = extract(page, delay=IN_VAIN)
    assert (record["description"], record["creator-username"]) == (Clip(1).text, "@maker")
    assert record["missing"] == ["comments"]
    (tmp_path / "batch.json").write_text(json.dumps([record]))
    assert list(imported(tmp_path / "batch.json", tmp_path / "data")) == [Clip(1).id]


def test_a_page_without_a_video_says_so(open_site: Open) -> None:
    page = open_site(Site([Clip(1)], page_data="none", lost=("*",)))
    page.evaluate("history.replaceState(null, '', '/explore')")
    page.evaluate("document.getElementById('app').replaceChildren()")
    with pytest.raises(Exception, match="no video is open"):
        extract(page, delay=IN_VAIN)


# ---- hostile text

NASTY = (
    '<script>window.pwned = 1; alert("a")</script>',
    '<img src=x onerror="window.pwned = 2; alert(1)">',
    "</script><script>window.pwned = 3</script>",
    "'; window.pwned = 4; //${window.pwned = 5}`",
    "[a](javascript:alert(1)) **b** %c%s%o {{7*7}}",
    '__proto__ "],"x":[ \\u0000 \u202e\u2066 \U0001f469\u200d\U0001f52c',
)


def test_hostile_text_arrives_unharmed_and_does_nothing(open_site: Open, tmp_path: Path) -> None:
    remarks = tuple(Remark(text, name) for text, name in zip(NASTY, NASTY, strict=True))
    clips = [Clip(n, nickname=text, text=text, remarks=remarks) for n, text in enumerate(NASTY)]
    page = open_site(Site(clips, transport="fetch"))
    with page.expect_download() as download:
        records = scrape(page, len(clips), save=True)
    assert [record["description"] for record in records] == list(NASTY)
    assert [record["creator-nickname"] for record in records] == list(NASTY)
    assert all(texts(record) == list(NASTY) for record in records)
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("({}).polluted") is None
    path = tmp_path / "batch.json"
    download.value.save_as(path)
    videos = imported(path, tmp_path / "data")
    assert [videos[clip.id].description for clip in clips] == list(NASTY)


# ---- stopping, going on, keeping


def test_a_stopped_run_loses_nothing_and_goes_on_where_it_was(open_site: Open) -> None:
    page = open_site(Site(numbered(6, remarks_after_ms=150)))
    page.evaluate("(o) => { window.going = scrape_tiktoks(6, o) }", QUICK)
    expect(page.get_by_role("status")).to_contain_text(re.compile("[2-4] of 6"))
    page.evaluate("stop_scraping()")
    stopped = page.evaluate("window.going")
    assert 2 <= len(stopped) < 6
    whole = scrape(page, 6)
    assert whole[: len(stopped)] == stopped
    assert [record["description"] for record in whole] == [f"clip {n}" for n in range(6)]


def test_a_reload_loses_nothing_and_the_run_goes_on(open_site: Open) -> None:
    page = open_site(Site(numbered(6, remarks_after_ms=150)))
    page.evaluate("(o) => { scrape_tiktoks(6, o) }", QUICK)
    expect(page.get_by_role("status")).to_contain_text(re.compile("[2-4] of 6"))
    page.reload()
    page.evaluate(SCRIPT)
    assert "videos kept" in page.get_by_role("status").inner_text()
    assert [record["description"] for record in scrape(page, 6)] == [f"clip {n}" for n in range(6)]


def test_a_finished_batch_is_not_gone_on_with_and_a_cleared_one_is_forgotten(open_site: Open) -> None:
    page = open_site(Site(numbered(6)))
    assert [record["description"] for record in scrape(page, 2)] == ["clip 0", "clip 1"]
    assert [record["description"] for record in scrape(page, 2)] == ["clip 1", "clip 2"]
    page.evaluate("(o) => { window.going = scrape_tiktoks(4, o); stop_scraping() }", QUICK)
    assert len(page.evaluate("window.going")) == 1
    page.evaluate("clear_batch()")
    assert page.evaluate("Object.keys(sessionStorage)") == []
    assert [record["description"] for record in scrape(page, 1)] == ["clip 2"]


def test_a_full_store_ends_nothing_and_hands_over_a_file_at_once(open_site: Open, tmp_path: Path) -> None:
    page = open_site(Site(numbered(5)))
    page.evaluate(
        """() => {
          let size = 4 * 2 ** 20;  // fill the store to its last few characters
          while (size > 2) {
            try { sessionStorage.setItem("full" + size + Math.random(), "x".repeat(size)); } catch { size = size >> 1; }
          }
        }"""
    )
    with page.expect_download() as download:
        records = scrape(page, 5)
    assert [record["description"] for record in records] == [f"clip {n}" for n in range(5)]
    download.value.save_as(tmp_path / "part.json")
    assert len(json.loads((tmp_path / "part.json").read_text())) == 1


def test_a_record_that_did_not_fit_costs_no_other_record_after_a_reload(open_site: Open) -> None:
    page = open_site(Site(numbered(6)))
    page.evaluate(
        """() => {
          const set = Storage.prototype.setItem;
          Storage.prototype.setItem = function (key, value) {
            if (key.endsWith("02")) throw new DOMException("full", "QuotaExceededError");
            return set.call(this, key, value);
          };
        }"""
    )
    page.evaluate("(o) => { window.going = scrape_tiktoks(6, o); }", QUICK | {"pause": 300})
    expect(page.get_by_role("status")).to_contain_text("3 of 6")
    page.evaluate("() => { stop_scraping(); return window.going; }")
    numbers = "Object.keys(sessionStorage).filter((key) => /[0-9]$/.test(key)).sort()"
    kept = f"{numbers}.map((key) => JSON.parse(sessionStorage[key]).description)"
    before = page.evaluate(kept)
    assert before[:2] == ["clip 0", "clip 2"]
    page.reload()
    page.evaluate(SCRIPT)
    scrape(page, len(before) + 1)
    assert page.evaluate(kept) == [*before, f"clip {len(before) + 1}"]


def test_the_file_is_the_result_and_is_imported_whole(open_site: Open, tmp_path: Path) -> None:
    slides = ("https://p16.example/1.webp", "https://p16.example/2.webp")
    site = Site(
        [Clip(1), Clip(2, slides=slides), Clip(3, remarks=()), Clip(4, remarks_after_ms=None)], transport="fetch"
    )
    page = open_site(site)
    with page.expect_download() as download:
        records = scrape(page, 4, save=True, delay=IN_VAIN)
    assert download.value.suggested_filename.endswith("-4.json")
    path = tmp_path / "batch.json"
    download.value.save_as(path)
    assert json.loads(path.read_text(encoding="utf-8")) == records
    assert not [found for found in sources.read(path) if isinstance(found, sources.Problem)]
    videos = imported(path, tmp_path / "data")
    assert list(videos) == [clip.id for clip in site.clips]
    first = videos[site.clips[0].id]
    assert (first.likes, first.comment_count, first.posted) == (20_240, 2, "2023-11-14")
    assert first.video_sources[0] == Clip(1).play_address
    assert [(caption.language, caption.source) for caption in first.captions] == [("eng-US", "ASR"), ("deu-DE", "MT")]
    assert [(comment.username, comment.likes) for comment in first.comments] == [
        ("reader", 3),
        ("second.reader", 1_200),
    ]
    assert first.hashtags == ["diy", "jar", "lamp"]
    assert videos[site.clips[1].id].slide_sources == list(slides)


# ---- the panel and the bookmarklet


def test_the_panel_works_by_keyboard_and_keeps_its_keys_from_the_site(open_site: Open) -> None:
    page = open_site(Site(numbered(3)))
    page.get_by_role("spinbutton", name="How many videos").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("2")
    page.keyboard.press("Tab")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename.endswith("-2.json")
    page.get_by_role("button", name="Save").focus()
    with page.expect_download():
        page.keyboard.press("Enter")
    assert page.evaluate("window.keys") == []
    page.get_by_role("button", name="Hide this panel").press("Enter")
    assert page.get_by_role("region", name="Scraper").count() == 0


def test_pasting_again_leaves_one_panel_and_no_second_run(open_site: Open) -> None:
    page = open_site(Site(numbered(4, remarks_after_ms=200)))
    page.evaluate("(o) => { window.going = scrape_tiktoks(4, o) }", QUICK)
    with pytest.raises(Exception, match="a run is going on"):
        scrape(page, 2)
    page.evaluate(SCRIPT)
    assert len(page.evaluate("window.going")) < 4
    assert page.locator("#tiktok-retrieval-panel").count() == 1


def test_a_misspelt_option_and_a_wrong_number_are_named(open_site: Open) -> None:
    page = open_site(Site([Clip(1)]))
    with pytest.raises(Exception, match="no option dealy; there are: delay, comments"):
        page.evaluate("scrape_tiktoks(3, {dealy: 2000})")
    with pytest.raises(Exception, match="how many"):
        page.evaluate("scrape_tiktoks()")
    for options in ("{delay: -1}", "{delay: NaN}", "{delay: '4s'}", "{replies: 1}"):
        with pytest.raises(Exception, match="please"):
            page.evaluate(f"scrape_tiktoks(1, {options})")


def test_a_delay_too_long_for_a_timer_is_still_a_long_one(open_site: Open) -> None:
    page = open_site(Site(numbered(1, remarks_after_ms=600)))
    assert texts(page.evaluate("scrape_tiktoks(1, {delay: Infinity, save: false})")[0]) == ["about 0", "more of 0"]


def test_a_page_whose_fetch_cannot_be_replaced_is_scraped_all_the_same(open_site: Open) -> None:
    page = open_site(Site(numbered(2)))
    page.evaluate("() => { const own = fetch; Object.defineProperty(window, 'fetch', { get: () => own }); }")
    assert len(scrape(page, 2)) == 2
    page.evaluate("clear_batch()")


def test_the_bookmarklet_in_docs_is_that_of_the_script_as_it_is() -> None:
    assert bookmarklet.PAGE.read_text(encoding="utf-8") == bookmarklet.page(), "run python -m scraper.bookmarklet"


def test_the_bookmarklet_runs_where_it_is_clicked(context: BrowserContext) -> None:
    shelf = context.new_page()
    shelf.set_content(bookmarklet.PAGE.read_text(encoding="utf-8"))
    link = shelf.get_by_role("link", name="Scrape TikToks").get_attribute("href")
    site = Site(numbered(2))
    with served(site) as address:
        page = context.new_page()
        page.goto(site.start(address))
        page.evaluate(
            "(to) => document.body.append(Object.assign(document.createElement('a'), {href: to, id: 'b'}))", link
        )
        page.evaluate("document.getElementById('b').click()")
        page.get_by_role("spinbutton", name="How many videos").fill("2")
        with page.expect_download() as download:
            page.get_by_role("button", name="Start").click()
        assert download.value.suggested_filename.endswith("-2.json")


def test_a_script_too_long_for_a_bookmark_is_refused() -> None:
    with pytest.raises(ValueError, match="65536 characters"):
        bookmarklet.bookmarklet("x" * 70_000)


# ---- a real page


@pytest.mark.research_data("a page as the site served it")
def test_a_real_page_gives_a_full_record(context: BrowserContext, shared_data: Path, tmp_path: Path) -> None:
    """Of 2023, in the layout with the comments below; its own scripts cannot be fetched here, its data is all there."""
    source = (shared_data / "one_video" / "page.html").read_text(encoding="utf-8")
    page = context.new_page()
    address = "https://www.tiktok.com/@someone/video/7261314534885870894"
    page.route("https://www.tiktok.com/@*/video/*", lambda route: route.fulfill(body=source, content_type="text/html"))
    page.goto(address, wait_until="domcontentloaded")
    page.evaluate(SCRIPT)
    record = extract(page, delay=IN_VAIN)
    assert record["id"] == "7261314534885870894"
    assert set(record["missing"]) <= {"comments"}
    assert record["video-src"].startswith("https://v16-webapp-prime.")
    assert (record["like-count-exact"], record["play-count"], record["like-count"]) == (7705, 72_800, "7705")
    assert record["time-posted-iso"] == "2023-07-29T18:49:15.000Z"
    assert "ASR" in {caption["source"] for caption in record["captions"]}
    (tmp_path / "batch.json").write_text(json.dumps([record]))
    (video,) = imported(tmp_path / "batch.json", tmp_path / "data").values()
    assert (video.likes, video.posted, len(video.captions)) == (7705, "2023-07-29", len(record["captions"]))


# ---- a long run


def long_run(open_site: Open, count: int, delay: int) -> tuple[list[Record], list[Clip], float]:
    chance = random.Random(7)
    clips = [
        Clip(
            n,
            text=f"clip {n}",
            remarks=tuple(Remark(f"{n}: {m}") for m in range(5)),
            remarks_after_ms=chance.randrange(3000),
        )
        for n in range(count)
    ]
    page = open_site(Site(clips, transport="fetch"))
    page.set_default_timeout(300_000)
    started = time.monotonic()
    records = scrape(page, count, delay=delay, look_up=False)
    return records, clips, time.monotonic() - started


def check_long_run(records: list[Record], clips: list[Clip], seconds: float, delay: int) -> None:
    allowed = len(clips) * delay / 1000
    print(f"{len(records)} of {len(clips)} videos in {seconds:.1f} s; {len(clips)} x delay is {allowed:.0f} s")
    assert [record["id"] for record in records] == [clip.id for clip in clips]
    assert [texts(record) for record in records] == [[remark.text for remark in clip.remarks] for clip in clips]
    assert [record["missing"] for record in records] == [[]] * len(clips)
    assert seconds < allowed


def test_of_twelve_videos_with_slow_comments_none_is_lost_and_no_delay_is_waited_out(open_site: Open) -> None:
    records, clips, seconds = long_run(open_site, 12, 4000)
    check_long_run(records, clips, seconds, 4000)


@pytest.mark.heavy
def test_of_fifty_videos_with_slow_comments_none_is_lost_and_no_delay_is_waited_out(open_site: Open) -> None:
    records, clips, seconds = long_run(open_site, 50, 4000)
    check_long_run(records, clips, seconds, 4000)
