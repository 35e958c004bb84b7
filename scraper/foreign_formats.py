"""Items of other scrapers, and rows of tables -> the values of a `records.Video`, and who wrote something else.

The readers raise a ValueError if they cannot read the item, as those of record_formats do.
"""

import re
from typing import Any

from scraper import links
from scraper.columns import has_page, hashtags_in
from scraper.record_formats import (
    Json,
    day,
    exact,
    kind_of,
    links_in,
    music,
    object_in,
    objects_in,
    originals_first,
    seconds,
    string,
)

MAX_KEYS_SHOWN = 8
# where other programs and the site's interfaces put their items: keys from the outside in, and the program
_CONTAINERS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("collector",), "tiktok-scraper"),
    (("data", "videos"), "TikTok Research API"),
    (("aweme_list",), "mobile API"),
    (("aweme_details",), "mobile API"),
    (("aweme_detail",), "mobile API"),
    (("itemList",), "web API"),
    (("item_list",), "web API"),
    (("itemInfo", "itemStruct"), "web API"),
    (("ItemModule",), "web API"),
)
_WRAPPERS = ("aweme_info", "item", "itemStruct")  # keys of items that wrap the one that counts, in answers to a search
# what only records of other sites have: a pattern of their keys, and the site's name
_ELSEWHERE: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"full_text|tweet(?:_?id|s|Text|Url)?|retweet_?count|in_reply_to_\w+|conversation_id|favorite_count"
        ),
        "tweets of Twitter/X",
    ),
    (re.compile(r"shortcode|taken_at(?:_timestamp)?|edge_media_\w+|ownerUsername"), "posts of Instagram"),
    (re.compile(r"subreddit(?:_id)?|link_flair_\w+"), "posts of Reddit"),
    (re.compile(r"snippet|liveBroadcastContent|channelId|videoRenderer"), "records of YouTube"),
    (re.compile(r"postText|pageName|facebookUrl|reactions_count"), "posts of Facebook"),
)
_HOSTS = {
    "twitter.com": "tweets of Twitter/X",
    "x.com": "tweets of Twitter/X",
    "instagram.com": "posts of Instagram",
    "youtube.com": "records of YouTube",
    "youtu.be": "records of YouTube",
    "facebook.com": "posts of Facebook",
    "reddit.com": "posts of Reddit",
}
_HOST = re.compile(r"https?://(?:www\.|m\.)?([a-z.]+)/", re.IGNORECASE)


def unpacked(item: Json) -> tuple[str, list[Any]] | None:
    """The program, and the items of its container. None: `item` is no known container."""
    for keys, program in _CONTAINERS:
        inner: object = item
        for key in keys:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, list):
            return program, [_unwrapped(one) for one in inner]
        if isinstance(inner, dict) and inner:
            return program, list(inner.values()) if keys[-1] == "ItemModule" else [inner]
    found = item.get("data")
    if isinstance(found, list) and any(_unwrapped(one) is not one for one in found):  # an answer to a search
        return "web API", [_unwrapped(one) for one in found if _unwrapped(one) is not one]
    return None


def _unwrapped(item: object) -> object:
    if isinstance(item, dict) and "id" not in item:
        return next((item[key] for key in _WRAPPERS if isinstance(item.get(key), dict)), item)
    return item


def elsewhere(item: Json) -> str:
    """What an item of another site is, as a plural, or ""."""
    if any(key in item for key in ("createTime", "create_time", "aweme_id")):
        return ""
    if any(isinstance(value, str) and links.in_text(value[:1000]) for value in item.values()):
        return ""
    by_key = (what for pattern, what in _ELSEWHERE if any(pattern.fullmatch(str(key)) for key in item))
    texts = [value[:200] for value in item.values() if isinstance(value, str)]
    hosts = (_HOSTS.get(found[1].lower(), "") for text in texts if (found := _HOST.match(text)))
    return next(by_key, "") or next((what for what in hosts if what), "")


def refusal(item: Json) -> str:
    """Why an item cannot be a record: another site's, or unknown. "" if it can be one."""
    if what := elsewhere(item):
        return f"looks like {what}, not like records of TikTok"
    if kind_of(item) == "own" and "id" not in item and not has_page(item):
        return f"an unknown format: its keys are {keys_of(item)}" if item else "an empty record"
    return ""


def keys_of(item: Json) -> str:
    """The keys of an item, for the message about an unknown format."""
    names = [links.shown(str(key))[:30] for key in list(item)[:MAX_KEYS_SHOWN]]
    return ", ".join(names) + (", ..." if len(item) > MAX_KEYS_SHOWN else "")


def scraper_item(item: Json, saved_at: float | None, source: str = "") -> Json:
    """An item of Apify's TikTok scrapers, or of drawrowfly's tiktok-scraper, from which they took the form."""
    author, sound, video = object_in(item, "authorMeta"), object_in(item, "musicMeta"), object_in(item, "videoMeta")
    covers = item.get("covers")
    covers = covers if isinstance(covers, dict) else {"origin": next(iter(links_in(covers)), None)}
    link = string(item.get("webVideoUrl"))
    slides = [slide.get("downloadLink") or slide.get("tiktokLink") for slide in objects_in(item, "slideshowImageLinks")]
    return {
        "id": item.get("id") or links.video_id(link),
        "permalink": link or links.permalink(string(author.get("name")), string(item.get("id"))),
        "creator_username": author.get("name"),
        "creator_nickname": author.get("nickName"),
        "description": item.get("text"),
        "hashtags": hashtags_in(item.get("hashtags")),
        "music_title": music(sound.get("musicName"), [sound.get("musicAuthor")]),
        "likes_shown": item.get("diggCount"),
        "likes": exact(item, "diggCount"),
        "comments_shown": item.get("commentCount"),
        "comment_count": exact(item, "commentCount"),
        "plays": exact(item, "playCount"),
        "shares": exact(item, "shareCount"),
        "duration_s": seconds(video.get("duration")),
        "posted": day(item.get("createTime")) or item.get("createTimeISO"),
        "captions": originals_first(
            [
                {
                    "language": one.get("language"),
                    "source": one.get("source"),
                    "url": one.get("downloadLink") or one.get("tiktokLink"),
                }
                for one in objects_in(video, "subtitleLinks")
            ]
        ),
        "video_sources": [
            *links_in(item.get("videoUrlNoWaterMark")),
            *links_in(item.get("videoUrl")),
            *links_in(item.get("mediaUrls")),
            *links_in(video.get("downloadAddr")),
        ],
        "cover_sources": links_in(
            [video.get("originalCoverUrl"), video.get("coverUrl"), covers.get("origin"), covers.get("default")]
        ),
        "slide_sources": links_in(slides),
        "scraped_at": saved_at,
        "source": source or ("tiktok-scraper" if "covers" in item or "secretID" in item else "Apify"),
    }


def research_api(item: Json, saved_at: float | None) -> Json:
    """A video of TikTok's Research API. Its `voice_to_text` is the transcript, see `parse.take`."""
    user, video = string(item.get("username")), string(item.get("id"))
    return {
        "id": video,
        "permalink": links.permalink(user, video),
        "creator_username": user,
        "description": item.get("video_description"),
        "hashtags": hashtags_in(item.get("hashtag_names")),
        "likes_shown": item.get("like_count"),
        "likes": exact(item, "like_count"),
        "comments_shown": item.get("comment_count"),
        "comment_count": exact(item, "comment_count"),
        "plays": exact(item, "view_count"),
        "shares": exact(item, "share_count"),
        "duration_s": seconds(item.get("video_duration")),
        "posted": day(item.get("create_time")),
        "scraped_at": saved_at,
        "source": "TikTok Research API",
    }


def mobile(item: Json, saved_at: float | None) -> Json:
    """An item ("aweme") of the interface of TikTok's mobile app. Its lengths are in milliseconds."""
    author, sound, counts = object_in(item, "author"), object_in(item, "music"), object_in(item, "statistics")
    video, post = object_in(item, "video"), object_in(item, "image_post_info")
    user, number = string(author.get("unique_id")), string(item.get("aweme_id"))
    slides = [object_in(one, "display_image") or object_in(one, "thumbnail") for one in objects_in(post, "images")]
    length = seconds(video.get("duration") or item.get("duration"))
    return {
        "id": number,
        "permalink": links.permalink(user, number),
        "creator_username": user,
        "creator_nickname": author.get("nickname"),
        "description": item.get("desc"),
        "hashtags": [
            string(tag.get("hashtag_name")) for tag in objects_in(item, "text_extra") if tag.get("hashtag_name")
        ],
        "music_title": music(sound.get("title"), [sound.get("author")]),
        "likes_shown": counts.get("digg_count"),
        "likes": exact(counts, "digg_count"),
        "comments_shown": counts.get("comment_count"),
        "comment_count": exact(counts, "comment_count"),
        "plays": exact(counts, "play_count"),
        "shares": exact(counts, "share_count"),
        "duration_s": length / 1000 if length else None,
        "posted": day(item.get("create_time")),
        "captions": originals_first(
            [
                {
                    "language": one.get("language_code") or one.get("lang"),
                    "source": "ASR" if one.get("is_auto_generated") else "",
                    "format": one.get("caption_format"),
                    "url": one.get("url"),
                }
                for one in objects_in(object_in(video, "cla_info"), "caption_infos")
            ]
        ),
        "video_sources": [
            *links_in(object_in(video, "play_addr").get("url_list")),
            *links_in(object_in(video, "download_addr").get("url_list")),
        ],
        "cover_sources": [
            *links_in(object_in(video, "origin_cover").get("url_list")),
            *links_in(object_in(video, "cover").get("url_list")),
        ],
        "slide_sources": [link for slide in slides for link in links_in(slide.get("url_list"))[:1]],
        "scraped_at": saved_at,
        "source": "mobile API",
    }
