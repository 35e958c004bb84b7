"""Hostile text in every part of the page stays text."""

import pytest

from ingest.catalog.entries import Segment
from page import cards, html
from page.video_view import details
from retrieval.index.documents import FIELDS
from retrieval.server.schemas import FoundHit, TextDetail, VideoDetail
from scraper.records import Comment, Video
from tests.page.fragments import check_inert, hit, reason
from tests.tiny_corpus import HOSTILE_COMMENTS, HOSTILE_SPEECH, HOSTILE_TEXTS


def hostile_hits(text: str) -> list[FoundHit]:
    """Return hits with a text in every place where scraped text can be."""
    video = {
        "permalink": f"https://example.org/{text}",
        "creator": text,
        "nickname": text,
        "description": text,
        "posted": text,
        "music": text,
        "cover_url": "/media/71000/cover",
        "video_url": "/media/71000/video",
    }
    middle = (len(text) // 3, 2 * len(text) // 3)
    return [hit([reason(field, text, span=middle, matches=[middle], start_s=1.0)], **video) for field in FIELDS]


def hostile_view(text: str) -> str:
    """Return the view of one video with a text in every place."""
    shown = hostile_hits(text)[0]
    assert shown.video
    made = TextDetail(
        text=text, engine="x", version="", model="", language=text, confidence=None, segments=[Segment(1.0, 2.0, text)]
    )
    known = VideoDetail(
        record=Video(id="71000", description=text, comments=[Comment(text=text, username="ann")]),
        texts={"transcript": made, "cover": made},
        states={},
        notes={"transcribe": text},
        media=[],
    )
    return details("71000", shown.video, known, [shown], 1.5)


@pytest.mark.parametrize("text", [*HOSTILE_TEXTS.values(), *HOSTILE_COMMENTS, HOSTILE_SPEECH])
def test_hostile_text_of_the_tiny_corpus_stays_text(text: str) -> None:
    for one in hostile_hits(text):
        page = check_inert(cards.card(one))
        assert text[:80] in page.text
    assert text[:80] in check_inert(hostile_view(text)).text


def test_hostile_strings_stay_text(hostile_strings: list[str]) -> None:
    for text in hostile_strings:
        for one in hostile_hits(text):
            check_inert(cards.card(one))
        check_inert(hostile_view(text))
        check_inert(html.notice(text, text).replace("<code>", "<span>").replace("</code>", "</span>"))
