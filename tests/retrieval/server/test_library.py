"""The library: all videos of the catalog, filtered and sorted as a search is, with counts, also of thousands."""

import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ingest.catalog import Catalog
from ingest.catalog.listed import ListedVideo
from retrieval.search.filter_values import filters
from retrieval.server.library import Library, Shelf
from tests.retrieval.server.requests import problem
from tests.tiny_corpus import BREAD, KETTLE, LOST, make_data

SHELF = Shelf(
    [
        ListedVideo(
            "10001",
            "crumb",
            description="bread",
            hashtags=("Bread", "oven"),
            posted="2020-01-01",
            met=(("likes", "2024-03-05T10:00:00", ""), ("history", "2026-01-01T10:00:00", "")),
            is_kept=True,
        ),
        ListedVideo(
            "10002", "crumb", hashtags=("bread",), posted="2023-05-01", met=(("history", "2024-02-01T09:00:00", ""),)
        ),
        ListedVideo("10003", "miles", languages=("de",), imported_at=1_714_564_800.0),  # on 1 May 2024
        ListedVideo("10004", "miles", languages=("de", "en"), met=(("collection", "2024-03-20T10:00:00", "Trains"),)),
    ]
)


def values(facet: str, **given: str) -> list[tuple[str, int]]:
    return [(one.value, one.videos) for one in SHELF.show(conditions=filters(**given)).facets[facet]]


def test_videos_come_by_when_they_were_saved_else_seen_else_imported() -> None:
    shown = SHELF.show()
    assert shown.ids == ["10003", "10004", "10001", "10002"]
    assert shown.months == ["2024-05", "2024-03", "2024-03", "2024-02"]
    assert [(one.value, one.videos) for one in shown.facets["month"]] == [
        ("2024-05", 1),
        ("2024-03", 2),
        ("2024-02", 1),
    ]
    assert SHELF.show(sort="seen").ids[0] == "10001"
    assert SHELF.show(sort="newest").ids[:2] == ["10002", "10001"] and SHELF.show(sort="oldest").ids[:2] == [
        "10001",
        "10002",
    ]
    assert SHELF.show(month="2024-03").ids == ["10004", "10001"]
    assert SHELF.show(offset=1, limit=2).ids == ["10004", "10001"] and SHELF.show(offset=9).ids == []


def test_counts_are_those_among_the_videos_that_meet_the_other_filters() -> None:
    assert values("creator") == [("crumb", 2), ("miles", 2)]
    assert values("creator", lang="de", creator="miles") == [("miles", 2)]
    assert values("lang", lang="en") == [("de", 2), ("en", 1)]
    assert values("tag") == [("bread", 2), ("oven", 1)] or values("tag") == [("Bread", 2), ("oven", 1)]
    assert values("in") == [("history", 2), ("Trains", 1), ("likes", 1)]
    assert SHELF.show(conditions=filters(**{"in": "trains"})).ids == ["10004"]
    assert SHELF.show(conditions=filters(tag="BREAD"), kept=True).ids == ["10001"]
    assert SHELF.show("miles 10003").ids == ["10003"]


def test_every_value_of_a_facet_finds_as_many_videos_as_it_says() -> None:
    for facet, found in SHELF.show().facets.items():
        for one in found:
            given = {"month": one.value} if facet == "month" else {"conditions": filters(**{facet: one.value})}
            assert SHELF.show(**given).total == one.videos, (facet, one)


def test_words_are_found_however_they_are_typed() -> None:
    texts = ["Cre\u0302pes", "ﾊﾟﾝ", "قِصَّة", "電腦", "Straße", "#हिन्दी"]
    shelf = Shelf([ListedVideo(f"1000{n}", description=text) for n, text in enumerate(texts)])
    for n, typed in enumerate(["crêpes", "パン", "قصة", "电脑", "STRASSE", "हिंदी"]):
        assert shelf.show(typed).ids == [f"1000{n}"]


def test_ten_thousand_videos_are_filtered_at_once() -> None:
    videos = [
        ListedVideo(
            str(7_000_000_000 + number),
            f"creator{number % 500}",
            description=f"video {number}",
            hashtags=(f"tag{number % 300}", "all"),
            languages=("en",),
            met=(("likes", f"20{10 + number % 14}-0{1 + number % 9}-01T00:00:00", ""),),
        )
        for number in range(10_000)
    ]
    shelf = Shelf(videos)
    start = time.process_time()
    shown = shelf.show("video", filters(tag="all", after=""), offset=9_960)
    assert time.process_time() - start < 1.0
    assert shown.total == 10_000 and len(shown.ids) == 40
    assert len(shown.facets["creator"]) == 200, "bounded"


def test_the_shelf_is_read_again_when_the_catalog_has_changed(tmp_path: Path) -> None:
    make_data(tmp_path)
    library = Library(tmp_path)
    before = library.shelf()
    assert library.shelf() is before and len(before.ids) == 7
    with Catalog(tmp_path) as catalog:
        catalog.removals.hide([BREAD])
    assert BREAD not in library.shelf().ids


def test_the_api_gives_pages_with_counts(client: TestClient) -> None:
    answer = client.get("/api/library", params={"in": "likes"}).json()
    assert [one["id"] for one in answer["videos"]] == [BREAD, LOST] and answer["total"] == 2
    assert answer["videos"][0]["month"] == "2024-04" and answer["videos"][0]["video"]["creator"] == "crumb.and.crust"
    assert {"value": "likes", "label": "likes", "videos": 2} in answer["facets"]["in"]
    assert client.get("/api/library", params={"words": "kettle"}).json()["videos"][0]["id"] == KETTLE
    assert client.get("/api/library", params={"kept": "true", "k": 5}).json()["total"] == 1
    problem(client.get("/api/library", params={"month": "March"}), 422)
    problem(client.get("/api/library", params={"month": "2024-13"}), 422)
    problem(client.get("/api/library", params={"has": "speech"}), 422)
    problem(client.get("/api/library", params={"after": "soon"}), 422)


@pytest.mark.parametrize("record", ["not json", "[]", '{"hashtags": null, "creator_username": null}'])
def test_a_damaged_record_is_a_video_without_values(tmp_path: Path, record: str) -> None:
    make_data(tmp_path)
    with Catalog(tmp_path) as catalog, catalog.transaction():
        catalog.database.execute("UPDATE videos SET record = ? WHERE id = ?", (record, BREAD))
    shown = Library(tmp_path).shelf().show()
    assert shown.total == 7 and BREAD in shown.ids
