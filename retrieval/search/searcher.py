"""Searcher: a question -> ranked videos with reasons. The page, the API, the command line and the evaluation use it."""

import html
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.language import language_of
from ingest.models.weights import WeightsError
from retrieval.embedding.encoder import Encoder, KeywordOnly
from retrieval.embedding.registry import KEYWORDS_ALONE
from retrieval.errors import GenerationError
from retrieval.index.documents import FIELDS, TEXT_FIELDS
from retrieval.index.generation import Generation, current_name, open_current
from retrieval.index.metadata import Mask
from retrieval.search.answer import Answer, Hit, Ranking, Sort
from retrieval.search.conditions import Condition
from retrieval.search.confidence import JUDGED, Verdict, judge
from retrieval.search.encoders import SharedEncoders, factors, load_all
from retrieval.search.explain import explain, informative_terms, matcher_of
from retrieval.search.filter_values import WHEN
from retrieval.search.filters import filter_videos, shown_videos
from retrieval.search.fusion import Method, Mode, Scores
from retrieval.search.query import Question
from retrieval.search.reranker import Reranker, rescore
from retrieval.search.scoring import QueryVectors, dense_scores, is_known_emoji, keyword_scores, nearest
from retrieval.search.sorting import by_time, sorted_first
from retrieval.search.spelling import Correction, Speller
from retrieval.search.timer import Timer
from retrieval.search.understand import understand
from scraper.records import clean_text

MAX_QUERY_CHARS = 1_000  # a few sentences; more would only slow the keyword retriever down
MAX_K = 1_000


@dataclass(frozen=True)
class _Found:
    """The page of hits that a search has found, and what it says about them."""

    hits: Sequence[Hit] = ()
    text: str = ""
    corrections: Sequence[Correction] = ()
    confidence: float = 0.0
    good: bool = False
    problem: str = ""  # why the question was not understood


class Searcher:
    """Searches one generation with its encoders. It can be used by several threads.

    `encoders` are in the order of the manifest. A KeywordOnly stands for one that could not be loaded: the others
    answer without it. A `reranker` rescores the first videos.

    Raises:
        GenerationError: the generation was built with other encoders, or one has changed since.
    """

    def __init__(self, generation: Generation, *encoders: Encoder, reranker: Reranker | None = None) -> None:
        manifest = generation.manifest
        self.encoders = tuple(encoder for encoder in encoders if encoder.name != KEYWORDS_ALONE)
        if [encoder.key for encoder in self.encoders] != [used.key for used in manifest.encoders]:
            raise GenerationError(
                f"generation {manifest.name} was built with other weights or settings of {manifest.encoder}, or with"
                f" other encoders: run `tiktok-retrieval build"
                f"{''.join(f' --encoder {used.name}' for used in manifest.encoders)}`"
            )
        self.generation = generation
        self.reranker = reranker
        self.speller = Speller(generation.phrases, generation.keyword["stems"])
        self._loaded = [encoder.dimension > 0 for encoder in self.encoders]

    @classmethod
    def open(cls, indexes: Path, reranker: Reranker | None = None, *, complete: bool = False) -> "Searcher":
        """Open the current generation with the encoders that its manifest names.

        Args:
            complete: whether all encoders must be loaded, as for figures. Otherwise one is enough.

        Raises:
            WeightsError: the encoders cannot be loaded.
        """
        generation = open_current(indexes)
        return cls(generation, *load_all(generation.manifest.encoders, complete=complete), reranker=reranker)

    @classmethod
    def without_encoder(cls, generation: Generation, reason: str) -> "Searcher":
        """Search a generation none of whose encoders can be loaded: every answer is by keywords only."""
        return cls(generation, *(KeywordOnly(used.name, used.key, reason) for used in generation.manifest.encoders))

    @property
    def keyword_only(self) -> bool:
        """Whether there is no encoder, so that only the keyword retriever can answer."""
        return not any(self._loaded)

    @property
    def missing(self) -> list[str]:
        """Return the names of the encoders that could not be loaded."""
        return [encoder.name for encoder, there in zip(self.encoders, self._loaded, strict=True) if not there]

    def refreshed(self, indexes: Path, shared: SharedEncoders | None = None) -> "Searcher":
        """Return this searcher, or one of the generation that is current now. Matching encoders are reused."""
        if current_name(indexes) == self.generation.name:
            return self
        return Searcher.of(open_current(indexes), [self], shared)

    @classmethod
    def of(
        cls, generation: Generation, others: Sequence["Searcher"] = (), shared: SharedEncoders | None = None
    ) -> "Searcher":
        """Search a generation. Matching encoders of `others`, and the reranker of the first, are reused."""
        known = [encoder for other in others for encoder in other.encoders]
        reranker = others[0].reranker if others else None
        return cls(generation, *load_all(generation.manifest.encoders, known, shared), reranker=reranker)

    def vectors(self, texts: Sequence[str]) -> list[QueryVectors]:
        """Return for each question its vectors by the encoders.

        Raises:
            WeightsError: there is no encoder.
        """
        self._demand_encoder()
        by_encoder = [
            encoder.queries(texts) if there else [None] * len(texts)
            for encoder, there in zip(self.encoders, self._loaded, strict=True)
        ]
        return [tuple(of_encoder[row] for of_encoder in by_encoder) for row in range(len(texts))]

    def rank(
        self,
        query: str | Question,
        *,
        mode: Mode = "hybrid",
        weights: Mapping[str, float] | None = None,
        method: Method = "zscore",
        vectors: QueryVectors | None = None,
        among: Mask | None = None,
        exact: bool = False,
    ) -> Ranking:
        """Score every video, including those that do not meet the question's conditions: conditions change no score.

        Args:
            weights: by field, multiplied with the tuned weights: 1 (the default) changes nothing, 0 switches a field
                off in both retrievers, 2 doubles it.
            vectors: those of the text of `query`, if known. They are not used if a word is corrected.
            among: the videos whose first ones the reranker reads, shape (videos,); by default all. What the reranker
                adds depends on them.
            exact: whether words are searched for as typed, without correction.
        """
        timer = Timer()
        question = self.understood(query) if isinstance(query, str) else query
        tuned = self.generation.manifest.weights
        by_field = {field: (weights or {}).get(field, 1.0) for field in FIELDS}
        text, corrections = (question.text, []) if exact else self.speller.correct(question.text, question.literal)
        timer.lap("spell")
        asked = query if isinstance(query, str) else query.text
        vectors, share = self._asked(text, mode, vectors if text == asked else None)
        timer.lap("encode")
        dense_weights = {field: tuned.dense.get(field, 0.0) * by_field[field] for field in FIELDS}
        dense = dense_scores(self.generation, vectors, share, dense_weights, method)
        timer.lap("dense")
        # In dense mode as well: the keyword index says which words match, and where they are spoken.
        field_weights = np.array([tuned.keyword.get(field, 0.0) * by_field[field] for field in TEXT_FIELDS])
        keyword = keyword_scores(self.generation, text, question.preferred, field_weights, method)
        timer.lap("keyword")
        by_words = keyword.contributions if mode != "dense" else np.zeros_like(keyword.contributions)
        ranking = Ranking(
            query=text,
            scores=dense.contributions.sum(axis=(0, 1)) + by_words.sum(axis=0),
            dense=dense.contributions,
            keyword=by_words,
            parts=(dense.parts if mode != "keyword" else {}) | (keyword.parts if mode != "dense" else {}),
            passage_scores=dense.passages,
            known_idfs=keyword.idfs,
            idfs={name: informative_terms(idfs) for name, idfs in keyword.idfs.items()},
            timings_ms=timer.steps_ms,
            corrections=corrections,
            phrases=[condition.words for condition in question.phrases],
        )
        if self.reranker:
            ranking = rescore(self.reranker, self.generation, ranking, among)
            timer.lap("rerank")
        return ranking

    def order(
        self,
        query: str | Question,
        *,
        mode: Mode = "hybrid",
        weights: Mapping[str, float] | None = None,
        vectors: QueryVectors | None = None,
        hidden: Collection[str] = (),
    ) -> tuple[NDArray[np.int64], Scores]:
        """Return all videos that meet a question's conditions, in the order of `search`, and their scores.

        Without a text to rank by, the scores are 0. For the arguments see `rank` and `search`.
        """
        question = self.understood(query, hidden) if isinstance(query, str) else query
        mask, _ = filter_videos(self.generation, self.speller, question.conditions, hidden)
        if not question.text:
            order = by_time(self.generation, mask, question.conditions, _default_sort(question))
            return order, np.zeros(len(order))
        ranking = self.rank(query, mode=mode, weights=weights, vectors=vectors, among=mask)
        order = ranking.order(mask)
        return order, ranking.scores[order]

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        offset: int = 0,
        mode: Mode = "hybrid",
        weights: Mapping[str, float] | None = None,
        method: Method = "zscore",
        filters: Sequence[Condition] = (),
        hidden: Collection[str] = (),
        sort: Sort = "relevance",
        today: date | None = None,
        exact: bool = False,
    ) -> Answer:
        """Return the `k` best videos after the first `offset` ones, each with its reasons.

        All of them meet the question's conditions and the `filters`. An empty question has no hits. A question that has
        only conditions gives the newest videos first, or, with conditions on lists and times of meeting a video, the
        one met last, without a score.

        Args:
            hidden: the ids of videos that were removed: no answer has them or counts them.
            sort: another order. With a text, it sorts the hits that are good, or if none is, the first ones; the others
                follow by relevance.
            today: the day from which "last winter" looks back.
            exact: whether words are searched for as typed, without correction.
        """
        timer = Timer()
        query = _clean(query)
        question = self.understood(query, hidden, today).where(filters)
        mask, notes = filter_videos(self.generation, self.speller, question.conditions, hidden)
        timer.lap("filter")
        if self.keyword_only and mode != "keyword":
            mode = "keyword"
            why = f"{_models(self.missing)} could not be loaded" if self.missing else "this index has no vectors"
            notes.append(f"Keyword search only: {why}.")
        elif self.missing and mode != "keyword":
            notes.append(f"Searched without {_models(self.missing)}, which could not be loaded.")
        page = slice(offset, offset + min(k, MAX_K))
        if question.text and mask.any():
            ranking = self.rank(question, mode=mode, weights=weights, method=method, among=mask, exact=exact)
            timer.include(ranking.timings_ms)
            found = self._best(ranking, mode, mask, page, timer, sort, question.conditions)
        elif question.conditions and mask.any():
            # Only conditions, and these videos meet them: there is nothing to be unsure of.
            sort = sort if sort != "relevance" else _default_sort(question)
            order = by_time(self.generation, mask, question.conditions, sort)
            found = _Found(self._hits(order, page), confidence=1.0, good=True)
        else:
            found = _Found(text=question.text)
        return Answer(
            query=query,
            text=found.text,
            conditions=list(question.conditions),
            notes=[*question.notes, *map(self._note, found.corrections), *notes, *filter(None, [found.problem])],
            mode=mode,
            generation=self.generation.name,
            encoder=self.generation.manifest.encoder,
            total=int(mask.sum()) if found.text or question.conditions else 0,
            hits=list(found.hits),
            timings_ms=timer.summary(),
            confidence=found.confidence,
            good=found.good,
            sort=sort,
            preferred=list(question.preferred),
            corrections=list(found.corrections),
            exact=exact,
        )

    def similar(self, video_id: str, k: int = 6, hidden: Collection[str] = ()) -> list[Hit]:
        """Return the `k` videos whose whole text is closest in meaning to this one's; `score` is their cosine.

        There are none if the video has no text, or the generation no vectors. None of them is `hidden`.

        Raises:
            KeyError: the generation does not have the video.
        """
        video = self.generation.positions[video_id]
        order, cosines = nearest(self.generation, video, shown_videos(self.generation, hidden))
        return self._hits(order, slice(0, k), cosines)

    def understood(self, typed: str, hidden: Collection[str] = (), today: date | None = None) -> Question:
        """Return a typed question as `search` reads it; for the arguments see there."""
        return understand(_clean(typed), self.generation, shown_videos(self.generation, hidden), today)

    def _demand_encoder(self) -> None:
        if self.keyword_only:
            reasons = [encoder.reason for encoder in self.encoders if isinstance(encoder, KeywordOnly)]
            raise WeightsError(reasons[0] if reasons else KeywordOnly().reason)

    def _asked(self, text: str, mode: Mode, known: QueryVectors | None) -> tuple[QueryVectors, list[float]]:
        """Return the vectors of a question by the encoders, and the share of each in its score."""
        if mode == "keyword":
            return [None] * len(self.encoders), [0.0] * len(self.encoders)
        self._demand_encoder()
        share = factors(self.generation.manifest.encoders, self._loaded, language_of(text))
        if mode == "hybrid" and is_known_emoji(self.generation, text):
            share = [0.0] * len(share)  # a video that has the emoji comes before those whose vector is near it
        if known is None:
            known = [encoder.query(text) if part else None for encoder, part in zip(self.encoders, share, strict=True)]
        return known, share

    def _best(
        self,
        ranking: Ranking,
        mode: Mode,
        mask: Mask,
        page: slice,
        timer: Timer,
        sort: Sort,
        conditions: Sequence[Condition],
    ) -> _Found:
        """Return a page of the best videos in the mask, explained and judged."""

        def judged(videos: NDArray[np.int64]) -> Verdict:
            return judge(self.generation, ranking, mode, videos)

        order = ranking.order(mask)
        first = order[:JUDGED]
        if sort != "relevance":
            order = sorted_first(self.generation, order, judged, conditions, sort)
        matcher = matcher_of(self.generation, ranking)
        explanations = [explain(self.generation, ranking, int(video), matcher) for video in order[page]]
        timer.lap("explain")
        verdict = judged(np.concatenate([first, order[page]]))
        confidence = float(verdict.confidence[: len(first)].max(initial=0.0))
        timer.lap("judge")
        hits = [
            hit.model_copy(update={"explanation": reasons, "confidence": sure, "good": sure >= verdict.cut_off})
            for hit, reasons, sure in zip(
                self._hits(order, page, ranking.scores),
                explanations,
                verdict.confidence[len(first) :].tolist(),
                strict=True,
            )
        ]
        good = confidence >= verdict.cut_off
        return _Found(hits, ranking.query, ranking.corrections, confidence, good, verdict.problem)

    def _hits(self, order: NDArray[np.int64], page: slice, scores: Scores | None = None) -> list[Hit]:
        """Return a page of videos as hits without reasons; without `scores` their score is 0."""
        return [
            Hit(
                id=self.generation.ids[video],
                rank=rank,
                score=0.0 if scores is None else float(scores[video]),
                explanation=[],
            )
            for rank, video in enumerate(order[page].tolist(), start=page.start + 1)
        ]

    def _note(self, correction: Correction) -> str:
        return f'Searched for "{correction.used}" instead of "{correction.typed}", which no video has.'


def _default_sort(question: Question) -> Sort:
    """Return the order of videos that only conditions decide on."""
    return "seen" if any(condition.kind in ("in", *WHEN) for condition in question.conditions) else "newest"


def _models(names: Sequence[str]) -> str:
    return f"the model{'s' * (len(names) > 1)} {' and '.join(names)}"


def _clean(query: str) -> str:
    """Return a question without control characters and HTML entities: text copied from a page has &#39; for '."""
    return clean_text(html.unescape(query), MAX_QUERY_CHARS)
