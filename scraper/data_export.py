"""TikTok's data export, in any of its forms -> one record per video, with each list and time in which it occurs.

The forms: JSON with sections and lists, whose names change from year to year and with the language; a list alone; text
files with `Date: ...` and `Link: ...` lines. A list is recognised by its entries: a link to a video, and a date.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast, get_args

from scraper import links
from scraper.export_lists import Place, collection_of, place_of
from scraper.links import Json, NotAVideoError
from scraper.parse import File, Found, ParsedRecord, Skipped
from scraper.records import MAX_NAME_CHARS, Encounter, ListKind, Video, clean_text
from scraper.timestamps import timestamp

SOURCE = "data export"
MAX_ENTRY_KEYS = 16  # of an entry of an export; own posts have about ten
MAX_ENCOUNTERS = 1_000  # of one video in one file; more are broken or hostile
MAX_NAMES = 8  # above an entry that are looked at
CHAT_DEPTH = 4  # names above a message: Direct Message, Direct Messages, ChatHistory, Chat History with somebody
# sections and lists, in the spellings of several years
_SECTIONS = ("Activity", "Your Activity", "Likes and Favorites", "App Settings", "Ads and data", "Direct Messages")
_LISTS = ("FavoriteVideoList", "ItemFavoriteList", "ShareHistoryList", "VideoList", "CommentsList", "ChatHistory")
_KNOWN = frozenset((*_SECTIONS, *_LISTS))
_LINK_KEYS = ("link", "videolink", "url", "sharedcontent")  # the first that leads to a video counts
_DATE_KEYS = frozenset(("date", "datum", "fecha", "data", "дата", "tarih", "tanggal", "日付", "日期", "날짜", "time"))
_COLLECTION_KEYS = frozenset(("collection", "collectionname", "favoritecollection"))
_MORE_KEYS = frozenset((*_LINK_KEYS, *_COLLECTION_KEYS, "method", "timepertiktok"))
_COMMENT_KEYS = frozenset(("date", "comment", "photo"))
_LINE = re.compile(r"\s*([^:\n]{1,40}):[ \t]*(.*)")
_DATED = re.compile(
    r"[ \t]*[^:\n]{1,40}:[ \t]*\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?:[ \t]*UTC|Z)?[ \t]*$", re.MULTILINE
)
_CHAT = re.compile(r"^>>>[ \t]*\S|^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?: UTC)?[ \t]+[^:\n]{1,60}:[ \t]", re.MULTILINE)
_MESSAGE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC[ \t]+[^:\n]{1,60}:[ \t]")
_PRIVATE = "videos in private chats"
_NO_ID = "own posts without a link to the video"
_NO_LINK = "entries without a link to a video"


@dataclass
class _Met:
    """A video of an export, and how the person met it. `own`: they posted it."""

    values: Json
    own: bool = False
    encounters: dict[Encounter, None] = field(default_factory=dict)  # in order, each once

    def add(self, where: ListKind, at: str, name: str = "") -> None:
        if len(self.encounters) < MAX_ENCOUNTERS:
            self.encounters[Encounter(list=where, at=at, name=name)] = None


class Export:
    """The entries of one file. `add` takes them in any form, `found` gives the records at the end."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._videos: dict[str, _Met] = {}
        self._skipped: Counter[str] = Counter()
        self._problems: list[Found] = []
        self._owner = ""
        self.entries = 0

    def add(self, document: object, index: int | None = None) -> None:
        """Take all entries of a JSON document with lists."""
        for names, where, value in _objects(document):
            if isinstance(owner := value.get("userName"), str) and not self._owner:
                self._owner = clean_text(owner, MAX_NAME_CHARS)
            if _is_flat(value) and (where or _link_values(value)):
                self.add_entry(value, index, names, where)

    def add_text(self, text: str) -> None:
        """Take all entries of the text form."""
        if _CHAT.search(text) or place_of(_file_names(self._file)) == "messages":
            self._count(_PRIVATE, sum(1 for link in links.in_text(text) if _target(link)[0]))
            self.entries += 1
        else:
            for line, entry in _blocks(text):
                self.add_entry(entry, line)

    def add_entry(self, entry: Json, index: int | None = None, names: tuple[str, ...] = (), where: str = "") -> None:
        """Take one entry. `names` lead to it, and `where` is its place for messages."""
        self.entries += 1
        all_names = names if len(names) > 1 else (*_file_names(self._file), *names)
        place = place_of(all_names)
        if place is None and len(names) >= CHAT_DEPTH and _link_values(entry):
            place = "messages"  # in a language that is not known here
        texts = {_key(name): value.strip() for name, value in entry.items() if isinstance(value, str)}
        if place == "messages":
            private = any(_target(link)[0] for value in texts.values() for link in links.in_text(value[:10_000]))
            self._count(_PRIVATE if private else "messages in private chats")
            return
        targets = [_target(link) for link in _link_values(entry)]
        values = next((values for values, _ in targets if values), None)
        list_ = place if place in get_args(ListKind) else "collection" if place == "collections" else None
        if values is None or (list_ is None and place is not None) or set(texts) >= _COMMENT_KEYS:
            self._skip(place, [why for _, why in targets if why], texts, f"{where}: " if where else "", index)
            return
        met = self._videos.setdefault(values["id"], _Met(values))
        if list_ == "posts":
            met.values |= _own_post(texts)
            met.own = True
        named = next((texts[key] for key in _COLLECTION_KEYS if texts.get(key)), "")
        at = _when(entry)
        if list_ == "collection":
            met.add("collection", at, named or collection_of(all_names))
        elif list_ is not None:
            met.add(cast(ListKind, list_), at)
            if named:
                met.add("collection", at, named)

    def _skip(
        self, place: Place | None, reasons: list[NotAVideoError], texts: dict[str, str], where: str, index: int | None
    ) -> None:
        """Count an entry without a video. A short link is a problem, because the person can open it."""
        kinds = [why.what for why in reasons if why.what]
        if links.SHORT_LINKS in kinds:
            short = next(why for why in reasons if why.what == links.SHORT_LINKS)
            self._problems.append(self._file.problem(index, f"{where}{short}"))
        elif set(texts) >= _COMMENT_KEYS:
            self._count("comments")
        elif place is not None and place not in get_args(ListKind):
            self._count(str(place))
        else:
            self._count(kinds[0] if kinds else _NO_ID if place == "posts" else _NO_LINK)

    def _count(self, what: str, count: int = 1) -> None:
        if count:
            self._skipped[what] += count

    def found(self) -> Iterator[Found]:
        """Yield a record for each video, and what was left out."""
        yield from self._problems
        for met in self._videos.values():
            if met.own and self._owner:
                page = links.permalink(self._owner, met.values["id"])
                met.values |= {"creator_username": self._owner, "permalink": page}
            video = Video.model_validate({**met.values, "source": SOURCE})
            yield ParsedRecord(video, encounters=list(met.encounters))
        for what, count in self._skipped.items():
            yield Skipped(self._file.name, what, count)


def is_export(item: Json) -> bool:
    """Whether this is a data export, by the names of its sections or lists, or by dated links in its lists."""
    if "id" in item:
        return False
    return any(not _KNOWN.isdisjoint(value) or (where and is_entry(value)) for _, where, value in _objects(item))


def is_entry(item: object) -> bool:
    """Whether this is an entry of a data export alone: a date, a link of the site, and little else."""
    if not isinstance(item, dict) or not 1 < len(item) <= MAX_ENTRY_KEYS or not _is_flat(item):
        return False
    keys = {_key(name) for name in item}
    if keys >= _COMMENT_KEYS or "whocanview" in keys:
        return True
    linked = [name for name, value in item.items() if isinstance(value, str) and links.LINK.match(value.strip())]
    others = keys - {_key(name) for name in linked} - _MORE_KEYS
    dated = others & _DATE_KEYS or {_key(name) for name, value in item.items() if timestamp(value)}
    return bool(linked and dated) and others <= dated


def is_of_export(file: File, text: str) -> bool:
    """Whether a text without links can be a file of an export: in a zip, of the name of a list, or `Name: value`."""
    lines = [line for line in text.split("\n") if line.strip()]
    in_zip = not file.name.endswith(file.path.name)
    return in_zip or place_of(_file_names(file)) is not None or (bool(lines) and all(map(_LINE.fullmatch, lines)))


def is_text_export(text: str) -> bool:
    """Whether this is a file of the text form: a line with a date alone, then others with `Name: value`."""
    first = next((line for line in text.split("\n", 50) if line.strip()), "")
    if first.startswith(">>>") or _MESSAGE.match(first):
        return bool(_CHAT.search(text))
    found = _DATED.match(text, text.find(first)) if first else None
    if found is None:
        return False
    second = text[found.end() :].lstrip("\n").split("\n", 1)[0]
    return bool(_LINE.fullmatch(second))


def _when(entry: Json) -> str:
    """The time of an entry: the first of its values that is one."""
    dated = [value for name, value in entry.items() if _key(name) in _DATE_KEYS or isinstance(value, str)]
    return next((at for value in dated if (at := timestamp(value))), "")


def _file_names(file: File) -> tuple[str, ...]:
    """The names of a file and of its folder, which tell the list of a file with one list."""
    parts = re.split(r"[\\/]", file.name.rpartition(": ")[2])
    return (*parts[-2:-1], parts[-1].rpartition(".")[0] or parts[-1])


@lru_cache(maxsize=256)
def _key(name: str) -> str:
    return "".join(sign for sign in name[:MAX_NAME_CHARS].casefold() if sign.isalnum())


def _own_post(texts: dict[str, str]) -> Json:
    """What an entry of an own post says besides its date and link."""
    values: Json = {"description": texts.get("title", ""), "music_title": texts.get("sound", "")}
    if texts.get("likes", "").isascii() and texts.get("likes", "").isdigit():
        values["likes_shown"] = texts["likes"]
    return {name: value for name, value in values.items() if value and value != "N/A"}


def _link_values(entry: Json) -> list[str]:
    """The values of an entry that are links and nothing else, those with a known name first."""
    found = {_key(name): value.strip() for name, value in entry.items() if isinstance(value, str) and _is_link(value)}
    return [found[key] for key in sorted(found, key=lambda key: _LINK_KEYS.index(key) if key in _LINK_KEYS else 9)]


def _is_link(text: str) -> bool:
    text = text.strip()
    return not re.search(r"\s", text) and bool(links.LINK.match(text) or text.startswith(("https://", "http://")))


def _target(link: str) -> tuple[Json | None, NotAVideoError | None]:
    try:
        return links.from_link(link), None
    except NotAVideoError as error:
        return None, error


def _is_flat(value: Json) -> bool:
    """Whether an object of an export can be an entry: sections have lists or objects in them."""
    return bool(value) and not any(isinstance(part, dict | list) and part for part in value.values())


def _blocks(text: str) -> Iterator[tuple[int, Json]]:
    """(line number, entry) of a text form. An entry ends at a blank line, or where a name occurs again."""
    entry: Json = {}
    begin = 0
    for number, line in enumerate([*text.split("\n"), ""]):
        found = _LINE.fullmatch(line)
        if entry and (not line.strip() or (found and found[1].strip() in entry)):
            yield begin, entry
            entry = {}
        if found:
            begin = begin if entry else number
            entry[found[1].strip()] = found[2].strip()
        elif line.strip() and links.LINK.search(line):  # a link alone on its line
            entry.setdefault("Link", line.strip())


def _objects(item: object) -> Iterator[tuple[tuple[str, ...], str, Json]]:
    """All JSON objects in `item`: the names that lead to each, its place for messages ("" if it is in no list), itself.

    No recursion: it may be nested deeply.
    """
    waiting: list[tuple[tuple[str, ...], str, object]] = [((), "", item)]
    while waiting:
        names, where, value = waiting.pop()
        inner: list[tuple[tuple[str, ...], str, object]] = []
        if isinstance(value, dict):
            yield names, where, value
            titles = tuple(
                text for key, text in value.items() if _key(key) in _COLLECTION_KEYS and isinstance(text, str)
            )
            above = (*names, *titles)
            inner = [
                ((*above, str(key)[:MAX_NAME_CHARS])[-MAX_NAMES:], "", part)
                for key, part in value.items()
                if isinstance(part, dict | list)
            ]
        elif isinstance(value, list):
            path = ", ".join(links.shown(name) for name in names)[-links.MAX_PATH_CHARS :]
            inner = [
                (names, f"{path}, entry {number}".removeprefix(", "), part)
                for number, part in enumerate(value)
                if isinstance(part, dict | list)
            ]
        waiting.extend(reversed(inner))
