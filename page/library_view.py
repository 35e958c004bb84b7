"""A page of the library -> its covers by month, and the shelves next to them: what the filters can be set to."""

from calendar import month_name
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from page.cards import blank, named
from page.html import clock, notice, text
from retrieval.search.filter_values import FILTERS

if TYPE_CHECKING:
    from retrieval.server.library import Shown, Value
    from retrieval.server.schemas import VideoSummary

SORTS = {
    "saved": "Newest saved",
    "seen": "Last seen",
    "newest": "Newest post",
    "oldest": "Oldest post",
}
# by filter: heading, and how many values are shown before the rest unfolds
SHELVES = {"in": ("Lists", 8), "month": ("Months", 12), "creator": ("Creators", 10), "tag": ("Hashtags", 10)}
SHELVES |= {"lang": ("Languages", 6)}
DESCRIPTION_CHARS = 90
NAMES = (*FILTERS, "month", "kept")  # the settings that are chips
LISTS = {
    "favorites": "Favorites",
    "collection": "Collections",
    "likes": "Likes",
    "history": "Watch history",
    "shares": "Shares",
    "reposts": "Reposts",
    "posts": "Own posts",
}


def spoken_month(month: str) -> str:
    """Return 2024-03 as March 2024."""
    return f"{month_name[int(month[5:7])]} {month[:4]}" if month else "Unknown date"


def label_of(name: str, value: str, label: str = "") -> str:
    """Return a value of a filter as people read it."""
    match name:
        case "month":
            return spoken_month(value)
        case "in":
            return LISTS.get(value, label or value)
        case "creator":
            return f"@{label or value}"
        case "tag":
            return f"#{label or value}"
        case "kept":
            return "Kept here"
        case _:
            return label or value


def tile(video_id: str, video: "VideoSummary") -> str:
    """Return a video as its cover, which opens it, with who made it and what it is."""
    url = video.thumbnail_url or video.cover_url
    picture = f'<img loading="lazy" decoding="async" src="{text(url)}" alt="">' if url else blank(video)
    photos = f"❐ {len(video.slide_urls)}" if video.slide_urls else ""
    chip = photos or ("▶ " + (clock(video.duration_s) if video.duration_s else "") if video.video_url else "")
    length = f'<span class="length" aria-hidden="true">{chip}</span>' if chip else ""
    who = (video.creator and f"@{video.creator}") or video.nickname or video.file_name or f"Video {video_id}"
    described = video.description[:DESCRIPTION_CHARS] + "…" * (len(video.description) > DESCRIPTION_CHARS)
    what = named(video, video_id)
    return (
        f'<li data-id="{text(video_id)}"><a class="cover" href="?id={text(video_id)}" data-open="{text(video_id)}" '
        f'aria-label="Open {what}">{picture}{length}</a>'
        f'<p dir="auto"><bdi class="who">{text(who[:80])}</bdi> {text(described)}</p>'
        f'<label class="pick"><input type="checkbox" autocomplete="off" aria-label="Select {what}"></label>'
        f'<button type="button" class="delete" data-remove aria-label="Delete {what}" title="Delete">✕</button></li>'
    )


def months(shown: "Shown", videos: Mapping[str, "VideoSummary"]) -> str:
    """Return the videos of a page in sections, one for each month."""
    counts = {one.value: one.videos for one in shown.facets["month"]}
    pairs = [(month, video) for month, video in zip(shown.months, shown.ids, strict=True) if video in videos]
    return "".join(
        f'<section data-month="{month}"><h3>{spoken_month(month)}'
        f'{f" <small>{counts[month]:,}</small>" if month in counts else ""}</h3><ul class="covers">'
        f"{''.join(tile(video, videos[video]) for _, video in of)}</ul></section>"
        for month, of in groupby(pairs, key=lambda pair: pair[0])
    )


def shelves(shown: "Shown", chosen: Mapping[str, str]) -> str:
    """Return what the filters can be set to, with counts. A value that is chosen already is pressed."""
    return "".join(
        _shelf(name, heading, first, shown.facets[name], chosen.get(name, ""))
        for name, (heading, first) in SHELVES.items()
        if len(shown.facets[name]) > 1 or chosen.get(name)
    )


def _shelf(name: str, heading: str, first: int, values: Sequence["Value"], chosen: str) -> str:
    items = [
        f'<li><button type="button" data-filter="{text(urlencode({name: "" if one.value == chosen else one.value}))}" '
        f'aria-pressed="{"true" if one.value == chosen else "false"}"><bdi>'
        f"{text(label_of(name, one.value, one.label)[:60])}</bdi> <small>{one.videos:,}</small></button></li>"
        for one in values
    ]
    rest = (
        f'<details class="rest"><summary>{len(items) - first:,} more</summary><ul>'
        f"{''.join(items[first:])}</ul></details>"
        if len(items) > first
        else ""
    )
    return (
        f'<details class="shelf" open><summary><h3>{heading}</h3></summary><ul>{"".join(items[:first])}</ul>{rest}'
        "</details>"
    )


def chips(chosen: Mapping[str, str]) -> str:
    """Return the filters that are on as buttons that remove them."""
    shown = [(name, value) for name, value in chosen.items() if name in NAMES and value]
    buttons = "".join(
        f'<li><button type="button" data-filter="{name}=" aria-label="Remove the filter: '
        f'{text(label_of(name, value))}">{text(label_of(name, value))} ✕</button></li>'
        for name, value in shown
    )
    everything = (
        '<li><button type="button" class="quiet" data-filter="*">Show all</button></li>' if len(shown) > 1 else ""
    )
    return f'<ul class="chips" aria-label="Filters">{buttons}{everything}</ul>' if shown else ""


def nothing(words: str) -> str:
    """Return what is shown if no video meets the filters."""
    reason = "No id, creator, description or file name has these words." if words else "Remove a filter to see more."
    return notice("No video matches", reason)
