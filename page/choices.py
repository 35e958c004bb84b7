"""Choices of videos: the buttons that make them, and the ones made, which can be taken back."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from page.html import text

if TYPE_CHECKING:
    from retrieval.search.choices import Choice
    from retrieval.server.schemas import VideoSummary

NAME_CHARS = 40


def choice_buttons() -> str:
    """Return the two buttons of a video: the one that is meant is nearer to it, or not like it."""
    return (
        '<span class="near"><button type="button" data-near="+" title="The video I mean is more like this one">'
        '<span aria-hidden="true">+</span> <span>Nearer<span class="rest"> to this</span></span></button>'
        '<button type="button" data-near="-" title="The video I mean is not like this one">'
        '<span aria-hidden="true">−</span> <span>Not like<span class="rest"> this</span></span></button></span>'
    )


def choices_on(choices: Sequence["Choice"], videos: Mapping[str, "VideoSummary"]) -> str:
    """Return the choices in their order, as buttons that take each back."""
    items = []
    for choice in choices:
        rest = ",".join(("" if one.nearer else "-") + one.video_id for one in choices if one != choice)
        video = videos.get(choice.video_id)
        name = video and (video.description or video.nickname or video.creator or video.file_name)
        short = text((name or choice.video_id)[:NAME_CHARS]) + ("…" if name and len(name) > NAME_CHARS else "")
        does = "Nearer to" if choice.nearer else "Not like"
        picture = f'<img src="{text(video.thumbnail_url)}" alt="">' if video and video.thumbnail_url else ""
        items.append(
            f'<li><button type="button" data-set="nearer={rest}" aria-label="Take back: {does} {short}">'
            f"{picture}{does} <bdi>{short}</bdi> ✕</button></li>"
        )
    if len(items) > 1:
        items.append('<li><button type="button" class="quiet" data-set="nearer=">Take all back</button></li>')
    return f'<ul class="chips choices" aria-label="Your choices">{"".join(items)}</ul>' if items else ""
