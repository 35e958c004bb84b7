"""Scraped text and plain values -> safe pieces of HTML that the whole page is built from.

Every scraped character goes through `text()`, which escapes it; nothing else may put scraped text into the page.
"""

import re
from collections.abc import Sequence
from html import escape

from retrieval.search.sizes import clock as clock

EXCERPT_CHARS = 200  # about three lines of a card: enough to recognise the video
RETRIEVER_NAMES = {"dense": "Dense", "keyword": "Keyword"}
COLUMN_NAMES = {**RETRIEVER_NAMES, "vision": "Pictures"}  # of the table of reasons
MODE_NAMES = {"hybrid": "Hybrid", **RETRIEVER_NAMES}
MODE_HINTS = {"hybrid": "By meaning and by words", "dense": "By meaning", "keyword": "By words"}
STAGE_NAMES = {"download": "Download", "ocr": "OCR", "transcribe": "Transcribe"}


def text(scraped: str) -> str:
    """Return text as HTML, safe between tags and inside a quoted attribute."""
    return escape(scraped, quote=True)


def link(url: str, inner: str) -> str:
    """Return a link to another site around `inner` (HTML), or nothing if `url` is not an http(s) address."""
    if not url.lower().startswith(("https://", "http://")):
        return ""
    return f'<a href="{text(url)}" target="_blank" rel="noopener noreferrer">{inner}</a>'


def marked(passage: str, span: tuple[int, int] | None, matches: Sequence[tuple[int, int]]) -> str:
    """Return about EXCERPT_CHARS of a passage around `span`, cut between words, with the matched words in `<mark>`."""
    low, high = span or (0, 0)
    around = max(0, EXCERPT_CHARS - (high - low)) // 2
    start, end = max(0, low - around), min(len(passage), max(high + around, low - around + EXCERPT_CHARS))
    if start and (space := passage.find(" ", start, low)) >= 0:
        start = space + 1
    if end < len(passage) and (space := passage.rfind(" ", high, end)) > start:
        end = space
    parts, at = ["… " if start else ""], start
    for first, last in sorted(matches):
        if at <= first and last <= end:
            parts += [text(passage[at:first]), f"<mark>{text(passage[first:last])}</mark>"]
            at = last
    return "".join(parts) + text(passage[at:end]) + (" …" if end < len(passage) else "")


def with_marks(whole: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return a whole text with the words at `spans`, which are in order, in `<mark>`."""
    parts, at = list[str](), 0
    for first, last in spans:
        parts += [text(whole[at:first]), f"<mark>{text(whole[first:last])}</mark>"]
        at = last
    return "".join(parts) + text(whole[at:])


def counted(number: int, one: str) -> str:
    """Return a count with its unit: 1 like, 20.2K likes."""
    return f"{count(number)} {one}{'s' * (number != 1)}"


def count(number: int) -> str:
    """Return a count as TikTok shows it: 999, 20.2K, 1.1M."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + unit
    return str(number)


def carousel(urls: Sequence[str], what: str) -> str:
    """Return the photos of a post, shown one at a time; arrow keys and buttons move on."""
    slides = "".join(
        f'<img loading="lazy" src="{text(url)}" alt="Photo {n} of {len(urls)} by {what}">'
        for n, url in enumerate(urls, 1)
    )
    return (
        f'<div class="carousel"><div class="slides" tabindex="0" role="group" aria-label="Photos by {what}">{slides}'
        '</div><button type="button" data-slide="-1" aria-label="Previous photo">‹</button>'
        '<button type="button" data-slide="1" aria-label="Next photo">›</button></div>'
    )


def notice(title: str, message: str, kind: str = "", more: str = "") -> str:
    """Return a message in place of results, with `more` (HTML) below. Text in `backticks` becomes code."""
    body = re.sub(r"`([^`]+)`", r"<code>\1</code>", text(message))
    return f'<div class="notice {kind}" role="status"><h2>{text(title)}</h2><p>{body}</p>{more}</div>'
