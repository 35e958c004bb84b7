"""Asking by when and in which list a person met a video, by length, likes and source: filters, notes and order."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from ingest.catalog.entries import Encounter, Entry
from retrieval.index.builder import build
from retrieval.index.documents import document
from retrieval.index.generation import open_current
from retrieval.index.metadata import MetadataIndex
from retrieval.index.metadata_part import MetadataPart
from retrieval.index.video_metadata import VideoMetadata
from retrieval.search.answer import Answer, Sort
from retrieval.search.filter_values import filters
from retrieval.search.lists import describe_encounters
from retrieval.search.searcher import Searcher
from scraper.records import ListKind
from tests.retrieval.conftest import ENTRIES
from tests.retrieval.fake_encoder import FakeEncoder
from tests.retrieval.saved_files import saved

TODAY = date(2026, 11, 27)


def met(kind: ListKind, at: str = "", name: str = "") -> Encounter:
    return Encounter(list=kind, at=f"{at}T23:30:00" if at else "", name=name)


def changed(entry: Entry, *encounters: Encounter, **record: object) -> Entry:
    return replace(entry, video=entry.video.model_copy(update=record), encounters=list(encounters))


MET = [
    changed(
        ENTRIES[0],
        met("likes", "2024-03-31"),
        met("history", "2024-03-30"),
        met("history", "2025-12-02"),
        duration_s=16.0,
        likes=20_200,
        source="yt-dlp, data export",
    ),
    changed(
        ENTRIES[1], met("favorites", "2026-01-15"), met("collection", "2026-01-16", "Recipes to try"), duration_s=95.5
    ),
    changed(ENTRIES[2], met("likes"), duration_s=12.0, likes=7, source="file"),
    changed(ENTRIES[3], met("collection", "2024-04-01", "Sea"), likes=900),
    changed(ENTRIES[4], met("shares", "2024-03-01"), met("favorites", "2023-07-01"), source="data export"),
    ENTRIES[5],
]


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    folder = tmp_path_factory.mktemp("met")
    encoder = FakeEncoder()
    build([document(one) for one in MET], folder, encoder)
    return Searcher(open_current(folder), encoder)


def ids(answer: Answer) -> list[str]:
    return [hit.id[-1] for hit in answer.hits]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("in:likes", "13"),
        ("in:favorites", "25"),
        ("in:history", "1"),
        ("in:collections", "24"),
        ('in:"Recipes to try"', "2"),
        ("in:RECIPES", "2"),
        ('-in:likes -in:"sea"', "256"),
        ("seen:2024-03", "15"),
        ("seen:2024-03-31..2024-04", "14"),
        ("liked:2024-03", "1"),
        ("-liked:2024-03", "2456"),  # of video 3, when it was liked is not known
        ("liked:2024-03 -watched:2025-12", ""),
        ("watched:2025..", "1"),
        ("watched:..2024", "1"),
        ('saved:"last winter"', "2"),
        ("saved:last-year..", "2"),
        ("saved:2024-04", "4"),
        ("shared:2024-03-01", "5"),
        ("in:favorites saved:2023", "5"),
        ("length:<30s", "13"),
        ("length:1m..3m", "2"),
        ("length:>5s", "12346"),  # what is said in 4 and 6 ends after the fifth second
        ("-length:>=1m", "13"),
        ("likes:>10k", "1"),
        ("likes:<1000", "34"),
        ("-likes:<1000", "1"),
        ('source:"data export"', "15"),
        ("source:FILE", "3"),
        ("-source:yt-dlp", "23456"),
    ],
)
def test_only_videos_that_were_met_so_are_found(searcher: Searcher, question: str, found: str) -> None:
    answer = searcher.search(question, today=TODAY)
    assert "".join(sorted(ids(answer))) == found and answer.total == len(found)
    assert found or answer.notes


def test_a_condition_on_a_list_changes_no_score(searcher: Searcher) -> None:
    whole = {hit.id: hit.score for hit in searcher.search("teapot starter").hits}
    [hit] = searcher.search("teapot starter", filters=filters(**{"in": "history"})).hits
    assert hit.score == whole[hit.id]


@pytest.mark.parametrize(
    ("question", "note"),
    [
        ('saved:"last winter"', 'saved:"last winter" was taken for 1 December 2025 to 28 February 2026.'),
        (
            'in:"cats"',
            'There is no video in your collection "cats". The lists here are favorites (2), likes (2),'
            ' "Recipes to try" (1), "Sea" (1), history (1), shares (1).',
        ),
        ("in:reposts", "There is no video among those you reposted. The lists here are favorites (2),"),
        ("liked:2022", "There is no video liked in 2022. What is known of them is 31 March 2024."),
        ("seen:2020", "There is no video seen in 2020. What is known of them is 1 July 2023 to 16 January 2026."),
        ("liked:2024", "1 video in your likes without a known time is left out."),
        ("length:<5s", "There is no video shorter than 0:05. Known lengths are 0:12 to 1:35."),
        ("length:<30s", "3 videos without a known length are left out."),
        ("likes:>1m", "There is no video with 1,000,000 likes or more. The videos here have 7 to 20,200 likes."),
        ("likes:>10k", "3 videos without a known number of likes are left out."),
        ("source:zip", 'There is no video from the source "zip". The sources here are data export (2), '),
    ],
)
def test_notes_say_what_there_is_and_what_was_left_out(searcher: Searcher, question: str, note: str) -> None:
    assert any(said.startswith(note) for said in searcher.search(question, today=TODAY).notes), searcher.search(
        question, today=TODAY
    ).notes


def test_without_any_list_the_note_says_where_lists_are(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    build([document(one) for one in ENTRIES], tmp_path, encoder)
    [note] = Searcher(open_current(tmp_path), encoder).search("in:likes").notes
    assert "data export" in note


@pytest.mark.parametrize(
    ("question", "sort", "order"),
    [
        ("in:favorites", "relevance", "25"),  # the one added last comes first
        ("-has:music", "relevance", "5246"),  # the newest post comes first
        ("in:favorites", "newest", "52"),
        ("in:favorites", "oldest", "25"),
        ("after:2000", "seen", "2153"),
        ("seen:2024", "seen", "415"),  # 1 was seen again in 2025, which does not count here
        ("after:2000", "oldest", "1235"),
    ],
)
def test_videos_that_only_conditions_choose_come_by_time(
    searcher: Searcher, question: str, sort: Sort, order: str
) -> None:
    answer = searcher.search(question, sort=sort)
    assert "".join(ids(answer)) == order
    assert answer.sort == (sort if sort != "relevance" else "seen" if "in:" in question else "newest")
    assert [hit.rank for hit in answer.hits] == [*range(1, len(order) + 1)]


def test_with_a_text_the_good_hits_are_sorted_and_the_others_follow(searcher: Searcher) -> None:
    question = "the teapot off the shelf he pushed"
    by_score, sorted_ = searcher.search(question), searcher.search(question, sort="oldest")
    good = [hit.id for hit in by_score.hits if hit.good]
    assert good and len(good) < 6
    assert {hit.id for hit in sorted_.hits[: len(good)]} == set(good)
    assert [hit.id for hit in sorted_.hits[len(good) :]] == [hit.id for hit in by_score.hits if not hit.good]
    assert (sorted_.confidence, sorted_.sort) == (by_score.confidence, "oldest")


def test_if_no_hit_is_good_all_are_sorted(searcher: Searcher) -> None:
    answer = searcher.search("quantum bicycle orchestra", sort="seen")
    assert not answer.good and ids(answer)[:2] == ["2", "1"]
    assert [hit.id for hit in searcher.search("quantum bicycle orchestra", 2, offset=1, sort="seen").hits] == [
        hit.id for hit in answer.hits[1:3]
    ]


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    one = VideoMetadata(
        username="ann", encounters=(("likes", "2024-03-03T10:00:00", ""),), duration_s=3.5, likes=0, sources=("file",)
    )
    MetadataPart.build([VideoMetadata(), one]).save(tmp_path)
    index = MetadataIndex([MetadataPart.load(saved(tmp_path))], np.ones(2, bool))
    assert index.likes.tolist()[1] == 0 and index.duration_s.tolist()[1] == 3.5
    assert index.encounters.videos(index.encounters.between(date(2024, 3, 3), date(2024, 3, 3))).tolist() == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("encounters", "lines"),
    [
        ([met("likes", "2024-03-03")], ["liked on 3 March 2024"]),
        ([met("likes")], ["liked"]),
        (
            [met("history", "2024-06-06"), met("history", "2024-05-01"), met("history")],
            ["watched 3 times, last on 6 June 2024"],
        ),
        (
            [met("history", "2024-01-01"), met("collection", "2024-02-02", "Soups"), met("favorites", "2023-03-03")],
            [
                *("in your favorites since 3 March 2023", 'in your collection "Soups" since 2 February 2024'),
                "watched on 1 January 2024",
            ],
        ),
        ([met("posts", "2024-03-03"), met("shares")], ["shared", "posted by you on 3 March 2024"]),
        ([], []),
    ],
)
def test_how_a_video_was_met_is_said_in_short(encounters: list[Encounter], lines: list[str]) -> None:
    assert describe_encounters(encounters) == lines


def test_an_impossible_time_is_refused() -> None:
    with pytest.raises(ValueError, match="at"):
        Encounter(list="likes", at="2024-13-41T10:00:00")
