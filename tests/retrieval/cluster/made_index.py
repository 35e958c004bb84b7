"""An index of made videos in several segments, questions about them, and what an answer must have in common."""

import random
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from retrieval.index import builder
from retrieval.index.documents import Document, document
from retrieval.search.answer import Answer
from tests.retrieval.conftest import entry
from tests.retrieval.fake_encoder import FakeEncoder

THINGS = ["teapot", "bread", "train", "cat", "bicycle", "guitar", "volcano", "lighthouse", "penguin", "robot", "chess"]
DOES = ["falls", "breaks", "sings", "sleeps", "explodes", "wins", "travels", "dances", "hides", "burns"]
WHERE = ["kitchen", "mountain", "station", "harbour", "museum", "desert", "cellar", "balcony"]
RAMBLING = (
    "I think it was last winter, my sister sent it to me, there was a penguin that sings, or it was a robot, in a"
    " museum or a station, and then the guitar explodes, everybody laughs, and a cat sleeps through all of it"
)
QUESTIONS = (
    "the penguin sings in the museum",
    "robots explode",
    "a vulcano in the kichen",  # misspelt
    "guitar user3",
    "@user5 train #train",
    '"cat sleeps"',
    "bread -museum",
    "lighthouse lang:en",
    "was dort im Museum brennt",
    RAMBLING,
)


def documents(videos: int, seed: int = 3, first: int = 0) -> list[Document]:
    """Make videos, most of them with speech, comments and words in the picture."""
    rng = random.Random(seed)

    def said() -> str:
        return f"the {rng.choice(THINGS)} {rng.choice(DOES)} in the {rng.choice(WHERE)}"

    return [
        document(
            entry(
                str(70000 + number),
                f"{said()} #{rng.choice(THINGS)}" if number % 3 else "",
                f"user{number % 7}",
                [(0.0, 4.0, said()), (4.0, 8.0, said())] if number % 2 else None,
                said() if number % 5 == 0 else "",
                [said() for _ in range(number % 4)],
                posted=f"202{number % 4}-06-15",
                language="en",
            )
        )
        for number in range(first, first + videos)
    ]


def build_in_segments(made: Sequence[Document], indexes: Path, segment: int, *encoders: FakeEncoder) -> None:
    """Build an index whose new segments have so many videos."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builder, "AT_ONCE", segment)
        builder.build(made, indexes, *encoders)


def assert_equal(one: Answer, other: Answer) -> None:
    """Compare answers: hits, scores, reasons, and what is said of them. Only the time that they took may differ."""
    _compare(_compared(one), _compared(other), one.query)


def _compared(answer: Answer) -> dict[str, Any]:
    """Return what to compare: hits whose scores differ by a rounding error may be in any order."""
    found = answer.model_dump(exclude={"timings_ms", "parts", "parts_answered"})
    equal = groupby(found["hits"], lambda hit: round(hit["score"], 9))
    hits = [hit for _, hits in equal for hit in sorted(hits, key=lambda hit: hit["id"])]
    ranks = [hit["rank"] for hit in found["hits"]]
    return found | {"hits": [hit | {"rank": rank} for hit, rank in zip(hits, ranks, strict=True)]}


def _compare(one: Any, other: Any, where: str) -> None:
    if isinstance(one, float):
        assert other == pytest.approx(one, abs=1e-6, rel=1e-6), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            _compare(one[key], other[key], f"{where} {key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for number, (of_one, of_other) in enumerate(zip(one, other, strict=True)):
            _compare(of_one, of_other, f"{where} {number}")
    else:
        assert one == other, where
