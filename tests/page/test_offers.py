"""Words of a question that may mean a filter."""

from datetime import date

import pytest

from page.offers import offers

TODAY = date(2026, 11, 27)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("accordion I liked last winter", [("liked", "last winter", "accordion")]),
        (
            "in Spanish, shorter than a minute",
            [("lang", "es", "shorter than a minute"), ("length", "<60s", "in Spanish")],
        ),
        ("last summer dog", [("seen", "last summer", "dog"), ("posted", "last summer", "dog")]),
        ("recipe saved 2 months ago", [("saved", "2 months ago", "recipe")]),
        ("goat posted in 2025", [("posted", "2025", "goat")]),
        ("under the bridge in Venice", []),
        ("more than a feeling", []),
        ("the accordion", []),
    ],
)  # fmt: skip
def test_what_is_offered_and_what_is_left_of_the_question(typed: str, expected: list[tuple[str, str, str]]) -> None:
    assert [(one.name, one.value, one.rest) for one in offers(typed, {}, TODAY)] == expected


def test_a_filter_that_is_set_and_one_that_nothing_is_known_of_are_not_offered() -> None:
    assert offers("dog liked last year", {"liked": "2024"}, TODAY) == []
    assert [one.name for one in offers("dog last year", {}, TODAY, lists=False)] == ["posted"]
