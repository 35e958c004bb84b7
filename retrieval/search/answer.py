"""The types of an answer, shared by the page, the API, the command line and the evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, computed_field

from ingest.settings import SortOrder
from retrieval.search.conditions import Condition
from retrieval.search.fusion import Mode, Retriever, Scores
from retrieval.search.spelling import Correction

Sort = SortOrder


class Reason(BaseModel):
    """One part of a hit's score: how much a field adds to it through one retriever.

    `passage` is the text that matched, `span` the stretch of it to show, and `matches` the question's words in it. If
    the passage has times, `start_s` to `end_s` is when it is spoken or shown. `encoder` is the model of the dense
    retriever that it comes from; the other retrievers have none.
    """

    field: str
    retriever: Retriever
    encoder: str = ""
    contribution: float
    passage: str
    span: tuple[int, int]
    matches: list[tuple[int, int]]
    start_s: float | None
    end_s: float | None

    @computed_field(deprecated=True, description="The older name of `retriever`.")  # type: ignore[prop-decorator]
    @property
    def lane(self) -> Retriever:
        return self.retriever


class Hit(BaseModel):
    """A video with its rank, its score and its reasons, strongest first. The reasons' contributions add up to the
    score.

    `confidence`, from 0 to 1, is the estimated chance that this is the video that was meant. `good` says whether it
    reaches the cut-off (docs/explanation/confidence.md).
    """

    id: str
    rank: int
    score: float
    explanation: list[Reason]
    confidence: float = 1.0
    good: bool = True


class Answer(BaseModel):
    """The result of a search.

    `text` is what was searched for, with typos corrected. If it is empty, only the conditions decide. `sort` is the
    order: by relevance, or if only conditions decide, the newest videos first, or with conditions on lists or times of
    meeting a video, the one met last. `total` videos meet the conditions; `hits` are the requested page of them.
    Videos with the `preferred` tags and creators count more. `notes` are sentences for the user: corrections, videos
    left out, conditions that no video meets. `confidence` is the highest of the first hits, on every page; `good` is
    false if none of them reaches the cut-off ("no good match"). `corrections` are the words that were searched for
    instead of others; `exact` says that none was to be.
    """

    query: str
    text: str
    conditions: list[Condition]
    notes: list[str]
    mode: Mode
    generation: str
    encoder: str
    total: int
    hits: Sequence[Hit]
    timings_ms: dict[str, float] = Field(description="Milliseconds by step.")
    confidence: float = 1.0
    good: bool = True
    sort: Sort = "relevance"
    preferred: list[Condition] = []
    corrections: Sequence[Correction] = ()
    exact: bool = False

    @computed_field(deprecated=True, description="The older name of `mode`.")  # type: ignore[prop-decorator]
    @property
    def lane(self) -> Mode:
        return self.mode


@dataclass(frozen=True)
class Rescored:
    """What the reranker adds to a video's score for its best passage, `row` of `field`."""

    field: str
    row: int
    contribution: float


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The scores of every video for a question.

    Attributes:
        query: the question as it was searched for, with `corrections` made.
        scores: one per video, shape (videos,): the sum of `dense`, `keyword` and `rescored`.
        dense: contributions by encoder of the generation and by field, shape (encoders, FIELDS, videos).
        keyword: contributions by field, shape (FIELDS, videos).
        parts: by name (fusion.PARTS), what each fusion weight multiplies, shape (videos,).
        passage_scores: for each encoder by field, the cosine of every passage, shape (passages,). It is empty for an
            encoder that has no part in the scores.
        known_idfs: by analyser, the idf of every term of the question that some video has.
        idfs: those of `known_idfs` that are informative.
        phrases: the words that the question wants next to each other.
        rescored: by video, what a cross-encoder adds.
    """

    query: str
    scores: Scores
    dense: Scores
    keyword: Scores
    parts: Mapping[str, Scores]
    passage_scores: Sequence[Mapping[str, NDArray[np.float32]]]
    known_idfs: Mapping[str, Mapping[str, float]]
    idfs: Mapping[str, Mapping[str, float]]
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    corrections: Sequence[Correction] = ()
    phrases: Sequence[tuple[str, ...]] = ()
    rescored: Mapping[int, Rescored] = field(default_factory=dict)

    def order(self, among: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Return the videos, or those in the mask `among`, best first. Equal scores stay in the order of the ids."""
        order = np.argsort(-self.scores, kind="stable")
        return order if among is None else order[among[order]]
