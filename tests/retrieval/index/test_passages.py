"""Passages are read by row, over the segments."""

from retrieval.index.documents import Mark, Passage
from retrieval.index.passages import PassagePart, Passages

COMMENTS = [["first", "", "ünï 🐈"], [], ["four"], ["five", "six"]]
SPEECH = [
    Passage("said", (Mark(0, 1.0, 2.0), Mark(2, 2.0, 3.5))),
    Passage("silent"),
    Passage("late", (Mark(0, 9.0, 9.5),)),
]


def test_any_stretch_of_rows_is_read_with_its_times() -> None:
    parts = [
        PassagePart.build([{"comments": [Passage(text) for text in video]} for video in COMMENTS[:2]]),
        PassagePart.build([{"comments": [Passage(text) for text in video]} for video in COMMENTS[2:]]),
        PassagePart.build([{"transcript": SPEECH[:1]}, {"transcript": SPEECH[1:]}]),
    ]
    read, every = Passages(parts), [text for video in COMMENTS for text in video]
    for first in range(len(every) + 1):
        for end in range(first, len(every) + 1):
            assert [passage.text for passage in read("comments", range(first, end))] == every[first:end]
    for first in range(4):
        for end in range(first, 4):
            assert read("transcript", range(first, end)) == SPEECH[first:end]
