"""All that is known of one video -> the view that opens over the results: player, transcript with times, comments.

The words of the question are marked in all its texts.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ingest.catalog.entries import TEXT_OF_STAGE
from ingest.language_names import name_of
from page.cards import author, cover, filter_link, judge_button, metadata, named
from page.choices import choice_buttons
from page.html import carousel, clock, counted, link, text, with_marks
from page.pictures import frame_strip
from retrieval.index.documents import FIELD_NAMES
from scraper.hashtags import tag_spans

if TYPE_CHECKING:
    from ingest.catalog.entries import Segment
    from retrieval.server.schemas import FoundHit, TextDetail, VideoDetail, VideoSummary
    from scraper.records import Comment

MAX_COMMENTS = 2_000  # as many as a record has
LIKE = "like"
FEW_COMMENTS = 6  # so many can be looked through without a search
Marker = Callable[[str], list[tuple[int, int]]]  # a text -> where the question's words are in it


def no_marks(_: str) -> list[tuple[int, int]]:
    """Mark nothing: there is no question."""
    return []


def linked(description: str, marker: Marker) -> str:
    """Return a description whose hashtags are links and whose words of the question are marked."""
    parts, at = list[str](), 0
    for start, end in tag_spans(description):
        before, tag = description[at:start], description[start:end]
        parts += [with_marks(before, marker(before)), filter_link("tag", tag[1:], text(tag))]
        at = end
    return "".join(parts) + with_marks(description[at:], marker(description[at:]))


def frames(video: "VideoSummary") -> str:
    """Return a strip of frames, each of which plays the video from its time; nothing without a video."""
    if not video.frames_url or not video.frame_times:
        return ""
    buttons = "".join(
        f'<li><button type="button" data-seek="{at:.2f}" aria-label="Play from {clock(at)}"><time>{clock(at)}</time>'
        "</button></li>"
        for at in video.frame_times
    )
    size = f'width="{9 * len(video.frame_times)}" height="16"'  # its place until it is there
    return (
        f'<div class="frames" role="group" aria-label="Frames"><img src="{text(video.frames_url)}" {size} alt="">'
        f"<ol>{buttons}</ol></div>"
    )


def player(video_id: str, video: "VideoSummary", at: float | None) -> str:
    """Return the video, ready to play from second `at`, or the photos of a post, or the cover and a message."""
    what = named(video, video_id)
    if video.video_url and video.slide_urls:  # a photo post with its sound
        sound = text(video.video_url) + (f"#t={at:.2f}" if at else "")
        player = f'<audio controls preload="metadata" src="{sound}" aria-label="Sound of the photos by {what}"></audio>'
        return carousel(video.slide_urls, what) + player
    if video.video_url:
        poster = f' poster="{text(video.cover_url)}"' if video.cover_url else ""
        source = text(video.video_url) + (f"#t={at:.2f}" if at else "")
        return (
            f'<video controls playsinline preload="metadata"{poster} src="{source}" aria-label="Video by {what}">'
            "</video>"
            '<p class="missing" data-broken hidden>This browser cannot play the file. '
            f"{link(video.permalink, 'Watch the post ↗')}</p>"
        )
    if video.slide_urls:
        return carousel(video.slide_urls, what)
    picture = f'<img src="{text(video.cover_url)}" alt="Cover of the video by {what}">' if video.cover_url else ""
    return f'{picture}<p class="missing">The video is not saved. {link(video.permalink, "Watch the post ↗")}</p>'


def timed(segments: Sequence["Segment"], whole: str, playable: bool, at: float | None, marker: Marker) -> str:
    """Return segments with their times, which play the video from there, or the plain text if it has no times."""
    if not segments:
        return f'<p dir="auto">{with_marks(whole, marker(whole))}</p>'

    def line(segment: "Segment") -> str:
        when = clock(segment.start_s)
        now = ' aria-current="true"' if at is not None and segment.start_s <= at < segment.end_s else ""
        time = (
            f'<button type="button" data-seek="{segment.start_s:.2f}" aria-label="Play from {when}">{when}</button>'
            if playable
            else f'<button type="button" data-seek="{segment.start_s:.2f}" aria-label="Mark {when} for the link">{when}'
            "</button>"
        )
        return f'<li{now}>{time}<span dir="auto">{with_marks(segment.text, marker(segment.text))}</span></li>'

    return f'<ol class="timed">{"".join(map(line, segments))}</ol>'


def section(title: str, inner: str, part: str = "") -> str:
    """Return a part of the view that folds, or nothing if it is empty. `part` is the field that it shows."""
    named = f' data-part="{part}"' if part else ""
    return f"<details open{named}><summary><h3>{title}</h3></summary>{inner}</details>" if inner else ""


def downloads(video_id: str, transcript: "TextDetail | None") -> str:
    """Return links that download a transcript: as subtitles, if it has times, and as text."""
    forms = ("srt", "vtt", "txt") if transcript and transcript.segments else ("txt",)
    names = {"srt": "SRT", "vtt": "VTT", "txt": "text"}
    links = ", ".join(f'<a href="api/videos/{text(video_id)}/transcript.{form}">{names[form]}</a>' for form in forms)
    return f'<p class="hint">Download the transcript: {links}</p>'


def details(
    video_id: str,
    video: "VideoSummary",
    known: "VideoDetail",
    similar: Sequence["FoundHit"],
    at: float | None,
    judged: Mapping[str, int] | None = None,
    marker: Marker = no_marks,
    changed: str = "",
    found: frozenset[str] | None = None,
) -> str:
    """Return the view of one video, opened at second `at`; `judged` as `page.cards.card` takes it.

    `marker` finds the words of the question. `changed` is a sentence about the index of the similar videos. `found` are
    the frames that the search has found, as `page.pictures.frame_strip` takes them.
    """
    record, playable = known.record, video.has_video
    transcript, cover_text = known.texts.get("transcript"), known.texts.get("cover")
    speech = timed(transcript.segments, transcript.text, playable, at, marker) if transcript and transcript.text else ""
    on_screen = (
        timed(cover_text.segments, cover_text.text, playable, at, marker) if cover_text and cover_text.text else ""
    )
    timed_texts = any(one.segments for one in known.texts.values())
    link_to = "Copy a link to this timestamp" if playable or timed_texts else "Copy a link"
    comments = _comments(record.comments[:MAX_COMMENTS], marker)
    similar_items = "".join(
        f'<li data-id="{text(hit.id)}">{cover(hit.id, hit.video)}'
        f'<p dir="auto"><b>{author(hit.video, hit.id)}</b> {text(hit.video.description[:80])}</p></li>'
        for hit in similar
        if hit.video
    )
    hint = f'<p class="hint">{text(changed)}</p>' if changed else ""
    similar_list = f'{hint}<ul class="alike">{similar_items}</ul>' if similar_items else ""
    empty = "" if speech or on_screen or comments else '<p class="missing">This video has no texts yet.</p>'
    names = {stage: FIELD_NAMES[kind] for stage, kind in TEXT_OF_STAGE.items()}
    empty += "".join(
        f'<p class="missing">{names[stage]}: {text(note)}.</p>' for stage, note in known.notes.items() if stage in names
    )
    spoken = ", ".join(map(name_of, known.languages.get("transcript", ())))
    language = f" ({text(spoken)})" if spoken else ""
    speech = speech and speech + downloads(video_id, transcript)
    return (
        f'<div class="view" data-id="{text(video_id)}"><div class="player">{player(video_id, video, at)}</div>'
        f'<div class="what"><h2 id="view-title">{author(video, video_id, linked=True)}</h2>'
        f'<p class="description" dir="auto" data-part="description">{linked(record.description, marker)}</p>'
        f"{metadata(video)}"
        f'<div class="foot">{link(video.permalink, "Open the post ↗")}'
        f'<button type="button" data-copy>{link_to}</button>'
        f"{'' if judged is None else judge_button(judged.get(video_id)) + choice_buttons()}"
        '<button type="button" data-remove>Delete</button></div>'
        f"{frame_strip(video_id, known.frames, playable, found) if known.frames else frames(video)}"
        f"{section(FIELD_NAMES['transcript'] + language, speech, 'transcript')}"
        f"{section(FIELD_NAMES['cover'], on_screen, 'cover')}"
        f"{section(f'Comments ({len(record.comments)})', comments, 'comments')}{empty}"
        f"{section('Similar videos', similar_list)}</div></div>"
    )


def _comments(comments: Sequence["Comment"], marker: Marker) -> str:
    """Return comments, with a box that searches them if there are more than a few."""
    items = "".join(
        f'<li><p dir="auto">{with_marks(comment.text, marker(comment.text))}</p><small><bdi>'
        f"{text(comment.username[:80])}</bdi>{f' · {counted(comment.likes, LIKE)}' if comment.likes else ''}"
        "</small></li>"
        for comment in comments
    )
    box = (
        '<p class="find"><input type="search" data-comments aria-label="Search the comments" maxlength="200" '
        'placeholder="Search the comments" autocomplete="off" dir="auto"><span role="status"></span></p>'
        if len(comments) > FEW_COMMENTS
        else ""
    )
    return f'{box}<ul class="comments">{items}</ul>' if items else ""
