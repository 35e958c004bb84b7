import itertools
from dataclasses import replace
from pathlib import Path

from ingest.catalog import Catalog
from ingest.catalog.entries import Encounter, Segment, Text
from retrieval.index.builder import build
from retrieval.index.documents import OVERVIEW, WINDOW_CHARS, document, plain_document, windows_of
from retrieval.index.generation import open_current
from retrieval.search.searcher import Searcher
from scraper.records import Video
from tests.retrieval.conftest import entry
from tests.retrieval.fake_encoder import FakeEncoder


def test_a_field_without_text_is_left_out() -> None:
    doc = document(entry("70001", "only a description"))
    assert set(doc.texts) == {"description"}
    assert set(doc.passages) == {"description", OVERVIEW}


def test_a_video_without_text_has_no_passages() -> None:
    assert document(entry("70001")).passages == {}


def test_the_whole_video_ends_with_the_comments() -> None:
    doc = document(entry("70001", "desc", "creator", [(0, 1, "said")], "written", ["joke"], "song"))
    assert doc.passages[OVERVIEW][0].text == "desc creator song written said joke"


def test_each_comment_is_a_passage() -> None:
    doc = document(entry("70001", comments=["one", " ", "two"]))
    assert [passage.text for passage in doc.passages["comments"]] == ["one", "two"]


def test_a_window_joins_segments_and_keeps_their_times() -> None:
    doc = document(entry("70001", said=[(0.0, 2.0, "first words"), (7.5, 9.0, "then these")]))
    [window] = doc.passages["transcript"]
    assert window.text == "first words then these"
    assert [(mark.at, mark.start_s, mark.end_s) for mark in window.marks] == [(0, 0.0, 2.0), (12, 7.5, 9.0)]
    assert window.text[window.marks[1].at :] == "then these"


def test_text_in_the_video_has_times_and_text_on_the_cover_has_none() -> None:
    shown = [Segment(2.0, 5.0, "wait for it"), Segment(7.0, 8.0, "told you")]
    made = Text("MY CAT\nwait for it\ntold you", "tesseract", segments=shown)
    doc = document(replace(entry("70001"), texts={"cover": made}))
    still, moving = doc.passages["cover"]
    assert (still.text, still.marks) == ("MY CAT", ())
    assert (moving.text, [mark.start_s for mark in moving.marks]) == ("wait for it told you", [2.0, 7.0])
    assert doc.texts["cover"] == made.text


def test_windows_cover_every_segment_and_overlap_by_one() -> None:
    segments = [Segment(n, n + 1, f"{n:03} " + "word " * 20) for n in range(30)]
    windows = windows_of(segments)
    assert all(len(window.text) <= WINDOW_CHARS for window in windows)
    starts = [[mark.start_s for mark in window.marks] for window in windows]
    assert sorted({second for window in starts for second in window}) == list(range(30))
    assert all(earlier[-1] == later[0] for earlier, later in itertools.pairwise(starts))


def test_a_segment_longer_than_a_window_is_a_window() -> None:
    windows = windows_of([Segment(0, 1, "a"), Segment(1, 9, "x" * 1000), Segment(9, 10, "b")])
    assert [len(window.text) for window in windows] == [1, 1000, 1]


def test_a_transcript_without_times_is_cut_without_losing_a_word() -> None:
    text = " ".join(f"Word{n} goes here." for n in range(200)) + " " + "x" * 1000
    doc = plain_document("d1", "title", text)
    passages = doc.passages["transcript"]
    assert len(passages) > 5 and all(len(passage.text) <= WINDOW_CHARS for passage in passages)
    assert not any(passage.marks for passage in passages)
    words = {word for passage in passages for word in passage.text.split()}
    assert {f"Word{n}" for n in range(200)} <= words
    assert sum(passage.text.count("x") for passage in passages) >= 1000


def test_a_plain_document_has_its_title_as_description_and_its_text_as_transcript() -> None:
    doc = plain_document("d1", "A title", "Some text.")
    assert doc.texts == {"description": "A title", "transcript": "Some text."}
    assert doc.passages[OVERVIEW][0].text == "A title Some text."


def test_a_video_that_is_only_in_a_list_can_be_found_by_the_list(tmp_path: Path) -> None:
    with Catalog(tmp_path / "data", create=True) as catalog:
        catalog.put_video(Video(id="70001", description="how to peel garlic"))
        for video_id in ("70002", "70003"):
            catalog.put_video(Video(id=video_id))
        catalog.put_encounters("70002", [Encounter(list="likes", at="2024-03-01T10:00:00")])
        documents = [document(entry) for entry in catalog.entries(catalog.ids())]
    assert [made.id for made in documents if made.findable] == ["70001", "70002"]
    build(documents, tmp_path / "indexes", FakeEncoder())
    searcher = Searcher(open_current(tmp_path / "indexes"), FakeEncoder())
    assert [hit.id for hit in searcher.search("in:likes").hits] == ["70002"]
    assert searcher.search("garlic").hits[0].id == "70001"


def test_the_sound_of_the_video_itself_is_no_field_and_does_not_repeat_the_name(tmp_path: Path) -> None:
    with Catalog(tmp_path, create=True) as catalog:
        for number, music in enumerate(("sonido original - Crumb", "Bins Day Waltz - The Recyclers")):
            catalog.put_video(Video(id=f"7000{number}", creator_nickname="Crumb", music_title=music))
        own, song = (document(entry) for entry in catalog.entries(catalog.ids()))
    assert "music" not in own.texts and own.passages[OVERVIEW][0].text == "Crumb"
    assert song.texts["music"] == "Bins Day Waltz - The Recyclers"
