"""An answer -> its results as cards: cover, author, what matched and when, and the parts of the score."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from page.html import RETRIEVER_NAMES, carousel, clock, count, link, marked, notice, text
from retrieval.embedding.registry import alias
from retrieval.index.documents import FIELD_NAMES
from retrieval.search.filter_values import FILTERS
from retrieval.search.lists import describe_encounters

if TYPE_CHECKING:
    from retrieval.search.answer import Reason
    from retrieval.search.conditions import Condition
    from retrieval.server.schemas import FoundHit, SearchAnswer, VideoSummary

MAX_LISTS = 3  # on a card
# which results come first
ORDERS = {"relevance": "best", "newest": "newest", "oldest": "oldest", "seen": "most recently seen"}
Column = tuple[str, str]  # of the table of reasons: the retriever, and the encoder if it has one
# a click changes these settings and searches again
ADJUST = '<button type="button" data-set="{changes}">{label}</button>'


def has_evidence(reason: "Reason") -> bool:
    """Return whether a reason's passage explains it. One that shares only parts of words does not."""
    return reason.contribution > 0 and bool(reason.matches or reason.retriever == "dense")


def best_reason(hit: "FoundHit") -> "Reason | None":
    """Return the reason whose passage a card shows. It has description and creator anyway; the text of the whole video
    is the last resort."""
    for reason in hit.explanation:
        if reason.field not in ("description", "creator", "overview") and has_evidence(reason):
            return reason
    return next((reason for reason in hit.explanation if reason.field == "overview"), None)


def author(video: "VideoSummary", video_id: str) -> str:
    """Return nickname and handle, or the name of the file, or the video's id if nothing else is known."""
    nickname = f"<bdi>{text(video.nickname[:80])}</bdi>" if video.nickname else ""
    handle = f'<bdi class="handle">@{text(video.creator[:80])}</bdi>' if video.creator else ""
    if nickname or handle:
        return f"{nickname} {handle}"
    if video.file_name:
        return f'<bdi class="file">{text(video.file_name[:80])}</bdi>'
    return f'<span class="handle">Video {text(video_id)}</span>'


def named(video: "VideoSummary", video_id: str) -> str:
    """Return who made a video and what it is, for labels that are read aloud. It is safe as HTML."""
    return text(f"{video.nickname or video.creator or video.file_name or video_id}: {video.description[:120]}")


def metadata(video: "VideoSummary") -> str:
    """Return how the person met a video, and its date, counts and music, on one line; nothing if none is known."""
    met = "".join(f'<bdi class="met">{text(line)}</bdi>' for line in describe_encounters(video.encounters)[:MAX_LISTS])
    shown = met + "".join(
        f"<span>{part}</span>"
        for part in (
            f'<time datetime="{text(video.posted)}">{text(video.posted)}</time>' if video.posted else "",
            f"{count(video.likes)} likes" if video.likes is not None else "",
            f"{count(video.comment_count)} comments" if video.comment_count is not None else "",
            f'<bdi class="music">♪ {text(video.music[:80])}</bdi>' if video.music else "",
        )
        if part
    )
    return f'<p class="facts">{shown}</p>' if shown else ""


def cover(video_id: str, video: "VideoSummary", at: float | None = None) -> str:
    """Return the cover as a button that opens the video at second `at`, or the photos of a photo post."""
    what = named(video, video_id)
    if video.slide_urls and not (video.video_url and video.cover_url):
        return carousel(video.slide_urls, what)
    picture = (
        f'<img loading="lazy" src="{text(video.cover_url)}" alt="">' if video.cover_url else '<i class="blank"></i>'
    )
    if not video.video_url:
        tag, does = '<span class="kept">Not saved</span>', "Details of the video"
    else:
        tag, does = '<span class="play" aria-hidden="true">▶</span>', "Play the video"
    second = f' data-at="{at:.2f}"' if at else ""
    length = f'<span class="length">{clock(video.duration_s)}</span>' if video.duration_s else ""
    lasts = f", {clock(video.duration_s)} long" if video.duration_s else ""
    return (
        f'<button type="button" class="cover" data-show{second} aria-label="{does} by {what}{lasts}">'
        f"{picture}{tag}{length}</button>"
    )


def judge_button(judgement: int | None) -> str:
    """Return the button that judges a video relevant; pressed if a judgement with this number says so already."""
    return (
        f'<button type="button" class="one" data-judge{f"={judgement}" if judgement else ""} '
        f'aria-pressed="{"true" if judgement else "false"}">✓ This is the one</button>'
    )


def reasons(hit: "FoundHit") -> str:
    """Return a table of the reasons: a bar a field, and a number a retriever and encoder, which add up to the score."""
    if not hit.explanation:
        return ""
    fields: dict[str, dict[Column, float]] = {}
    for reason in hit.explanation:
        fields.setdefault(reason.field, {})[reason.retriever, reason.encoder] = reason.contribution
    widest = max(sum(map(abs, parts.values())) for parts in fields.values()) or 1.0
    encoders = sorted({encoder for parts in fields.values() for _, encoder in parts if encoder})
    columns: list[Column] = [("dense", encoder) for encoder in encoders or [""]] + [("keyword", "")]

    def number(parts: Mapping[Column, float], column: Column) -> str:
        value = parts.get(column)
        return f'<td><data value="{value!r}">{value:+.2f}</data></td>' if value is not None else "<td></td>"

    rows = "".join(
        f'<tr><th scope="row">{FIELD_NAMES[field]}</th><td class="bar">'
        + "".join(
            f'<span class="{retriever}{" minus" if value < 0 else ""}" style="width:{abs(value) / widest:.1%}"></span>'
            for (retriever, _), value in parts.items()
        )
        + f"</td>{''.join(number(parts, column) for column in columns)}</tr>"
        for field, parts in fields.items()
    )
    heads = "".join(
        f'<th scope="col" class="{retriever}">{RETRIEVER_NAMES[retriever]}'
        f"{f' <small>{text(alias(encoder))}</small>' if len(encoders) > 1 and encoder else ''}</th>"
        for retriever, encoder in columns
    )
    total = f'<td colspan="{len(columns)}"><data class="score" value="{hit.score!r}">{hit.score:.2f}</data></td>'
    return (
        '<details class="why"><summary>Why this one</summary><table><thead><tr><td></td><td></td>'
        f"{heads}</tr></thead>"
        f'<tbody>{rows}</tbody><tfoot><tr><th scope="row">Score</th><td></td>{total}</tr></tfoot></table></details>'
    )


def passage(hit: "FoundHit", reason: "Reason") -> str:
    """Return the passage of a reason, with the button that plays the video from there."""
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
    """Return one result. `judged` has the numbers of judgements by video; None if there is no query to judge."""
    video, reason = hit.video, best_reason(hit)
    shown = passage(hit, reason) if reason and (reason.field != "overview" or not (video and video.description)) else ""
    # fields that share words with the query, and the one shown; by meaning, every field is a little like any query
    matched = dict.fromkeys(
        r.field for r in hit.explanation if r is reason or (r.retriever == "keyword" and has_evidence(r))
    )
    badges = "".join(f"<li>{FIELD_NAMES[field]}</li>" for field in matched if field != "overview" or len(matched) == 1)
    badges = f'<ul class="badges" aria-label="Matched in">{badges}</ul>' if badges else ""
    head = f'<article class="card" tabindex="-1" aria-label="Result {hit.rank}" data-id="{text(hit.id)}">'
    if video is None:
        gone = f'<p class="missing">Video {text(hit.id)} is no longer in the catalog</p>'
        return f"{head}<div>{gone}{shown}{reasons(hit)}</div></article>"
    described = next((r for r in hit.explanation if r.field == "description" and r.matches), None)
    words = (
        marked(described.passage, described.span, described.matches)
        if described
        else marked(video.description, None, ())
    )
    description = f'<p class="description" dir="auto">{words}</p>' if words else ""
    at = reason.start_s if reason else None
    judging = "" if judged is None else judge_button(judged.get(hit.id))
    return (
        f'{head}<div class="media">{cover(hit.id, video, at)}</div><div class="what">'
        f'<h3><span class="rank">{hit.rank}</span>{author(video, hit.id)}</h3>'
        f'{description}{metadata(video)}{shown}<div class="foot">{badges}'
        f'<button type="button" data-show>Details</button>{link(video.permalink, "Open the post ↗")}{judging}</div>'
        f"{reasons(hit)}</div></article>"
    )


def filters_on(filtered: Mapping[str, str], conditions: Sequence["Condition"]) -> str:
    """Return the filters of the form as buttons that remove them.

    Args:
        filtered: the values of the filters by name.
        conditions: what they ask for.
    """
    chips = []
    for name, value in filtered.items():
        if value.strip():
            of = ", ".join(one.describe() for one in conditions if one.kind == name)
            button = f'<button type="button" data-set="{name}=" aria-label="Remove the filter: {text(of)}">{text(of)} ✕'
            chips.append(f"<li>{button}</button></li>")
    return f'<ul class="chips" aria-label="Filters">{"".join(chips)}</ul>' if chips else ""


def _spelling(answer: "SearchAnswer") -> str:
    """Return the button that searches for the words as typed, or corrects them again."""
    if answer.corrections:
        button = ADJUST.format(changes="exact=true", label="Search for exactly what I typed")
    elif answer.exact:
        button = "Misspelt words are not corrected. " + ADJUST.format(changes="exact=", label="Correct them")
    else:
        return ""
    return f'<p class="line">{button}</p>'


def results(
    answer: "SearchAnswer",
    judged: Mapping[str, int] | None = None,
    offset: int = 0,
    more: bool = False,
    download: str = "",
) -> str:
    """Return all results of an answer, or a message that there are none.

    Args:
        judged: the videos judged relevant for this query, with the numbers of the judgements; None if there is no
            query to judge.
        offset: how many results the page shows already; only later ones are returned.
        more: whether more follow.
        download: a link (HTML) that downloads them.
    """
    # a query of filters alone has nothing to explain
    hits = [hit for hit in answer.hits if hit.explanation or not answer.text]
    filters = ADJUST.format(changes="&amp;".join(f"{name}=" for name in FILTERS), label="Remove the filters")
    if not hits and answer.conditions and not answer.total:
        return notice("No video matches", " ".join(answer.notes), more=filters)
    notes = "".join(f'<p class="line note" role="status">{text(note)}</p>' for note in answer.notes)
    notes += _spelling(answer)
    if not hits:
        none = "No video has any of these words. Try others, or search by meaning as well."
        by_meaning = (
            ADJUST.format(changes="mode=hybrid", label="Search by meaning as well") if answer.mode == "keyword" else ""
        )
        return notes + notice("No video matches", none, more=by_meaning + (filters if answer.conditions else ""))
    took = answer.timings_ms.get("total", 0.0)
    which = f" {', '.join(condition.describe() for condition in answer.conditions)}" if answer.conditions else ""
    videos = f"{answer.total:,} video{'s' * (answer.total != 1)}{which}"
    shown = offset + len(hits)
    line = f"The {ORDERS[answer.sort]} {shown} of {videos}, in {took:.0f} ms"
    above = "" if offset else f'{notes}<p class="line" role="status">{text(line)}{download and f" · {download}"}</p>'
    good = [card(hit, judged) for hit in hits if hit.good]
    apart = [card(hit, judged) for hit in hits if not hit.good]
    below = f'<button type="button" class="more" data-more="{shown}">More results</button>' if more else ""
    title = "Less likely" if answer.good else "No good match. The closest are"
    dividing = f'<h3 class="apart">{title}</h3>' if apart and not offset else ""
    return f"{above}{''.join(good)}{dividing}{''.join(apart)}{below}"
