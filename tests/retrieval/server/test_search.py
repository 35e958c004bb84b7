"""Searches by the API: answers, modes, weights, filters, bounds, and completions."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.retrieval.server.requests import problem, search
from tests.tiny_corpus import BREAD, BREAD_SECOND, HOSTILE, KETTLE, LOST, PHOTOS


def test_an_answer_has_the_video_the_timestamp_and_reasons_that_add_up(client: TestClient) -> None:
    answer = search(client, "loaf hollow drum")
    first = answer["hits"][0]
    assert first["id"] == BREAD and answer["total"] == 7
    assert sum(reason["contribution"] for reason in first["explanation"]) == pytest.approx(first["score"])
    said = next(reason for reason in first["explanation"] if reason["field"] == "transcript")
    assert said["start_s"] == BREAD_SECOND
    assert {said["passage"][start:end] for start, end in said["matches"]} >= {"loaf", "hollow", "drum"}
    assert first["video"] == {
        "permalink": f"https://www.tiktok.com/@crumb.and.crust/video/{BREAD}",
        "creator": "crumb.and.crust",
        "nickname": "Crumb & Crust",
        "description": "is it done?? ask the loaf #sourdough #baking",
        "file_name": "",
        "posted": "2024-03-28",
        "likes": 20200,
        "comment_count": 311,
        "music": "original sound - crumb",
        "hashtags": ["sourdough", "baking"],
        "has_video": True,
        "duration_s": 20.0,
        "video_url": f"/media/{BREAD}/video",
        "cover_url": f"/media/{BREAD}/cover",
        "slide_urls": [],
        "thumbnail_url": first["video"]["thumbnail_url"],
        "frames_url": first["video"]["frames_url"],
        "frame_times": [1.25, 3.75, 6.25, 8.75, 11.25, 13.75, 16.25, 18.75],
        "encounters": [
            {"list": "likes", "at": "2024-04-02T08:00:00", "name": ""},
            {"list": "history", "at": "2024-04-01T19:00:00", "name": ""},
        ],
    }


def test_pages_of_an_answer_follow_each_other(client: TestClient) -> None:
    whole = [hit["id"] for hit in search(client, "toaster", k=7)["hits"]]
    assert [hit["id"] for hit in search(client, "toaster", k=2, offset=3)["hits"]] == whole[3:5]


def test_a_weight_of_zero_switches_a_field_off(client: TestClient) -> None:
    def fields(w: str) -> set[str]:
        hits = search(client, "loaf hollow drum", w=w)["hits"]
        return {reason["field"] for hit in hits for reason in hit["explanation"]}

    assert {"transcript", "overview"} <= fields("")
    assert not {"transcript", "overview"} & fields("transcript:0,overview:0")


def test_weights_take_the_names_of_fields_and_their_identifiers(client: TestClient) -> None:
    scores = [
        [hit["score"] for hit in search(client, "loaf hollow drum", w=w)["hits"]]
        for w in ("transcript:2,overview:0", "speech:2, whole:0", "speech=2,whole=0")
    ]
    assert scores[0] == scores[1] == scores[2]


@pytest.mark.parametrize("parameter", ["mode", "lane"])
def test_the_mode_is_chosen_by_its_name_or_its_old_name(client: TestClient, parameter: str) -> None:
    answer = search(client, "loaf hollow drum", **{parameter: "keyword"})
    assert answer["lane"] == "keyword"
    assert {reason["lane"] for hit in answer["hits"] for reason in hit["explanation"]} == {"keyword"}


def test_an_empty_query_has_no_hits(client: TestClient) -> None:
    assert search(client, "  ")["hits"] == []


@pytest.mark.parametrize(
    "query", ["\x00", "'; DROP TABLE videos; --", "<script>", "{{7*7}}", "\u202eabc", "a" * 1000, "🍞"]
)
def test_odd_queries_are_answered(client: TestClient, query: str) -> None:
    assert len(search(client, query)["hits"]) in (0, 7)


def test_every_hostile_string_is_answered(client: TestClient, hostile_strings: list[str]) -> None:
    for string in hostile_strings:
        search(client, string[:1000], k=1, lane="keyword")


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"q": "bread by:@crumb.and.crust"}, [BREAD]),
        ({"q": "@crumb.and.crust"}, [BREAD]),
        ({"q": "bread", "creator": "@crumbandcrust"}, [BREAD]),
        ({"q": "", "creator": "tea.physics"}, [KETTLE]),
        ({"q": "one day", "tag": "railway"}, [PHOTOS]),
        ({"q": "#spooky", "tag": "railway"}, []),
        ({"q": "", "lang": "en", "tag": "baking,sourdough"}, [BREAD]),
        ({"q": "", "after": "2024", "before": "2024-04"}, [BREAD]),
        ({"q": "speech:loaf", "before": "2024"}, []),
        ({"q": "", "in": "likes"}, [BREAD, LOST]),
        ({"q": "", "in": "likes", "sort": "oldest"}, [BREAD, LOST]),  # LOST has no known date
        ({"q": "seen:2024-04"}, [BREAD]),
        ({"q": "in:history", "liked": "2024-04-02", "watched": "2024-03..", "likes": ">20k"}, [BREAD]),
        ({"q": "", "in": "tea time", "saved": ""}, [KETTLE]),
        ({"q": "", "shared": "2024", "length": "<1m"}, []),
    ],
)
def test_operators_and_filters_must_all_be_met(
    client: TestClient, parameters: dict[str, str], found: list[str]
) -> None:
    answer = client.get("/api/search", params=parameters).json()
    assert [hit["id"] for hit in answer["hits"]] == found and answer["total"] == len(found)
    assert found or answer["notes"]


def test_an_answer_says_how_the_query_was_understood(client: TestClient) -> None:
    answer = search(client, "loav -sock before:2030", tag="sourdough")
    assert answer["text"] == "loaf" and [hit["id"] for hit in answer["hits"]] == [BREAD]
    assert [(one["kind"], one["value"], one["exclude"]) for one in answer["conditions"]] == [
        ("phrase", "sock", True),
        ("before", "2030-01-01", False),
        ("tag", "sourdough", False),
    ]
    assert any('"loaf"' in note for note in answer["notes"])


def test_has_keeps_only_videos_with_that_field(client: TestClient) -> None:
    said = client.get("/api/search", params={"q": "bread kettle", "has": "speech"}).json()
    assert said["total"] == 2 and KETTLE not in {hit["id"] for hit in said["hits"]}
    by_operator = client.get("/api/search", params={"q": "bread kettle has:speech"}).json()
    assert [hit["id"] for hit in by_operator["hits"]] == [hit["id"] for hit in said["hits"]]
    without = client.get("/api/search", params={"q": "bread kettle -has:speech"}).json()
    assert without["total"] == 5
    assert "no field" in problem(client.get("/api/search?q=x&has=wings"), 422)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({}, "q"),
        ({"q": "x" * 1001}, "q"),
        ({"q": "x", "k": 0}, "k"),
        ({"q": "x", "k": 101}, "k"),
        ({"q": "x", "k": "many"}, "k"),
        ({"q": "x", "offset": -1}, "offset"),
        ({"q": "x", "lane": "psychic"}, "lane"),
        ({"q": "x", "mode": "psychic"}, "mode"),
        ({"q": "x", "mode": "dense", "lane": "dense"}, "Give one"),
        ({"q": "x", "method": "guess"}, "method"),
        ({"q": "x", "w": "smell:1"}, "w: no field 'smell'"),
        ({"q": "x", "w": "comments:6"}, "comments"),
        ({"q": "x", "w": "comments:-1"}, "comments"),
        ({"q": "x", "w": "comments:nan"}, "comments"),
        ({"q": "x", "w": "comments"}, "comments"),
        ({"q": "x", "before": "dinner"}, "before"),
        ({"q": "x", "seen": "dinner"}, "seen"),
        ({"q": "x", "length": "tall"}, "length"),
        ({"q": "x", "sort": "best"}, "sort"),
        ({"q": "x", "after": "2023-02-30"}, "after"),
        ({"q": "x", "tag": "t" * 201}, "tag"),
        (
            {"q": "x", "w": "description:0,creator:0,music:0,cover:0,transcript:0,comments:0,overview:0"},
            "every field",
        ),
    ],
)
def test_a_parameter_out_of_bounds_is_named(client: TestClient, parameters: dict[str, Any], named: str) -> None:
    assert named in problem(client.get("/api/search", params=parameters), 422)


def test_an_unknown_parameter_is_refused(client: TestClient) -> None:
    told = problem(client.get("/api/search?q=tea&weights=transcript:2"), 422)
    assert "Unknown parameter 'weights'" in told and " w," in told
    assert client.get("/api/search?q=tea&w=%20transcript%20:%202").status_code == 200
    problem(client.get("/api/nothing?x=1"), 404)


@pytest.mark.parametrize(
    ("typed", "whole"),
    [
        ("@cru", "@crumb.and.crust"),
        ("bread #sou", "bread #sourdough"),
        ("why the ket", "why the kettle"),
        ("bread in:li", "bread in:likes"),
        ("-in:", "-in:history"),
        ('in:"tea t', 'in:"Tea time"'),
        ("in:tea", 'in:"Tea time"'),
    ],
)
def test_a_query_is_completed(client: TestClient, typed: str, whole: str) -> None:
    found = client.get("/api/suggest", params={"q": typed}).json()["suggestions"]
    assert whole in [one["query"] for one in found] and all(one["videos"] >= 1 for one in found)


@pytest.mark.parametrize("typed", ["", " ", "@", "#", "loaf ", "\x00", "%", "𝕏𝕏"])
def test_a_query_without_completions_has_an_empty_list(client: TestClient, typed: str) -> None:
    assert client.get("/api/suggest", params={"q": typed}).json() == {"suggestions": []}


def test_facets_list_where_videos_were_met_and_come_from(client: TestClient) -> None:
    facets = client.get("/api/facets").json()
    assert facets["lists"][0] == {
        "list": "likes", "name": "", "value": "likes", "videos": 2, "first": "2023-12-24", "last": "2024-04-02",
    }  # fmt: skip
    assert {one["value"] for one in facets["lists"]} >= {"history", "Tea time"} and facets["sources"] == []
    for one in facets["lists"]:
        assert search(client, "", **{"in": one["value"]})["total"] == one["videos"]
    assert facets["languages"][0] == {"language": "en", "name": "English", "videos": 6}
    problem(client.get("/api/facets?generation=none"), 404)


def test_facets_count_creators_years_and_lengths_as_their_filters_find_them(client: TestClient) -> None:
    facets = client.get("/api/facets").json()
    assert {"creator": "crumb.and.crust", "name": "Crumb & Crust", "videos": 1} in facets["creators"]
    assert len(facets["years"]) == 1
    for one in facets["creators"]:
        assert search(client, "", creator=one["creator"])["total"] == one["videos"]
    for one in facets["years"]:
        found = search(client, "", after=str(one["year"]), before=str(one["year"] + 1))
        assert found["total"] == one["videos"]
    for one in facets["lengths"]:
        assert search(client, "", length=one["length"])["total"] == one["videos"]


def test_a_question_is_searched_for_exactly_as_typed_on_request(client: TestClient) -> None:
    corrected, exact = search(client, "sourdogh loaf"), search(client, "sourdogh loaf", exact="true")
    assert corrected["text"] == "sourdough loaf" and not corrected["exact"]
    assert corrected["corrections"] == [{"typed": "sourdogh", "used": "sourdough"}]
    assert exact["text"] == "sourdogh loaf" and exact["exact"] and not exact["corrections"] + exact["notes"]


def test_an_answer_is_sorted_by_when_videos_were_met(client: TestClient) -> None:
    hits = search(client, "", after="2000", sort="seen")["hits"]
    assert [hit["id"] for hit in hits] == [BREAD]
    answer = search(client, "-loaf", sort="seen")
    assert answer["sort"] == "seen" and [hit["id"] for hit in answer["hits"]][:2] == [HOSTILE, LOST]


def test_choices_refine_an_answer_and_bad_ones_are_refused(client: TestClient) -> None:
    plain = search(client, "bread")
    first, second = (hit["id"] for hit in plain["hits"][:2])
    refined = search(client, "bread", nearer=f"{second},-{first}")
    assert not {first, second} & {hit["id"] for hit in refined["hits"]}
    assert refined["choices"] == [{"video_id": second, "nearer": True}, {"video_id": first, "nearer": False}]
    problem(client.get("/api/search", params={"q": "bread", "nearer": "../x"}), 422)
    table = client.get("/api/export", params={"q": "bread", "nearer": f"-{first}"}).text
    assert second in table and first not in table
