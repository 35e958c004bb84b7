"""An answer -> its results as cards: cover, who, what matched and when, and the bars that add up to the score."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from page.html import FIELD_NAMES, carousel, clock, count, link, marked, notice, text

if TYPE_CHECKING:
    from retrieval.search.answer import Reason
    from retrieval.server.schemas import FoundHit, SearchAnswer, VideoSummary

LANE_NAMES = {"dense": "meaning", "keyword": "words"}
LESS = '<button type="button" data-set="{query}">{label}</button>'  # a click changes these settings and asks again


def speaks(reason: "Reason") -> bool:
    """Whether a reason's passage can be shown for it: words that share no more than some letters are nothing to see."""
    return reason.contribution > 0 and bool(reason.matches or reason.lane == "dense")


def best_reason(hit: "FoundHit") -> "Reason | None":
    """The reason whose passage says most on a card: description and creator stand there anyway, and the whole video's
    text is the last resort."""
    for reason in hit.explanation:
        if reason.field not in ("description", "creator", "overview") and speaks(reason):
            return reason
    return next((reason for reason in hit.explanation if reason.field == "overview"), None)


def who(video: "VideoSummary", video_id: str) -> str:
    """Whose video it is: nickname and handle, or the video's id where nobody is known."""
    nickname = f"<bdi>{text(video.nickname[:80])}</bdi>" if video.nickname else ""
    handle = f'<bdi class="handle">@{text(video.creator[:80])}</bdi>' if video.creator else ""
    return f"{nickname} {handle}" if nickname or handle else f'<span class="handle">Video {text(video_id)}</span>'


def facts(video: "VideoSummary") -> str:
    """Date, counts and music of a video on one line; nothing where none is known."""
    shown = "".join(
        f"<span>{fact}</span>"
        for fact in (
            f'<time datetime="{text(video.posted)}">{text(video.posted)}</time>' if video.posted else "",
            f"{count(video.likes)} likes" if video.likes is not None else "",
            f"{count(video.comment_count)} comments" if video.comment_count is not None else "",
            f'<bdi class="music">♪ {text(video.music[:80])}</bdi>' if video.music else "",
        )
        if fact
    )
    return f'<p class="facts">{shown}</p>' if shown else ""


def cover(video_id: str, video: "VideoSummary", at: float | None = None) -> str:
    """The cover as a button that opens the video, playing from second `at` on; a photo post's slides as they are."""
    what = text(f"{video.nickname or video.creator or video_id}: {video.description[:120]}")
    if video.slide_urls and not video.video_url:
        return carousel(video.slide_urls, what)
    picture = (
        f'<img loading="lazy" src="{text(video.cover_url)}" alt="">' if video.cover_url else '<i class="blank"></i>'
    )
    if not video.video_url:
        tag, does = '<span class="kept">not kept here</span>', "Details of the video"
    else:
        tag, does = '<span class="play" aria-hidden="true">▶</span>', "Play the video"
    second = f' data-at="{at:.2f}"' if at else ""
    length = f'<span class="length">{clock(video.duration_s)}</span>' if video.duration_s else ""
    lasts = f", {clock(video.duration_s)} long" if video.duration_s else ""
    return (
        f'<button type="button" class="cover" data-show{second} aria-label="{does} by {what}{lasts}">'
        f"{picture}{tag}{length}</button>"
    )


def the_one(judgement: int | None) -> str:
    """The button that says that this video was meant; pressed where it was said already, under that number."""
    return (
        f'<button type="button" class="one" data-judge{f"={judgement}" if judgement else ""} '
        f'aria-pressed="{"true" if judgement else "false"}">✓ This is the one</button>'
    )


def reasons(hit: "FoundHit") -> str:
    """The reasons as one bar a field, by meaning and by words, whose numbers add up to the score."""
    if not hit.explanation:
        return ""
    fields: dict[str, dict[str, float]] = {}
    for reason in hit.explanation:
        fields.setdefault(reason.field, {})[reason.lane] = reason.contribution
    widest = max(sum(map(abs, lanes.values())) for lanes in fields.values()) or 1.0

    def number(lanes: Mapping[str, float], lane: str) -> str:
        value = lanes.get(lane)
        return f'<td><data value="{value!r}">{value:+.2f}</data></td>' if value is not None else "<td></td>"

    rows = "".join(
        f'<tr><th scope="row">{FIELD_NAMES[field]}</th><td class="bar">'
        + "".join(
            f'<span class="{lane}{" minus" if value < 0 else ""}" style="width:{abs(value) / widest:.1%}"></span>'
            for lane, value in lanes.items()
        )
        + f"</td>{number(lanes, 'dense')}{number(lanes, 'keyword')}</tr>"
        for field, lanes in fields.items()
    )
    total = f'<td colspan="2"><data class="score" value="{hit.score!r}">{hit.score:.2f}</data></td>'
    return (
        '<details class="why"><summary>Why this one</summary><table><thead><tr><td></td><td></td>'
        '<th scope="col" class="dense">meaning</th><th scope="col" class="keyword">words</th></tr></thead>'
        f'<tbody>{rows}</tbody><tfoot><tr><th scope="row">Score</th><td></td>{total}</tr></tfoot></table></details>'
    )


def passage(hit: "FoundHit", reason: "Reason") -> str:
    """The passage that speaks for a hit, with the button that plays it."""
    when, at = "", reason.start_s
    if at is not None:
        playable = hit.video and hit.video.has_video
        label = f"Play from {clock(at)}"
        button = f'<button type="button" data-show data-at="{at:.2f}" aria-label="{label}">▶ {clock(at)}</button>'
        when = button if playable else f"<time>at {clock(at)}</time>"
    words = marked(reason.passage, reason.span, reason.matches)
    return (
        f'<div class="passage"><span class="from">{FIELD_NAMES[reason.field]}{when}</span>'
        f'<blockquote dir="auto">{words}</blockquote></div>'
    )


def card(hit: "FoundHit", judged: Mapping[str, int] | None = None) -> str:
    """One result; `judged` holds the numbers of judgements by video, None where nothing is asked it could be the one
    of."""
    video, reason = hit.video, best_reason(hit)
    shown = passage(hit, reason) if reason and (reason.field != "overview" or not (video and video.description)) else ""
    # fields that share words with the question, and the one that is shown; every field is a little like any question
    matched = dict.fromkeys(r.field for r in hit.explanation if r is reason or (r.lane == "keyword" and speaks(r)))
    badges = "".join(f"<li>{FIELD_NAMES[field]}</li>" for field in matched if field != "overview" or len(matched) == 1)
    badges = f'<ul class="badges" aria-label="Matched in">{badges}</ul>' if badges else ""
    head = f'<article class="card" tabindex="-1" aria-label="Result {hit.rank}" data-id="{text(hit.id)}">'
    if video is None:
        gone = f'<p class="missing">Video {text(hit.id)} is no longer in the catalogue</p>'
        return f"{head}<div>{gone}{shown}{reasons(hit)}</div></article>"
    described = next((r for r in hit.explanation if r.field == "description" and r.matches), None)
    words = (
        marked(described.passage, described.span, described.matches)
        if described
        else marked(video.description, None, ())
    )
    description = f'<p class="description" dir="auto">{words}</p>' if words else ""
    at = reason.start_s if reason else None
    judging = "" if judged is None else the_one(judged.get(hit.id))
    return (
        f'{head}<div class="media">{cover(hit.id, video, at)}</div><div class="what">'
        f'<h3><span class="rank">{hit.rank}</span>{who(video, hit.id)}</h3>'
        f'{description}{facts(video)}{shown}<div class="foot">{badges}'
        f'<button type="button" data-show>Details</button>{link(video.permalink, "Open the post ↗")}{judging}</div>'
        f"{reasons(hit)}</div></article>"
    )


def results(
    answer: "SearchAnswer", judged: Mapping[str, int] | None = None, offset: int = 0, more: bool = False
) -> str:
    """All results of an answer, or that there are none.

    Args:
        judged: the number of the judgement by which a video was said to be the one for this question; None where
            there is no question to judge.
        offset: how many results the page shows already: only what comes after them is given.
        more: whether others follow.
    """
    # without a text there is nothing to explain: the conditions alone decide
    hits = [hit for hit in answer.hits if hit.explanation or not answer.text]
    filters = LESS.format(
        query="creator=&amp;tag=&amp;lang=&amp;after=&amp;before=&amp;has=", label="Without the filters"
    )
    if not hits and answer.conditions and not answer.total:
        return notice("Nothing fits", " ".join(answer.notes), more=filters)
    notes = "".join(f'<p class="line note" role="status">{text(note)}</p>' for note in answer.notes)
    if not hits:
        none = "No video has any of these words. Try others, or let the meaning count too."
        by_meaning = LESS.format(query="lane=hybrid", label="By meaning too") if answer.lane == "keyword" else ""
        return notes + notice("Nothing matches", none, more=by_meaning + (filters if answer.conditions else ""))
    took = answer.timings_ms.get("total", 0.0)
    which = f" {', '.join(condition.describe() for condition in answer.conditions)}" if answer.conditions else ""
    videos = f"{answer.total:,} video{'s' * (answer.total != 1)}{which}"
    shown = offset + len(hits)
    line = f"The {'best' if answer.text else 'newest'} {shown} of {videos}, in {took:.0f} ms"
    above = "" if offset else f'{notes}<p class="line" role="status">{text(line)}</p>'
    good = [card(hit, judged) for hit in hits if hit.good]
    apart = [card(hit, judged) for hit in hits if not hit.good]
    below = f'<button type="button" class="more" data-more="{shown}">More results</button>' if more else ""
    title = "Less likely" if answer.good else "No good match, the nearest are"
    dividing = f'<h3 class="apart">{title}</h3>' if apart and not offset else ""
    return f"{above}{''.join(good)}{dividing}{''.join(apart)}{below}"
