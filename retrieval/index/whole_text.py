"""Which passage each stretch of a whole video's text belongs to.

Windows of speech overlap. A stretch that two windows share belongs to the later one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from retrieval.index.documents import OVERVIEW, TEXT_FIELDS, Document, Passage

WINDOWED = ("transcript", "cover")  # fields whose passages may overlap


@dataclass(frozen=True)
class Stretch:
    """From character `at` on, to the next stretch, the whole text is passage `passage` of `field`."""

    at: int
    field: str
    passage: int


def stretches(doc: Document) -> list[Stretch]:
    """Return the stretches of a document's whole text, in order. The first is at 0, and every character is in one."""
    if OVERVIEW not in doc.passages:
        return []
    whole = doc.passages[OVERVIEW][0].text
    found: list[Stretch] = []
    start = 0
    for field in (name for name in TEXT_FIELDS if name in doc.texts):
        text = doc.texts[field]
        starts = _starts(text, doc.passages[field], overlapping=field in WINDOWED)
        found += [Stretch(start + at, field, number) for number, at in enumerate(starts)]
        start += len(text) + 1
    distinct = {stretch.at: stretch for stretch in found if stretch.at < len(whole)}  # of equal starts, the last
    return sorted(distinct.values(), key=lambda stretch: stretch.at)


def _starts(text: str, passages: Sequence[Passage], *, overlapping: bool) -> list[int]:
    """Return where in a field's text each of its passages starts, in order; the first one at 0.

    Passages and text differ in white space only, or nearly so: positions are counted in other characters.
    """
    if len(passages) < 2:
        return [0] * len(passages)
    lengths = [_inked(passage.text) for passage in passages]
    starts, end = [0], lengths[0]
    for (one, other), length in zip(pairwise(passages), lengths[1:], strict=True):
        shared = _inked(other.text[: _overlap(one.text, other.text)]) if overlapping else 0
        starts.append(end - shared)
        end += length - shared
    inked = [at for at, character in enumerate(text) if not character.isspace()]
    scale = len(inked) / end if end else 0.0  # 1, unless the passages are not the whole text
    return [0] + [inked[min(len(inked) - 1, round(start * scale))] if inked else 0 for start in starts[1:]]


def _inked(text: str) -> int:
    return sum(not character.isspace() for character in text)


def _overlap(one: str, other: str) -> int:
    """Return how many characters `other` begins with that `one` ends with. They begin after a space."""
    longest = min(len(one), len(other))
    return next(
        (n for n in range(longest, 0, -1) if one.endswith(other[:n]) and (n == len(one) or one[-n - 1].isspace())), 0
    )
