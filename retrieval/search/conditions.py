"""A condition of a question: what a video must meet, or must not."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from ingest.language_names import code_of_tag, name_of
from retrieval.index.analysis import plain, terms
from retrieval.search.lists import place
from retrieval.search.periods import Period, days
from retrieval.search.sizes import Bounds

Kind = Literal[
    "phrase",
    "creator",
    "tag",
    "lang",
    "posted",
    "before",
    "after",
    "has",
    "in",
    "seen",
    "liked",
    "saved",
    "watched",
    "shared",
    "length",
    "likes",
    "source",
]
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


class Condition(BaseModel):
    """What a video must meet, or with `exclude` must not.

    Attributes:
        value: by kind the phrase, the username, the hashtag without #, the code of a language, the field that must
            not be empty (has), the first allowed ISO date (after), the first date that is not allowed (before), the
            name of a list or collection (in), the source, the first and the last day with two dots between them
            (posted, seen, liked, saved, watched, shared), or the lowest number and the first that is too high (length
            in seconds, likes).
        field: the only field to search for the phrase; "" for any.
        typed: the expression that a date was given as, such as "last winter"; "" for a plain date.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    value: str
    field: str = ""
    exclude: bool = False
    typed: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """The words of a phrase in the form in which they are compared."""
        return tuple(terms(self.value, plain)) if self.kind == "phrase" else ()

    @property
    def period(self) -> Period:
        """The days of a condition on when a video was posted or seen."""
        return Period.from_value(self.value)

    @property
    def bounds(self) -> Bounds:
        """The numbers of a condition on the length or the likes."""
        return Bounds.from_value(self.value)

    def describe(self) -> str:
        """Describe a video that meets the condition: "by @maria", "without #cats", "liked in March 2024"."""
        no = "not " * self.exclude
        match self.kind:
            case "creator":
                return f"{no}by @{self.value}"
            case "lang":
                return (
                    f"{no}in {name_of(self.value)}" if code_of_tag(self.value) else f"{no}in the language {self.value}"
                )
            case "before":
                return f"{no}posted before {self.value}"
            case "after":
                return f"{no}posted on {self.value} or later"
            case "has":
                return f"{self._with()} {_HAS_FIELD[self.value]}"
            case "in":
                return f"{no}{place(self.value)}"
            case "posted" | "seen" | "liked" | "saved" | "watched" | "shared":
                return f"{no}{self.kind} {self.period.describe()}"
            case "length":
                return f"{no}{self.bounds.describe_length()}"
            case "likes":
                return f"{self._with()} {self.bounds.describe_count('likes')}"
            case "source":
                return f'{no}from the source "{self.value}"'
            case _:
                what = f"#{self.value}" if self.kind == "tag" else f'"{self.value}"'
                where = f" {_IN_FIELD[self.field]}" if self.field else ""
                return f"{self._with()} {what}{where}"

    def named(self) -> str:
        """Describe a video as the person wrote it, with the days: "liked last winter (1 December 2025 to ...)"."""
        if not self.typed or self.kind in ("before", "after"):
            return self.describe()
        no = "not " * self.exclude
        return f"{no}{self.kind} {self.typed} ({days(self.period.first, self.period.last)})"

    def note(self) -> str:
        """Return what an expression was taken for, or "" for a plain date."""
        if not self.typed:
            return ""
        if self.kind in ("before", "after"):
            return f'{self.kind}:"{self.typed}" was taken for {self.describe()}.'
        period = self.period
        return f'{self.kind}:"{self.typed}" was taken for {days(period.first, period.last)}.'

    def _with(self) -> str:
        return "without" if self.exclude else "with"
