"""Lengths and counts as people write them."""

import pytest

from retrieval.search.sizes import Bounds, read_count, read_length


@pytest.mark.parametrize(
    ("typed", "value", "words"),
    [
        ("<30s", "0..30", "shorter than 0:30"),
        ("<30", "0..30", "shorter than 0:30"),
        ("<=30s", "0..31", "shorter than 0:31"),
        (">5m", "300..", "5:00 or longer"),
        ("> 5 min", "300..", "5:00 or longer"),
        ("1m..3m", "60..181", "1:00 to 3:00 long"),
        ("90s..2:30", "90..151", "1:30 to 2:30 long"),
        ("3m", "180..240", "3:00 to 3:59 long"),
        ("1m30s", "90..91", "1:30 long"),
        ("1h", "3600..7200", "1:00:00 to 1:59:59 long"),
        ("1:02:03", "3723..3724", "1:02:03 long"),
        ("10m..", "600..", "10:00 or longer"),
        ("..1m", "0..61", "shorter than 1:01"),
    ],
)
def test_a_length_is_read_in_seconds(typed: str, value: str, words: str) -> None:
    found = read_length(typed)
    assert found and found.value == value and found.describe_length() == words
    assert Bounds.from_value(value) == found


@pytest.mark.parametrize(
    ("typed", "value", "words"),
    [
        (">10k", "10000..", "10,000 likes or more"),
        ("<500", "0..500", "fewer than 500 likes"),
        ("1k..5K", "1000..5001", "1,000 to 5,000 likes"),
        ("1.5M", "1500000..1500001", "1,500,000 likes"),
        (">=1,000", "1000..", "1,000 likes or more"),
    ],
)
def test_a_count_is_read_with_its_unit(typed: str, value: str, words: str) -> None:
    found = read_count(typed)
    assert found and found.value == value and found.describe_count("likes") == words


@pytest.mark.parametrize(
    "typed", ["", "..", "long", ">", "<0s", "5x", "3m..1m", "-5", "1:2", "m", "<<3", "nan", "9" * 30]
)
def test_anything_else_is_neither(typed: str) -> None:
    assert read_length(typed) is None and read_count(typed) is None


def test_no_hostile_string_is_an_error(hostile_strings: list[str]) -> None:
    for string in hostile_strings:
        read_length(string)
        read_count(string)
