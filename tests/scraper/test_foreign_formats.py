"""Records of other scrapers: all that they know is read, and what is no record of TikTok is refused by name."""

import csv
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from scraper.sources import ParsedRecord, Problem, Skipped, read
from tests.scraper.test_record_formats import site_item
from tests.scraper.test_sources import found, problems, write

ID = "7300000000000000001"
PAGE = f"https://www.tiktok.com/@baker/video/{ID}"
CDN = "https://cdn.example"

APIFY: dict[str, Any] = {
    "id": ID,
    "text": "tea & cake #Knit",
    "createTime": 1690000000,
    "createTimeISO": "2023-07-22T04:26:40.000Z",
    "authorMeta": {"id": "1", "name": "baker", "nickName": "The Baker"},
    "musicMeta": {"musicName": "hum", "musicAuthor": "Bee"},
    "webVideoUrl": PAGE,
    "mediaUrls": [f"{CDN}/v.mp4"],
    "videoMeta": {
        "height": 1024,
        "duration": 9,
        "coverUrl": f"{CDN}/c.jpg",
        "originalCoverUrl": f"{CDN}/o.jpg",
        "subtitleLinks": [
            {"language": "fra-FR", "downloadLink": f"{CDN}/f.vtt", "source": "MT"},
            {"language": "eng-US", "downloadLink": f"{CDN}/e.vtt", "source": "ASR"},
        ],
    },
    "diggCount": 812,
    "shareCount": 56,
    "playCount": 9900,
    "commentCount": 34,
    "hashtags": [{"name": "cake"}],
}
DRAWROWFLY = {key: value for key, value in APIFY.items() if key not in ("mediaUrls", "videoMeta", "createTimeISO")} | {
    "covers": {"default": f"{CDN}/c.jpg", "origin": f"{CDN}/o.jpg"},
    "videoUrl": f"{CDN}/v.mp4",
    "videoMeta": {"duration": 9},
}
RESEARCH: dict[str, Any] = {
    "id": int(ID),
    "video_description": "tea & cake #Knit",
    "create_time": 1690000000,
    "username": "baker",
    "region_code": "US",
    "like_count": 812,
    "comment_count": 34,
    "share_count": 56,
    "view_count": 9900,
    "video_duration": 9,
    "hashtag_names": ["cake"],
    "voice_to_text": "welcome to my kitchen",
}
AWEME: dict[str, Any] = {
    "aweme_id": ID,
    "desc": "tea & cake #Knit",
    "create_time": 1690000000,
    "author": {"unique_id": "baker", "nickname": "The Baker"},
    "music": {"title": "hum", "author": "Bee"},
    "statistics": {"digg_count": 812, "comment_count": 34, "play_count": 9900, "share_count": 56},
    "text_extra": [{"hashtag_name": "cake"}],
    "video": {
        "duration": 9000,
        "play_addr": {"url_list": [f"{CDN}/v.mp4"]},
        "origin_cover": {"url_list": [f"{CDN}/o.jpg"]},
        "cover": {"url_list": [f"{CDN}/c.jpg"]},
        "cla_info": {"caption_infos": [{"language_code": "eng-US", "url": f"{CDN}/e.vtt", "is_auto_generated": True}]},
    },
}
CAPTURED = {
    "nav_index": "1:1",
    "item_id": ID,
    "timestamp_collected": 1_700_000_000_000,
    "source_platform": "tiktok.com",
    "data": site_item(ID),
}
PYKTOK = {
    "video_id": ID,
    "video_timestamp": "2023-07-22T04:26:40",
    "video_duration": "9.0",
    "video_diggcount": "812.0",
    "video_sharecount": "56",
    "video_commentcount": "34",
    "video_playcount": "9900",
    "video_description": "tea & cake #Knit #cake",
    "author_username": "baker",
    "author_name": "The Baker",
}


def table(row: dict[str, Any], delimiter: str = ",") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(row), delimiter=delimiter)
    writer.writeheader()
    writer.writerow(row)
    return text.getvalue()


def flat(item: Any, name: str = "") -> dict[str, Any]:
    """An item as Apify writes it in a table: "videoMeta/subtitleLinks/0/language"."""
    parts = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else None
    if parts is None:
        return {name: item}
    return {key: part for inner, value in parts for key, part in flat(value, f"{name}/{inner}".strip("/")).items()}


CASES: list[tuple[str, str, object]] = [
    ("Apify", "x.json", [APIFY]),
    ("Apify", "x.jsonl", json.dumps(APIFY)),
    ("Apify", "x.csv", table(flat(APIFY))),
    ("tiktok-scraper", "x.json", {"headers": {}, "collector": [DRAWROWFLY]}),
    ("tiktok-scraper", "x.json", [DRAWROWFLY]),
    ("TikTok Research API", "x.json", {"data": {"videos": [RESEARCH], "cursor": 1}, "error": {"code": "ok"}}),
    ("TikTok Research API", "x.json", [RESEARCH]),
    ("mobile API", "x.json", {"status_code": 0, "aweme_list": [AWEME]}),
    ("mobile API", "x.json", {"aweme_detail": AWEME}),
    ("mobile API", "x.json", {"data": [{"type": 1, "aweme_info": AWEME}, {"type": 4}]}),
    ("mobile API", "x.json", [AWEME]),
    ("web API", "x.json", {"statusCode": 0, "itemList": [site_item(ID)]}),
    ("web API", "x.json", {"itemInfo": {"itemStruct": site_item(ID)}}),
    ("web API", "x.json", {"data": [{"type": 1, "item": site_item(ID)}]}),
    ("Zeeschuimer", "x.ndjson", json.dumps(CAPTURED)),
    ("pyktok", "x.csv", table(PYKTOK)),
    ("pyktok", "x.tsv", table(PYKTOK, "\t")),
    ("pyktok", "dump", "\ufeff" + table(PYKTOK, ";")),
]


@pytest.mark.parametrize(("source", "name", "content"), CASES)
def test_a_record_of_another_scraper_comes_with_all_that_it_says(
    tmp_path: Path, source: str, name: str, content: object
) -> None:
    [only] = found(write(tmp_path / name, content))
    video = only.video
    assert (video.id, video.source, video.permalink) == (ID, source, PAGE)
    assert (video.creator_username, video.posted, video.duration_s) == ("baker", "2023-07-22", 9)
    assert (video.likes, video.comment_count, video.plays, video.shares) == (812, 34, 9900, 56)
    assert video.description.startswith("tea & cake #Knit") and "knit" in video.hashtags
    assert only.texts == ({"transcript": "welcome to my kitchen"} if "Research" in source else {})


@pytest.mark.parametrize(("item", "first"), [(APIFY, "eng-US"), (AWEME, "eng-US"), (DRAWROWFLY, "")])
def test_links_captions_and_music_of_other_scrapers_are_kept(tmp_path: Path, item: dict[str, Any], first: str) -> None:
    [only] = found(write(tmp_path / "x.json", [item]))
    assert only.video.video_sources == [f"{CDN}/v.mp4"]
    assert only.video.cover_sources == [f"{CDN}/o.jpg", f"{CDN}/c.jpg"]
    assert only.video.music_title == "hum - Bee" and set(only.video.hashtags) == {"cake", "knit"}
    assert [track.language for track in only.video.captions][:1] == ([first] if first else [])


def test_photo_posts_of_other_scrapers_come_with_one_link_per_slide(tmp_path: Path) -> None:
    slides = [f"{CDN}/1.jpg", f"{CDN}/2.jpg"]
    apify = APIFY | {"slideshowImageLinks": [{"tiktokLink": "x", "downloadLink": link} for link in slides]}
    images = [{"display_image": {"url_list": [link, "https://other.example/x.jpg"]}} for link in slides]
    for item in (apify, AWEME | {"image_post_info": {"images": images}}):
        [only] = found(write(tmp_path / "x.json", [item]))
        assert only.video.slide_sources == slides


def test_a_captured_item_is_as_new_as_its_capture(tmp_path: Path) -> None:
    [only] = found(write(tmp_path / "x.ndjson", json.dumps(CAPTURED)))
    assert only.video.scraped_at == 1_700_000_000


def test_the_archive_of_yt_dlp_and_tables_with_links_give_links(tmp_path: Path) -> None:
    archive = write(tmp_path / "archive.txt", f"tiktok {ID}\nyoutube abc-_1\ntiktok {ID}\ntiktok 7300000000000000002\n")
    records = [one.video for one in read(archive) if isinstance(one, ParsedRecord)]
    assert [video.id for video in records] == [ID, "7300000000000000002"] and records[0].has_page
    assert records[0].source == "yt-dlp archive"
    assert [one.count for one in read(archive) if isinstance(one, Skipped)] == [1]
    rounded = write(tmp_path / "x.csv", f"id,url,note\n7.3E+18,{PAGE},a\n7.3E+18,nothing,b\n")
    assert [one.video.id for one in read(rounded) if isinstance(one, ParsedRecord)] == [ID]
    [problem] = problems(rounded)
    assert problem.index == 1 and "no link to a video of TikTok" in problem.reason


@pytest.mark.parametrize(
    "text",
    [
        "tiktok 73000\n" + "b " * 100_000 + "!",
        ">>> a\n" + "https://www.tiktok.com/" * 10_000,
        "id," * 100_000,
        'id,url,text\n"' + "x\n" * 100_000,
        "Date:" + " " * 100_000 + "x",
    ],
)
def test_a_hostile_text_is_refused_in_time(tmp_path: Path, text: str) -> None:
    started = time.monotonic()
    assert not any(isinstance(one, ParsedRecord) for one in read(write(tmp_path / "x.txt", text)))
    assert time.monotonic() - started < 20  # what is quadratic or worse takes hours


TWEET = {"id": 1234567890123456789, "full_text": "about nothing", "user": {"screen_name": "x"}}


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("x.json", [TWEET] * 1000, "looks like tweets of Twitter/X, not like records of TikTok (1,000 of them)"),
        ("x.json", TWEET | {"source": "web", "likes": 3}, "tweets of Twitter/X"),
        ("x.json", [{"id": "1", "url": "https://x.com/a/status/1", "text": "t"}], "tweets of Twitter/X"),
        ("x.json", [{"id": "12345", "shortcode": "abc", "caption": "t"}], "posts of Instagram"),
        ("x.json", [{"id": "abcde", "subreddit": "cats", "title": "t"}], "posts of Reddit"),
        ("x.csv", f"id,tweet_id,text\n{ID},1,t\n", "tweets of Twitter/X"),
        ("x.json", {"name": "a", "version": "1"}, "an unknown format: its keys are name, version"),
        ("x.json", [{"id": ID, "colour": "red", "size": 3}], "only its id can be read; its keys are id, colour, size"),
        ("x.csv", f"id,colour,size\n{ID},red,3\n", "only its id can be read"),
        ("x.csv", "colour,size\nred,3\n", "a table without a column for the id or the link of a video"),
        ("x.csv", "id,text,author\n1234567890123456789,t,a\n", "is no id of one"),
        ("x.json", [{"id": ID, "createTime": 1690000000, "x": 1}], "only its id can be read"),
        ("x.ndjson", json.dumps(CAPTURED | {"source_platform": "instagram.com"}), "captured this from instagram.com"),
    ],
)
def test_what_is_no_record_of_tiktok_is_one_problem_that_names_it(
    tmp_path: Path, name: str, content: object, why: str
) -> None:
    [problem] = read(write(tmp_path / name, content))
    assert isinstance(problem, Problem) and why in problem.reason


def test_an_id_alone_is_a_record_of_this_project(tmp_path: Path) -> None:
    assert [one.video.id for one in found(write(tmp_path / "x.json", [{"id": ID}]))] == [ID]


def test_a_flat_item_with_a_link_is_read_by_the_names_of_its_keys(tmp_path: Path) -> None:
    item = {"url": PAGE, "title": "tea", "author": {"uniqueId": "baker"}, "likes": 1200, "date": "2023-07-22"}
    [only] = found(write(tmp_path / "x.json", [item | {"id": "x"}]))
    video = only.video
    assert (video.id, video.description, video.creator_username, video.likes) == (ID, "tea", "baker", 1200)
    assert video.posted == "2023-07-22"


@pytest.mark.parametrize(("value", "length"), [(9.5, 9.5), ("12", 12), (0, None), ("x", None), (-1, None)])
def test_the_length_of_a_video_is_read_if_it_can_be_one(tmp_path: Path, value: object, length: float | None) -> None:
    site = site_item(ID) | {"video": {"duration": value}}
    info = {"id": ID, "extractor_key": "TikTok", "webpage_url": PAGE, "duration": value}
    for item in (site, info):
        assert found(write(tmp_path / "x.json", [item]))[0].video.duration_s == length
