"""A typed question -> the text to rank by and the conditions: "phrase", @creator, #tag, -word, field:word, in:list.

Smileys, links, "3:15" and a single quote are not operators: they stay words. Wanted phrases, tags and names count for
the ranking as well; excluded ones do not. Among other words, a #tag or @name is not a condition: people paste titles,
and remember tags wrong. understand.py reads the question again with what the videos have.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import regex

from ingest.text.emoji_names import EMOJI
from retrieval.index.analysis import plain, terms
from retrieval.search.conditions import Condition, Kind
from retrieval.search.filter_values import FIELD_WORDS, MORE, NOT_UNDERSTOOD, condition
from scraper.hashtags import TAG, hashtags_of

_KIND_WORDS: dict[str, Kind] = {
    **dict.fromkeys(("lang", "language"), "lang"),
    **dict.fromkeys(("tag", "hashtag"), "tag"),
    **dict.fromkeys(("before", "until"), "before"),
    **dict.fromkeys(("after", "since"), "after"),
    "posted": "posted",
    "has": "has",
    **{kind: kind for kind in MORE},
    "duration": "length",
    "list": "in",
}
# Marks of direction, hyphenation and line breaks come along when a text is copied, and nobody sees them.
_INVISIBLE = regex.compile(r"[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+")
# Replaced character by character, so that positions stay the same. Keyboards of East Asia give wide signs.
_NORMALISED = str.maketrans(dict.fromkeys("“”„‟«»‹›〝〞＂「」『』", '"') | {"：": ":", "＠": "@"})
_OPERATOR = regex.compile(
    rf"""(?<![^\s(])(?P<minus>-)?(?:
        (?P<name>[A-Za-z]+):(?:"(?P<field_phrase>[^"]*)"|(?P<field_word>[^\s"]+))
      | "(?P<phrase>[^"]*)"(?!\w)
      | @(?P<creator>[\w.]+)(?=[\s,;:!?)"'’]|$)
      | (?P<tags>{TAG}(?:,?{TAG})*)
      | (?<=-)(?P<word>(?:\p{{L}}|{EMOJI})[^\s"]*)
    )""",
    regex.VERBOSE | regex.V1,
)
CONTEXT = 3  # words before and after a minus that tell a dash from an exclusion
CONTEXT_CHARS = 100  # that these words have at most
MAX_MINUSES = 20  # of which it is asked whether they are dashes; a title has one or two
_CONTENT = regex.compile(r"[\p{L}\p{N}\p{So}]")  # letters, digits, emoji
_LANGUAGE = regex.compile(r"[\p{L}\p{M} ()'’]{2,40}(?:[-_][A-Za-z0-9]+)*")
_AFTER_WORD = ".,;:!?)…。、！？"


@dataclass(frozen=True)
class Minus:
    """A minus before a word, at character `at` of the typed question; `words` are that word and those around it."""

    at: int
    words: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A parsed question.

    `text` is what to rank by. If there are only conditions, it is empty, and the newest videos come first. `literal`
    are words that must not be corrected. Videos with the `preferred` tags and creators count more. `mixed` is whether
    there are words besides operators, `minuses` are those that exclude a word without quotes.
    """

    text: str
    conditions: tuple[Condition, ...] = ()
    literal: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    preferred: tuple[Condition, ...] = ()
    mixed: bool = False
    minuses: tuple[Minus, ...] = ()
    phrases: tuple[Condition, ...] = field(init=False)

    def __post_init__(self) -> None:
        wanted = tuple(c for c in self.conditions if c.kind == "phrase" and not c.exclude)
        object.__setattr__(self, "phrases", wanted)

    def where(self, filters: Sequence[Condition]) -> "Question":
        """Return the question with more conditions."""
        return replace(self, conditions=tuple(dict.fromkeys([*self.conditions, *filters])))


def parse(typed: str, today: date | None = None) -> Question:
    """Parse a typed question. Nothing is an error: what is not an operator is a word.

    Positions of the result are those of `visible(typed)`. `today` is the day from which expressions such as "last
    winter" look back.
    """
    today, typed = today or date.today(), visible(typed)
    conditions: list[Condition] = []
    signs: set[Condition] = set()  # tags and names with their sign
    named: set[Condition] = set()  # with the name of an operator
    minuses: list[Minus] = []
    notes: list[str] = []
    literal: set[str] = set()
    kept, words, quoted, at = [], False, False, 0
    for match in _OPERATOR.finditer(typed.translate(_NORMALISED)):
        found = _conditions(match, today, notes)
        if not found:
            continue
        before = typed[at : match.start()]
        kept.append(before)
        words = words or bool(_CONTENT.search(before))
        kind, exclude = found[0].kind, found[0].exclude
        conditions += found
        if not exclude:
            (named if match["name"] else signs).update(found)
        if not exclude and kind in ("phrase", "tag", "creator"):
            literal.update(terms(" ".join(one.value for one in found), plain))
            kept.append(found[0].value if match["name"] else match[0])
            quoted = quoted or match["phrase"] is not None
        if match["word"] and len(minuses) < MAX_MINUSES:
            minuses.append(Minus(match.start(), _around(typed, match.start())))
        at = match.end()
    kept.append(typed[at:])
    words = words or bool(_CONTENT.search(typed[at:]))
    preferred = [one for one in conditions if one in signs - named and one.kind != "phrase"] if words or quoted else []
    conditions = [one for one in conditions if one not in preferred]
    # a name alone cannot rank: all of its videos match equally
    ranks = words or not conditions or any(one.kind in ("phrase", "tag") and not one.exclude for one in conditions)
    text = " ".join("".join(kept).split()) if conditions else typed.strip()
    return Question(
        text if ranks else "",
        tuple(dict.fromkeys(conditions)),
        frozenset(literal),
        tuple(notes),
        tuple(dict.fromkeys(preferred)),
        words,
        tuple(minuses),
    )


def visible(typed: str) -> str:
    """Return a question without invisible marks, which would part an operator from its value."""
    return _INVISIBLE.sub("", typed)


def _around(typed: str, at: int) -> tuple[str, ...]:
    """Return the word after a minus, with up to CONTEXT words on either side."""
    before, after = typed[max(0, at - CONTEXT_CHARS) : at], typed[at + 1 : at + 1 + CONTEXT_CHARS]
    return (*terms(before, plain)[-CONTEXT:], *terms(after, plain)[: CONTEXT + 1])


def _conditions(match: "regex.Match[str]", today: date, notes: list[str]) -> list[Condition]:
    """Return the conditions of a matched operator; none if it turns out to be ordinary text."""
    exclude = bool(match["minus"])
    if match["tags"]:
        tags = hashtags_of(match["tags"])
        if all(tag.isdigit() for tag in tags):
            return []  # "the #1 fan"
        return [Condition(kind="tag", value=tag, exclude=exclude) for tag in tags]
    if match["creator"]:
        name = match["creator"].rstrip(".")
        return [Condition(kind="creator", value=name, exclude=exclude)] if terms(name, plain) else []
    name = match["name"]
    value = next((match[group] for group in ("field_phrase", "field_word", "phrase", "word") if match[group]), "")
    if match["word"]:
        value = value.rstrip(_AFTER_WORD)
    if name and name.lower() in _KIND_WORDS:
        return _keyed(_KIND_WORDS[name.lower()], value, exclude, today, match[0], notes)
    field_name = FIELD_WORDS.get(name.lower(), "") if name else ""
    if name and not field_name:  # "re:zero"
        return _phrase(match[0][1:], "", True) if exclude and match[0][1].isalpha() else []
    if field_name == "creator" and value.startswith("@") and terms(value, plain):
        return [Condition(kind="creator", value=value[1:].rstrip("."), exclude=exclude)]
    return _phrase(value, field_name, exclude)


def _phrase(value: str, field_name: str, exclude: bool) -> list[Condition]:
    value = " ".join(value.split())
    return [Condition(kind="phrase", value=value, field=field_name, exclude=exclude)] if terms(value, plain) else []


def _keyed(kind: Kind, value: str, exclude: bool, today: date, typed: str, notes: list[str]) -> list[Condition]:
    value = value.strip().rstrip(",;!?)")
    value = (value if value.endswith("..") else value.rstrip(".,;!?)")).removeprefix("#")
    if not terms(value, plain):
        return []
    if (kind != "lang" or _LANGUAGE.fullmatch(value)) and (made := condition(kind, value, today, exclude=exclude)):
        return [made]
    if kind in NOT_UNDERSTOOD and (
        kind in ("lang", "posted", *MORE) or value[:1].isdigit()
    ):  # not for "before:dinner" and "has:it"
        notes.append(f"{typed} {NOT_UNDERSTOOD[kind]}. It was searched for as words.")
    return []
