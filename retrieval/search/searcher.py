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
from ingest.text.words import words
from retrieval.embedding.encoder import Encoder, KeywordOnly, Vectors
from retrieval.embedding.registry import KEYWORDS_ALONE
from retrieval.errors import GenerationError
from retrieval.index.analysis import plain, terms
from retrieval.index.documents import FIELDS, OVERVIEW, TEXT_FIELDS
from retrieval.index.generation import Generation, current_name, open_current
from retrieval.index.metadata import Mask
from retrieval.search.answer import Answer, Hit, Ranking, Sort
from retrieval.search.conditions import Condition
from retrieval.search.confidence import JUDGED, Verdict, judge
from retrieval.search.encoders import SharedEncoders, factors, load_all
from retrieval.search.explain import explain, informative_terms, matcher_of
from retrieval.search.filter_values import WHEN
from retrieval.search.filters import filter_videos, shown_videos
from retrieval.search.fusion import Method, Mode, Scores, dense_part, fuse_dense, fuse_keyword
from retrieval.search.query import Question
from retrieval.search.reranker import Reranker, rescore
from retrieval.search.sorting import by_time, sorted_first
from retrieval.search.spelling import Correction, Speller
from retrieval.search.timer import Timer
from retrieval.search.understand import preference_scores, understand
from scraper.records import clean_text

MAX_QUERY_CHARS = 1_000  # a few sentences; more would only slow the keyword retriever down
MAX_K = 1_000

QueryVectors = Sequence[Vectors | None]  # a question's unit vectors by the encoders of the generation; None: no part


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
        text, corrections = (question.text, []) if exact else self._corrected(question)
        timer.lap("spell")
        dense_weights = {field: tuned.dense.get(field, 0.0) * by_field[field] for field in FIELDS}
        shape = (len(FIELDS), len(self.generation.ids))
        dense, parts = np.zeros((len(self.encoders), *shape)), dict[str, Scores]()
        passage_scores: list[dict[str, NDArray[np.float32]]] = [{} for _ in self.encoders]
        if mode != "keyword":
            self._demand_encoder()
            share = factors(self.generation.manifest.encoders, self._loaded, language_of(text))
            if mode == "hybrid" and self._is_known_emoji(text):
                share = [0.0] * len(share)  # a video that has the emoji comes before those whose vector is near it
            asked = query if isinstance(query, str) else query.text
            vectors = self._query(text, share, vectors if text == asked else None)
            timer.lap("encode")
            for number, vector in enumerate(vectors):
                part = dense_part(self.encoders[number].name, self.generation.manifest.encoder_names)
                parts[part] = np.zeros(shape[1])
                if vector is None or not share[number]:
                    continue
                passage_scores[number] = self._passage_scores(number, vector, dense_weights)
                index = self.generation.dense[number]
                cosines = {field: index[field].video_scores(found) for field, found in passage_scores[number].items()}
                normal = share[number] * fuse_dense(cosines, dense_weights, method)
                parts[part] = normal.sum(axis=0)
                dense[number] = tuned.of_encoder(self.encoders[number].name) * normal
            timer.lap("dense")
        # In dense mode as well: the keyword index says which words match, and where they are spoken.
        field_weights = np.array([tuned.keyword.get(field, 0.0) * by_field[field] for field in TEXT_FIELDS])
        found = {name: index.scores(text, field_weights) for name, index in self.generation.keyword.items()}
        if question.preferred:
            split, idfs = found["stems"]
            found["stems"] = split + preference_scores(self.generation, question.preferred, field_weights), idfs
        timer.lap("keyword")
        keyword = np.zeros(shape)
        if mode != "dense":
            for name, (split, _) in found.items():
                normal = fuse_keyword(split, method)
                parts[name] = normal.sum(axis=0)
                keyword += getattr(tuned, name) * normal
        known_idfs = {name: idfs for name, (_, idfs) in found.items()}
        scores = dense.sum(axis=(0, 1)) + keyword.sum(axis=0)
        timer.lap("fuse")
        ranking = Ranking(
            query=text,
            scores=scores,
            dense=dense,
            keyword=keyword,
            parts=parts,
            passage_scores=passage_scores,
            known_idfs=known_idfs,
            idfs={name: informative_terms(idfs) for name, idfs in known_idfs.items()},
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

        With several encoders, it is the mean of their cosines, and z-scores decide the order, because the cosines of
        encoders have different ranges.

        There are none if the video has no text, or the generation no vectors. None of them is `hidden`.

        Raises:
            KeyError: the generation does not have the video.
        """
        rows, video = self.generation.rows[OVERVIEW], self.generation.positions[video_id]
        if not self.generation.dense or not rows.present[video]:
            return []
        by_encoder = []
        for indexes in self.generation.dense:
            index = indexes[OVERVIEW]
            by_encoder.append(index.video_scores(index.passage_scores(index.vector(rows.of(video)[0]))))
        cosines = np.array(by_encoder)
        cosines[:, video] = np.nan
        cosines[:, ~shown_videos(self.generation, hidden)] = np.nan
        if np.isnan(cosines).all():
            return []
        spread = np.nanstd(cosines, axis=1, keepdims=True)
        closeness = (cosines / np.where(spread > 0, spread, 1.0)).sum(axis=0)
        nearest = np.argsort(-closeness, kind="stable")[:k]
        return self._hits(nearest[~np.isnan(closeness[nearest])], slice(0, k), cosines.mean(axis=0))

    def understood(self, typed: str, hidden: Collection[str] = (), today: date | None = None) -> Question:
        """Return a typed question as `search` reads it; for the arguments see there."""
        return understand(_clean(typed), self.generation, shown_videos(self.generation, hidden), today)

    def _is_known_emoji(self, text: str) -> bool:
        """Return whether a question has nothing but emoji, and some text has one of them."""
        if {word.kind for word in words(text)} != {"emoji"}:
            return False
        stems = self.generation.keyword["stems"]
        return any(stems.has(form) for term in stems.query_terms(text) for form in term.forms)

    def _corrected(self, question: Question) -> tuple[str, list[Correction]]:
        """Return the question's text with its typos corrected, and the corrections."""
        # A word that the model knows is not a typo, even if no video has it: "falls" must not become "calls".
        known = {word for word in terms(question.text, plain) if self._knows(word)}
        return self.speller.correct(question.text, question.literal | known)

    def _knows(self, word: str) -> bool:
        return any(encoder.knows(word) for encoder in self.encoders)

    def _demand_encoder(self) -> None:
        if self.keyword_only:
            reasons = [encoder.reason for encoder in self.encoders if isinstance(encoder, KeywordOnly)]
            raise WeightsError(reasons[0] if reasons else KeywordOnly().reason)

    def _query(self, text: str, share: Sequence[float], known: QueryVectors | None) -> QueryVectors:
        """Return the vectors of a question by the encoders that have a share of its score."""
        if known is not None:
            return known
        return tuple(encoder.query(text) if part else None for encoder, part in zip(self.encoders, share, strict=True))

    def _passage_scores(
        self, encoder: int, vector: Vectors, weights: Mapping[str, float]
    ) -> dict[str, NDArray[np.float32]]:
        """Return the cosine of every passage by field, for the fields with a weight above 0."""
        return {
            field: self.generation.dense[encoder][field].passage_scores(vector)
            for field, weight in weights.items()
            if weight > 0
        }

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
