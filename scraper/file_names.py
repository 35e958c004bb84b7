"""The name of a person's own media file -> what it says: the video's id, its creator, its title and its date.

Names come from downloaders (yt-dlp, gallery-dl, ssstik, Snaptik, ...), from TikTok's own "Save video", from phones and
from messengers. A name that says nothing, such as "Download (1).mp4", gives nothing.
"""

import re
import time
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime

from scraper import links

_ID = re.compile(r"(?<![0-9])([1-9][0-9]{18})(?![0-9])")
_BRACKETED = re.compile(r"\s*[\[({]\s*(?:[\w.-]{1,20}[\s_-])?([1-9][0-9]{18})\s*[\])}]")
_UUID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE)
_HEX = re.compile(r"\b(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,64}\b", re.IGNORECASE)
_COPY = re.compile(r"(?:\s*\([0-9]{1,4}\)|\s*[-_ ]+(?:copy|kopie|copie|copia)(?:\s*[0-9]{1,3})?)+$", re.IGNORECASE)
_STAMP = re.compile(r"_[0-9]{10,13}$")  # ssstik puts the time of the download behind the creator
_HANDLE = re.compile(r"@([\w.]{2,38})")
# `user_ID`, `user - ID`, `user_video_ID`: in other forms, such as `cake [ID]`, a single word is a title
_BEFORE_ID = re.compile(r"^@?([A-Za-z0-9_.]{2,24}?)(?:_+|\s+[-\u2013]\s+|[-_ ]+video[-_ ]+)([0-9]{19})$")
_CREATOR_FIRST = re.compile(r"^@?(?=\S*[a-z])([a-z0-9_.]{2,24})\s+[-\u2013\u2014]\s+(?=\S)")
_DAY = re.compile(r"(?<![0-9])(20[0-9]{2})([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12][0-9]|3[01])(?![0-9])")
_UNIX = re.compile(r"(?<![0-9])(1[4-9][0-9]{8})(?:[0-9]{3})?(?![0-9])")  # seconds or milliseconds
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_PARTS = re.compile(r"[\s_]+")
# what programs and phones put into names; a title has at least one other word
_NOISE_WORDS = (
    "aac am app at audio bild bildschirmaufnahme camera clip com copia copie copy download downloaded downloader "
    "downloads dsc dscf dscn fb file final fps gif gopr gx hd heic hevc hq image images img io jpeg jpg kopie mov "
    "movie mp mpeg mpg mvi net no of online photo photos pic picture pm png pxl received recording replay rpreplay "
    "save saved savefrom savetik screen screenrecorder screenrecording screenshot sd sec signal snapinsta "
    "snaptik snaptikapp ssstik ssstikio stik telegram temp tik tikdown tikmate tiktok tiktokdownload tiktokio "
    "tikvideo tmp tok tt ttdownloader uhr um unbenannt untitled v vid video "
    "videoplayback videos vlc wa watermark web webm webp "
    "whatsapp without www xviral "
)
_NOISE = frozenset(_NOISE_WORDS.split())
_PROGRAM = re.compile(
    r"^(?:www\.)?(?:snaptik(?:\.app)?|ssstik(?:\.io)?|savetik(?:\.\w+)?|tikmate(?:\.\w+)?|ttdownloader(?:\.\w+)?"
    r"|musicaldown(?:\.\w+)?|tikwm(?:\.\w+)?|lovetik(?:\.\w+)?|sss?tiktok(?:\.\w+)?|tiktok)"
    r"[-_ ]+",
    re.IGNORECASE,
)
MAX_NAME_CHARS = 400  # of a name that is read; file systems allow 255 bytes


@dataclass(frozen=True)
class NameParts:
    """What a name says. Unknown parts are empty; `posted` is an ISO date."""

    id: str = ""
    creator: str = ""
    title: str = ""
    posted: str = ""


def read(name: str) -> NameParts:
    """Read the name of a file, with or without its suffix. Nothing is an error."""
    stem = unicodedata.normalize("NFC", name)[:MAX_NAME_CHARS]
    stem = re.sub(r"\.[A-Za-z0-9]{2,5}$", "", stem).strip()
    stem = _COPY.sub("", stem)
    video_id, around = _without_id(stem)
    creator, rest = _without_creator(around, stem if video_id else "")
    posted = links.posted(video_id) if video_id else _date(rest)
    return NameParts(video_id, creator, _title(rest), posted or "")


def _without_id(stem: str) -> tuple[str, str]:
    """The id in a name, and the rest of the name. Of several numbers the one in brackets counts, else the last."""
    for pattern in (_BRACKETED, _ID):
        for found in reversed(list(pattern.finditer(stem))):
            if links.posted(found[1]):
                return found[1], f"{stem[: found.start()]} {stem[found.end() :]}"
    return "", stem


def _without_creator(text: str, with_id: str) -> tuple[str, str]:
    """The creator in the rest of a name, and what is left. `with_id` is the whole name, if it has an id."""
    text = _PROGRAM.sub("", text)
    if found := _HANDLE.search(text):
        name = re.sub(r"_video_*$", "", _STAMP.sub("", found[1]))
        return name.strip("._"), f"{text[: found.start()]} {text[found.start() + 1 + len(name) :]}"
    if with_id and (found := _CREATOR_FIRST.match(text.strip())):
        return found[1], text.strip()[found.end() :]
    # `user_7168736099701886213`: a name in front of the id, and nothing behind it
    if found := _BEFORE_ID.match(_PROGRAM.sub("", with_id)):
        words = _WORD.findall(found[1].casefold())
        if words and not all(word in _NOISE for word in words):
            return found[1].strip("._"), ""
    return "", text


def _date(text: str) -> str:
    """The date in a name: 2023-04-05, 20230405, or unix time."""
    today = datetime.now(UTC).date()
    for found in _DAY.finditer(text):
        try:
            day = date(int(found[1]), int(found[3]), int(found[4]))
        except ValueError:
            continue
        if day <= today:
            return day.isoformat()
    for found in _UNIX.finditer(text):
        if (seconds := int(found[1])) <= time.time():
            return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    return ""


def _title(text: str) -> str:
    """The rest of a name as a title; "" if it has no word of its own."""
    text = _HEX.sub(" ", _UUID.sub(" ", text))
    words = [word for word in _WORD.findall(text) if word.casefold() not in _NOISE]
    # words next to digits are codes: WA0001, v12044gd
    kept = [word for word in words if not re.search(rf"(?:[0-9]{re.escape(word)}|{re.escape(word)}[0-9])", text)]
    if not any(len(word) > 1 or not word.isascii() for word in kept):
        return ""
    if " " not in text.strip():
        text = _PARTS.sub(" ", text.replace("-", " ") if text.count("-") > 1 else text)
    return " ".join(text.split()).strip(" -_.,|\u2013\u2014")
