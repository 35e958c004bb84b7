"""The result of every OCR engine: words with boxes and confidences, joined into lines of text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingest.settings import Engine
from scraper.errors import UserError

WIDE_FROM = "\u2e80"  # Chinese, Japanese and Korean from here on; one such character counts as ...
WIDE_LETTERS = 2  # ... this many letters
MIN_LINE = 2  # letters or digits; a single one is usually the corner of something

Line = tuple[str, float]  # the text, and the confidence of the engine, 0 to 1
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the upright picture


class OcrError(UserError):
    """An engine cannot be used. The message says what to install."""


class ReadingError(UserError):
    """An engine failed on one image. The message is for the ledger."""


@dataclass(frozen=True)
class Word:
    """A word with its box; `confidence` from 0 to 1."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True)
class Reading:
    """The text that an engine read on one picture, in reading order."""

    rows: tuple[tuple[Word, ...], ...]  # the words of each line
    engine: Engine  # "tesseract" or "rapidocr"

    @classmethod
    def of(cls, rows: Iterable[Sequence[Word]], engine: Engine) -> "Reading":
        """A reading from lines of words, without lines of a single stray character."""
        kept = (tuple(row) for row in rows if sum(letters(word.text) for word in row) >= MIN_LINE)
        return cls(tuple(kept), engine)

    @property
    def words(self) -> list[Word]:
        """All words."""
        return [word for row in self.rows for word in row]

    @property
    def lines(self) -> list[Line]:
        """The lines as text with confidence."""
        return [(" ".join(word.text for word in row), confidence(row) or 0.0) for row in self.rows]

    @property
    def text(self) -> str:
        """One line per line; "" without text."""
        return "\n".join(text for text, _ in self.lines)

    @property
    def confidence(self) -> float | None:
        """From 0 to 1; None without text."""
        return confidence(self.words)


def letters(text: str) -> int:
    """The number of letters and digits in a text; punctuation and emoji do not count."""
    return sum(WIDE_LETTERS if sign >= WIDE_FROM else 1 for sign in text if sign.isalnum())


def weight(words: Sequence[Word]) -> float:
    """The sum of the letters of words, each weighted by its confidence."""
    return sum(word.confidence * letters(word.text) for word in words)


def confidence(words: Sequence[Word]) -> float | None:
    """The mean confidence of words, weighted by their letters; None without words."""
    count = sum(letters(word.text) for word in words)
    return weight(words) / count if count else None
