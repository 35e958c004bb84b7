"""All that is known of one video -> the view that opens over the results: player, transcript with times, comments."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ingest.catalog.entries import TEXT_OF_STAGE
from ingest.language_names import name_of
from page.cards import author, cover, judge_button, metadata, named
from page.html import carousel, clock, count, link, text
from retrieval.index.documents import FIELD_NAMES

if TYPE_CHECKING:
    from ingest.catalog.entries import Segment
    from retrieval.server.schemas import FoundHit, TextDetail, VideoDetail, VideoSummary

MAX_COMMENTS = 200


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


def timed(segments: Sequence["Segment"], whole: str, playable: bool, at: float | None) -> str:
    """Return segments with their times, which play the video from there, or the plain text if it has no times."""
    if not segments:
        return f'<p dir="auto">{text(whole)}</p>'

    def line(segment: "Segment") -> str:
        when = clock(segment.start_s)
        now = ' aria-current="true"' if at is not None and segment.start_s <= at < segment.end_s else ""
        time = (
            f'<button type="button" data-seek="{segment.start_s:.2f}" aria-label="Play from {when}">{when}</button>'
            if playable
            else f"<time>{when}</time>"
        )
        return f'<li{now}>{time}<span dir="auto">{text(segment.text)}</span></li>'

    return f'<ol class="timed">{"".join(map(line, segments))}</ol>'


def section(title: str, inner: str, open_: bool = True) -> str:
    """Return a part of the view that folds, or nothing if it is empty."""
    shown = " open" if open_ else ""
    return f"<details{shown}><summary><h4>{title}</h4></summary>{inner}</details>" if inner else ""


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
) -> str:
    """Return the view of one video, opened at second `at`; `judged` as `page.cards.card` takes it."""
    record, playable = known.record, video.has_video
    transcript, cover_text = known.texts.get("transcript"), known.texts.get("cover")
    speech = timed(transcript.segments, transcript.text, playable, at) if transcript and transcript.text else ""
    on_screen = timed(cover_text.segments, cover_text.text, playable, at) if cover_text and cover_text.text else ""
    comments = "".join(
        f'<li><p dir="auto">{text(comment.text)}</p><small><bdi>{text(comment.username[:80])}</bdi>'
        f"{f' · {count(comment.likes)} likes' if comment.likes else ''}</small></li>"
        for comment in record.comments[:MAX_COMMENTS]
    )
    comments = f'<ul class="comments">{comments}</ul>' if comments else ""
    similar_items = "".join(
        f'<li data-id="{text(hit.id)}">{cover(hit.id, hit.video)}'
        f'<p dir="auto"><b>{author(hit.video, hit.id)}</b> {text(hit.video.description[:80])}</p></li>'
        for hit in similar
        if hit.video
    )
    similar_list = f'<ul class="alike">{similar_items}</ul>' if similar_items else ""
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
        f'<div class="what"><h3 id="view-title">{author(video, video_id)}</h3>'
        f'<p class="description" dir="auto">{text(record.description)}</p>{metadata(video)}'
        f'<div class="foot">{link(video.permalink, "Open the post ↗")}'
        '<button type="button" data-copy>Copy a link to this timestamp</button>'
        f"{'' if judged is None else judge_button(judged.get(video_id))}"
        '<button type="button" data-remove>Delete</button></div>'
        f"{section(FIELD_NAMES['transcript'] + language, speech)}{section(FIELD_NAMES['cover'], on_screen)}"
        f"{section(f'Comments ({len(record.comments)})', comments)}{empty}"
        f"{section('Similar videos', similar_list)}</div></div>"
    )
