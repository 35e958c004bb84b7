"""An answer -> its results as cards: cover, author, what matched and when, and the parts of the score."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from page.choices import choice_buttons
from page.html import COLUMN_NAMES, clock, counted, link, marked, notice, text
from page.pictures import shown_frame
from retrieval.embedding.registry import alias
from retrieval.index.documents import ALL_FIELD_NAMES
from retrieval.search.filter_values import FILTERS
from retrieval.search.lists import describe_encounters
from retrieval.search.periods import spoken
from retrieval.server.service import CHANGED

if TYPE_CHECKING:
    from retrieval.search.answer import Reason, Why
    from retrieval.search.conditions import Condition
    from retrieval.server.schemas import FoundHit, SearchAnswer, VideoSummary

MAX_LISTS = 3  # on a card
# which results come first
ORDERS = {"relevance": "best", "newest": "newest", "oldest": "oldest", "seen": "most recently seen"}
# where a question fits what the card shows anyway
SEEN = {"description": "In the description", "creator": "In the creator's name"}
MEANT = re.compile(r"Did you mean (@[^?]+)\?")
Column = tuple[str, str]  # of the table of reasons: the retriever, and the encoder if it has one
# a click changes these settings and searches again
ADJUST = '<button type="button" data-set="{changes}">{label}</button>'


def has_evidence(reason: "Reason") -> bool:
    """Return whether a reason's passage explains it. One that shares only parts of words does not."""
    return reason.contribution > 0 and bool(reason.matches or reason.retriever == "dense")


def filter_link(name: str, value: str, inner: str, *, alone: bool = False) -> str:
    """Return a link around `inner` (HTML) that shows only the videos with a value of a filter.

    `alone`: all of them, and not those that answer the question.
    """
    changes = urlencode({name: value} | ({"q": ""} if alone else {}))
    return f'<a href="?{text(urlencode({name: value}))}" data-filter="{text(changes)}">{inner}</a>'


def author(video: "VideoSummary", video_id: str, *, linked: bool = False) -> str:
    """Return nickname and handle, or the name of the file, or the video's id if nothing else is known.

    `linked`: the handle is a link to all videos of the creator.
    """
    nickname = f"<bdi>{text(video.nickname[:80])}</bdi>" if video.nickname else ""
    handle = f'<bdi class="handle">@{text(video.creator[:80])}</bdi>' if video.creator else ""
    if linked and handle:
        handle = filter_link("creator", video.creator, handle, alone=True)
    elif linked and nickname:
        nickname = filter_link("creator", video.nickname, nickname, alone=True)
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
            f'posted <time datetime="{text(video.posted)}">{text(written_day(video.posted))}</time>'
            if video.posted
            else "",
            counted(video.likes, "like") if video.likes is not None else "",
            counted(video.comment_count, "comment") if video.comment_count is not None else "",
            f'<bdi class="music">♪ {text(video.music[:80])}</bdi>' if video.music else "",
        )
        if part
    )
    return f'<p class="facts">{shown}</p>' if shown else ""


def written_day(iso: str) -> str:
    """Return an ISO date as the other dates of a card are written: 3 March 2024."""
    try:
        return spoken(date.fromisoformat(iso))
    except ValueError:
        return iso


def blank(video: "VideoSummary") -> str:
    """Return what stands where a video has no picture: the first letter of who made it."""
    names = (video.nickname, video.creator, video.file_name, video.description)
    first = next((one for name in names for one in name if one.isalnum()), "")
    return f'<i class="blank" aria-hidden="true">{text(first.upper())}</i>'


def cover(video_id: str, video: "VideoSummary", at: float | None = None) -> str:
    """Return the cover as a button that opens the video at second `at`, or the first photo of a post."""
    what = named(video, video_id)
    url = video.thumbnail_url or video.cover_url or next(iter(video.slide_urls), None)
    picture = f'<img loading="lazy" src="{text(url)}" alt="">' if url else blank(video)
    play, does, lasts = "", "Details of the video", ""
    if video.video_url and not video.slide_urls:
        play, does = '<span aria-hidden="true">▶</span> ', "Play the video"
    elif video.slide_urls:
        does = "Look at the photos"
        play = f'<span aria-hidden="true">❐</span> {len(video.slide_urls)}'
    if video.duration_s and not video.slide_urls:
        play, lasts = play + clock(video.duration_s), f", {clock(video.duration_s)} long"
    chip = f'<span class="length">{play}</span>' if play else ""
    kept = bool(video.video_url or video.slide_urls)
    away, missing = ("", "") if kept else ('<span class="away" title="Not kept here">↗</span>', ", not kept here")
    second = f' data-at="{at:.2f}"' if at else ""
    return (
        f'<button type="button" class="cover" data-show{second} aria-label="{does} by {what}{lasts}{missing}">'
        f"{picture}{away}{chip}</button>"
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
        column = reason.retriever, reason.encoder
        # What the whole video adds is shown where it comes from.
        parts = [(part.field, part.contribution) for part in reason.parts]
        for field, contribution in parts or [(reason.field, reason.contribution)]:
            numbers = fields.setdefault(field, {})
            numbers[column] = numbers.get(column, 0.0) + contribution
    fields = dict(sorted(fields.items(), key=lambda one: -sum(one[1].values())))
    widest = max(sum(map(abs, parts.values())) for parts in fields.values()) or 1.0
    encoders = sorted({encoder for parts in fields.values() for kind, encoder in parts if encoder and kind == "dense"})
    columns: list[Column] = [("dense", encoder) for encoder in encoders or [""]] + [("keyword", "")]
    columns += dict.fromkeys(column for parts in fields.values() for column in parts if column[0] == "vision")

    def number(parts: Mapping[Column, float], column: Column) -> str:
        value = parts.get(column)
        return f'<td><data value="{value!r}">{value:+.2f}</data></td>' if value is not None else "<td></td>"

    rows = "".join(
        f'<tr><th scope="row">{ALL_FIELD_NAMES[field]}</th><td class="bar">'
        + "".join(
            f'<span class="{retriever}{" minus" if value < 0 else ""}" style="width:{abs(value) / widest:.1%}"></span>'
            for (retriever, _), value in parts.items()
        )
        + f"</td>{''.join(number(parts, column) for column in columns)}</tr>"
        for field, parts in fields.items()
    )
    heads = "".join(
        f'<th scope="col" class="{retriever}">{COLUMN_NAMES[retriever]}'
        f"{f' <small>{text(alias(encoder))}</small>' if len(encoders) > 1 and encoder in encoders else ''}</th>"
        for retriever, encoder in columns
    )
    if hit.feedback:
        added = f'<td colspan="{len(columns)}"><data value="{hit.feedback!r}">{hit.feedback:+.2f}</data></td>'
        rows += f'<tr><th scope="row">Your choices</th><td></td>{added}</tr>'
    total = f'<td colspan="{len(columns)}"><data class="score" value="{hit.score!r}">{hit.score:.2f}</data></td>'
    return (
        '<details class="why"><summary>Why this one</summary><table><thead><tr><td></td><td></td>'
        f"{heads}</tr></thead>"
        f'<tbody>{rows}</tbody><tfoot><tr><th scope="row">Score</th><td></td>{total}</tr></tfoot></table></details>'
    )


def because(hit: "FoundHit", why: "Why") -> str:
    """Return why a video was found: the passage, with the button that plays the video from there, and what else speaks
    for it. The card has the description and the creator anyway."""
    when, at = "", why.start_s
    if at is not None:
        playable = hit.video and hit.video.has_video
        label = f"Play from {clock(at)}"
        button = f'<button type="button" data-show data-at="{at:.2f}" aria-label="{label}">▶ {clock(at)}</button>'
        when = button if playable else f"<time>at {clock(at)}</time>"
    above = hit.video and {"description": hit.video.description, "creator": hit.video.nickname or hit.video.creator}
    seen = bool(above and above.get(why.field))
    lead = SEEN[why.field] if seen else why.lead
    words = "" if seen else marked(why.passage, why.span, why.matches)
    quote = f'<blockquote dir="auto">{words}</blockquote>' if words else ""
    also = f'<span class="also">{text(why.others)}</span>' if why.others else ""
    frame, more = shown_frame(hit, why)
    return f'<div class="passage">{frame}<span class="from">{text(lead)}{when}{more}</span>{quote}{also}</div>'


def copies(hit: "FoundHit", videos: Mapping[str, "VideoSummary"]) -> str:
    """Return how many copies of a video there are, with links to the others; nothing if it is the only one.

    Args:
        videos: of the copies, by id.
    """

    def item(video_id: str) -> str:
        video = videos.get(video_id)
        posted = f", posted {text(written_day(video.posted))}" if video and video.posted else ""
        met = f", {text(describe_encounters(video.encounters)[0])}" if video and video.encounters else ""
        who = author(video, video_id) if video else f"Video {text(video_id)}"
        who += f" <bdi>{text(video.description[:60])}</bdi>" if video and video.description else ""
        return f'<li><a href="?id={text(video_id)}" data-open="{text(video_id)}">{who}</a>{posted}{met}</li>'

    if not hit.copies:
        return ""
    title = "Videos that show the same, such as reposts"
    return (
        f'<details class="copies"><summary title="{title}">{len(hit.copies) + 1} copies</summary>'
        f'<p class="hint">This is the best match. The same is shown by:</p>'
        f"<ul>{''.join(map(item, hit.copies))}</ul></details>"
    )


def badge(field: str) -> str:
    """Return the name of a field that matched; a click opens the video there."""
    return f'<li><button type="button" data-show data-part="{field}">{ALL_FIELD_NAMES[field]}</button></li>'


def card(
    hit: "FoundHit",
    judged: Mapping[str, int] | None = None,
    *,
    likely: bool = True,
    others: Mapping[str, "VideoSummary"] | None = None,
) -> str:
    """Return one result.

    Args:
        judged: the numbers of judgements by video; None if there is no query to judge.
        likely: whether this can be the video that was meant. One that is not says so if likely ones follow it.
        others: copies of the video, by id.
    """
    video, why = hit.video, hit.why
    shown = because(hit, why) if why else ""
    # the field shown, and those that share words with the query; by meaning, every field is a little like any query
    matched = dict.fromkeys(
        [
            *([why.field] if why else []),
            *(r.field for r in hit.explanation if r.retriever == "keyword" and has_evidence(r)),
        ]
    )
    badges = "".join(badge(field) for field in matched)
    badges = f'<ul class="badges" aria-label="Matched in">{badges}</ul>' if badges else ""
    sure = " data-likely" if likely else ""
    head = f'<article class="card" tabindex="-1" aria-label="Result {hit.rank}" data-id="{text(hit.id)}"{sure}>'
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
    at = why.start_s if why else None
    judging = "" if judged is None else judge_button(judged.get(hit.id))
    more = choice_buttons() if hit.explanation else ""  # a query without words has nothing to refine
    more += copies(hit, others or {})
    return (
        f'{head}<div class="media">{cover(hit.id, video, at)}</div><div class="what">'
        f'<div class="by"><h3><span class="rank">{hit.rank}</span>{author(video, hit.id, linked=True)}</h3>'
        f"{'' if likely else '<span class=unsure>less likely</span>'}{metadata(video)}</div>"
        f'{description}{shown}<div class="foot">{reasons(hit)}{badges}{more}</div></div><div class="acts">{judging}'
        f'<button type="button" data-show>Details</button>{link(video.permalink, "Open the post ↗")}</div></article>'
    )


def filters_on(
    filtered: Mapping[str, str], conditions: Sequence["Condition"], more: Mapping[str, str] | None = None
) -> str:
    """Return the filters of the form, and other settings that differ from the usual, as buttons that remove them.

    Args:
        filtered: the values of the filters by name.
        conditions: what they ask for.
        more: what other settings say, by the name of the setting.
    """
    said = {
        name: ", ".join(one.named() for one in conditions if one.kind == name)
        for name, value in filtered.items()
        if value.strip()
    }
    chips = "".join(
        f'<li><button type="button" data-set="{name}=" aria-label="Remove the filter: {text(of)}">{text(of)} ✕'
        "</button></li>"
        for name, of in {**said, **(more or {})}.items()
    )
    return f'<ul class="chips" id="active" aria-label="Filters">{chips}</ul>' if chips else ""


def _meant(answer: "SearchAnswer") -> str:
    """Return buttons that replace the creator of a filter, whom no video has, by those that the notes suggest."""
    if not any(one.kind == "creator" and one.value not in answer.query for one in answer.conditions):
        return ""
    names = [name for note in answer.notes if (found := MEANT.search(note)) for name in found[1].split(" or ")]
    return "".join(
        ADJUST.format(changes=text(urlencode({"creator": name.removeprefix("@")})), label=f"By {text(name)}")
        for name in names
    )


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
    others: Mapping[str, "VideoSummary"] | None = None,
) -> str:
    """Return all results of an answer, or a message that there are none.

    Args:
        judged: the videos judged relevant for this query, with the numbers of the judgements; None if there is no
            query to judge.
        offset: how many results the page shows already; only later ones are returned.
        more: whether more follow.
        download: a link (HTML) that downloads them.
        others: copies of them, by id.
    """
    # a query of filters alone has nothing to explain; a video without pictures is not like any
    hits = [hit for hit in answer.hits if hit.explanation or not (answer.text or answer.picture)]
    filters = ADJUST.format(changes="&amp;".join(f"{name}=" for name in FILTERS), label="Remove the filters")
    if not hits and answer.conditions and not answer.total:
        return notice("No video matches", " ".join(answer.notes), more=_meant(answer) + filters)
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
    line = f'{text(f"The {ORDERS[answer.sort]} {shown} of {videos}")}<span class="took">, in {took:.0f} ms</span>'
    line += f" · {download}" if download else ""
    asked = f'data-generation="{text(answer.generation)}"'  # so that what follows is asked of it
    above = f'<p class="line note" role="status" {asked}>{CHANGED}</p>' if CHANGED in answer.notes else ""
    if not offset:
        above = f'<h2 class="unseen">Results</h2>{notes}<p class="line" role="status" {asked}>{line}</p>'
    # choices of videos say more than the words of the question, of which the confidence is
    good = [hit.good or bool(answer.choices) for hit in hits]
    # the divider follows the last of the good ones
    likely = max((number for number, one in enumerate(good, 1) if one), default=0)
    cards = [card(hit, judged, likely=one, others=others) for hit, one in zip(hits, good, strict=True)]
    below = f'<button type="button" class="more" data-more="{shown}">More results</button>' if more else ""
    title = "Less likely" if answer.good else "No good match. The closest are"
    dividing = f'<h3 class="apart">{title}</h3>' if likely < len(hits) else ""
    return f"{above}{''.join(cards[:likely])}{dividing}{''.join(cards[likely:])}{below}"
