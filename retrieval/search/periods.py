"""A time as people write it -> days: 2024-03, 2023-12..2024-02, "last winter", "3 weeks ago".

Relative expressions look back from today. Seasons are those of the northern hemisphere: winter is December to
February, and "winter 2023" begins in December 2023. Weeks begin on Monday.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import regex

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_MONTHS = {name.lower()[:length]: n for n, name in enumerate(MONTHS, 1) for length in (3, len(name))} | {"sept": 9}
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}  # the first of three months
_ABOUT_DAYS = {"day": 1, "week": 4, "month": 15, "year": 183}  # "a month ago" is so many days around that day
_EXACT_DAYS = 2  # up to "2 days ago", people know the day
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "a few": 3, "few": 3}
_ISO = regex.compile(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2}))?)?")
_WRITTEN = (  # 3 March 2024, March 3rd, 2024
    regex.compile(r"(?P<day>\d{1,2})(?:st|nd|rd|th)?\.? (?:of )?(?P<month>[a-z]+)\.? (?P<year>\d{4})"),
    regex.compile(r"(?P<month>[a-z]+)\.? (?P<day>\d{1,2})(?:st|nd|rd|th)? (?P<year>\d{4})"),
)
_PART = regex.compile(r"(?:in |the )*(?:(?P<which>last|this|past) )?(?P<name>[a-z]+)\.?(?: (?:of )?(?P<year>\d{4}))?")
_AGO = regex.compile(r"(?:about |around )?(?P<number>\d{1,4}|a few|[a-z]+) (?P<unit>day|week|month|year)s? ago")
_PAST = regex.compile(r"(?:in )?(?:the )?(?:last|past) (?P<number>\d{1,4}|few|[a-z]+) (?P<unit>day|week|month|year)s?")
EXAMPLES = '2024, 2024-03, 2024-03-15, 2023-12..2024-02, 2024.. or "last winter"'


@dataclass(frozen=True)
class Period:
    """The days from `first` to `last`, both included. None is an open end."""

    first: date | None
    last: date | None

    @property
    def value(self) -> str:
        """The period as a filter takes it: 2024-03-01..2024-03-31."""
        return f"{self.first or ''}..{self.last or ''}"

    @classmethod
    def from_value(cls, value: str) -> "Period":
        """Return the period whose `value` this is."""
        first, _, last = value.partition("..")
        return cls(date.fromisoformat(first) if first else None, date.fromisoformat(last) if last else None)

    def describe(self) -> str:
        """Return the period in words: "in March 2024", "on 3 March 2024", "from 1 May 2024 to 3 June 2024"."""
        first, last = self.first, self.last
        if first and last:
            if first == last:
                return f"on {spoken(first)}"
            if first == date(last.year, 1, 1) and last == date(last.year, 12, 31):
                return f"in {first.year}"
            if first.day == 1 and last == _month_end(first):
                return f"in {MONTHS[first.month - 1]} {first.year}"
            return f"from {spoken(first)} to {spoken(last)}"
        if first:
            return f"on {spoken(first)} or later"
        return f"on {spoken(last)} or earlier" if last else "at any time"


def spoken(day: date) -> str:
    """Return a day in words: 3 March 2024."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def days(first: date | None, last: date | None) -> str:
    """Return a period as a reader sees it: "1 December 2025 to 28 February 2026"."""
    if first and last:
        return spoken(first) if first == last else f"{spoken(first)} to {spoken(last)}"
    return f"{spoken(first)} or later" if first else f"{spoken(last)} or earlier" if last else "any time"


def is_plain(value: str) -> bool:
    """Return whether a value is an ISO date, or a range of two, so that no note has to explain it."""
    return all(_ISO.fullmatch(side.strip()) or not side.strip() for side in value.split(".."))


def read_period(value: str, today: date) -> Period | None:
    """Return the period that a value means, or None if it is none."""
    try:
        first, dots, last = value.partition("..")
        if not dots:
            return _one(value, today)
        begin, end = (_one(side, today) if side.strip(" .") else Period(None, None) for side in (first, last))
    except (ValueError, OverflowError):  # 2024-02-31, the year 0, 9999 years ago
        return None
    if not begin or not end or (begin.first is None and end.last is None):
        return None
    if begin.first and end.last and begin.first > end.last:
        return None
    return Period(begin.first, end.last)


def _one(value: str, today: date) -> Period | None:
    """Return the period of an expression without dots.

    Raises:
        ValueError, OverflowError: there is no such day.
    """
    if match := _ISO.fullmatch(value.strip()):
        year, month, day = int(match[1]), int(match[2] or 0), int(match[3] or 0)
        if day:
            return Period(date(year, month, day), date(year, month, day))
        if match[2]:
            return _months(date(year, month, 1), 1)
        return Period(date(year, 1, 1), date(year, 12, 31))
    text = " ".join(value.replace("-", " ").replace("_", " ").replace(",", " ").casefold().split())
    readers: tuple[Callable[[str, date], Period | None], ...] = (_written_day, _day_or_week, _ago, _past, _part)
    return next((found for read in readers if (found := read(text, today))), None)


def _written_day(text: str, today: date) -> Period | None:
    for pattern in _WRITTEN:
        if (match := pattern.fullmatch(text)) and match["month"] in _MONTHS:
            day = date(int(match["year"]), _MONTHS[match["month"]], int(match["day"]))
            return Period(day, day)
    return None


def _day_or_week(text: str, today: date) -> Period | None:
    monday = today - timedelta(days=today.weekday())
    match text:
        case "today":
            return Period(today, today)
        case "yesterday":
            return Period(today - timedelta(days=1), today - timedelta(days=1))
        case "this week":
            return Period(monday, monday + timedelta(days=6))
        case "last week":
            return Period(monday - timedelta(days=7), monday - timedelta(days=1))
        case _:
            return None


def _ago(text: str, today: date) -> Period | None:
    """Return the days around "3 weeks ago": nobody remembers the day."""
    if not (match := _AGO.fullmatch(text)) or not (number := _number(match["number"])):
        return None
    unit = match["unit"]
    day = _back(today, number, unit)
    around = timedelta(days=0 if unit == "day" and number <= _EXACT_DAYS else _ABOUT_DAYS[unit])
    return Period(day - around, min(day + around, today))


def _past(text: str, today: date) -> Period | None:
    """Return the days of "last 3 months", until today."""
    if not (match := _PAST.fullmatch(text)) or not (number := _number(match["number"])):
        return None
    return Period(_back(today, number, match["unit"]), today)


def _part(text: str, today: date) -> Period | None:
    """Return a year, a month or a season: "last month", "in March", "summer 2023", "winter"."""
    if not (match := _PART.fullmatch(text)):
        return None
    name, which, year = match["name"], match["which"], match["year"]
    if name == "year" and which and not year:
        of = today.year - (which != "this")
        return Period(date(of, 1, 1), date(of, 12, 31))
    if name == "month" and which and not year:
        return _months(_shifted(today, -(which != "this")), 1)
    month, length = (_SEASONS[name], 3) if name in _SEASONS else (_MONTHS.get(name, 0), 1)
    if not month or (year and which):
        return None
    if year:
        return _months(date(int(year), month, 1), length)
    # the latest one that has ended for "last", otherwise the latest that has begun
    firsts = [date(today.year - back, month, 1) for back in range(3)]
    if which in ("last", "past"):
        return next(_months(first, length) for first in firsts if _shifted(first, length) <= today)
    return next(_months(first, length) for first in firsts if first <= today)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBERS.get(text, 0)


def _back(today: date, number: int, unit: str) -> date:
    if unit in ("day", "week"):
        return today - timedelta(days=number * (7 if unit == "week" else 1))
    month = _shifted(today, -number * (12 if unit == "year" else 1))
    return month.replace(day=min(today.day, _month_end(month).day))


def _shifted(day: date, months: int) -> date:
    """Return the first day of the month that many months later."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)


def _month_end(day: date) -> date:
    return date(day.year, 12, 31) if day.month == 12 else _shifted(day, 1) - timedelta(days=1)


def _months(first: date, count: int) -> Period:
    return Period(first, _month_end(_shifted(first, count - 1)))
