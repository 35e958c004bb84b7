"""A JSON item of any format -> the values of a `records.Video`, by one reader per format.

The readers open no file, and raise a ValueError if they cannot read the item. `Video` checks the values.
"""

import html
import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Literal

from scraper import links
from scraper.records import MAX_COMMENTS, MAX_DURATION_S, MAX_LINKS, parse_count

Json = dict[str, Any]
Kind = Literal["console", "yt-dlp", "gallery-dl", "site", "own", "scraper", "research", "mobile", "row"]
PLAYLISTS = ("playlist", "multi_video")  # types of yt-dlp items that contain others
_CONSOLE_KEYS = ("creator-username", "video-src", "web-id", "scrape-timestamp")
_YT_DLP_KEYS = ("extractor", "extractor_key", "ie_key", "webpage_url")
_RESEARCH_KEYS = ("video_description", "voice_to_text", "username")
_MADE_UP_TITLE = re.compile(r"TikTok video #[0-9]+")  # what yt-dlp writes if there is no description


def kind_of(item: Json) -> Kind:
    """The format of an item, by its keys. If no other program writes it, it is this project's format."""
    if any(key in item for key in _CONSOLE_KEYS):
        return "console"
    if any(key in item for key in _YT_DLP_KEYS):
        return "yt-dlp"
    if "category" in item and "subcategory" in item:
        return "gallery-dl"
    if "authorMeta" in item:
        return "scraper"
    if "aweme_id" in item:
        return "mobile"
    if "create_time" in item and any(key in item for key in _RESEARCH_KEYS):
        return "research"
    return "site" if "createTime" in item else "own"


def console(item: Json) -> Json:
    """A record of the console script. That of 2022 wrote `timeposted`; later ones `time-posted` and exact counts."""
    permalink = string(item.get("permalink"))
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
        "likes": exact(item, "like-count-exact"),
        "comments_shown": item.get("comment-count"),
        "comment_count": exact(item, "comment-count-exact"),
        "plays": exact(item, "play-count"),
        "shares": exact(item, "share-count"),
        "posted_shown": item.get("time-posted", item.get("timeposted")),
        "posted": item.get("time-posted-iso"),
        "comments": [_console_comment(comment) for comment in objects_in(item, "comments")],
        "captions": originals_first(objects_in(item, "captions")),
        # blob: links come last: they only worked in the browser that scraped them
        "video_sources": sorted(sources, key=lambda link: link.lower().startswith("blob:")),
        "cover_sources": [*links_in(item.get("coverphoto-srcs")), *links_in(item.get("coverphoto-src"))],
        "slide_sources": links_in(item.get("slides-src")),
        "scraped_at": item.get("scrape-timestamp"),
        "source": "console script",
    }


def _console_comment(item: Json) -> Json:
    likes, replies = exact(item, "like-count-exact"), exact(item, "replies-count-exact")
    return {
        "username": item.get("commenter-username"),
        "text": item.get("comment-text"),
        "likes_shown": item.get("like-count"),
        "likes": parse_count(string(item.get("like-count"))) if likes is None else likes,
        "replies": parse_count(string(item.get("replies-count"))) if replies is None else replies,
        "posted_shown": item.get("time-posted"),
        "posted": item.get("time-posted-iso"),
    }


def site(item: Json, saved_at: float | None, source: str = "saved page") -> Json:
    """An item of the site, as its pages and API contain it."""
    video, sound, images = object_in(item, "video"), object_in(item, "music"), object_in(item, "imagePost")
    counts = {**object_in(item, "statsV2"), **object_in(item, "stats")}
    author = item.get("author")  # in SIGI_STATE the author is a string, elsewhere an object
    if not isinstance(author, dict):
        author = {"uniqueId": author, "nickname": item.get("nickname")}
    user = string(author.get("uniqueId"))
    slides = [object_in(image, "imageURL") for image in objects_in(images, "images")]
    cover = object_in(object_in(images, "cover"), "imageURL")
    return {
        "id": item.get("id"),
        "permalink": links.permalink(user, string(item.get("id"))),
        "creator_username": user,
        "creator_nickname": author.get("nickname"),
        "description": html.unescape(string(item.get("desc"))),
        "hashtags": [string(tag.get("hashtagName")) for tag in objects_in(item, "textExtra") if tag.get("hashtagName")],
        "music_title": music(sound.get("title"), [sound.get("authorName")]),
        "likes_shown": counts.get("diggCount"),
        "comments_shown": counts.get("commentCount"),
        "plays": exact(counts, "playCount"),
        "shares": exact(counts, "shareCount"),
        "duration_s": seconds(video.get("duration")),
        "posted": day(item.get("createTime")),
        "captions": originals_first(
            [
                {
                    "language": info.get("LanguageCodeName"),
                    "source": info.get("Source"),
                    "format": info.get("Format"),
                    "url": info.get("Url"),
                }
                for info in objects_in(video, "subtitleInfos")
            ]
        ),
        "video_sources": _site_videos(video),
        "cover_sources": links_in([video.get("originCover"), video.get("cover"), *list_in(cover, "urlList")]),
        # one link per slide, so that the index is the position in the post
        "slide_sources": links_in([next(iter(list_in(slide, "urlList")), None) for slide in slides]),
        "scraped_at": saved_at,
        "source": source,
    }


def _site_videos(video: Json) -> list[str]:
    """The default file, the other encodings (h264 first: every browser plays it), and the watermarked one last."""
    encodings = sorted(objects_in(video, "bitrateInfo"), key=lambda one: "h264" not in string(one.get("CodecType")))
    others = [link for one in encodings for link in list_in(object_in(one, "PlayAddr"), "UrlList")]
    return links_in([video.get("playAddr"), *others, video.get("downloadAddr")])


def gallery_dl(item: Json, saved_at: float | None) -> Json:
    """A record of gallery-dl: the site's item with some fields added for each file."""
    if item.get("category") != "tiktok":
        raise ValueError(f"gallery-dl's record of {links.shown(string(item.get('category')))}, not of TikTok")
    if item.get("type") == "avatar" or item.get("subcategory") == "avatar":
        raise ValueError("a user's picture, not a video")
    return site(item, saved_at, "gallery-dl")


def gallery_message(message: list[Any]) -> Json:
    """The item in a message of `gallery-dl -j`: [2, post], [3, link, post with the file], [6, link of a page, ...]."""
    number, *rest = message or [None]
    if number in (2, 3) and rest and isinstance(rest[-1], dict) and "category" in rest[-1]:
        return rest[-1]
    if number == 6 and rest:
        return {**links.from_link(string(rest[0])), "source": "gallery-dl"}
    if number == -1 and rest and isinstance(rest[-1], dict):
        parts = (string(rest[-1].get(key)) for key in ("error", "message"))
        raise ValueError(f"gallery-dl failed here: {': '.join(part for part in parts if part)}")
    raise ValueError("a list instead of a record, and not one that gallery-dl writes")


def yt_dlp(item: Json) -> Json:
    """The info dict that yt-dlp writes of a video. Flat entries of a playlist have only some of its fields."""
    addresses = [string(item.get(key)) for key in ("webpage_url", "url", "original_url")]
    address = next((one for one in addresses if links.in_text(one) and links.video_id(one)), "")
    reader = string(item.get("extractor_key") or item.get("ie_key") or item.get("extractor"))
    if reader.lower() != "tiktok" and (reader or not address):
        raise ValueError(f"yt-dlp read it as {links.shown(reader) or 'something unknown'}: not a video of TikTok")
    video = string(item.get("id"))
    video = video if re.fullmatch(links.VIDEO_ID, video) else links.video_id(address) or video
    user = string(item.get("uploader")) or links.handle(string(item.get("uploader_url")) or address)
    name = item.get("channel") or item.get("creator") or next(iter(list_in(item, "creators")), None)
    title = string(item.get("title"))
    described = item.get("description")
    return {
        "id": video,
        "permalink": links.permalink(user, video),
        "creator_username": user or item.get("uploader_id"),
        "creator_nickname": name,
        # the title is the beginning of the description, or invented if there is no description
        "description": ("" if _MADE_UP_TITLE.fullmatch(title) else title) if described is None else described,
        "hashtags": list_in(item, "tags"),
        "music_title": music(item.get("track"), list_in(item, "artists") or [item.get("artist")]),
        "likes_shown": item.get("like_count"),
        "likes": item.get("like_count"),
        "comments_shown": item.get("comment_count"),
        "comment_count": item.get("comment_count"),
        "plays": item.get("view_count"),
        "shares": item.get("repost_count"),
        "duration_s": seconds(item.get("duration")),
        "posted": day(item.get("timestamp")) or item.get("upload_date"),
        "comments": _yt_dlp_comments(item),
        "captions": originals_first([*_tracks(item, "subtitles", ""), *_tracks(item, "automatic_captions", "ASR")]),
        "video_sources": _yt_dlp_videos(item),
        "cover_sources": _yt_dlp_covers(item),
        "scraped_at": item.get("epoch"),
        "source": "yt-dlp",
    }


def _yt_dlp_comments(item: Json) -> list[Json]:
    """The comments on the video. Replies are only counted. Comments beyond the limit of a record are left out."""
    comments = objects_in(item, "comments")
    replies = Counter(string(comment.get("parent")) for comment in comments)
    own = [comment for comment in comments if string(comment.get("parent")) in ("", "root")]
    return [
        {
            "username": comment.get("author"),
            "text": comment.get("text"),
            "likes_shown": comment.get("like_count"),
            "likes": comment.get("like_count"),
            "replies": replies[string(comment.get("id"))] if comment.get("id") else None,
            "posted": day(comment.get("timestamp")),
        }
        for comment in own[:MAX_COMMENTS]
    ]


def _tracks(item: Json, key: str, source: str) -> list[Json]:
    """yt-dlp's caption tracks by language. It does not say how they were made, except that some are automatic."""
    return [
        {"language": language, "source": source, "format": track.get("ext"), "url": track.get("url")}
        for language, tracks in object_in(item, key).items()
        for track in objects_in({key: tracks}, key)
        if track.get("url")
    ]


def _yt_dlp_videos(item: Json) -> list[str]:
    """Best first: yt-dlp lists the best last, and ranks h265, which many browsers do not play, above h264."""

    def faults(one: Json) -> tuple[bool, ...]:
        note = f"{one.get('format_id')} {one.get('format_note')}".lower()
        codec = string(one.get("vcodec"))
        unplayable = "unplayable" in note or codec == "bytevc2"
        return unplayable, "download" in note or "watermark" in note, one.get("acodec") == "none", codec != "h264"

    formats = [one for one in objects_in(item, "formats")[::-1] if one.get("vcodec") != "none"]
    direct = [] if item.get("_type") in ("url", "url_transparent") else [item.get("url")]  # there it is the page
    return links_in([*(one.get("url") for one in sorted(formats, key=faults)), *(direct if not formats else [])])


def _yt_dlp_covers(item: Json) -> list[str]:
    def preference(one: Json) -> float:
        value = one.get("preference")
        return -value if isinstance(value, int | float) and not isinstance(value, bool) else 0

    covers = objects_in(item, "thumbnails")[::-1]  # the best are last, as among the formats
    return links_in([*(one.get("url") for one in sorted(covers, key=preference)), item.get("thumbnail")])


def originals_first(tracks: list[Json]) -> list[Json]:
    """The caption tracks, up to the limit of a record. Machine translations (MT) are left out first."""
    return sorted(tracks, key=lambda track: string(track.get("source")).upper() == "MT")[:MAX_LINKS]


def music(title: object, artists: list[Any]) -> str:
    """A sound as the site shows it: "title - artist, artist"."""
    name, by = string(title), ", ".join(string(artist) for artist in artists if artist)
    return f"{name} - {by}" if name and by and by not in name else name


def day(timestamp: object) -> str | None:
    """Unix seconds -> the ISO date.

    Raises:
        ValueError, TypeError, OverflowError, OSError: it is not a timestamp.
    """
    if timestamp in (None, "", 0, "0"):
        return None
    if not isinstance(timestamp, int | float | str) or isinstance(timestamp, bool):
        raise ValueError("the posted time is not a number of seconds")
    return datetime.fromtimestamp(int(timestamp), UTC).date().isoformat()


def seconds(value: object) -> float | None:
    """A length in seconds, or None if it cannot be one: photo posts have the length 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if 0 < found <= MAX_DURATION_S else None


def exact(item: Json, key: str) -> int | None:
    """A count that is given as a number or as digits."""
    value = item.get(key)
    if value is None or isinstance(value, str):
        return parse_count(value or "")
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise ValueError(f"{key}: not a count")
    return int(value)


def object_in(item: Json, key: str) -> Json:
    value = item.get(key)
    if not isinstance(value, dict | None):
        raise ValueError(f"{key}: not a JSON object")
    return value or {}


def list_in(item: Json, key: str) -> list[Any]:
    value = item.get(key)
    if not isinstance(value, list | None):
        raise ValueError(f"{key}: not a list")
    return value or []


def objects_in(item: Json, key: str) -> list[Json]:
    values = list_in(item, key)
    if not all(isinstance(value, dict) for value in values):
        raise ValueError(f"{key}: not a list of JSON objects")
    return values


def string(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def links_in(value: object) -> list[str]:
    """A list of non-empty texts from one link, a list of links or nothing."""
    values = value if isinstance(value, list) else [value]
    return [link.strip() for link in values if isinstance(link, str) and link.strip()]
