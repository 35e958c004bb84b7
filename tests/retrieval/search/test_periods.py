"""Times as people write them, read on 27 November 2026, a Friday."""

from datetime import date

import pytest

from retrieval.search.periods import Period, is_plain, read_period

TODAY = date(2026, 11, 27)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("2024", "2024-01-01..2024-12-31"),
        ("2024-02", "2024-02-01..2024-02-29"),
        ("2024-2", "2024-02-01..2024-02-29"),
        ("2023/02", "2023-02-01..2023-02-28"),
        ("2024-12", "2024-12-01..2024-12-31"),
        ("2024-03-15", "2024-03-15..2024-03-15"),
        ("2024.3.15", "2024-03-15..2024-03-15"),
        ("2023-12..2024-02", "2023-12-01..2024-02-29"),
        ("2024..", "2024-01-01.."),
        ("..2024-03", "..2024-03-31"),
        ("last summer..yesterday", "2026-06-01..2026-11-26"),
        ("today", "2026-11-27..2026-11-27"),
        ("Yesterday", "2026-11-26..2026-11-26"),
        ("this week", "2026-11-23..2026-11-29"),
        ("last week", "2026-11-16..2026-11-22"),
        ("this month", "2026-11-01..2026-11-30"),
        ("last month", "2026-10-01..2026-10-31"),
        ("this year", "2026-01-01..2026-12-31"),
        ("last_year", "2025-01-01..2025-12-31"),
        ("last winter", "2025-12-01..2026-02-28"),
        ("LAST-WINTER", "2025-12-01..2026-02-28"),
        ("in the winter", "2025-12-01..2026-02-28"),
        ("last summer", "2026-06-01..2026-08-31"),
        ("this summer", "2026-06-01..2026-08-31"),
        ("last autumn", "2025-09-01..2025-11-30"),  # this one has not ended
        ("this fall", "2026-09-01..2026-11-30"),
        ("spring", "2026-03-01..2026-05-31"),
        ("summer 2023", "2023-06-01..2023-08-31"),
        ("winter 2023", "2023-12-01..2024-02-29"),
        ("summer of 2023", "2023-06-01..2023-08-31"),
        ("in March", "2026-03-01..2026-03-31"),
        ("in December", "2025-12-01..2025-12-31"),
        ("november", "2026-11-01..2026-11-30"),
        ("last november", "2025-11-01..2025-11-30"),
        ("march 2024", "2024-03-01..2024-03-31"),
        ("Sept. 2023", "2023-09-01..2023-09-30"),
        ("3 March 2024", "2024-03-03..2024-03-03"),
        ("the 3 March", None),
        ("March 3rd, 2024", "2024-03-03..2024-03-03"),
        ("2 days ago", "2026-11-25..2026-11-25"),
        ("five days ago", "2026-11-21..2026-11-23"),
        ("3 weeks ago", "2026-11-02..2026-11-10"),
        ("a month ago", "2026-10-12..2026-11-11"),
        ("about a year ago", "2025-05-28..2026-05-29"),
        ("last 3 months", "2026-08-27..2026-11-27"),
        ("the past two weeks", "2026-11-13..2026-11-27"),
        *((never, None) for never in ("", "..", "someday", "2024-13", "2024-02-30", "0000", "24", "2024-03..2023")),
        *((never, None) for never in ("9999 years ago", "zero weeks ago", "31 june 2024", "last 2024", "x..y")),
        ("2024-03-15T00:00", None),
    ],
)
def test_a_time_is_read_as_the_days_it_means(typed: str, value: str | None) -> None:
    found = read_period(typed, TODAY)
    assert (found.value if found else None) == value
    if found:
        assert Period.from_value(found.value) == found


def test_in_january_last_winter_is_the_one_that_has_ended() -> None:
    assert read_period("last winter", date(2026, 1, 10)) == Period(date(2024, 12, 1), date(2025, 2, 28))
    assert read_period("this winter", date(2026, 1, 10)) == Period(date(2025, 12, 1), date(2026, 2, 28))
    assert read_period("last month", date(2026, 1, 10)) == Period(date(2025, 12, 1), date(2025, 12, 31))
    leap_day = read_period("a year ago", date(2024, 2, 29))
    assert leap_day and leap_day.first == date(2022, 8, 29)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("2024", "in 2024"),
        ("2024-02", "in February 2024"),
        ("2024-03-15", "on 15 March 2024"),
        ("2023-12..2024-02", "from 1 December 2023 to 29 February 2024"),
        ("2024..", "on 1 January 2024 or later"),
        ("..2024", "on 31 December 2024 or earlier"),
    ],
)
def test_a_period_is_described_in_words(typed: str, words: str) -> None:
    found = read_period(typed, TODAY)
    assert found and found.describe() == words


def test_only_expressions_need_an_explanation() -> None:
    assert is_plain("2024") and is_plain("2024-03..") and is_plain("2023..2024-02-01")
    assert not is_plain("last winter") and not is_plain("2024..yesterday")


def test_no_hostile_string_is_an_error(hostile_strings: list[str]) -> None:
    for string in hostile_strings:
        read_period(string, TODAY)
        read_period(f"{string} ago", TODAY)
