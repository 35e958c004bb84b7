"""Links to videos of the site, wherever people keep them (a list, a shared text, their own data export) -> ids."""

import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
VIDEO_ID = "[0-9]{5,25}"  # the pattern of an id; ids become file names
MAX_SHOWN_CHARS = 100  # of a link in an error message: enough to find it
MAX_PATH_CHARS = 200  # of the path to an entry: names in a hostile file can have any length

# The characters that end a path in a text. Others that may follow a link, such as a full stop, cannot be part of an id.
_END = r"\s\"'`<>()\[\]{}|,;\u2018-\u201f\u3001\u3002\u300a-\u3011\uff08\uff09\uff0c\uff1b"
LINK = re.compile(
    rf"(?<![A-Za-z0-9_.@-])(?:https?://)?((?:[a-z0-9-]{{1,63}}\.){{0,3}}tiktokv?\.(?:com|us|eu))(/[^{_END}]*)",
    re.IGNORECASE,
)
_VIDEO = re.compile(rf"^/(?:@([\w.-]*)/|share/)?(video|photo|v|embed(?:/v2)?|player/v1)/({VIDEO_ID})(?![0-9])")
_ID_IN_LINK = re.compile(rf"/(?:video|photo|v)/({VIDEO_ID})(?![0-9])")
_HANDLE = re.compile(r"/@([\w.-]+)")
# other targets of links to the site, searched in "host/path" in this order
_NO_VIDEO: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"^v[mt]\.|^[^/]*/t/"),
        "a short link does not contain the video's id: open it and import the address that it leads to",
    ),
    (re.compile(r"^live\.|/live\b"), "a live stream, not a video"),
    (re.compile(r"/music/"), "a sound, not a video"),
    (re.compile(r"/tag/|/hashtag/"), "a hashtag, not a video"),
    (re.compile(r"/sticker/|/effect/"), "an effect, not a video"),
    (re.compile(r"/(?:collection|playlist)/"), "a collection, not a video"),
    (re.compile(r"/@[\w.-]+/?(?:[?#]|$)|/share/user/|^m\.[^/]*/h5/"), "a user's page, not a video"),
)
# sections and lists of a data export, in the spellings of several years
_EXPORT_SECTIONS = ("Activity", "Your Activity", "Likes and Favorites", "App Settings", "Ads and data")
_EXPORT_LISTS = ("FavoriteVideoList", "ItemFavoriteList", "ShareHistoryList", "VideoList")
_EXPORT_KEYS = frozenset((*_EXPORT_SECTIONS, *_EXPORT_LISTS))
_LINK_KEYS = ("link", "videolink", "url", "sharedcontent")  # in lower case; the first that leads to a video counts


def video_id(link: str) -> str:
    """The id in a link to a video, on any host, or ""."""
    found = _ID_IN_LINK.search(link)
    return found[1] if found else ""


def handle(link: str) -> str:
    """The user's handle in a link of the site, or "" (yt-dlp writes "@_" if it is unknown)."""
    found = _HANDLE.search(link)
    return found[1] if found and found[1] != "_" else ""


def permalink(user: str, video: str) -> str:
    """The address of a video. The site also finds it without the user's handle."""
    return f"https://www.tiktok.com/@{user}/video/{video}"


def from_link(link: str) -> Json:
    """The id and permalink of the video that a link leads to, without the rest of the link (who shared it).

    Raises:
        ValueError: it leads to something else; the message says to what.
    """
    found = LINK.search(link)
    if not found:
        raise ValueError(f"no link to a video of TikTok: {shown(link)}" if link.strip() else "no link")
    host, path = found[1].lower(), found[2]
    if video := _VIDEO.match(path):
        photo = video[2] == "photo"
        address = permalink("" if video[1] == "_" else video[1] or "", video[3])
        return {"id": video[3], "permalink": address.replace("/video/", "/photo/") if photo else address}
    for pattern, what in _NO_VIDEO:
        if pattern.search(host + path):
            raise ValueError(f"{what}: {shown(link)}")
    raise ValueError(f"a page of TikTok that is not a video: {shown(link)}")


def in_text(line: str) -> list[str]:
    """The links of the site in a line of text."""
    return [found[0] for found in LINK.finditer(line)]


def is_export(item: Json) -> bool:
    """Whether this is a data export of TikTok, by the names of its sections or lists."""
    return "id" not in item and any(name in _EXPORT_KEYS for _, value in _objects(item) for name in value)


def export_entries(item: Json) -> Iterator[tuple[str, list[str]]]:
    """All {Date, Link} entries of a data export in order: the path to each, and its links."""
    for where, value in _objects(item):
        texts = {key.lower(): text for key, text in value.items() if not isinstance(text, dict | list)}
        keys = [key for key in _LINK_KEYS if key in texts]
        if keys:
            yield where, [texts[key] if isinstance(texts[key], str) else "" for key in keys]


def _objects(item: Json) -> Iterator[tuple[str, Json]]:
    """All JSON objects in `item`, itself first, each with the path to it. No recursion: it may be nested deeply."""
    waiting: list[tuple[str, object]] = [("", item)]
    while waiting:
        where, value = waiting.pop()
        inner: list[tuple[str, object]] = []
        if isinstance(value, dict):
            yield where, value
            inner = [(shown(key), part) for key, part in value.items()]
        elif isinstance(value, list):
            inner = [(f"entry {number}", part) for number, part in enumerate(value)]
        for name, part in reversed(inner):
            if isinstance(part, dict | list):
                waiting.append((f"{where}, {name}".removeprefix(", ")[-MAX_PATH_CHARS:], part))


def shown(text: str) -> str:
    """`text` cut for an error message."""
    return text.strip()[:MAX_SHOWN_CHARS]
