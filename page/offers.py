"""A question as people say it -> filters to offer: "the accordion I liked last winter" -> liked last winter.

Nothing is filtered by itself: the words may be what is said in a video. A press on an offer sets the filter and takes
its words out of the question.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

import regex

from ingest.language_names import code_of
from page.html import text
from retrieval.search.conditions import Kind
from retrieval.search.filter_values import condition

MAX_OFFERS = 3
VERBS: dict[str, Kind] = {
    **dict.fromkeys(("liked", "hearted"), "liked"),
    **dict.fromkeys(("saved", "bookmarked", "favorited", "favourited"), "saved"),
    "watched": "watched",
    "shared": "shared",
    **dict.fromkeys(("saw", "seen", "met", "found"), "seen"),
    **dict.fromkeys(("posted", "uploaded", "made", "from"), "posted"),
}
_SEASON = "spring|summer|autumn|fall|winter"
_MONTH = "january|february|march|april|may|june|july|august|september|october|november|december"
_WHEN = regex.compile(
    rf"(?:\b(?:that |which |when )?(?:i |i've |was )?(?P<verb>{'|'.join(VERBS)})(?: it)?\s+)?"
    rf"\b(?:in |during |from |on )?(?:the )?(?P<when>(?:last|past|this) (?:week|month|year|{_SEASON}|{_MONTH})"
    r"|yesterday"
    rf"|(?:last|past) (?:\d{{1,3}}|few|two|three) (?:days|weeks|months|years)"
    rf"|(?:about )?(?:\d{{1,3}}|a|an|two|three|a few) (?:day|week|month|year)s? ago"
    rf"|(?:{_SEASON}|{_MONTH}) (?:of )?20\d\d|(?<=\bin )20\d\d)\b",
    regex.IGNORECASE,
)
_LONG = regex.compile(
    r"\b(?:that (?:was|is) |it (?:was|is) )?"
    r"(?P<how>shorter than|less than|under|below|longer than|more than|over|above)"
    r" (?P<number>\d{1,3}|an?|one|half a|two|three|five|ten) ?"
    r"(?P<unit>seconds?|secs?|s|minutes?|mins?|m|hours?)\b(?: long)?",
    regex.IGNORECASE,
)
_LANGUAGE = regex.compile(r"\b(?:that (?:was|is) )?in (?P<language>\p{Lu}\p{L}{3,20})\b")
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "five": 5, "ten": 10}
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_JOINTS = " ,;.\n"  # what is left between the words that were taken out


@dataclass(frozen=True)
class Offer:
    """A filter that words of a question may mean: what it says, its setting, and the question without those words."""

    label: str
    name: str
    value: str
    rest: str


def offers(typed: str, chosen: Mapping[str, str], today: date | None = None, *, lists: bool = True) -> list[Offer]:
    """Return the filters that a question may mean, in its order, without those of `chosen`.

    `lists` is whether it is known when the person met the videos.
    """
    today = today or date.today()
    found: list[tuple[int, Offer]] = []

    def offer(match: "regex.Match[str]", kind: Kind, value: str) -> None:
        if chosen.get(kind) or not (made := condition(kind, value, today)):
            return
        rest = f"{typed[: match.start()].rstrip(_JOINTS)} {typed[match.end() :].lstrip(_JOINTS)}".strip()
        found.append((match.start(), Offer(made.named(), kind, value, rest)))

    for match in _WHEN.finditer(typed):
        kinds: list[Kind] = [VERBS[match["verb"].lower()]] if match["verb"] else ["seen", "posted"]
        for kind in kinds:
            if lists or kind == "posted":
                offer(match, kind, match["when"].lower())
    for match in _LONG.finditer(typed):
        if length := _length(match):
            offer(match, "length", length)
    for match in _LANGUAGE.finditer(typed):
        if code := code_of(match["language"]):
            offer(match, "lang", code)
    return [one for _, one in sorted(found, key=lambda pair: pair[0])][:MAX_OFFERS]


def _length(match: "regex.Match[str]") -> str:
    """Return a length as its filter takes it: <60s."""
    unit = _SECONDS[match["unit"][0].lower()]
    number = match["number"].lower()
    seconds = unit // 2 if number == "half a" else unit * (int(number) if number.isdigit() else _NUMBERS[number])
    sign = "<" if match["how"].lower() in ("shorter than", "less than", "under", "below") else ">"
    return f"{sign}{seconds}s"


def offers_html(made: list[Offer]) -> str:
    """Return offers as buttons that set the filters."""
    if not made:
        return ""
    items = "".join(
        f'<li><button type="button" data-set="{text(urlencode({"q": one.rest, one.name: one.value}))}">'
        f"Only {text(one.label)}</button></li>"
        for one in made
    )
    return f'<ul class="chips" id="offers" aria-label="Filters that you may mean">{items}</ul>'
