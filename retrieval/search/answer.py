"""The types of an answer, shared by the page, the API, the command line and the evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, computed_field

from ingest.settings import SortOrder
from retrieval.index.rows import Best
from retrieval.search.candidates import in_steps
from retrieval.search.choices import Choice
from retrieval.search.clauses import OfClauses
from retrieval.search.conditions import Condition
from retrieval.search.fusion import Mode, Moments, Retriever, Scores
from retrieval.search.spelling import Correction

Sort = SortOrder


class Reason(BaseModel):
    """One part of a hit's score: how much a field adds to it through one retriever.

    `passage` is the text that matched, `span` the stretch of it to show, and `matches` the question's words in it. If
    the passage has times, `start_s` to `end_s` is when it is spoken or shown. `encoder` is the model of the dense
    retriever that it comes from; the other retrievers have none. `parts` divides what the whole video adds among its
    fields. `exact_parts` is false if they are estimated, because the encoder does not pool by the mean.
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
    parts: list["Part"] = []
    exact_parts: bool = True
    picture: str = Field(default="", description="of the field `seen`: the sha256 of the picture that matched")
    thumbnail_url: str | None = Field(default=None, description="that picture on this server")

    @computed_field(deprecated=True, description="The older name of `retriever`.")  # type: ignore[prop-decorator]
    @property
    def lane(self) -> Retriever:
        return self.retriever


class Part(BaseModel):
    """What a field of a video adds to the contribution of the whole video. `passage` is the one that adds most."""

    field: str
    contribution: float
    passage: str


class Why(BaseModel):
    """Why a video was found: the passage that a person would point at, and a sentence that says it.

    The sentence has a `lead` that says where; the time and the quoted words; and `others`, what else speaks for the
    video. `passage`, `span`, `matches`, `start_s` and `end_s` are as those of a reason. `also` has how many other
    passages of each field speak for the video.
    """

    sentence: str
    lead: str
    others: str
    field: str
    passage: str
    span: tuple[int, int]
    matches: list[tuple[int, int]]
    start_s: float | None
    end_s: float | None
    also: dict[str, int]
    picture: str = Field(default="", description="of the field `seen`: the sha256 of the picture to show")
    thumbnail_url: str | None = Field(default=None, description="that picture on this server")


class Hit(BaseModel):
    """A video with its rank, its score and its reasons, strongest first. The reasons' contributions and `feedback`,
    what the choices of videos add, add up to the score.

    `why` says in one sentence why it was found; null if only conditions decide, or the video has no text. `confidence`,
    from 0 to 1, is the estimated chance that this is the video that was meant. `good` says whether it reaches the
    cut-off (docs/explanation/confidence.md). `copies` are the other videos that show the same, such as reposts: of
    them, the best is the hit, and the others are none.
    """

    id: str
    rank: int
    score: float
    explanation: list[Reason]
    why: Why | None = None
    confidence: float = 1.0
    good: bool = True
    feedback: float = 0.0
    copies: list[str] = Field(default=[], description="the ids of other copies of this video, which are no hits")


class Answer(BaseModel):
    """The result of a search.

    `text` is what was searched for, with typos corrected. If it is empty, only the conditions decide. `sort` is the
    order: by relevance, or if only conditions decide, the newest videos first, or with conditions on lists or times of
    meeting a video, the one met last. `total` videos meet the conditions, and of a ranking, copies of the same video
    are one; `hits` are the requested page of them. Videos with the `preferred` tags and creators count more. `notes`
    are sentences for the user: corrections, videos left out, conditions that no video meets. `confidence` is the
    highest of the first hits, on every page; `good` is false if none of them reaches the cut-off ("no good match").
    `corrections` are the words that were searched for instead of others; `exact` says that none was to be. `choices`
    are the videos that the one meant is nearer to, or not like; they refine the scores and are not among the hits. An
    index on several machines has several `parts`; if fewer have answered (`parts_answered`), the hits are those of
    these, and a note says so.
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
    choices: Sequence[Choice] = ()
    picture: str | None = Field(default=None, description="that was searched by")
    parts: int = 1
    parts_answered: int = 1

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
    """The scores of the candidates for a question: of every video, or of those that may be among the best.

    Attributes:
        query: the question as it was searched for, with `corrections` made.
        videos: the candidates, ascending, shape (candidates,). All arrays below are in this order.
        steps: see Candidates, shape (candidates,).
        scores: shape (candidates,): the sum of `dense`, `keyword`, `seen` and `rescored`.
        dense: contributions by encoder of the generation and by field, shape (encoders, FIELDS, candidates).
        keyword: contributions by field, shape (FIELDS, candidates).
        parts: by name (fusion.PARTS), what each fusion weight multiplies, shape (candidates,).
        best: for each encoder by field, the best passage of each candidate. It is empty for an encoder that has no part
            in the scores.
        whole: for each encoder, how the cosines of all whole videos less their hubness are spread, if they are known.
        vectors: of the question by the encoders; None for one that has no part in the scores.
        averages: for each encoder, the cosine from which a whole video adds to its score, shape (encoders, candidates).
        clauses: for each encoder, what the clauses of a long question add to whole videos; empty without any.
        known_idfs: by analyser, the idf of every term of the question that some video has.
        idfs: those of `known_idfs` that are informative.
        phrases: the words that the question wants next to each other.
        rescored: by video, what a cross-encoder adds.
        feedback: what choices of videos add to the scores, shape (candidates,); None without choices.
        seen: what the pictures of the videos add, shape (candidates,); None if no vision model has a part.
        pictures: the best picture of each candidate.
        answered: how many parts of the index have answered, and how many there are.
        by_sight: whether the person remembers what the video looked like; the confidence is of texts, and says nothing
            then.
    """

    query: str
    videos: NDArray[np.int64]
    steps: NDArray[np.int64]
    scores: Scores
    dense: Scores
    keyword: Scores
    parts: Mapping[str, Scores]
    best: Sequence[Mapping[str, Best]]
    whole: Sequence[Moments | None]
    vectors: Sequence[NDArray[np.float32] | None]
    averages: Scores
    known_idfs: Mapping[str, Mapping[str, float]]
    idfs: Mapping[str, Mapping[str, float]]
    clauses: Sequence[OfClauses | None] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    corrections: Sequence[Correction] = ()
    phrases: Sequence[tuple[str, ...]] = ()
    rescored: Mapping[int, Rescored] = field(default_factory=dict)
    feedback: Scores | None = None
    seen: Scores | None = None
    pictures: Best | None = None
    by_sight: bool = False
    answered: tuple[int, int] = (1, 1)

    def order(self, among: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Return the candidates, or those in the mask `among`, best first. Equal scores stay in the order of the ids.

        Pages far down have candidates of their own, which come after the hits of earlier pages.

        Args:
            among: shape (videos,).
        """
        places = np.argsort(-self.scores, kind="stable")
        if among is not None:
            places = places[among[self.videos[places]]]
        return self.videos[places[in_steps(self.steps[places])]]

    def at(self, videos: NDArray[np.int64] | Sequence[int]) -> NDArray[np.int64]:
        """Return where candidates are in the arrays.

        Raises:
            KeyError: a video is not among them.
        """
        places = np.searchsorted(self.videos, videos)
        if (places >= len(self.videos)).any() or (self.videos[places] != videos).any():
            raise KeyError(f"not all of {videos} are candidates")
        return places

    def place(self, video: int) -> int:
        """Return where a candidate is in the arrays.

        Raises:
            KeyError: the video is not among them.
        """
        place = int(self.videos.searchsorted(video))
        if place == len(self.videos) or self.videos[place] != video:
            raise KeyError(f"{video} is not a candidate")
        return place
