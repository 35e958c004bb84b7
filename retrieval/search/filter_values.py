"""Values of filters, as an operator, a form or an option has them -> conditions."""

from datetime import date

from ingest.language_names import code_of
from retrieval.errors import BadFilter
from retrieval.index.documents import FIELD_ALIASES, TEXT_FIELDS
from retrieval.search.conditions import Condition, Kind
from retrieval.search.lists import LIST_WORDS
from retrieval.search.periods import EXAMPLES, is_plain, read_period
from retrieval.search.sizes import COUNT_EXAMPLES, LENGTH_EXAMPLES, read_count, read_length

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
WHEN: tuple[Kind, ...] = ("seen", "liked", "saved", "watched", "shared")
PERIODS: tuple[Kind, ...] = ("posted", *WHEN)
MORE: tuple[Kind, ...] = ("in", *WHEN, "length", "likes", "source")
FILTERS: tuple[Kind, ...] = ("creator", "tag", "lang", "posted", "after", "before", "has", *MORE)
# what to write instead of a value that cannot be read
_NO_DATE = f"is not a time; write {EXAMPLES}"
NOT_UNDERSTOOD: dict[Kind, str] = {
    **dict.fromkeys(("before", "after"), 'is not a date; write 2022, 2022-03, 2022-03-15 or "last winter"'),
    **dict.fromkeys(PERIODS, _NO_DATE),
    "length": f"is not a length; write {LENGTH_EXAMPLES}",
    "likes": f"is not a number of likes; write {COUNT_EXAMPLES}",
    "lang": "is no language; write a name or a code, such as German or de",
    "has": "is no field; write speech, onscreen, comments or music",
}
MAX_TYPED_CHARS = 60  # of an expression of a date


def condition(kind: Kind, value: str, today: date, *, exclude: bool = False) -> Condition | None:
    """Return the condition of one value, or None if it cannot be read."""
    value = " ".join(value.split())
    typed, read = "", value
    if kind in ("before", "after") or kind in PERIODS:
        if len(value) > MAX_TYPED_CHARS or not (period := read_period(value, today)):
            return None
        typed = "" if is_plain(value) else value
        if kind in PERIODS:
            read = period.value
        else:
            if ".." in value or not period.first:
                return None
            read = period.first.isoformat()
    elif kind in ("length", "likes"):
        if not (bounds := read_length(value) if kind == "length" else read_count(value)):
            return None
        read = bounds.value
    elif kind == "lang":
        read = code_of(value) or value
    elif kind == "in":
        read = LIST_WORDS.get(value.casefold(), value)
    elif kind == "has":
        read = FIELD_WORDS.get(value.lower(), "")
    return Condition(kind=kind, value=read, exclude=exclude, typed=typed) if read else None


def filters(today: date | None = None, /, **values: str) -> list[Condition]:
    """Return the conditions of separate filter values (FILTERS), as a form has them. Empty values are no conditions.

    `today` is the day from which expressions such as "last winter" look back.

    Raises:
        BadFilter: a value cannot be read, or `has` names something that videos do not have.
    """
    today = today or date.today()
    made = []
    for kind in FILTERS:
        value = values.pop(kind, "").strip()
        match kind:
            case "creator":
                name = value.lstrip("@").strip()
                made += [Condition(kind=kind, value=name)] if name else []
            case "tag":
                made += [Condition(kind=kind, value=one) for one in value.replace("#", " ").replace(",", " ").split()]
            case "has":
                for one in value.replace(",", " ").split():
                    made += _read(kind, one, today)
            case _:
                made += _read(kind, value, today)
    if values:
        raise TypeError(f"no filter {', '.join(values)}")
    return made


def _read(kind: Kind, value: str, today: date) -> list[Condition]:
    if not value:
        return []
    if not (made := condition(kind, value, today)):
        raise BadFilter(kind, f"{value[:40]!r} {NOT_UNDERSTOOD[kind]}")
    return [made]
