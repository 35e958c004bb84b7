"""Lines from several looks at one picture -> each position once, in reading order."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingest.ocr import look_alikes
from ingest.ocr.result import Box, Reading, Word, weight

COVERED = 0.3  # share of the smaller of two boxes from which they have the same position
CLEARLY = 1.2  # times the weight: another engine's reading of a line then replaces it
GAP = 1.0  # line heights between two parts of a line


@dataclass
class Line:
    """Words on one line."""

    pass_: int  # which look at the picture found it
    order: int  # its number in the reading order of that look
    words: list[Word]

    @property
    def box(self) -> Box:
        """The box around all words."""
        lefts, tops, rights, bottoms = zip(*(word.box for word in self.words), strict=True)
        return min(lefts), min(tops), max(rights), max(bottoms)

    @property
    def weight(self) -> float:
        """The weight of all words."""
        return weight(self.words)


def merged(found: list[Line]) -> list[list[Word]]:
    """Merge the lines of several looks: each position on the picture once, by the line with the highest weight."""
    taken: list[Word] = []
    lines: list[Line] = []
    for line in sorted(found, key=lambda line: -line.weight):
        words = [word for word in line.words if not any(covers(word.box, other.box) for other in taken)]
        if not words:
            continue
        taken += words
        piece = replace(line, words=words)
        neighbour = next((other for other in lines if _on_one_line(piece.box, other.box)), None)
        if neighbour:
            neighbour.words += words
        else:
            lines.append(piece)
    for line in lines:
        line.words.sort(key=lambda word: word.box[0], reverse=_right_to_left(line.words))
    return [line.words for line in in_order(lines)]


def combined(first: Reading, second: Reading) -> Reading:
    """Combine two readings of one picture.

    A line of `second` replaces one of `first` at its position if it has clearly more weight, or more spaces between the
    same letters, or is of a script that RapidOCR does not know. The boxes of `first` may overlap, as those of turned
    lines do.
    """
    left = [(order, word) for order, row in enumerate(second.rows) for word in row]
    owners = [_owner(word, first) for _, word in left]
    lines: list[Line] = []
    owned = [
        [pair for pair, owner in zip(left, owners, strict=True) if owner == order] for order in range(len(first.rows))
    ]
    left = [pair for pair, owner in zip(left, owners, strict=True) if owner is None]
    for order, (row, same) in enumerate(zip(first.rows, owned, strict=True)):
        words = [word for _, word in same]
        more = weight(words) > CLEARLY * weight(row) or (_bare(words) == _bare(row) and len(words) > len(row))
        if more or look_alikes.of_another_script(words, row):
            left += same
        else:
            lines.append(Line(0, order, list(row)))
    for order in sorted({order for order, _ in left}):
        lines.append(Line(1, order, [word for at, word in left if at == order]))
    return Reading.of([line.words for line in in_order(lines)], first.engine)


def in_order(lines: list[Line]) -> list[Line]:
    """Reading order of the look with the most text, which knows columns. Other lines follow the nearest one."""
    weights: dict[int, float] = {}
    for line in lines:
        weights[line.pass_] = weights.get(line.pass_, 0.0) + line.weight
    best = max(sorted(weights), key=lambda pass_: weights[pass_], default=0)
    main = [line for line in lines if line.pass_ == best]

    def position(line: Line) -> tuple[int, int, int]:
        x, y = _middle(line.box)
        near = min(main, key=lambda other: (_middle(other.box)[1] - y) ** 2 + (_middle(other.box)[0] - x) ** 2 / 10)
        side = 0 if near is line else 1 if _middle(near.box)[1] < y else -1
        return near.order, side, line.box[1]

    return sorted(lines, key=position)


def _right_to_left(words: list[Word]) -> bool:
    kinds = [unicodedata.bidirectional(sign) for word in words for sign in word.text]
    return kinds.count("R") + kinds.count("AL") > kinds.count("L")


def covers(one: Box, other: Box) -> bool:
    """Whether two boxes have the same position."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:  # the common case: a page has half a million pairs
        return False
    smaller = min((one[2] - one[0]) * (one[3] - one[1]), (other[2] - other[0]) * (other[3] - other[1]))
    return width * height >= COVERED * smaller


def _on_one_line(one: Box, other: Box) -> bool:
    """Whether two boxes are neighbours on one line."""
    low, high = sorted((one[3] - one[1], other[3] - other[1]))
    shared = min(one[3], other[3]) - max(one[1], other[1])
    gap = max(one[0], other[0]) - min(one[2], other[2])
    return shared > low / 2 and gap < GAP * high


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _owner(word: Word, reading: Reading) -> int | None:
    """The number of the line at the position of a word; of turned lines, whose boxes overlap, that of most of it."""
    rows = [(max(_shared(word.box, one.box) for one in row), -order) for order, row in enumerate(reading.rows)]
    found = [pair for pair in rows if any(covers(word.box, one.box) for one in reading.rows[-pair[1]])]
    return -max(found)[1] if found else None


def _shared(one: Box, other: Box) -> int:
    width = min(one[2], other[2]) - max(one[0], other[0])
    return max(0, width) * max(0, min(one[3], other[3]) - max(one[1], other[1]))


def _bare(words: Sequence[Word]) -> str:
    return "".join(sign for word in words for sign in word.text.casefold() if sign.isalnum())
