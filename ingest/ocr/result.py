"""What every OCR engine gives back: words with their places and confidences, joined into lines of text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingest.settings import Engine
from scraper.errors import UserError

WIDE_FROM = "\u2e80"  # from here on lie Chinese, Japanese and Korean; one such character says as much as ...
WIDE_LETTERS = 2  # ... so many letters
MIN_LINE = 2  # letters or digits; a lone one is a corner of something

Line = tuple[str, float]  # what it says, and the engine's confidence, 0 to 1
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the upright picture


class OcrError(UserError):
    """An engine cannot be used at all; the message says what to install."""


class ReadingError(UserError):
    """An engine did not get through one image; one sentence for the ledger."""


@dataclass(frozen=True)
class Word:
    """A word and where it stands; `confidence` 0 to 1."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True)
class Reading:
    """What an engine read on one picture, in reading order."""

    rows: tuple[tuple[Word, ...], ...]  # the words of each line
    engine: Engine  # which one read it: "tesseract" or "rapidocr"

    @classmethod
    def of(cls, rows: Iterable[Sequence[Word]], engine: Engine) -> "Reading":
        """The reading of lines of words, without those that hold no more than a stray character."""
        kept = (tuple(row) for row in rows if sum(letters(word.text) for word in row) >= MIN_LINE)
        return cls(tuple(kept), engine)

    @property
    def words(self) -> list[Word]:
        return [word for row in self.rows for word in row]

    @property
    def lines(self) -> list[Line]:
        return [(" ".join(word.text for word in row), confidence(row) or 0.0) for row in self.rows]

    @property
    def text(self) -> str:
        """A line a line, "" where there is none."""
        return "\n".join(text for text, _ in self.lines)

    @property
    def confidence(self) -> float | None:
        """0 to 1, None without text."""
        return confidence(self.words)


def letters(text: str) -> int:
    """How many letters and digits a text holds; signs and emoji do not count."""
    return sum(WIDE_LETTERS if sign >= WIDE_FROM else 1 for sign in text if sign.isalnum())


def weight(words: Sequence[Word]) -> float:
    """How much words say: their letters, each as far as the engine is sure of it."""
    return sum(word.confidence * letters(word.text) for word in words)


def confidence(words: Sequence[Word]) -> float | None:
    """The mean confidence of words, each weighed by its letters; None without any."""
    count = sum(letters(word.text) for word in words)
    return weight(words) / count if count else None
