"""A row of a table, or a flat item, with columns of any usual name -> the values of a `records.Video`."""

import json
import re
from typing import Any

from scraper import links
from scraper.record_formats import Json, day, exact, links_in, seconds, string

# the columns of tables and the keys of flat items, without signs and in lower case, by the field that they fill
_COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id", "videoid", "itemid", "awemeid", "postid", "tiktokid"),
    "link": ("webvideourl", "tiktokurl", "videourl", "url", "link", "videolink", "posturl", "shareurl", "permalink"),
    "description": ("description", "videodescription", "desc", "caption", "text", "body", "videotitle", "title"),
    "creator_username": (
        *("authorusername", "username", "authoruniqueid", "uniqueid", "authorhandle", "handle", "author", "creator"),
        *("uploader", "videoauthor", "user"),
    ),
    "creator_nickname": ("nickname", "authornickname", "authorname", "authorfull", "displayname"),
    "music_title": ("musicname", "musictitle", "music", "sound", "song"),
    "posted": (
        *("createtime", "videotimestamp", "unixtimestamp", "timestamp", "createtimeiso", "createdate", "createdat"),
        *("uploaddate", "posted", "postedat", "publishedat", "date"),
    ),
    "likes": ("likes", "likecount", "diggcount", "videodiggcount"),
    "comment_count": ("comments", "commentcount", "videocommentcount", "commentscount"),
    "plays": ("plays", "playcount", "videoplaycount", "views", "viewcount"),
    "shares": ("shares", "sharecount", "videosharecount"),
    "duration_s": ("duration", "videoduration", "videolength", "durations", "length"),
    "hashtags": ("hashtags", "hashtagnames", "tags"),
    "covers": ("cover", "coverurl", "thumbnail", "thumbnailurl"),
    "transcript": ("voicetotext", "transcript", "transcription"),
}
_SEPARATORS = re.compile(r"[\s,;|#\[\]\"']+")


def is_table(names: list[str]) -> bool:
    """Whether columns of these names can describe a video: its id or link, and something else."""
    keys = {plain(name) for name in names}
    return any(not keys.isdisjoint(_COLUMNS[field]) for field in ("id", "link"))


def has_page(item: Json) -> bool:
    """Whether a flat item has a link of the site where one is expected."""
    found = (value for key, value in item.items() if plain(str(key)) in _COLUMNS["link"])
    return any(isinstance(value, str) and bool(links.in_text(value)) for value in found)


def row(item: Json, saved_at: float | None) -> tuple[Json, str]:
    """(values, transcript) of a row of a table, or of a flat item, by the names of its columns."""
    values = {plain(str(name)): value for name, value in item.items()}

    def first(field: str) -> Any:
        found = (values.get(name) for name in _COLUMNS[field])
        return next((value for value in found if value not in (None, "", [], {})), None)

    candidates = [string(values[name]) for name in _COLUMNS["link"] if values.get(name)]
    page = next((link for link in candidates if links.in_text(link)), "")
    number = string(first("id")).strip()
    # the id of a table that a spreadsheet wrote is rounded: the link is right
    known = links.from_link(page) if page else {}
    video = known.get("id") or number
    named = first("creator_username")
    user = string(named.get("uniqueId") or named.get("name")) if isinstance(named, dict) else string(named)
    if not page and not links.posted(video):
        raise ValueError(f"it has no link to a video of TikTok, and {links.shown(video) or 'nothing'} is no id of one")
    posted = first("posted")
    is_number = isinstance(posted, int | float) or (isinstance(posted, str) and re.fullmatch(r"\d{9,10}(\.0)?", posted))
    source = "pyktok" if "videodiggcount" in values and "authorusername" in values else "table"
    return {
        "id": video,
        "permalink": known.get("permalink") or links.permalink(user.lstrip("@"), video),
        "creator_username": user or links.handle(page),
        "creator_nickname": string(first("creator_nickname")),
        "description": string(first("description")),
        "hashtags": hashtags_in(first("hashtags")),
        "music_title": string(first("music_title")),
        "likes_shown": string(first("likes")).removesuffix(".0"),
        "comments_shown": string(first("comment_count")).removesuffix(".0"),
        "plays": exact({"plays": string(first("plays")).removesuffix(".0")}, "plays"),
        "shares": exact({"shares": string(first("shares")).removesuffix(".0")}, "shares"),
        "duration_s": seconds(first("duration_s")),
        "posted": day(float(posted)) if is_number else string(posted)[:40] or None,
        "cover_sources": links_in(first("covers")),
        "video_sources": [link for link in candidates if not links.in_text(link)],
        "scraped_at": saved_at,
        "source": source,
    }, string(first("transcript"))


def plain(name: str) -> str:
    """The name of a column without signs, in lower case: "Video_ID" and "videoId" are "videoid"."""
    return "".join(sign for sign in name[:100].casefold() if sign.isalnum())


def hashtags_in(value: object) -> list[str]:
    """Hashtags from a list of names or of objects with a name, or from a text with all of them."""
    if isinstance(value, str):
        try:
            parsed = json.loads(value) if value.startswith("[") else None
        except (ValueError, RecursionError):
            parsed = None
        value = parsed if isinstance(parsed, list) else _SEPARATORS.split(value[:5_000])
    if not isinstance(value, list):
        return []
    names = [one.get("name") or one.get("title") if isinstance(one, dict) else one for one in value]
    return [name.strip("#' ") for name in names if isinstance(name, str) and name.strip("#' ")]
