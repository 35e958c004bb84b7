"""The lists in which a person met videos: their names in questions, and in sentences."""

from collections.abc import Sequence
from datetime import date

from retrieval.search.periods import spoken
from scraper.records import Encounter, ListKind

# how people may name a list
LIST_WORDS: dict[str, ListKind] = {
    **dict.fromkeys(("favorites", "favorite", "favourites", "favourite", "saved", "bookmarks"), "favorites"),
    **dict.fromkeys(("collection", "collections"), "collection"),
    **dict.fromkeys(("likes", "like", "liked"), "likes"),
    **dict.fromkeys(("history", "watched", "seen"), "history"),
    **dict.fromkeys(("shares", "shared", "share"), "shares"),
    **dict.fromkeys(("reposts", "repost", "reposted"), "reposts"),
    **dict.fromkeys(("posts", "posted", "mine"), "posts"),
}
# an operator for a time -> the lists in which it looks; none for any list
LISTS_OF: dict[str, tuple[ListKind, ...]] = {
    "seen": (),
    "liked": ("likes",),
    "saved": ("favorites", "collection"),
    "watched": ("history",),
    "shared": ("shares",),
}
_PLACES: dict[ListKind, str] = {
    "favorites": "in your favorites",
    "collection": "in one of your collections",
    "likes": "in your likes",
    "history": "in your watch history",
    "shares": "among those you shared",
    "reposts": "among those you reposted",
    "posts": "among your own posts",
}
_VERBS: dict[ListKind, str] = {
    "likes": "liked",
    "history": "watched",
    "shares": "shared",
    "reposts": "reposted",
    "posts": "posted by you",
}
# what a person remembers best comes first
_ORDER: tuple[ListKind, ...] = ("favorites", "collection", "likes", "reposts", "shares", "posts", "history")


def place(name: str) -> str:
    """Return where the videos of `in:name` are: "in your favorites"."""
    kind = LIST_WORDS.get(name.casefold())
    return _PLACES[kind] if kind else f'in your collection "{name}"'


def operator_value(kind: ListKind, name: str = "") -> str:
    """Return what `in:` calls a list: favorites, or "recipes" for a collection."""
    return f'"{name}"' if kind == "collection" and name else kind


def describe_encounters(encounters: Sequence[Encounter]) -> list[str]:
    """Return in which lists and when a person met a video, the list that they remember best first.

    "liked on 3 March 2024", "in your favorites since 5 May 2024", "watched 3 times, last on 6 June 2024".
    """
    found: dict[tuple[ListKind, str], list[str]] = {}
    for met in encounters:
        found.setdefault((met.list, met.name if met.list == "collection" else ""), []).append(met.at)
    ordered = sorted(found, key=lambda key: (_ORDER.index(key[0]) if key[0] in _ORDER else len(_ORDER), key[1]))
    return [_sentence(kind, name, found[kind, name]) for kind, name in ordered]


def _sentence(kind: ListKind, name: str, times: Sequence[str]) -> str:
    days = sorted(time[:10] for time in times if time)
    last = spoken(date.fromisoformat(days[-1])) if days else ""
    if kind in ("favorites", "collection"):
        where = f'in your collection "{name}"' if name else _PLACES[kind]
        return f"{where} since {spoken(date.fromisoformat(days[0]))}" if days else where
    verb = _VERBS.get(kind, kind)
    if len(times) > 1:
        return f"{verb} {len(times):,} times{f', last on {last}' if last else ''}"
    return f"{verb} on {last}" if last else verb
