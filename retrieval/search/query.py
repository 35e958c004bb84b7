"""A typed question -> the text to rank by and the conditions: "phrase", @creator, #tag, -word, field:word, dates.

Smileys, links, "3:15" and a single quote are not operators: they stay words. Wanted phrases, tags and names count for
the ranking as well; excluded ones do not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import regex
from pydantic import BaseModel, ConfigDict

from retrieval.errors import BadFilter
from retrieval.index.analysis import plain, terms
from retrieval.index.documents import FIELD_ALIASES, TEXT_FIELDS

Kind = Literal["phrase", "creator", "tag", "lang", "before", "after", "has"]

# Names of the fields in operators, with the stored identifier of each.
FIELD_WORDS = {
    **{field: field for field in TEXT_FIELDS},
    **{FIELD_ALIASES[field]: field for field in TEXT_FIELDS if field in FIELD_ALIASES},
    **dict.fromkeys(("desc", "caption", "title"), "description"),
    **dict.fromkeys(("by", "user", "author"), "creator"),
    **dict.fromkeys(("song", "sound"), "music"),
    **dict.fromkeys(("written", "text", "screen"), "cover"),
    **dict.fromkeys(("said", "says", "spoken"), "transcript"),
    "comment": "comments",
}
_KIND_WORDS: dict[str, Kind] = {
    **dict.fromkeys(("lang", "language"), "lang"),
    **dict.fromkeys(("tag", "hashtag"), "tag"),
    **dict.fromkeys(("before", "until"), "before"),
    **dict.fromkeys(("after", "since"), "after"),
    "has": "has",
}
_IN_FIELD = {
    "description": "in the description",
    "creator": "in the creator's name",
    "music": "in the music",
    "cover": "in the on-screen text",
    "transcript": "in the speech",
    "comments": "in the comments",
}
_HAS_FIELD = {
    "description": "a description",
    "creator": "a known creator",
    "music": "music",
    "cover": "on-screen text",
    "transcript": "speech",
    "comments": "comments",
}
# Replaced character by character, so that positions stay the same. Direction marks are invisible.
_MARKS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_NORMALISED = str.maketrans(dict.fromkeys("“”„‟«»〝〞＂", '"') | dict.fromkeys(_MARKS, " "))
_OPERATOR = regex.compile(
    r"""(?<![^\s(])(?P<minus>-)?(?:
        (?P<name>[A-Za-z]+):(?:"(?P<field_phrase>[^"]*)"|(?P<field_word>[^\s"]+))
      | "(?P<phrase>[^"]*)"
      | @(?P<creator>[\w.]+)(?=[\s,;:!?)"'’]|$)
      | (?P<tags>\#\w+(?:,?\#\w+)*)
      | (?<=-)(?P<word>\p{L}[^\s"]*)
    )""",
    regex.VERBOSE,
)
_CONTENT = regex.compile(r"[\p{L}\p{N}\p{So}]")  # letters, digits, emoji
_DAY = regex.compile(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2}))?)?")
_LANGUAGE = regex.compile(r"[A-Za-z]{2,12}(?:[-_][A-Za-z0-9]+)*")


class Condition(BaseModel):
    """What a video must meet, or with `exclude` must not.

    Attributes:
        value: by kind the phrase, the username, the hashtag without #, the language's code, the field that must not be
            empty (has), the first allowed ISO date (after), or the first date that is not allowed (before).
        field: the only field to search for the phrase; "" for any.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    value: str
    field: str = ""
    exclude: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The words of a phrase in the form in which they are compared."""
        return tuple(terms(self.value, plain)) if self.kind == "phrase" else ()

    def describe(self) -> str:
        """Describe a video that meets the condition: "by @maria", "without #cats"."""
        match self.kind:
            case "creator":
                return f"{'not ' * self.exclude}by @{self.value}"
            case "lang":
                return f"{'not ' * self.exclude}in the language {self.value}"
            case "before":
                return f"{'not ' * self.exclude}posted before {self.value}"
            case "after":
                return f"{'not ' * self.exclude}posted on {self.value} or later"
            case "has":
                return f"{'without' if self.exclude else 'with'} {_HAS_FIELD[self.value]}"
            case _:
                what = f"#{self.value}" if self.kind == "tag" else f'"{self.value}"'
                where = f" {_IN_FIELD[self.field]}" if self.field else ""
                return f"{'without' if self.exclude else 'with'} {what}{where}"


@dataclass(frozen=True)
class Question:
    """A parsed question.

    `text` is what to rank by. If there are only conditions, it is empty, and the newest videos come first. `literal`
    are words that must not be corrected.
    """

    text: str
    conditions: tuple[Condition, ...] = ()
    literal: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    phrases: tuple[Condition, ...] = field(init=False)

    def __post_init__(self) -> None:
        wanted = tuple(c for c in self.conditions if c.kind == "phrase" and not c.exclude)
        object.__setattr__(self, "phrases", wanted)

    def where(self, filters: Sequence[Condition]) -> "Question":
        """Return the question with more conditions."""
        conditions = tuple(dict.fromkeys([*self.conditions, *filters]))
        return Question(self.text, conditions, self.literal, self.notes)


def parse(typed: str) -> Question:
    """Parse a typed question. Nothing is an error: what is not an operator is a word."""
    conditions: list[Condition] = []
    notes: list[str] = []
    literal: set[str] = set()
    kept, words, at = [], False, 0
    for match in _OPERATOR.finditer(typed.translate(_NORMALISED)):
        found = _conditions(match, notes)
        if not found:
            continue
        conditions += found
        before = typed[at : match.start()]
        kept.append(before)
        words = words or bool(_CONTENT.search(before))
        kind, exclude = found[0].kind, found[0].exclude
        if not exclude and kind in ("phrase", "tag", "creator"):
            literal.update(terms(" ".join(one.value for one in found), plain))
            kept.append(found[0].value if match["name"] else match[0])
            words = words or kind != "creator"  # a name alone cannot rank: all of its videos match equally
        at = match.end()
    kept.append(typed[at:])
    words = words or not conditions or bool(_CONTENT.search(typed[at:]))
    text = " ".join("".join(kept).split()) if conditions else typed.strip()
    return Question(text if words else "", tuple(dict.fromkeys(conditions)), frozenset(literal), tuple(notes))


def filters(
    creator: str = "", tag: str = "", lang: str = "", after: str = "", before: str = "", has: str = ""
) -> list[Condition]:
    """Return the conditions of separate filter values, as a form has them. Empty values are no conditions.

    Raises:
        BadFilter: a value is not a date, or `has` names something that videos do not have.
    """
    made = []
    if name := creator.strip().lstrip("@").strip():
        made.append(Condition(kind="creator", value=name))
    made += [Condition(kind="tag", value=one) for one in tag.replace("#", " ").replace(",", " ").split()]
    if lang.strip():
        made.append(Condition(kind="lang", value=lang.strip()))
    days: Mapping[Kind, str] = {"after": after, "before": before}
    for kind, value in days.items():
        if value.strip():
            if not (day := first_day(value.strip())):
                raise BadFilter(kind, f"{value.strip()[:40]!r} is not a date; write 2022, 2022-03 or 2022-03-15")
            made.append(Condition(kind=kind, value=day))
    for one in has.replace(",", " ").split():
        if one.lower() not in FIELD_WORDS:
            raise BadFilter("has", f"no field {one[:40]!r}; write speech, onscreen, comments or music")
        made.append(Condition(kind="has", value=FIELD_WORDS[one.lower()]))
    return made


def first_day(value: str) -> str:
    """Return the first ISO date of a year, a month or a day; "" if it is none of these."""
    if not (match := _DAY.fullmatch(value)):
        return ""
    try:
        return date(int(match[1]), int(match[2] or 1), int(match[3] or 1)).isoformat()
    except ValueError:
        return ""


def _conditions(match: "regex.Match[str]", notes: list[str]) -> list[Condition]:
    """Return the conditions of a matched operator; none if it turns out to be ordinary text."""
    exclude = bool(match["minus"])
    if match["tags"]:
        tags = [tag for tag in match["tags"].replace(",", "").split("#") if tag]
        if all(tag.isdigit() for tag in tags):
            return []  # "the #1 fan"
        return [Condition(kind="tag", value=tag, exclude=exclude) for tag in tags]
    if match["creator"]:
        name = match["creator"].rstrip(".")
        return [Condition(kind="creator", value=name, exclude=exclude)] if terms(name, plain) else []
    name = match["name"]
    value = next((match[group] for group in ("field_phrase", "field_word", "phrase", "word") if match[group]), "")
    if name and name.lower() in _KIND_WORDS:
        return _keyed(_KIND_WORDS[name.lower()], value, exclude, match[0], notes)
    field_name = FIELD_WORDS.get(name.lower(), "") if name else ""
    if name and not field_name:  # "re:zero"
        return _phrase(match[0][1:], "", True) if exclude and match[0][1].isalpha() else []
    if field_name == "creator" and value.startswith("@") and terms(value, plain):
        return [Condition(kind="creator", value=value[1:].rstrip("."), exclude=exclude)]
    return _phrase(value, field_name, exclude)


def _phrase(value: str, field_name: str, exclude: bool) -> list[Condition]:
    value = " ".join(value.split())
    return [Condition(kind="phrase", value=value, field=field_name, exclude=exclude)] if terms(value, plain) else []


def _keyed(kind: Kind, value: str, exclude: bool, typed: str, notes: list[str]) -> list[Condition]:
    value = value.strip().rstrip(".,;!?)").removeprefix("#")
    if kind == "lang" and not _LANGUAGE.fullmatch(value):
        return []
    if kind == "has":
        value = FIELD_WORDS.get(value.lower(), "")
    if kind in ("before", "after"):
        day = first_day(value)
        if not day and value[:1].isdigit():
            notes.append(f"{typed} is not a date (write 2022, 2022-03 or 2022-03-15), so it was searched for as words.")
        value = day
    return [Condition(kind=kind, value=value, exclude=exclude)] if terms(value, plain) else []
