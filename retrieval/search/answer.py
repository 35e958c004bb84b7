"""The types of an answer, which page, API, command line and evaluation share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from retrieval.search.fusion import Lane, Scores
from retrieval.search.query import Condition
from retrieval.search.spelling import Correction


class Reason(BaseModel):
    """One part of a hit's score. `span` is the stretch of `passage` to look at, `matches` the question's words in it,
    `start_s` to `end_s` when it is spoken."""

    field: str
    lane: Lane | Literal["reranker"]
    contribution: float
    passage: str
    span: tuple[int, int]
    matches: list[tuple[int, int]]
    start_s: float | None
    end_s: float | None


class Hit(BaseModel):
    """A video with its score and the reasons, strongest first, whose contributions add up to it. `confidence`, 0 to 1,
    is the chance that it is what was meant; `good`: that reaches the cut-off (docs/explanation/confidence.md)."""

    id: str
    rank: int
    score: float
    explanation: list[Reason]
    confidence: float = 1.0
    good: bool = True


class Answer(BaseModel):
    """What a search gives: `total` videos meet the conditions, `hits` are those asked for; milliseconds by step.

    `text` is what was searched for, corrected; where it is empty the conditions alone decide and the newest come first.
    `notes` are sentences for the user: what was corrected, left out, or is met by no video. `confidence` is that of the
    surest of the first hits of all, whichever were asked for; `good` is false where none of them reaches the cut-off:
    no good match.
    """

    query: str
    text: str
    conditions: list[Condition]
    notes: list[str]
    lane: Lane
    generation: str
    encoder: str
    total: int
    hits: Sequence[Hit]
    timings_ms: dict[str, float]
    confidence: float = 1.0
    good: bool = True


@dataclass(frozen=True)
class Rescored:
    """What a video's best passage, the `row` of a `field`, adds to its score."""

    field: str
    row: int
    contribution: float


@dataclass(frozen=True)
class Ranking:
    """Every video scored. `dense` and `keyword` are contributions, shape (FIELDS, videos); `scores` their sum
    and that of `rescored`: what a cross-encoder adds to the videos that it has read.

    `query` is the question as the keyword lane read it, with the words in `corrections` corrected; `phrases` are the
    words that it wants side by side. `parts` has by name (fusion.PARTS) what a weight multiplies, each of shape
    (videos,). By analyser: `known` has the idf of every term of `query` that a video holds, `idfs` of those that tell
    something.
    """

    query: str
    scores: Scores
    dense: Scores
    keyword: Scores
    parts: dict[str, Scores]
    passage_scores: dict[str, NDArray[np.float32]]
    known: dict[str, dict[str, float]]
    idfs: dict[str, dict[str, float]]
    timings_ms: dict[str, float]
    corrections: list[Correction]
    phrases: list[tuple[str, ...]]
    rescored: dict[int, Rescored]

    def order(self) -> NDArray[np.int64]:
        """All videos, best first; ties by id (the videos' own order)."""
        return np.argsort(-self.scores, kind="stable")
