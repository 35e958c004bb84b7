"""Searcher: a question -> ranked videos with reasons; the one door for page, API, command line and evaluation."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from retrieval.encoder import Encoder, Vectors
from retrieval.errors import GenerationError
from retrieval.explain import best_passage, best_span, moment, shared_words, telling
from retrieval.fields import FIELDS, TEXT_FIELDS, Passage
from retrieval.fusion import Lane, Method, Scores, fuse_dense, fuse_keyword
from retrieval.generation import Generation, current_name, open_current
from scraper.records import clean_text

MAX_QUERY_CHARS = 1_000  # a remembered video is told in a few sentences; the rest would only slow the keyword lane
MAX_K = 1_000
MAX_EXPLAINED = 300  # passages of a field that are looked through for the reason; a scrape has 20 comments


class Reason(BaseModel):
    """One part of a hit's score. `span` is the stretch of `passage` to look at, `matches` the question's words in it,
    `start_s` to `end_s` when it is spoken."""

    field: str
    lane: Lane
    contribution: float
    passage: str
    span: tuple[int, int]
    matches: list[tuple[int, int]]
    start_s: float | None
    end_s: float | None


class Hit(BaseModel):
    """A video with its score and the reasons, strongest first, whose contributions add up to it."""

    id: str
    rank: int
    score: float
    explanation: list[Reason]


class Answer(BaseModel):
    """What a search gives: `total` videos were ranked, `hits` are those asked for; times in milliseconds by step."""

    query: str
    lane: Lane
    generation: str
    encoder: str
    total: int
    hits: list[Hit]
    timings_ms: dict[str, float]


@dataclass(frozen=True)
class Ranking:
    """Every video scored. `dense` and `keyword` are contributions, shape (FIELDS, videos); `scores` their sum."""

    scores: Scores
    dense: Scores
    keyword: Scores
    passage_scores: dict[str, NDArray[np.float32]]
    idfs: dict[str, dict[str, float]]
    timings_ms: dict[str, float]

    def order(self) -> NDArray[np.int64]:
        """All videos, best first; ties by id (the videos' own order)."""
        return np.argsort(-self.scores, kind="stable")


class Searcher:
    """Answers from one generation with one encoder; safe to use from several threads.

    Raises:
        GenerationError: the encoder is not the one that the generation was built with, or was changed since.
    """

    def __init__(self, generation: Generation, encoder: Encoder) -> None:
        manifest = generation.manifest
        if encoder.key != manifest.encoder_key:
            raise GenerationError(
                f"generation {manifest.name} was built with other weights or settings of {manifest.encoder}"
                f" ({manifest.encoder_key[:12]}, not {encoder.key[:12]}): run `python -m retrieval build`"
            )
        self.generation = generation
        self.encoder = encoder

    @classmethod
    def open(cls, indexes: Path) -> "Searcher":
        """The searcher of the current generation, with the encoder that its manifest names."""
        generation = open_current(indexes)
        return cls(generation, Encoder(generation.manifest.encoder, precision=generation.manifest.precision))

    def refreshed(self, indexes: Path) -> "Searcher":
        """This searcher, or one of the generation that is current by now; the encoder is kept where it fits."""
        if current_name(indexes) == self.generation.name:
            return self
        generation = open_current(indexes)
        if generation.manifest.encoder_key == self.encoder.key:
            return Searcher(generation, self.encoder)
        return Searcher(generation, Encoder(generation.manifest.encoder, precision=generation.manifest.precision))

    def rank(
        self,
        query: str,
        *,
        lane: Lane = "hybrid",
        weights: Mapping[str, float] | None = None,
        method: Method = "zscore",
        vector: Vectors | None = None,
    ) -> Ranking:
        """Score every video.

        Args:
            weights: per field, on top of the generation's own: 1 (or not named) leaves a field as it is, 0 switches
                it off in both lanes, 2 doubles it.
            vector: the query's unit vector, where it is already known.
        """
        query = clean_text(query, MAX_QUERY_CHARS)
        own = self.generation.manifest.weights
        asked = {field: (weights or {}).get(field, 1.0) for field in FIELDS}
        videos = len(self.generation.ids)
        dense, keyword = np.zeros((len(FIELDS), videos)), np.zeros((len(FIELDS), videos))
        timings: dict[str, float] = {}
        passage_scores: dict[str, NDArray[np.float32]] = {}
        clock = time.perf_counter()

        def lap(step: str) -> None:
            nonlocal clock
            now = time.perf_counter()
            timings[step] = (now - clock) * 1000
            clock = now

        if lane != "keyword":
            vector = self.encoder.query(query) if vector is None else vector
            lap("encode")
            dense_weights = {field: own.dense.get(field, 0.0) * asked[field] for field in FIELDS}
            cosines: dict[str, Scores] = {}
            for field, weight in dense_weights.items():
                if weight > 0:
                    index = self.generation.dense[field]
                    passage_scores[field] = index.passage_scores(vector)
                    cosines[field] = index.video_scores(passage_scores[field])
            lap("dense")
        # the dense lane asks the keyword index too: not for scores, but to point at the words and the second
        field_weights = np.array([own.keyword.get(field, 0.0) * asked[field] for field in TEXT_FIELDS])
        found = {name: index.scores(query, field_weights) for name, index in self.generation.keyword.items()}
        lap("keyword")
        if lane != "keyword" and cosines:
            dense = own.dense_lane * fuse_dense(cosines, dense_weights, method)
        if lane != "dense":
            keyword = own.words * fuse_keyword(found["words"][0], method)
            keyword += own.grams * fuse_keyword(found["grams"][0], method)
        idfs = {name: telling(idf) for name, (_, idf) in found.items()}
        scores = dense.sum(axis=0) + keyword.sum(axis=0)
        lap("fuse")
        return Ranking(scores, dense, keyword, passage_scores, idfs, timings)

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        offset: int = 0,
        lane: Lane = "hybrid",
        weights: Mapping[str, float] | None = None,
        method: Method = "zscore",
    ) -> Answer:
        """The `k` best videos from place `offset` on, each with its reasons. An empty question has no hits."""
        query = clean_text(query, MAX_QUERY_CHARS)
        hits: list[Hit] = []
        timings: dict[str, float] = {}
        if query:
            ranking = self.rank(query, lane=lane, weights=weights, method=method)
            timings = ranking.timings_ms
            clock = time.perf_counter()
            best = ranking.order()[offset : offset + min(k, MAX_K)]
            hits = [self._hit(ranking, int(video), offset + n + 1) for n, video in enumerate(best)]
            timings["explain"] = (time.perf_counter() - clock) * 1000
            timings["total"] = sum(timings.values())
        return Answer(
            query=query,
            lane=lane,
            generation=self.generation.name,
            encoder=self.generation.manifest.encoder,
            total=len(self.generation.ids) if query else 0,
            hits=hits,
            timings_ms={step: round(value, 3) for step, value in timings.items()},
        )

    def _hit(self, ranking: Ranking, video: int, rank: int) -> Hit:
        parts: tuple[tuple[Lane, Scores], ...] = (("dense", ranking.dense), ("keyword", ranking.keyword))
        reasons = [
            self._reason(ranking, video, field, lane, float(contributions[number, video]))
            for lane, contributions in parts
            for number, field in enumerate(FIELDS)
            if contributions[number, video] != 0
        ]
        reasons.sort(key=lambda reason: -reason.contribution)
        return Hit(id=self.generation.ids[video], rank=rank, score=float(ranking.scores[video]), explanation=reasons)

    def _reason(self, ranking: Ranking, video: int, field: str, lane: Lane, contribution: float) -> Reason:
        index = self.generation.dense[field]
        words, grams = ranking.idfs["words"], ranking.idfs["grams"]
        if lane == "keyword":
            rows = index.rows(video)[:MAX_EXPLAINED]
            passage, found = best_passage(self.generation.passages(field, rows), words, grams)
        elif index.present[video] and field in ranking.passage_scores:
            row = index.best_row(ranking.passage_scores[field], video)
            passage = self.generation.passages(field, range(row, row + 1))[0]
            found = shared_words(passage.text, words, grams)
        else:
            passage, found = Passage(""), []
        spoken = moment(passage, found)
        return Reason(
            field=field,
            lane=lane,
            contribution=contribution,
            passage=passage.text,
            span=best_span(found) or (0, len(passage.text)),
            matches=[(word.start, word.end) for word in found],
            start_s=spoken.start_s if spoken else None,
            end_s=spoken.end_s if spoken else None,
        )
