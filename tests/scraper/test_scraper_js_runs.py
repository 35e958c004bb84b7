"""scraper.js: runs through a feed that are stopped, resumed, saved or long."""

import json
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from scraper import sources
from tests.scraper.browser_script import (
    IN_VAIN,
    QUICK,
    SCRIPT,
    Open,
    Record,
    imported,
    numbered,
    scrape,
    texts,
)
from tests.scraper.pages import Clip, Remark, Site


def test_an_ignored_click_is_repeated_and_an_ended_feed_can_be_resumed(open_site: Open) -> None:
    page = open_site(Site(numbered(3)))
    page.evaluate("() => { const draw = show; let n = 0; show = (i) => { if (n++ % 2) return draw(i); }; }")
    assert len(scrape(page, 3, delay=IN_VAIN)) == 3
    page = open_site(Site(numbered(3)))
    page.evaluate("() => { window.draw = show; show = () => {}; }")
    assert len(scrape(page, 3, delay=IN_VAIN)) == 1
    page.evaluate("() => { show = window.draw; }")
    assert [record["description"] for record in scrape(page, 3)] == ["clip 0", "clip 1", "clip 2"]


@pytest.mark.parametrize("end", ["disabled", "none", "stays"])
def test_the_end_of_the_feed_ends_the_run(open_site: Open, end: Any) -> None:
    page = open_site(Site(numbered(3), end=end))
    assert [record["description"] for record in scrape(page, 10, delay=IN_VAIN)] == ["clip 0", "clip 1", "clip 2"]
    assert "the feed ends here" in page.get_by_role("status").inner_text()


def test_a_repeated_video_is_skipped_and_not_counted(open_site: Open) -> None:
    a, b, c = numbered(3)
    records = scrape(open_site(Site([a, b, a, b, c])), 3)
    assert [record["id"] for record in records] == [a.id, b.id, c.id]


def test_a_feed_that_repeats_itself_ends_the_run(open_site: Open) -> None:
    page = open_site(Site(numbered(2) * 20))
    assert len(scrape(page, 3)) == 2
    assert "repeats itself" in page.get_by_role("status").inner_text()


def test_a_stopped_run_resumes_without_loss(open_site: Open) -> None:
    page = open_site(Site(numbered(6, remarks_after_ms=150)))
    page.evaluate("(o) => { window.going = scrape_tiktoks(6, o) }", QUICK)
    expect(page.get_by_role("status")).to_contain_text(re.compile("[2-4] of 6"))
    page.evaluate("stop_scraping()")
    stopped = page.evaluate("window.going")
    assert 2 <= len(stopped) < 6
    whole = scrape(page, 6)
    assert whole[: len(stopped)] == stopped
    assert [record["description"] for record in whole] == [f"clip {n}" for n in range(6)]


def test_a_run_resumes_after_a_reload(open_site: Open) -> None:
    page = open_site(Site(numbered(6, remarks_after_ms=150)))
    page.evaluate("(o) => { scrape_tiktoks(6, o) }", QUICK)
    expect(page.get_by_role("status")).to_contain_text(re.compile("[2-4] of 6"))
    page.reload()
    page.evaluate(SCRIPT)
    assert "videos kept" in page.get_by_role("status").inner_text()
    assert [record["description"] for record in scrape(page, 6)] == [f"clip {n}" for n in range(6)]


def test_a_finished_batch_is_not_resumed_and_a_cleared_one_is_forgotten(open_site: Open) -> None:
    page = open_site(Site(numbered(6)))
    assert [record["description"] for record in scrape(page, 2)] == ["clip 0", "clip 1"]
    assert [record["description"] for record in scrape(page, 2)] == ["clip 1", "clip 2"]
    page.evaluate("(o) => { window.going = scrape_tiktoks(4, o); stop_scraping() }", QUICK)
    assert len(page.evaluate("window.going")) == 1
    page.evaluate("clear_batch()")
    assert page.evaluate("Object.keys(sessionStorage)") == []
    assert [record["description"] for record in scrape(page, 1)] == ["clip 2"]


def test_a_full_browser_storage_does_not_end_the_run_and_saves_a_file(open_site: Open, tmp_path: Path) -> None:
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


def test_a_record_that_did_not_fit_does_not_affect_others_after_a_reload(open_site: Open) -> None:
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


def test_the_saved_file_is_imported_completely(open_site: Open, tmp_path: Path) -> None:
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


def test_twelve_videos_with_slow_comments_are_scraped_without_full_delays(open_site: Open) -> None:
    records, clips, seconds = long_run(open_site, 12, 4000)
    check_long_run(records, clips, seconds, 4000)


@pytest.mark.heavy
def test_fifty_videos_with_slow_comments_are_scraped_without_full_delays(open_site: Open) -> None:
    records, clips, seconds = long_run(open_site, 50, 4000)
    check_long_run(records, clips, seconds, 4000)
