"""Records without links, or with dead ones, are completed from the page of the video."""

import pytest

from ingest.catalog import Catalog
from ingest.settings import Settings
from ingest.stages.pipeline import run_stage
from scraper.records import Video
from tests.ingest.stages.running import VTT
from tests.scraper.faulty_server import FaultyServer
from tests.scraper.stand_in import ID, ITEM, PATH, Proxy, html
from tests.scraper.test_refresh import proxy, site

__all__ = ["proxy", "site"]  # fixtures

AT_HOME = {"playAddr": "https://v16.tiktok.com/video", "cover": "https://p16.tiktokcdn.com/cover"}
TRACKS = [{"LanguageCodeName": "eng-US", "Url": "https://v16.tiktok.com/vtt", "Format": "webvtt", "Source": "ASR"}]


@pytest.fixture
def simulated_site(proxy: Proxy, site: FaultyServer) -> FaultyServer:
    """The site with one video whose files exist."""
    item = ITEM | {"video": ITEM["video"] | AT_HOME | {"subtitleInfos": TRACKS}}  # type: ignore[operator]
    site.answers[PATH] = lambda t: t.whole(html(0, item))
    site.answers[f"/@_/video/{ID}"] = site.answers[PATH]
    site.answers["/vtt"] = lambda t: t.whole(VTT)
    return site


def test_a_record_that_is_only_a_link_is_completed_from_its_page(
    catalog: Catalog, simulated_site: FaultyServer
) -> None:
    catalog.put_video(Video(id=ID, permalink=f"https://www.tiktok.com/@/video/{ID}", source="list of links"))
    assert run_stage(catalog, "download", Settings()).done == 1
    entry = catalog.get(ID)
    assert entry
    assert (entry.video.description, entry.video.creator_nickname) == ("a jar becomes a lamp #diy", "Ada")
    assert (entry.video.likes, entry.video.source) == (20200, "yt-dlp, list of links")
    assert [media.kind for media in entry.media] == ["caption", "cover", "video"]
    assert entry.texts["transcript"].text == "good morning and good night"
    assert [line["kind"] for line in catalog.ledger.files(ID) if line["state"] == "done"] == [
        "caption",
        "cover",
        "page",
        "video",
    ]


def test_dead_links_are_refreshed_and_the_fields_of_the_record_stay(
    catalog: Catalog, simulated_site: FaultyServer
) -> None:
    old = {
        "id": ID,
        "permalink": f"https://www.tiktok.com{PATH}",
        "description": "as it was in 2022",
        "comments": [{"text": "first"}],
        "video_sources": ["blob:https://www.tiktok.com/1"],
        "cover_sources": ["https://p16.tiktokcdn.com/old?x-expires=1671234567"],
        "scraped_at": 1671000000.0,
    }
    catalog.put_video(Video.model_validate(old))
    assert run_stage(catalog, "download", Settings()).done == 1
    entry = catalog.get(ID)
    assert entry and [comment.text for comment in entry.video.comments] == ["first"]
    assert entry.file("video") and entry.file("cover")
    assert simulated_site.counts["/old"] == 0


def test_a_missing_page_is_reported_with_the_dead_link(catalog: Catalog, simulated_site: FaultyServer) -> None:
    simulated_site.answers[f"/@_/video/{ID}"] = lambda t: t.whole(html(10231, {}))
    link = f"https://www.tiktok.com{PATH}"
    catalog.put_video(Video(id=ID, permalink=link, creator_nickname="Ada", video_sources=["blob:x"]))
    assert run_stage(catalog, "download", Settings()).failed == 1
    assert catalog.ledger.error(ID, "download").startswith("video: blob: ")
    assert "; page: removed: the post is not available any more" in catalog.ledger.error(ID, "download")


def test_a_record_without_a_video_link_reads_its_page(catalog: Catalog, simulated_site: FaultyServer) -> None:
    link = f"https://www.tiktok.com{PATH}"
    catalog.put_video(Video(id=ID, permalink=link, creator_nickname="Ann", description="known", scraped_at=1e9))
    assert run_stage(catalog, "download", Settings()).done == 1
    entry = catalog.get(ID)
    assert entry and entry.file("video")
    assert (entry.video.creator_nickname, entry.video.source) == ("Ada", "yt-dlp")


def test_a_page_without_video_data_is_a_failure(catalog: Catalog, simulated_site: FaultyServer) -> None:
    item = {name: value for name, value in ITEM.items() if name != "video"}
    simulated_site.answers[f"/@_/video/{ID}"] = lambda t: t.whole(html(0, item))
    catalog.put_video(Video(id=ID, permalink=f"https://www.tiktok.com/@/video/{ID}"))
    assert run_stage(catalog, "download", Settings()).failed == 1
    assert catalog.ledger.error(ID, "download") == "video: nolink: the record has no link to it"
