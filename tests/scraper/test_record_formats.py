import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest

from scraper import record_formats
from scraper.records import MAX_COMMENTS, MAX_LINKS, Video
from scraper.sources import ParsedRecord, Problem, Skipped, read
from tests.scraper.test_sources import console_record, write

ID = "7000000000000000001"


def site_item(video_id: str = ID, **changes: object) -> dict[str, Any]:
    """An invented item in the format of the site's pages."""
    cdn = "https://cdn.example"
    item: dict[str, Any] = {
        "id": video_id,
        "desc": "tea &amp; cake #Knit",
        "createTime": "1690000000",
        "author": {"id": "55", "uniqueId": "baker", "nickname": "The Baker", "secUid": "MS4x"},
        "music": {"id": "6", "title": "hum", "authorName": "Bee & Cee", "playUrl": f"{cdn}/m.mp3", "duration": 9},
        "stats": {"diggCount": 812, "shareCount": 56, "commentCount": 34, "playCount": 9_900},
        "textExtra": [{"hashtagName": "Knit"}, {"userId": "3"}],
        "video": {
            "width": 576,
            "height": 1024,
            "duration": 9,
            "playAddr": f"{cdn}/play.mp4",
            "downloadAddr": f"{cdn}/download.mp4",
            "cover": f"{cdn}/cover.jpg",
            "originCover": f"{cdn}/origin.jpg",
            "bitrateInfo": [
                _encoding("h265_hvc1", "v0f_bytevc1_720p_900", f"{cdn}/720.mp4"),
                _encoding("h264", "v0f_h264_540p_800", f"{cdn}/540.mp4"),
                _encoding("h266", "v0f_bytevc2_1080p_900", f"{cdn}/1080.mp4"),
            ],
            "subtitleInfos": [
                {"LanguageCodeName": "fra-FR", "Source": "MT", "Format": "webvtt", "Url": f"{cdn}/fra.vtt"},
                {"LanguageCodeName": "eng-US", "Source": "ASR", "Format": "webvtt", "Url": f"{cdn}/eng.vtt"},
            ],
        },
    }
    return item | changes


def _encoding(codec: str, key: str, link: str) -> dict[str, Any]:
    return {"CodecType": codec, "PlayAddr": {"UrlKey": key, "UrlList": [link], "DataSize": "1000"}}


def photo_post(video_id: str = ID) -> dict[str, Any]:
    images = [{"imageURL": {"urlList": [f"https://cdn.example/{n}.jpg", f"https://b.example/{n}.jpg"]}} for n in (1, 2)]
    post = {"images": images, "cover": {"imageURL": {"urlList": ["https://cdn.example/first.jpg"]}}}
    return site_item(video_id, video={}, imagePost=post)


def info(video_id: str = ID, **changes: object) -> dict[str, Any]:
    """An invented info of yt-dlp, with comments and automatic captions, which its TikTok reader does not give."""
    formats = [
        {"format_id": "audio", "url": "https://cdn.example/m.mp3", "vcodec": "none", "acodec": "aac"},
        {"format_id": "h266", "url": "https://cdn.example/h266.mp4", "vcodec": "bytevc2", "format_note": "UNPLAYABLE"},
        {"format_id": "download", "url": "https://cdn.example/dl.mp4", "vcodec": "h264", "format_note": "watermarked"},
        {"format_id": "540", "url": "https://cdn.example/540.mp4", "vcodec": "h264", "acodec": "aac"},
        {"format_id": "play", "url": "https://cdn.example/play.mp4", "vcodec": "h264", "acodec": "aac"},
        {"format_id": "720", "url": "https://cdn.example/720.mp4", "vcodec": "h265", "acodec": "aac"},
        {"format_id": "mute", "url": "https://cdn.example/mute.mp4", "vcodec": "h265", "acodec": "none"},
    ]
    comments = [
        {"id": "1", "parent": "root", "author": "@fan", "text": "first", "like_count": 3, "timestamp": 1690000100},
        {"id": "2", "parent": "1", "author": "baker", "text": "thanks"},
        {"id": "3", "parent": "1", "author": "fan", "text": "welcome"},
        {"id": "4", "author": "other", "text": "second"},
    ]
    item: dict[str, Any] = {
        "id": video_id,
        "_type": "video",
        "extractor": "TikTok",
        "extractor_key": "TikTok",
        "webpage_url": f"https://www.tiktok.com/@baker/video/{video_id}",
        "title": "tea & cake #Kn...",
        "description": "tea & cake #Knit",
        "uploader": "baker",
        "uploader_id": "55",
        "channel": "The Baker",
        "track": "hum",
        "artists": ["Bee", "Cee"],
        "timestamp": 1690000000,
        "upload_date": "20230722",
        "like_count": 812,
        "comment_count": 34,
        "view_count": 9_900,
        "repost_count": 56,
        "epoch": 1_700_000_000,
        "formats": formats,
        "thumbnails": [
            {"id": "dynamicCover", "url": "https://cdn.example/moving.jpg", "preference": -2},
            {"id": "cover", "url": "https://cdn.example/cover.jpg", "preference": -1},
            {"id": "originCover", "url": "https://cdn.example/origin.jpg", "preference": -1},
        ],
        "subtitles": {"fra-FR": [{"ext": "vtt", "url": "https://cdn.example/fra.vtt"}, {"ext": "srt", "data": "1"}]},
        "automatic_captions": {"eng-US": [{"ext": "json", "url": "https://cdn.example/eng.json"}]},
        "comments": comments,
    }
    return item | changes


def video(values: dict[str, Any]) -> Video:
    return Video.model_validate(values)


def names(urls: list[str]) -> list[str]:
    return [url.rpartition("/")[2] for url in urls]


# --- console script


def test_all_newer_keys_of_the_console_script_are_read() -> None:
    comment = {"commenter-username": "@fan", "comment-text": "hi", "like-count": "1.2K", "like-count-exact": 1234}
    comment |= {
        "replies-count": "2",
        "replies-count-exact": 2,
        "time-posted": "5h ago",
        "time-posted-iso": "2022-12-01",
    }
    more: dict[str, Any] = {
        "video-src": "https://cdn.example/a.mp4",
        "video-srcs": ["blob:https://www.tiktok.com/1", "https://cdn.example/a.mp4", "https://cdn.example/b.mp4"],
        "coverphoto-src": "https://cdn.example/a.jpg",
        "coverphoto-srcs": ["https://cdn.example/a.jpg", "https://cdn.example/b.jpg"],
        "slides-src": ["https://cdn.example/1.jpg", "https://cdn.example/2.jpg"],
        "hashtags": ["Yarn"],
        "captions": [{"language": "eng-US", "source": "ASR", "url": "https://cdn.example/c", "format": "webvtt"}],
        "time-posted-iso": "2022-11-30T20:00:00.000Z",
        "like-count-exact": 20_187,
        "comment-count-exact": 113,
        "play-count": 1_000_001,
        "share-count": 12,
        "comments": [comment],
        "missing": ["music-title"],
    }
    taken = video(record_formats.console(console_record(**more)))
    assert names(taken.video_sources) == ["a.mp4", "b.mp4", "1"]  # the blob: link last
    assert names(taken.cover_sources) == ["a.jpg", "b.jpg"] and names(taken.slide_sources) == ["1.jpg", "2.jpg"]
    assert taken.hashtags == ["yarn", "knit"] and taken.posted == "2022-11-30"
    assert [(c.language, c.source, c.format, c.url) for c in taken.captions] == [
        ("eng-US", "ASR", "webvtt", "https://cdn.example/c")
    ]
    assert (taken.likes, taken.likes_shown, taken.comment_count) == (20_187, "20.2K", 113)
    assert (taken.plays, taken.shares) == (1_000_001, 12)
    [only] = taken.comments
    assert (only.likes, only.replies, only.posted, only.posted_shown) == (1234, 2, "2022-12-01", "5h ago")


def test_missing_exact_values_fall_back_to_shown_ones() -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("like-count-exact", "comment-count-exact", "time-posted-iso", "captions", "hashtags")
    )
    taken = video(record_formats.console(console_record(**nothing)))
    assert (taken.likes, taken.comment_count, taken.posted, taken.plays) == (20_200, 113, "2022-12-01", None)


# --- the site's own item


def test_an_item_of_the_site_gives_all_links_with_the_watermarked_last() -> None:
    taken = video(record_formats.site(site_item(), 1_700_000_000.0))
    assert names(taken.video_sources) == ["play.mp4", "540.mp4", "720.mp4", "1080.mp4", "download.mp4"]
    assert names(taken.cover_sources) == ["origin.jpg", "cover.jpg"]
    assert (taken.plays, taken.shares, taken.likes, taken.comment_count) == (9_900, 56, 812, 34)
    assert (taken.music_title, taken.description) == ("hum - Bee & Cee", "tea & cake #Knit")
    assert [track.source for track in taken.captions] == ["ASR", "MT"]
    assert taken.permalink == f"https://www.tiktok.com/@baker/video/{ID}"


def test_a_photo_post_has_one_link_for_each_slide_and_its_cover() -> None:
    taken = video(record_formats.site(photo_post(), None))
    assert names(taken.slide_sources) == ["1.jpg", "2.jpg"] and names(taken.cover_sources) == ["first.jpg"]


def test_translated_captions_are_left_out_first() -> None:
    tracks = [{"LanguageCodeName": "x", "Source": "MT", "Url": f"https://cdn.example/{n}"} for n in range(80)]
    tracks.append({"LanguageCodeName": "eng", "Source": "ASR", "Url": "https://cdn.example/asr"})
    taken = video(record_formats.site(site_item(video={"subtitleInfos": tracks}), None))
    assert len(taken.captions) == MAX_LINKS and taken.captions[0].source == "ASR"


# --- yt-dlp


def test_an_info_of_yt_dlp_gives_all_fields() -> None:
    taken = video(record_formats.yt_dlp(info()))
    assert (taken.id, taken.creator_username, taken.creator_nickname) == (ID, "baker", "The Baker")
    assert (taken.description, taken.hashtags, taken.music_title) == ("tea & cake #Knit", ["knit"], "hum - Bee, Cee")
    assert (taken.likes, taken.comment_count, taken.plays, taken.shares) == (812, 34, 9_900, 56)
    assert (taken.posted, taken.scraped_at, taken.source) == ("2023-07-22", 1_700_000_000, "yt-dlp")
    assert [(track.language, track.source, track.format) for track in taken.captions] == [
        ("fra-FR", "", "vtt"),
        ("eng-US", "ASR", "json"),
    ]


def test_videos_and_covers_of_yt_dlp_come_best_first() -> None:
    taken = video(record_formats.yt_dlp(info()))
    wanted = ["play.mp4", "540.mp4", "720.mp4", "mute.mp4", "dl.mp4", "h266.mp4"]
    assert names(taken.video_sources) == wanted
    assert names(taken.cover_sources) == ["origin.jpg", "cover.jpg", "moving.jpg"]


def test_replies_are_counted_and_are_not_comments() -> None:
    taken = video(record_formats.yt_dlp(info()))
    assert [(c.username, c.text, c.likes, c.replies, c.posted) for c in taken.comments] == [
        ("fan", "first", 3, 2, "2023-07-22"),
        ("other", "second", None, 0, None),
    ]


def test_too_many_comments_are_cut_and_the_video_is_kept() -> None:
    comments = [{"id": str(n), "text": "t"} for n in range(MAX_COMMENTS + 1)]
    assert len(video(record_formats.yt_dlp(info(comments=comments))).comments) == MAX_COMMENTS


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        ({"timestamp": None}, "posted", "2023-07-22"),
        ({"description": None}, "description", "tea & cake #Kn..."),
        ({"description": "", "title": f"TikTok video #{ID}"}, "description", ""),
        ({"description": None, "title": f"TikTok video #{ID}"}, "description", ""),
        ({"channel": None, "creator": "Nick"}, "creator_nickname", "Nick"),
        ({"uploader": None, "uploader_url": "https://www.tiktok.com/@cook"}, "creator_username", "cook"),
        ({"uploader": None}, "creator_username", "baker"),
        ({"uploader": None, "webpage_url": f"https://tiktok.com/@_/video/{ID}"}, "creator_username", "55"),
        ({"artists": None, "artist": "Dee"}, "music_title", "hum - Dee"),
        ({"track": "original sound - Bee", "artists": ["Bee"]}, "music_title", "original sound - Bee"),
        ({"formats": None, "url": "https://cdn.example/one.mp4"}, "video_sources", ["https://cdn.example/one.mp4"]),
        ({"thumbnails": None, "thumbnail": "https://c.example/t"}, "cover_sources", ["https://c.example/t"]),
    ],
)
def test_values_that_yt_dlp_has_under_another_name_are_found(change: dict[str, Any], name: str, value: object) -> None:
    assert getattr(video(record_formats.yt_dlp(info(**change))), name) == value


def test_a_flat_entry_of_a_playlist_gives_the_fields_that_it_has() -> None:
    flat = {"_type": "url", "ie_key": "TikTok", "id": ID, "url": f"https://www.tiktok.com/@baker/video/{ID}"}
    taken = video(record_formats.yt_dlp(flat))
    assert taken.has_page and taken.permalink == flat["url"]
    assert video(record_formats.yt_dlp(flat | {"title": "tea"})).description == "tea"


@pytest.mark.parametrize(
    "change",
    [
        {"extractor_key": "Youtube", "extractor": "youtube", "webpage_url": "https://video.example/1"},
        {"extractor_key": "TikTokLive", "extractor": "tiktok:live"},
        {"extractor_key": "Douyin"},
        {"extractor_key": None, "extractor": None, "webpage_url": "https://video.example/1"},
    ],
)
def test_infos_of_other_sites_are_refused_by_name(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a video of TikTok"):
        record_formats.yt_dlp(info(**change))


def test_real_output_of_yt_dlp_is_read(tmp_path: Path) -> None:
    yt_dlp = pytest.importorskip("yt_dlp")
    options = {"quiet": True, "check_formats": False, "writesubtitles": True, "simulate": True, "format": "best"}
    address = f"https://www.tiktok.com/@baker/video/{ID}"
    with yt_dlp.YoutubeDL(options) as ydl:
        reader = ydl.get_info_extractor("TikTok")
        raw = reader._parse_aweme_video_web(site_item(), address, ID)  # everything after the download of the page
        raw |= {"extractor": reader.IE_NAME, "extractor_key": reader.ie_key(), "webpage_url": address}
        written = ydl.sanitize_info(ydl.process_ie_result(raw, download=False), True)
    [found] = read(write(tmp_path / "any name", json.dumps(written)))
    assert isinstance(found, ParsedRecord)
    taken, same = found.video, video(record_formats.site(site_item(), None))
    for name in ("id", "permalink", "creator_username", "creator_nickname", "posted", "likes", "plays", "shares"):
        assert getattr(taken, name) == getattr(same, name), name
    assert (taken.comment_count, taken.music_title) == (34, "hum - Bee, Cee")
    # 1080.mp4 is in a coding that nothing plays yet, and 720.mp4 in one that many browsers do not play
    assert names(taken.video_sources) == ["540.mp4", "play.mp4", "720.mp4", "download.mp4", "1080.mp4"]
    assert names(taken.cover_sources) == ["origin.jpg", "cover.jpg"]
    assert {track.language for track in taken.captions} == {"eng-US", "fra-FR"}


# --- hostile values

WRONG: list[object] = [None, True, -1, 10**400, math.nan, math.inf, 1e300, "", "x", "\x00\ud83d", [], [None], [[1]]]
WRONG += [{}, {"a": {}}, {"": [0]}, "9" * 5000, "../../x"]


def _ways(value: object, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts: list[tuple[Any, object]] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    return [found for key, part in parts for found in ((*way, key), *_ways(part, (*way, key)))]


def _replaced(value: Any, way: tuple[Any, ...], wrong: object) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = wrong
    return changed


GOOD: dict[str, Any] = {
    "console": console_record(captions=[{"language": "e"}])
    | {
        "video-srcs": ["https://a.example"],
        "coverphoto-srcs": ["https://a.example"],
        "play-count": 1,
        "hashtags": ["h"],
    },
    "site": site_item(),
    "photo": photo_post(),
    "yt-dlp": info(),
    "playlist": {"_type": "playlist", "entries": [info(), None]},
    "gallery-dl": photo_post() | {"category": "tiktok", "subcategory": "post", "type": "image", "num": 1},
    "message": [3, "https://cdn.example/1.jpg", site_item() | {"category": "tiktok", "subcategory": "post"}],
    "queue": [6, f"https://www.tiktok.com/@a/video/{ID}", {"category": "tiktok"}],
    "own": {"id": ID, "description": "d", "comments": [{"text": "t"}], "cover_text": "c", "video_file": "v.mp4"},
    "export": {
        "Your Activity": {
            "Watch History": {"VideoList": [{"Date": "2024-01-01", "Link": f"https://tiktok.com/v/{ID}"}]}
        }
    },
}


@pytest.mark.parametrize("name", GOOD)
def test_a_value_of_any_wrong_type_gives_a_record_or_a_reason(name: str, tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"x")
    [good] = [
        result for result in read(write(tmp_path / "good.json", [GOOD[name]])) if isinstance(result, ParsedRecord)
    ]
    assert good.video.id == ID
    changed = [_replaced(GOOD[name], way, wrong) for way in _ways(GOOD[name]) for wrong in WRONG]
    results = list(read(write(tmp_path / "hostile.json", changed)))
    for result in results:
        if isinstance(result, Problem):
            assert result.reason and len(result.reason) <= 300
        elif isinstance(result, ParsedRecord):
            result.video.model_dump_json()
    reported = {result.index for result in results if isinstance(result, Problem)}
    taken = sum(isinstance(result, ParsedRecord) for result in results)
    reported |= {-n for result in results if isinstance(result, Skipped) for n in range(1, result.count + 1)}
    joined = good.video.source in ("gallery-dl", "data export")  # everything of one video becomes one record
    assert taken == 1 if joined else len(reported) + taken >= len(changed)
    assert reported  # at least the id has a fixed form
