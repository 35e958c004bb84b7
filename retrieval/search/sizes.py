"""A length or a count as people write it -> bounds: <30s, 1m..3m, >10k."""

from collections.abc import Callable
from dataclasses import dataclass

import regex

_CLOCK = regex.compile(r"(?:(\d{1,3}):)?(\d{1,4}):(\d{2})")
_LENGTH = regex.compile(r"(?:(\d{1,3})h)?(?:(\d{1,4})m(?:in)?)?(?:(\d{1,6})s?(?:ec)?)?")
_COUNT = regex.compile(r"(\d{1,12}(?:\.\d{1,6})?)([kmb]?)")
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
_SIGNED = regex.compile(r"(<=|>=|[<>≤≥])(.+)")
LENGTH_EXAMPLES = "<30s, 1m..3m or >5m"
COUNT_EXAMPLES = ">10k, <500 or 1k..5k"


@dataclass(frozen=True)
class Bounds:
    """Whole numbers from `low` on, and below `high`. None is no limit."""

    low: int = 0
    high: int | None = None

    @property
    def value(self) -> str:
        """The bounds as a condition has them: 60..181, 300.., 0..30."""
        return f"{self.low}..{'' if self.high is None else self.high}"

    @classmethod
    def from_value(cls, value: str) -> "Bounds":
        """Return the bounds whose `value` this is."""
        low, _, high = value.partition("..")
        return cls(int(low), int(high) if high else None)

    def describe_length(self) -> str:
        """Return what such a video is: "1:00 to 3:00 long"."""
        if self.high is None:
            return f"{clock(self.low)} or longer"
        if not self.low:
            return f"shorter than {clock(self.high)}"
        low, high = clock(self.low), clock(self.high - 1)
        return f"{low} long" if low == high else f"{low} to {high} long"

    def describe_count(self, unit: str) -> str:
        """Return so many of a unit: "1,000 to 5,000 likes"."""
        if self.high is None:
            return f"{self.low:,} {unit} or more"
        if not self.low:
            return f"fewer than {self.high:,} {unit}"
        return f"{self.low:,} to {self.high - 1:,} {unit}" if self.low + 1 < self.high else f"{self.low:,} {unit}"


def clock(seconds: float) -> str:
    """Return seconds as a player shows them: 0:12, 1:02:03."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def read_length(value: str) -> Bounds | None:
    """Return the bounds in seconds, or None if the value is no length. "3m" is all that a player shows as 3 minutes."""
    return _bounds(value, _seconds)


def read_count(value: str) -> Bounds | None:
    """Return the bounds of a count, or None if the value is none."""
    return _bounds(value, _number)


def _bounds(value: str, read: Callable[[str], tuple[int, int] | None]) -> Bounds | None:
    """`read` gives the first number that a value stands for, and the first above those that it stands for."""
    text = "".join(value.split()).lower()
    if match := _SIGNED.fullmatch(text):
        if not (at := read(match[2])):
            return None
        sign = match[1]
        found = Bounds(at[0]) if sign in (">", ">=", "≥") else Bounds(high=at[0] if sign == "<" else at[0] + 1)
    else:
        low, dots, high = text.partition("..")
        first = read(low) if low else (0, 0)
        last = read(high) if high else None
        if first is None or (high and not last) or not (low or high):
            return None
        found = Bounds(first[0], last[0] + 1 if last else None) if dots else Bounds(*first)
    return found if found.high is None or found.low < found.high else None


def _seconds(text: str) -> tuple[int, int] | None:
    if match := _CLOCK.fullmatch(text):
        seconds = int(match[1] or 0) * 3600 + int(match[2]) * 60 + int(match[3])
        return seconds, seconds + 1
    if not text or not (match := _LENGTH.fullmatch(text)):
        return None
    hours, minutes, rest = match.groups()
    seconds = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(rest or 0)
    return seconds, seconds + (1 if rest else 60 if minutes else 3600)


def _number(text: str) -> tuple[int, int] | None:
    if not (match := _COUNT.fullmatch(text.replace(",", ""))):
        return None
    number = round(float(match[1]) * _UNITS[match[2]])
    return number, number + 1
