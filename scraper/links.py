"""Links to videos of the site, wherever people keep them (a list, a shared text, their own data export) -> ids."""

import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
MAX_SHOWN_CHARS = 100  # of a link in a reason: enough to find it again
MAX_WAY_CHARS = 200  # of the way to an entry: names in a hostile file are of any length

# A path ends where texts put their next word or link. What else stands behind one (a full stop) ends no id.
_END = r"\s\"'`<>()\[\]{}|,;\u2018-\u201f\u3001\u3002\u300a-\u3011\uff08\uff09\uff0c\uff1b"
LINK = re.compile(
    rf"(?<![A-Za-z0-9_.@-])(?:https?://)?((?:[a-z0-9-]{{1,63}}\.){{0,3}}tiktokv?\.(?:com|us|eu))(/[^{_END}]*)",
    re.IGNORECASE,
)
_VIDEO = re.compile(r"^/(?:@([\w.-]*)/|share/)?(video|photo|v|embed(?:/v2)?|player/v1)/([0-9]{5,25})(?![0-9])")
_ID_IN_LINK = re.compile(r"/(?:video|photo|v)/([0-9]{5,25})(?![0-9])")
_HANDLE = re.compile(r"/@([\w.-]+)")
# what else a link of the site leads to, looked for in "host/path" in this order
_NO_VIDEO: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"^v[mt]\.|^[^/]*/t/"),
        "a short link does not tell its video: open it and import the address that it leads to",
    ),
    (re.compile(r"^live\.|/live\b"), "a live stream, no video"),
    (re.compile(r"/music/"), "a sound, no video"),
    (re.compile(r"/tag/|/hashtag/"), "a hashtag, no video"),
    (re.compile(r"/sticker/|/effect/"), "an effect, no video"),
    (re.compile(r"/(?:collection|playlist)/"), "a collection, no video"),
    (re.compile(r"/@[\w.-]+/?(?:[?#]|$)|/share/user/|^m\.[^/]*/h5/"), "a user's page, no video"),
)
# the sections and lists that tell a data export, in the spellings of several years
_EXPORT_SECTIONS = ("Activity", "Your Activity", "Likes and Favorites", "App Settings", "Ads and data")
_EXPORT_LISTS = ("FavoriteVideoList", "ItemFavoriteList", "ShareHistoryList", "VideoList")
_EXPORT_KEYS = frozenset((*_EXPORT_SECTIONS, *_EXPORT_LISTS))
_LINK_KEYS = ("link", "videolink", "url", "sharedcontent")  # in small letters; the first that leads to a video counts


def video_id(link: str) -> str:
    """The id in a link to a video, on whatever host; "" where there is none."""
    found = _ID_IN_LINK.search(link)
    return found[1] if found else ""


def handle(link: str) -> str:
    """The user's handle in a link of the site; "" where there is none (yt-dlp writes "@_" for an unknown one)."""
    found = _HANDLE.search(link)
    return found[1] if found and found[1] != "_" else ""


def permalink(user: str, video: str) -> str:
    """The address of a video; the site finds it without the user's handle too."""
    return f"https://www.tiktok.com/@{user}/video/{video}"


def from_link(link: str) -> Json:
    """A link to a video -> the id and permalink of a Video; what else it carries (who shared it) is left out.

    Raises:
        ValueError: it leads to something else; says to what.
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
    raise ValueError(f"a page of TikTok that is no video: {shown(link)}")


def in_text(line: str) -> list[str]:
    """The links of the site in a line of text."""
    return [found[0] for found in LINK.finditer(line)]


def is_export(item: Json) -> bool:
    """Whether this is a data export of TikTok: known by its sections or, whatever those are called, by its lists."""
    return "id" not in item and any(name in _EXPORT_KEYS for _, value in _objects(item) for name in value)


def export_entries(item: Json) -> Iterator[tuple[str, list[str]]]:
    """All {Date, Link} entries of a data export, in its order: where each stands, and what it has for a link."""
    for where, value in _objects(item):
        texts = {key.lower(): text for key, text in value.items() if not isinstance(text, dict | list)}
        keys = [key for key in _LINK_KEYS if key in texts]
        if keys:
            yield where, [texts[key] if isinstance(texts[key], str) else "" for key in keys]


def _objects(item: Json) -> Iterator[tuple[str, Json]]:
    """All JSON objects in `item`, itself first, each with the way to it; without recursion, for it may nest deeply."""
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
                waiting.append((f"{where}, {name}".removeprefix(", ")[-MAX_WAY_CHARS:], part))


def shown(text: str) -> str:
    return text.strip()[:MAX_SHOWN_CHARS]
