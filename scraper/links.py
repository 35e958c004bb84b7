"""Links to videos of the site, wherever people keep them (a list, a shared text, their own data export) -> ids."""

import re
import time
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
VIDEO_ID = "[0-9]{5,25}"  # the pattern of an id; ids become file names
FIRST_POST = datetime(2014, 1, 1, tzinfo=UTC).timestamp()  # of musical.ly, which became TikTok
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
# other targets of links to the site, searched in "host/path" in this order: what one is, and what several are
_NO_VIDEO: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"^v[mt]\.|^[^/]*/t/"),
        "a short link does not contain the video's id: open it and import the address that it leads to",
        "short links",
    ),
    (re.compile(r"^live\.|/live\b"), "a live stream, not a video", "live streams"),
    (re.compile(r"/music/"), "a sound, not a video", "sounds"),
    (re.compile(r"/tag/|/hashtag/"), "a hashtag, not a video", "hashtags"),
    (re.compile(r"/sticker/|/effect/"), "an effect, not a video", "effects"),
    (re.compile(r"/(?:collection|playlist)/"), "a collection, not a video", "collections"),
    (
        re.compile(r"/@[\w.-]+/?(?:[?#]|$)|/share/user/|^m\.[^/]*/h5/"),
        "a user's page, not a video",
        "pages of users",
    ),
)
SHORT_LINKS = _NO_VIDEO[0][2]


class NotAVideoError(ValueError):
    """A link leads to something else than a video. `what` says to what, as a plural: "sounds". "" if it is unknown."""

    def __init__(self, message: str, what: str = "") -> None:
        super().__init__(message)
        self.what = what


def video_id(link: str) -> str:
    """The id in a link to a video, on any host, or ""."""
    found = _ID_IN_LINK.search(link)
    return found[1] if found else ""


def posted(video: str) -> str | None:
    """The day on which a video was posted, by its id: the upper 32 bits are the seconds since 1970.

    None if that is no day on which TikTok existed: the id is not one of TikTok.
    """
    if not re.fullmatch(VIDEO_ID, video):
        return None
    seconds = int(video) >> 32
    if not FIRST_POST <= seconds <= time.time():
        return None
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


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
        NotAVideoError: it leads to something else; the message says to what.
    """
    found = LINK.search(link)
    if not found:
        raise NotAVideoError(f"no link to a video of TikTok: {shown(link)}" if link.strip() else "no link")
    host, path = found[1].lower(), found[2]
    if video := _VIDEO.match(path):
        photo = video[2] == "photo"
        address = permalink("" if video[1] == "_" else video[1] or "", video[3])
        return {"id": video[3], "permalink": address.replace("/video/", "/photo/") if photo else address}
    for pattern, one, many in _NO_VIDEO:
        if pattern.search(host + path):
            raise NotAVideoError(f"{one}: {shown(link)}", many)
    raise NotAVideoError(f"a page of TikTok that is not a video: {shown(link)}", "other pages of TikTok")


def in_text(line: str) -> list[str]:
    """The links of the site in a line of text."""
    return [found[0] for found in LINK.finditer(line)]


def shown(text: str) -> str:
    """`text` cut for an error message."""
    return text.strip()[:MAX_SHOWN_CHARS]
