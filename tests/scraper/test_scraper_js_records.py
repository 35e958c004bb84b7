"""scraper.js: the values of a record, links to files, and pages whose markup has changed."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.scraper.browser_script import (
    IN_VAIN,
    NEW_KEYS,
    OLD_KEYS,
    Open,
    extract,
    imported,
    numbered,
    scrape,
    texts,
)
from tests.scraper.pages import WEB_ID, Clip, Remark, Site


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


def test_older_page_data_is_read(open_site: Open) -> None:
    record = extract(open_site(Site([Clip(1)], page_data="sigi")))
    assert (record["like-count-exact"], record["creator-username"], len(record["captions"])) == (20_240, "@maker", 2)
    assert (record["video-src"], record["missing"]) == (Clip(1).play_address, [])


def test_a_photo_post_gives_all_slides_in_order(open_site: Open) -> None:
    slides = tuple(f"https://p16.example/slide{n}.webp" for n in (3, 1, 2))
    record = extract(open_site(Site([Clip(1, slides=slides)])))
    assert (record["slides-src"], record["video-src"], record["missing"]) == (list(slides), None, [])
    assert "/photo/" in record["permalink"]


def test_slides_on_the_page_are_read_without_page_data(open_site: Open) -> None:
    slides = tuple(f"https://p16.example/slide{n}.webp" for n in (3, 1, 2))
    record = extract(open_site(Site([Clip(1, slides=slides)], page_data="none")))
    assert record["slides-src"] == list(slides)
    assert "video-src" not in record["missing"]


def test_a_blob_link_is_kept_only_without_a_better_one(open_site: Open) -> None:
    record = extract(open_site(Site([Clip(1)], page_data="none")))
    assert record["video-src"].startswith("blob:")
    assert record["video-srcs"] == []
    assert {"captions", "play-count", "like-count-exact"} <= set(record["missing"])
    assert record["time-posted-iso"] == "2023-11-14T22:13:21.000Z"  # the id contains the time


def test_the_page_of_the_video_is_read_if_this_page_lacks_its_link(open_site: Open) -> None:
    site = Site(numbered(3))
    page = open_site(site)
    records = scrape(page, 3)
    assert [record["video-src"] for record in records] == [clip.play_address for clip in site.clips]
    assert [path for path in site.asked if path == f"/@maker/video/{site.clips[2].id}"] != []


def test_without_look_up_no_page_is_requested(open_site: Open) -> None:
    site = Site(numbered(2))
    records = scrape(open_site(site), 2, look_up=False)
    assert records[1]["video-src"].startswith("blob:")
    assert f"/@maker/video/{site.clips[1].id}" not in site.asked


@pytest.mark.parametrize("transport", ["fetch", "xhr"])
def test_later_requests_of_the_app_are_read_and_its_functions_restored(open_site: Open, transport: Any) -> None:
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


MARKS: dict[str, set[str]] = {  # values that are lost with an element if there is no page data
    "browse-username": set(),  # the address contains it
    "browser-nickname": set(),  # it is found by class name
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


def test_each_missing_element_loses_at_most_its_value(open_site: Open) -> None:
    page = open_site(Site([Clip(1)], page_data="none"))
    whole = extract(page)
    missing = set(whole["missing"])
    assert missing == {"like-count-exact", "play-count", "share-count", "captions"}  # not visible on the page
    for mark, lost in MARKS.items():
        page.evaluate("(mark) => { feed.lost.push(mark); lose_marks(); }", mark)
        record = extract(page, delay=IN_VAIN)
        missing |= lost
        assert set(record["missing"]) == missing, mark
        assert record["creator-username"] == "@maker"
        assert lost == {"comments"} or texts(record) == texts(whole)


def test_page_data_gives_a_record_without_any_known_element(open_site: Open, tmp_path: Path) -> None:
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


NASTY = (
    '<script>window.pwned = 1; alert("a")</script>',
    '<img src=x onerror="window.pwned = 2; alert(1)">',
    "</script><script>window.pwned = 3</script>",
    "'; window.pwned = 4; //${window.pwned = 5}`",
    "[a](javascript:alert(1)) **b** %c%s%o {{7*7}}",
    '__proto__ "],"x":[ \\u0000 \u202e\u2066 \U0001f469\u200d\U0001f52c',
)


def test_hostile_text_stays_unchanged_and_runs_nothing(open_site: Open, tmp_path: Path) -> None:
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
