"""Searcher: a question -> ranked videos with reasons; the one door for page, API, command line and evaluation."""

import html
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Encoder, NoEncoder, Vectors
from retrieval.errors import GenerationError
from retrieval.index.analysis import plain, terms
from retrieval.index.documents import FIELDS, TEXT_FIELDS, Passage
from retrieval.index.generation import Generation, current_name, open_current, open_named
from retrieval.search.answer import Answer, Hit, Ranking, Reason
from retrieval.search.confidence import JUDGED, judge
from retrieval.search.explain import MAX_EXPLAINED, best_passage, best_span, informative_terms, moment, shared_words
from retrieval.search.filters import passing
from retrieval.search.fusion import Lane, Method, Scores, fuse_dense, fuse_keyword
from retrieval.search.query import Condition, Question, parse
from retrieval.search.reranker import Reranker, rescore
from retrieval.search.spelling import Correction, Speller
from scraper.records import clean_text

MAX_QUERY_CHARS = 1_000  # a remembered video is told in a few sentences; the rest would only slow the keyword lane
MAX_K = 1_000


class Searcher:
    """Answers from one generation with one encoder; safe to use from several threads.

    With a `reranker` the first videos are re-scored by it.

    Raises:
        GenerationError: the encoder is not the one that the generation was built with, or was changed since.
    """

    def __init__(self, generation: Generation, encoder: Encoder, reranker: Reranker | None = None) -> None:
        manifest = generation.manifest
        if encoder.key != manifest.encoder_key:
            raise GenerationError(
                f"generation {manifest.name} was built with other weights or settings of {manifest.encoder}"
                f" ({manifest.encoder_key[:12]}, not {encoder.key[:12]}): run `python -m retrieval build`"
            )
        self.generation = generation
        self.encoder = encoder
        self.reranker = reranker
        self.speller = Speller(generation.phrases)

    @classmethod
    def open(cls, indexes: Path, reranker: Reranker | None = None) -> "Searcher":
        """The searcher of the current generation, with the encoder that its manifest names."""
        generation = open_current(indexes)
        encoder = Encoder(generation.manifest.encoder, precision=generation.manifest.precision)
        return cls(generation, encoder, reranker)

    @classmethod
    def without_encoder(cls, indexes: Path, why: str) -> "Searcher":
        """The searcher of the current generation while its encoder cannot be had: every answer is by words alone."""
        generation = open_current(indexes)
        return cls(generation, NoEncoder(generation.manifest.encoder, generation.manifest.encoder_key, why))

    @property
    def words_only(self) -> bool:
        """Whether there is no encoder, so that only the keyword lane answers."""
        return isinstance(self.encoder, NoEncoder)

    def refreshed(self, indexes: Path) -> "Searcher":
        """This searcher, or one of the generation that is current by now; the encoder is kept where it fits."""
        if current_name(indexes) == self.generation.name:
            return self
        generation = open_current(indexes)
        if generation.manifest.encoder_key == self.encoder.key:
            return Searcher(generation, self.encoder, self.reranker)
        encoder = Encoder(generation.manifest.encoder, precision=generation.manifest.precision)
        return Searcher(generation, encoder, self.reranker)

    @classmethod
    def named(cls, indexes: Path, name: str, others: Sequence["Searcher"] = ()) -> "Searcher":
        """The searcher of a generation by its name, with the encoder of one of `others` where that fits."""
        generation = open_named(indexes, name)
        for other in others:
            if other.encoder.key == generation.manifest.encoder_key:
                return cls(generation, other.encoder, other.reranker)
        return cls(generation, Encoder(generation.manifest.encoder, precision=generation.manifest.precision))

    def rank(
        self,
        query: str | Question,
        *,
        lane: Lane = "hybrid",
        weights: Mapping[str, float] | None = None,
        method: Method = "zscore",
        vector: Vectors | None = None,
        among: NDArray[np.bool_] | None = None,
    ) -> Ranking:
        """Score every video, those too that do not meet the question's conditions: a score does not change with them.

        Args:
            weights: per field, on top of the generation's own: 1 (or not named) leaves a field as it is, 0 switches
                it off in both lanes, 2 doubles it.
            vector: the unit vector of `query` as it is, where it is already known; used unless a word is corrected.
            among: the videos of which a reranker reads the first, shape (videos,); all where it is not given. What it
                adds does depend on them.
        """
        question = parse(_typed(query)) if isinstance(query, str) else query
        own = self.generation.manifest.weights
        asked = {field: (weights or {}).get(field, 1.0) for field in FIELDS}
        videos = len(self.generation.ids)
        dense, keyword = np.zeros((len(FIELDS), videos)), np.zeros((len(FIELDS), videos))
        timings: dict[str, float] = {}
        passage_scores: dict[str, NDArray[np.float32]] = {}
        parts: dict[str, Scores] = {}
        clock = time.perf_counter()

        def lap(step: str) -> None:
            nonlocal clock
            now = time.perf_counter()
            timings[step] = (now - clock) * 1000
            clock = now

        # a word that is right but stands in no video ("falls") is not corrected to one that does ("calls")
        right = {word for word in terms(question.text, plain) if self.encoder.knows(word)}
        text, corrections = self.speller.correct(question.text, question.literal | right)
        lap("spell")
        if lane != "keyword":
            if vector is None or text != query:
                vector = self.encoder.query(text)
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
        found = {name: index.scores(text, field_weights) for name, index in self.generation.keyword.items()}
        lap("keyword")
        if lane != "keyword" and cosines:
            normal = fuse_dense(cosines, dense_weights, method)
            parts["dense_lane"] = normal.sum(axis=0)
            dense = own.dense_lane * normal
        if lane != "dense":
            for name, (split, _) in found.items():
                normal = fuse_keyword(split, method)
                parts[name] = normal.sum(axis=0)
                keyword += getattr(own, name) * normal
        known = {name: idf for name, (_, idf) in found.items()}
        idfs = {name: informative_terms(idf) for name, idf in known.items()}
        scores = dense.sum(axis=0) + keyword.sum(axis=0)
        lap("fuse")
        phrases = [condition.words for condition in question.phrases]
        ranking = Ranking(
            text, scores, dense, keyword, parts, passage_scores, known, idfs, timings, corrections, phrases, {}
        )
        if self.reranker:
            ranking = rescore(self.reranker, self.generation, ranking, among)
            lap("rerank")
        return ranking

    def order(
        self,
        query: str,
        *,
        lane: Lane = "hybrid",
        weights: Mapping[str, float] | None = None,
        vector: Vectors | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The rows of all videos that meet a question's conditions, in the order in which `search` gives them, and
        their scores: noughts where it holds conditions only. Arguments as of `rank`."""
        question = parse(_typed(query))
        mask, _ = passing(self.generation, self.speller, question.conditions)
        if not question.text:
            newest = self.generation.metadata.newest_first()
            newest = newest[mask[newest]]
            return newest, np.zeros(len(newest))
        ranking = self.rank(query, lane=lane, weights=weights, vector=vector, among=mask)
        order = ranking.order()
        order = order[mask[order]]
        return order, ranking.scores[order]

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        offset: int = 0,
        lane: Lane = "hybrid",
        weights: Mapping[str, float] | None = None,
        method: Method = "zscore",
        filters: Sequence[Condition] = (),
    ) -> Answer:
        """The `k` best videos from place `offset` on that meet the question's conditions and the `filters`, each with
        its reasons. An empty question has no hits; one of conditions only has the newest first, with no score.
        """
        clock = time.perf_counter()
        query = _typed(query)
        question = parse(query).where(filters)
        mask, notes = passing(self.generation, self.speller, question.conditions)
        timings = {"filter": (time.perf_counter() - clock) * 1000}
        hits: list[Hit] = []
        text, places = question.text, slice(offset, offset + min(k, MAX_K))
        surest, good = 0.0, False
        if self.words_only and lane != "keyword":
            lane, notes = (
                "keyword",
                [*notes, f"Only words count just now, not their meaning: {self.encoder.name} is not to be had."],
            )
        if text and mask.any():
            ranking = self.rank(question, lane=lane, weights=weights, method=method, among=mask)
            timings |= ranking.timings_ms
            text = ranking.query
            notes = [self._told(correction) for correction in ranking.corrections] + notes
            clock = time.perf_counter()
            order = ranking.order()
            best = order[mask[order]][places]
            hits = [self._hit(ranking, int(video), offset + n + 1) for n, video in enumerate(best)]
            timings["explain"] = (time.perf_counter() - clock) * 1000
            clock = time.perf_counter()
            first = order[mask[order]][:JUDGED]
            sure, cut_off = judge(self.generation, ranking, lane, np.concatenate([first, best]))
            surest = float(sure[: len(first)].max(initial=0.0))
            good = surest >= cut_off
            for hit, confidence in zip(hits, sure[len(first) :], strict=True):
                hit.confidence, hit.good = float(confidence), bool(confidence >= cut_off)
            timings["judge"] = (time.perf_counter() - clock) * 1000
        elif question.conditions and mask.any():
            surest, good = 1.0, True  # nothing to be unsure of: the conditions are met
            order = self.generation.metadata.newest_first()
            best = order[mask[order]][places]
            hits = [
                Hit(id=self.generation.ids[video], rank=offset + n + 1, score=0.0, explanation=[])
                for n, video in enumerate(best)
            ]
        timings["total"] = sum(timings.values())
        return Answer(
            query=query,
            text=text,
            conditions=list(question.conditions),
            notes=[*question.notes, *notes],
            lane=lane,
            generation=self.generation.name,
            encoder=self.generation.manifest.encoder,
            total=int(mask.sum()) if text or question.conditions else 0,
            hits=hits,
            timings_ms={step: round(value, 3) for step, value in timings.items()},
            confidence=surest,
            good=bool(good),
        )

    def similar(self, video_id: str, k: int = 6) -> list[Hit]:
        """The `k` videos whose overviews mean most nearly what this one's does; `score` is their cosine. None where it
        has no text.

        Raises:
            KeyError: the generation does not have the video.
        """
        index, video = self.generation.dense["overview"], self.generation.positions[video_id]
        if not index.present[video]:
            return []
        cosines = index.video_scores(index.passage_scores(index.vector(index.rows(video)[0])))
        cosines[video] = np.nan
        best = [int(one) for one in np.argsort(-cosines, kind="stable")[:k] if not np.isnan(cosines[one])]
        return [
            Hit(id=self.generation.ids[one], rank=n, score=float(cosines[one]), explanation=[])
            for n, one in enumerate(best, start=1)
        ]

    def _told(self, correction: Correction) -> str:
        if self.encoder.knows(correction.typed.lower()):
            return f'No video has "{correction.typed}", so "{correction.used}" counts as a match too.'
        return (
            f'Searched for "{correction.used}" instead of "{correction.typed}", which no video has;'
            " in quotes it is searched for as it is."
        )

    def _hit(self, ranking: Ranking, video: int, rank: int) -> Hit:
        parts: tuple[tuple[Lane, Scores], ...] = (("dense", ranking.dense), ("keyword", ranking.keyword))
        reasons = [
            self._reason(ranking, video, field, lane, float(contributions[number, video]))
            for lane, contributions in parts
            for number, field in enumerate(FIELDS)
            if contributions[number, video] != 0
        ]
        if read := ranking.rescored.get(video):
            reasons.append(self._reason(ranking, video, read.field, "reranker", read.contribution))
        reasons.sort(key=lambda reason: -reason.contribution)
        return Hit(id=self.generation.ids[video], rank=rank, score=float(ranking.scores[video]), explanation=reasons)

    def _reason(
        self, ranking: Ranking, video: int, field: str, lane: Lane | Literal["reranker"], contribution: float
    ) -> Reason:
        index = self.generation.dense[field]
        words, grams = ranking.idfs["words"], ranking.idfs["grams"]
        if lane == "keyword":
            rows = index.rows(video)[:MAX_EXPLAINED]
            passage, found = best_passage(self.generation.passages(field, rows), words, grams, ranking.phrases)
        elif lane == "reranker" or (index.present[video] and field in ranking.passage_scores):
            read = lane == "reranker"
            row = ranking.rescored[video].row if read else index.best_row(ranking.passage_scores[field], video)
            passage = self.generation.passages(field, range(row, row + 1))[0]
            found = shared_words(passage.text, words, grams, ranking.phrases)
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


def _typed(query: str) -> str:
    """A question as it was meant: what is pasted from a page's source has &#39; for an apostrophe."""
    return clean_text(html.unescape(query), MAX_QUERY_CHARS)
