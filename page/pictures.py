"""Search by a picture as HTML: its button, the picture that is searched by, the words in it, and frames of videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from page.html import clock, notice, text
from retrieval.index.documents import SEEN, SEEN_NAME
from retrieval.server.auth import MAX_PICTURE

if TYPE_CHECKING:
    from retrieval.search.answer import Why
    from retrieval.server.schemas import FoundHit, FrameDetail, VideoSummary
    from retrieval.server.service import Service

KINDS = {"cover": "cover", "slide": "photo"}
NO_VISION = (
    "This index does not know what its videos show. On the machine where this program runs, choose a vision model: "
    "`tiktok-retrieval build --vision MODEL`."
)
REMOVE = '<button type="button" data-set="picture=&amp;read=">Search without the picture</button>'
CHOOSE = '<button type="button" data-pick>Choose a picture</button>'
ICON = (
    '<svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" fill="none" stroke="currentColor" '
    'stroke-width="2" stroke-linecap="round" stroke-linejoin="round"><rect x="3" y="4" width="18" height="16" rx="3"/>'
    '<circle cx="8.5" cy="9.5" r="1.5"/><path d="m4 18 5.5-5.5 3.5 3.5 2.5-2.5L20 18"/></svg>'
)


@dataclass(frozen=True)
class Asked:
    """The picture of a search: its address on this server, the words read in it, and of a frame, where it is from."""

    url: str
    words: Sequence[str] = ()
    video_id: str = ""
    video: "VideoSummary | None" = None
    at: float | None = None


def with_read(query: str, read: str) -> str:
    """Return what is searched for: the words that were read in a picture, and those that were typed."""
    return f"{read} {query}".strip()


def pick_button() -> str:
    """Return the button in the search box that chooses a picture."""
    how = "Search by a picture"
    return (
        f'<button type="button" class="quiet" id="pick" data-pick aria-label="{how}" '
        f'title="{how}: choose, paste or drop one">{ICON}</button>'
    )


def panel(has_docs: bool) -> str:
    """Return what shows a picture while it is read, why it was refused, or that there is no vision model."""
    docs = ' <a href="docs/how-to/search-pictures.md">How, and which models</a>' if has_docs else ""
    return (
        f'<section id="looking" aria-label="Search by a picture" data-max-bytes="{MAX_PICTURE}" hidden>'
        '<input type="file" id="picked" accept="image/*" hidden aria-label="Picture to search by">'
        '<img alt="" hidden><div><p role="status" tabindex="-1"></p>'
        f"<p data-when=none hidden>{_code(NO_VISION)}{docs}</p>"
        '<p class="actions"><button type="button" data-pick data-when=failed hidden>Choose another picture</button>'
        '<button type="button" data-cancel data-when=reading hidden>Cancel</button>'
        '<button type="button" data-cancel data-when="failed none" hidden>Close</button></p></div></section>'
    )


def _code(message: str) -> str:
    before, code, after = text(message).split("`")
    return f"{before}<code>{code}</code>{after}"


def no_vision() -> str:
    """Return what stands in place of results of a search by a picture in an index that cannot answer it."""
    return notice("This index does not know what its videos show", NO_VISION.partition(". ")[2], more=REMOVE)


def gone(message: str) -> str:
    """Return what stands in place of results of a search by a picture that is not there any more."""
    return notice("The picture is gone", message, more=CHOOSE + REMOVE)


def asked_of(service: "Service", picture: str) -> Asked:
    """Return what is known of the picture of a search.

    Raises:
        UnknownPicture: it is not kept any more.
        CatalogError: the catalog cannot be used.
    """
    video_id, _, sha256 = picture.rpartition(":")
    if not video_id:
        kept = service.seen_pictures.asked.get(sha256)
        return Asked(service.media.asked_url(kept.id), kept.words)
    frame = next((one for one in service.seen_pictures.frames(video_id) if one.sha256 == sha256), None)
    url = frame.url if frame else service.media.seen_url(video_id, sha256)
    video = service.summaries([video_id]).get(video_id)
    return Asked(url, (), video_id, video, frame.start_s if frame else None)


def asked_html(asked: Asked, read: str) -> str:
    """Return the picture that is searched by, the words that were read in it, and how to take each back.

    Args:
        read: those of the words that count.
    """
    if asked.video_id:
        name = asked.video and (asked.video.nickname or asked.video.creator or asked.video.file_name)
        at = f" at {clock(asked.at)}" if asked.at is not None else ""
        params = {"id": asked.video_id} | ({"t": f"{asked.at:.2f}"} if asked.at is not None else {})
        link = f'<a href="?{text(urlencode(params))}" data-open="{asked.video_id}">{text(name or asked.video_id)}</a>'
        said, words = f"<b>More like this frame</b> of <bdi>{link}</bdi>{at}", ""
    else:
        said, words = "<b>By this picture</b>", _words(asked.words, read.split())
    return (
        '<section class="by-picture" aria-label="The picture that is searched by">'
        f'<img src="{text(asked.url)}" alt="The picture that is searched by"><p>{said}</p>{words}'
        '<button type="button" class="quiet" data-set="picture=&amp;read=" aria-label="Search without the picture" '
        'title="Search without the picture">✕</button></section>'
    )


def _words(words: Sequence[str], used: Sequence[str]) -> str:
    """Return the words that were read as buttons that are pressed if a word counts."""
    if not words:
        return '<p class="hint">No words were read in it. Add what you remember to the box.</p>'

    def button(word: str) -> str:
        on = word in used
        rest = [one for one in words if (one in used) != (one == word)]
        return (
            f'<li><button type="button" data-set="{text(urlencode({"read": " ".join(rest)}))}" '
            f'aria-pressed="{"true" if on else "false"}"><bdi>{text(word)}</bdi></button></li>'
        )

    all_or_none = "" if used else " ".join(words)
    return (
        '<div class="read"><span class="hint" id="read-words">Words read in it, searched for as well:</span>'
        f'<ul class="chips" aria-labelledby="read-words">{"".join(map(button, words))}'
        f'<li><button type="button" class="quiet" data-set="{text(urlencode({"read": all_or_none}))}">'
        f"{'Leave all out' if used else 'Use all'}</button></li></ul></div>"
    )


def like_button(video_id: str, sha256: str, label: str = "More like this frame", where: str = "") -> str:
    """Return the button that searches for videos that show something like a frame.

    Args:
        label: on the button.
        where: more of its name, for who hears it.
    """
    full = f"More like this frame{where}"
    return (
        f'<button type="button" class="like" data-like="{text(f"{video_id}:{sha256}")}" aria-label="{full}" '
        f'title="More like this frame">{label}</button>'
    )


def shown_frame(hit: "FoundHit", why: "Why") -> tuple[str, str]:
    """Return the frame for which a video was found, as a button that plays the video from there, and the button that
    searches for more like it. The cover is on the card anyway."""
    if not why.thumbnail_url:
        return "", ""
    more = like_button(hit.id, why.picture)
    at = next((one.start_s for one in hit.explanation if one.picture == why.picture), None)
    if at is None and not (hit.video and hit.video.slide_urls):
        return "", more
    second = f' data-at="{at:.2f}"' if at is not None else ""
    shows = f"{SEEN_NAME}{f' at {clock(at)}' if at is not None else ''}"
    does = f"Play from {clock(at)}" if at is not None and hit.video and hit.video.has_video else "Details"
    stamp = f"<time>{clock(at)}</time>" if at is not None and why.field != SEEN else ""
    picture = f'<img loading="lazy" src="{text(why.thumbnail_url)}" alt="{shows}">{stamp}'
    return f'<button type="button" class="shown" data-show{second} title="{does}">{picture}</button>', more


def frame_strip(video_id: str, frames: Sequence["FrameDetail"], playable: bool, found: frozenset[str] | None) -> str:
    """Return the frames of a video with their seconds, each of which plays it from there.

    Args:
        found: the sha256 of those that the search has found; None if the index does not know what videos show.
    """

    def item(frame: "FrameDetail") -> str:
        at, is_found = frame.start_s, bool(found and frame.sha256 in found)
        what = KINDS.get(frame.kind) or clock(at or 0.0)
        where = f" at {what}" if at is not None else f", the {what}"
        picture = f'<img loading="lazy" src="{text(frame.url)}" alt="">'
        stamp = f"<time>{what}</time>" if at is not None else f"<small>{what}</small>"
        mark = '<span class="unseen">, found by your search</span>' if is_found else ""
        does = "Play from" if playable else "Mark for the link:"
        seek = (
            f'<button type="button" data-seek="{at:.2f}">{picture}<span class="unseen">{does} </span>'
            f"{stamp}{mark}</button>"
            if at is not None
            else f'<span class="still">{picture}{stamp}{mark}</span>'
        )
        like = "" if found is None else like_button(video_id, frame.sha256, '<span aria-hidden="true">≈</span>', where)
        return f"<li{' class=found' if is_found else ''}>{seek}{like}</li>"

    count = sum(frame.sha256 in (found or ()) for frame in frames)
    hint = f'<p class="hint">Found by your search: {count} of {len(frames)}</p>' if count else ""
    return (
        f'<div class="strip" role="group" aria-label="Frames"><ol tabindex="0" aria-label="Frames">'
        f"{''.join(map(item, frames))}</ol>{hint}</div>"
    )
