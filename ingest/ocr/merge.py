"""Lines read on stills and on frames of a video -> one text without repetitions, and the times of each line."""

import re
from collections.abc import Iterable, Sequence

from rapidfuzz import fuzz

from ingest.catalog.entries import Segment
from ingest.ocr.result import letters

SAME = 80.0  # of 100, rapidfuzz's ratio: two readings of a line differ by a letter or two
CONFIDENT = 0.8  # needed for a line on only one frame: textures read as letters rarely last
NUMBER = re.compile(r"(?<!\w)\d+(?!\w)")  # as a word: within a word a digit is often a misread letter
MIN_LETTERS = 3  # of a line on a frame: any moving picture has shorter ones

Line = tuple[str, float]  # the text, and the confidence of the engine, 0 to 1


def join(
    stills: Iterable[Sequence[Line]], shown: Iterable[tuple[float, float, Sequence[Line]]]
) -> tuple[str, list[Segment]]:
    """Join the lines of stills, and of frames with the seconds from and to which they are shown, in order.

    Return the text with one line per line, and the lines of the frames with their times. A repeated line is kept once,
    in its most confident reading, from its first second to its last.
    """
    kept: list[Line] = []
    for still in stills:
        before = {_bare(text) for text, _ in kept}
        kept += [line for line in still if _bare(line[0]) not in before]
    seen: list[_Seen] = []
    for start_s, end_s, lines in shown:
        before_frame = list(seen)  # lines of the same frame are not compared: entries of a list may differ by a letter
        for line in lines:
            if letters(line[0]) >= MIN_LETTERS:
                known = next((one for one in before_frame if _same(one.best[0], line[0])), None)
                if known:
                    before_frame.remove(known)
                    known.add(end_s, line)
                else:
                    seen.append(_Seen(start_s, end_s, line))
    segments: list[Segment] = []
    texts = [text for text, _ in kept]
    untimed = list(range(len(kept)))
    for one in seen:
        number = next((n for n in untimed if _same(texts[n], one.best[0])), None)
        if number is not None:  # a cover is often a frame of its video: its line gets a time
            untimed.remove(number)
            one.best = max(one.best, kept[number], key=lambda line: line[1])
            texts[number] = one.best[0]
        elif one.times > 1 or one.best[1] >= CONFIDENT:
            texts.append(one.best[0])
        else:
            continue
        segments.append(Segment(one.start_s, one.end_s, one.best[0]))
    return "\n".join(texts), segments


class _Seen:
    """A line on frames."""

    def __init__(self, start_s: float, end_s: float, line: Line) -> None:
        self.start_s, self.end_s, self.best, self.times = start_s, end_s, line, 1

    def add(self, end_s: float, line: Line) -> None:
        """Add another frame with this line."""
        self.end_s, self.times = max(self.end_s, end_s), self.times + 1
        self.best = max(self.best, line, key=lambda one: one[1])


def _same(one: str, other: str) -> bool:
    """Whether two lines are readings of the same one; "part 1" and "part 2" are not, nor are two prices."""
    return NUMBER.findall(one) == NUMBER.findall(other) and fuzz.ratio(_bare(one), _bare(other)) >= SAME


def _bare(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())
