"""Several records of one video from any sources -> one record, field by field."""

from collections.abc import Sequence

from scraper import links
from scraper.records import MAX_LINKS, Caption, Video

# Two forms of one value come from the same record; `source` and `scraped_at` describe all records.
_TOGETHER: tuple[tuple[str, ...], ...] = (
    ("likes", "likes_shown"),
    ("comment_count", "comments_shown"),
    ("posted", "posted_shown"),
)
_OF_ALL = ("source", "scraped_at")
_LINKS = ("video_sources", "cover_sources")  # all links of a file are kept: any of them may still work
_NAMELESS = "/@/"  # in a permalink without the creator: another record may have a better one


def merge(records: Sequence[Video]) -> Video:
    """Take the newest non-empty value of each field. `records` are of one video, newest first, at least one.

    `source` names the sources of all records, newest first.
    """
    newest = records[0]
    if len(records) == 1:
        return _dated(newest)
    values: dict[str, object] = {}
    single = set(Video.model_fields) - set(_OF_ALL) - {name for group in _TOGETHER for name in group}
    for group in (*((name,) for name in sorted(single)), *_TOGETHER):
        giver = next((record for record in records if any(_is_there(record, name) for name in group)), newest)
        values |= {name: getattr(giver, name) for name in group}
    for name in _LINKS:
        found = list(dict.fromkeys(link for record in records for link in getattr(record, name)))
        values[name] = sorted(found, key=lambda link: link.startswith("blob:"))[:MAX_LINKS]
    values["captions"] = _captions(records)
    values["permalink"] = (
        next((r.permalink for r in records if r.permalink and _NAMELESS not in r.permalink), "")
        or (values["permalink"])
    )
    sources = [part for record in records for part in record.source.split(", ") if part]
    values["source"] = ", ".join(dict.fromkeys(sources))
    values["scraped_at"] = max((r.scraped_at for r in records if r.scraped_at is not None), default=None)
    # every value was validated in its record
    return _dated(Video.model_construct(set(values), **values))


def _dated(video: Video) -> Video:
    """The video with the date in its id, if no record gives a date."""
    if video.posted is None and (day := links.posted(video.id)):
        return video.model_copy(update={"posted": day})
    return video


def _is_there(record: Video, name: str) -> bool:
    value = getattr(record, name)
    return value is not None and value != "" and value != []


def _captions(records: Sequence[Video]) -> list[Caption]:
    """The newest tracks with links. How they were made may be known only from an older record (yt-dlp drops it)."""
    newest = next((r.captions for r in records if any(track.url for track in r.captions)), records[0].captions)
    made = {track.language: track.source for r in reversed(records) for track in r.captions if track.source}
    return [
        track if track.source else track.model_copy(update={"source": made.get(track.language, "")}) for track in newest
    ]
