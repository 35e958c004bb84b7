"""A JSON item of any format -> the values of a `records.Video`, by one reader per format.

The readers open no file, and raise a ValueError if they cannot read the item. `Video` checks the values.
"""

import html
import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Literal

from scraper import links
from scraper.records import MAX_COMMENTS, MAX_LINKS, parse_count

Json = dict[str, Any]
Kind = Literal["console", "yt-dlp", "gallery-dl", "site", "own"]
PLAYLISTS = ("playlist", "multi_video")  # types of yt-dlp items that contain others
_CONSOLE_KEYS = ("creator-username", "video-src", "web-id", "scrape-timestamp")
_YT_DLP_KEYS = ("extractor", "extractor_key", "ie_key", "webpage_url")
_MADE_UP_TITLE = re.compile(r"TikTok video #[0-9]+")  # what yt-dlp writes if there is no description


def kind_of(item: Json) -> Kind:
    """The format of an item, by its keys. If no other program writes it, it is this project's format."""
    if any(key in item for key in _CONSOLE_KEYS):
        return "console"
    if any(key in item for key in _YT_DLP_KEYS):
        return "yt-dlp"
    if "category" in item and "subcategory" in item:
        return "gallery-dl"
    return "site" if "createTime" in item else "own"


def console(item: Json) -> Json:
    """A record of the console script. That of 2022 wrote `timeposted`; later ones `time-posted` and exact counts."""
    permalink = _string(item.get("permalink"))
    sources = [*links_in(item.get("video-srcs")), *links_in(item.get("video-src"))]
    return {
        "id": item.get("id") or links.video_id(permalink),
        "permalink": permalink,
        "web_id": item.get("web-id"),
        "creator_username": item.get("creator-username"),
        "creator_nickname": item.get("creator-nickname"),
        "description": item.get("description"),
        "hashtags": item.get("hashtags") or [],
        "music_title": item.get("music-title"),
        "music_link": item.get("music-src"),
        "likes_shown": item.get("like-count"),
        "likes": _exact(item, "like-count-exact"),
        "comments_shown": item.get("comment-count"),
        "comment_count": _exact(item, "comment-count-exact"),
        "plays": _exact(item, "play-count"),
        "shares": _exact(item, "share-count"),
        "posted_shown": item.get("time-posted", item.get("timeposted")),
        "posted": item.get("time-posted-iso"),
        "comments": [_console_comment(comment) for comment in _objects(item, "comments")],
        "captions": _originals_first(_objects(item, "captions")),
        # blob: links come last: they only worked in the browser that scraped them
        "video_sources": sorted(sources, key=lambda link: link.lower().startswith("blob:")),
        "cover_sources": [*links_in(item.get("coverphoto-srcs")), *links_in(item.get("coverphoto-src"))],
        "slide_sources": links_in(item.get("slides-src")),
        "scraped_at": item.get("scrape-timestamp"),
        "source": "console script",
    }


def _console_comment(item: Json) -> Json:
    likes, replies = _exact(item, "like-count-exact"), _exact(item, "replies-count-exact")
    return {
        "username": item.get("commenter-username"),
        "text": item.get("comment-text"),
        "likes_shown": item.get("like-count"),
        "likes": parse_count(_string(item.get("like-count"))) if likes is None else likes,
        "replies": parse_count(_string(item.get("replies-count"))) if replies is None else replies,
        "posted_shown": item.get("time-posted"),
        "posted": item.get("time-posted-iso"),
    }


def site(item: Json, saved_at: float | None, source: str = "saved page") -> Json:
    """An item of the site, as its pages and API contain it."""
    video, music, images = _object(item, "video"), _object(item, "music"), _object(item, "imagePost")
    counts = {**_object(item, "statsV2"), **_object(item, "stats")}
    author = item.get("author")  # in SIGI_STATE the author is a string, elsewhere an object
    if not isinstance(author, dict):
        author = {"uniqueId": author, "nickname": item.get("nickname")}
    user = _string(author.get("uniqueId"))
    slides = [_object(image, "imageURL") for image in _objects(images, "images")]
    cover = _object(_object(images, "cover"), "imageURL")
    return {
        "id": item.get("id"),
        "permalink": links.permalink(user, _string(item.get("id"))),
        "creator_username": user,
        "creator_nickname": author.get("nickname"),
        "description": html.unescape(_string(item.get("desc"))),
        "hashtags": [_string(tag.get("hashtagName")) for tag in _objects(item, "textExtra") if tag.get("hashtagName")],
        "music_title": _music(music.get("title"), [music.get("authorName")]),
        "likes_shown": counts.get("diggCount"),
        "comments_shown": counts.get("commentCount"),
        "plays": _exact(counts, "playCount"),
        "shares": _exact(counts, "shareCount"),
        "posted": _day(item.get("createTime")),
        "captions": _originals_first(
            [
                {
                    "language": info.get("LanguageCodeName"),
                    "source": info.get("Source"),
                    "format": info.get("Format"),
                    "url": info.get("Url"),
                }
                for info in _objects(video, "subtitleInfos")
            ]
        ),
        "video_sources": _site_videos(video),
        "cover_sources": links_in([video.get("originCover"), video.get("cover"), *_list(cover, "urlList")]),
        # one link per slide, so that the index is the position in the post
        "slide_sources": links_in([next(iter(_list(slide, "urlList")), None) for slide in slides]),
        "scraped_at": saved_at,
        "source": source,
    }


def _site_videos(video: Json) -> list[str]:
    """The default file, the other encodings (h264 first: every browser plays it), and the watermarked one last."""
    encodings = sorted(_objects(video, "bitrateInfo"), key=lambda one: "h264" not in _string(one.get("CodecType")))
    others = [link for one in encodings for link in _list(_object(one, "PlayAddr"), "UrlList")]
    return links_in([video.get("playAddr"), *others, video.get("downloadAddr")])


def gallery_dl(item: Json, saved_at: float | None) -> Json:
    """A record of gallery-dl: the site's item with some fields added for each file."""
    if item.get("category") != "tiktok":
        raise ValueError(f"gallery-dl's record of {links.shown(_string(item.get('category')))}, not of TikTok")
    if item.get("type") == "avatar" or item.get("subcategory") == "avatar":
        raise ValueError("a user's picture, not a video")
    return site(item, saved_at, "gallery-dl")


def gallery_message(message: list[Any]) -> Json:
    """The item in a message of `gallery-dl -j`: [2, post], [3, link, post with the file], [6, link of a page, ...]."""
    number, *rest = message or [None]
    if number in (2, 3) and rest and isinstance(rest[-1], dict) and "category" in rest[-1]:
        return rest[-1]
    if number == 6 and rest:
        return {**links.from_link(_string(rest[0])), "source": "gallery-dl"}
    if number == -1 and rest and isinstance(rest[-1], dict):
        parts = (_string(rest[-1].get(key)) for key in ("error", "message"))
        raise ValueError(f"gallery-dl failed here: {': '.join(part for part in parts if part)}")
    raise ValueError("a list instead of a record, and not one that gallery-dl writes")


def yt_dlp(item: Json) -> Json:
    """The info dict that yt-dlp writes of a video. Flat entries of a playlist have only some of its fields."""
    addresses = [_string(item.get(key)) for key in ("webpage_url", "url", "original_url")]
    address = next((one for one in addresses if links.in_text(one) and links.video_id(one)), "")
    reader = _string(item.get("extractor_key") or item.get("ie_key") or item.get("extractor"))
    if reader.lower() != "tiktok" and (reader or not address):
        raise ValueError(f"yt-dlp read it as {links.shown(reader) or 'something unknown'}: not a video of TikTok")
    video = _string(item.get("id"))
    video = video if re.fullmatch(links.VIDEO_ID, video) else links.video_id(address) or video
    user = _string(item.get("uploader")) or links.handle(_string(item.get("uploader_url")) or address)
    name = item.get("channel") or item.get("creator") or next(iter(_list(item, "creators")), None)
    title = _string(item.get("title"))
    described = item.get("description")
    return {
        "id": video,
        "permalink": links.permalink(user, video),
        "creator_username": user or item.get("uploader_id"),
        "creator_nickname": name,
        # the title is the beginning of the description, or invented if there is no description
        "description": ("" if _MADE_UP_TITLE.fullmatch(title) else title) if described is None else described,
        "hashtags": _list(item, "tags"),
        "music_title": _music(item.get("track"), _list(item, "artists") or [item.get("artist")]),
        "likes_shown": item.get("like_count"),
        "likes": item.get("like_count"),
        "comments_shown": item.get("comment_count"),
        "comment_count": item.get("comment_count"),
        "plays": item.get("view_count"),
        "shares": item.get("repost_count"),
        "posted": _day(item.get("timestamp")) or item.get("upload_date"),
        "comments": _yt_dlp_comments(item),
        "captions": _originals_first([*_tracks(item, "subtitles", ""), *_tracks(item, "automatic_captions", "ASR")]),
        "video_sources": _yt_dlp_videos(item),
        "cover_sources": _yt_dlp_covers(item),
        "scraped_at": item.get("epoch"),
        "source": "yt-dlp",
    }


def _yt_dlp_comments(item: Json) -> list[Json]:
    """The comments on the video. Replies are only counted. Comments beyond the limit of a record are left out."""
    comments = _objects(item, "comments")
    replies = Counter(_string(comment.get("parent")) for comment in comments)
    own = [comment for comment in comments if _string(comment.get("parent")) in ("", "root")]
    return [
        {
            "username": comment.get("author"),
            "text": comment.get("text"),
            "likes_shown": comment.get("like_count"),
            "likes": comment.get("like_count"),
            "replies": replies[_string(comment.get("id"))] if comment.get("id") else None,
            "posted": _day(comment.get("timestamp")),
        }
        for comment in own[:MAX_COMMENTS]
    ]


def _tracks(item: Json, key: str, source: str) -> list[Json]:
    """yt-dlp's caption tracks by language. It does not say how they were made, except that some are automatic."""
    return [
        {"language": language, "source": source, "format": track.get("ext"), "url": track.get("url")}
        for language, tracks in _object(item, key).items()
        for track in _objects({key: tracks}, key)
        if track.get("url")
    ]


def _yt_dlp_videos(item: Json) -> list[str]:
    """Best first: yt-dlp lists the best last, and ranks h265, which many browsers do not play, above h264."""

    def faults(one: Json) -> tuple[bool, ...]:
        note = f"{one.get('format_id')} {one.get('format_note')}".lower()
        codec = _string(one.get("vcodec"))
        unplayable = "unplayable" in note or codec == "bytevc2"
        return unplayable, "download" in note or "watermark" in note, one.get("acodec") == "none", codec != "h264"

    formats = [one for one in _objects(item, "formats")[::-1] if one.get("vcodec") != "none"]
    direct = [] if item.get("_type") in ("url", "url_transparent") else [item.get("url")]  # there it is the page
    return links_in([*(one.get("url") for one in sorted(formats, key=faults)), *(direct if not formats else [])])


def _yt_dlp_covers(item: Json) -> list[str]:
    def preference(one: Json) -> float:
        value = one.get("preference")
        return -value if isinstance(value, int | float) and not isinstance(value, bool) else 0

    covers = _objects(item, "thumbnails")[::-1]  # the best are last, as among the formats
    return links_in([*(one.get("url") for one in sorted(covers, key=preference)), item.get("thumbnail")])


def _originals_first(tracks: list[Json]) -> list[Json]:
    """The caption tracks, up to the limit of a record. Machine translations (MT) are left out first."""
    return sorted(tracks, key=lambda track: _string(track.get("source")).upper() == "MT")[:MAX_LINKS]


def _music(title: object, artists: list[Any]) -> str:
    """A sound as the site shows it: "title - artist, artist"."""
    name, by = _string(title), ", ".join(_string(artist) for artist in artists if artist)
    return f"{name} - {by}" if name and by and by not in name else name


def _day(timestamp: object) -> str | None:
    """Unix seconds -> the ISO date.

    Raises:
        ValueError, TypeError, OverflowError, OSError: it is not a timestamp.
    """
    if timestamp in (None, "", 0, "0"):
        return None
    if not isinstance(timestamp, int | float | str) or isinstance(timestamp, bool):
        raise ValueError("the posted time is not a number of seconds")
    return datetime.fromtimestamp(int(timestamp), UTC).date().isoformat()


def _exact(item: Json, key: str) -> int | None:
    """A count that is given as a number or as digits."""
    value = item.get(key)
    if value is None or isinstance(value, str):
        return parse_count(value or "")
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise ValueError(f"{key}: not a count")
    return int(value)


def _object(item: Json, key: str) -> Json:
    value = item.get(key)
    if not isinstance(value, dict | None):
        raise ValueError(f"{key}: not a JSON object")
    return value or {}


def _list(item: Json, key: str) -> list[Any]:
    value = item.get(key)
    if not isinstance(value, list | None):
        raise ValueError(f"{key}: not a list")
    return value or []


def _objects(item: Json, key: str) -> list[Json]:
    values = _list(item, key)
    if not all(isinstance(value, dict) for value in values):
        raise ValueError(f"{key}: not a list of JSON objects")
    return values


def _string(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def links_in(value: object) -> list[str]:
    """A list of non-empty texts from one link, a list of links or nothing."""
    values = value if isinstance(value, list) else [value]
    return [link.strip() for link in values if isinstance(link, str) and link.strip()]
