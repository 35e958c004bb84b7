"""Searcher: a question -> ranked videos with reasons. The page, the API, the command line and the evaluation use it."""

import html
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.language import language_of
from ingest.models.device import numpy_in_one_thread
from ingest.models.weights import WeightsError
from retrieval.embedding.encoder import Encoder, KeywordOnly, Vectors
from retrieval.embedding.registry import KEYWORDS_ALONE
from retrieval.errors import GenerationError
from retrieval.index.documents import ALL_FIELDS, SEEN
from retrieval.index.generation import Generation, open_current
from retrieval.index.layout import current_name
from retrieval.index.values import Mask
from retrieval.search.answer import Answer, Hit, Ranking, Sort
from retrieval.search.asked import Asked, PartsOfIndex, Phases, analyser_scores, field_weights, incomplete
from retrieval.search.candidates import Candidates
from retrieval.search.choices import Choice
from retrieval.search.conditions import Condition
from retrieval.search.encoders import SharedEncoders, begin_to_encode, clause_vectors, factors, load_all
from retrieval.search.feedback import open_videos, refined
from retrieval.search.filters import filter_videos, shown_videos
from retrieval.search.found import Found, best, hits_in, hits_of
from retrieval.search.fusion import Method, Mode, Scores
from retrieval.search.matching import matcher_of, spans_of
from retrieval.search.parallel import searching
from retrieval.search.phases import scored
from retrieval.search.query import Question
from retrieval.search.reranker import Reranker, rescore
from retrieval.search.scoring import QueryVectors, is_known_emoji, nearest
from retrieval.search.seen import vector_soon, vision_of, weight_of
from retrieval.search.sorting import by_time, default_sort
from retrieval.search.spelling import Correction, Speller
from retrieval.search.timer import Timer
from retrieval.search.understand import preferences, understand
from retrieval.search.understanding import reads
from scraper.records import clean_text

MAX_QUERY_CHARS = 1_000  # a few sentences; more would only slow the keyword retriever down
MAX_K = 1_000


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
        pairs = list(zip(self.encoders, manifest.encoders, strict=False))
        # an encoder without a dimension could not be loaded
        fits = all(one.key == used.key and one.dimension in (0, used.dimension) for one, used in pairs)
        if not fits or not len(pairs) == len(self.encoders) == len(manifest.encoders):
            raise GenerationError(
                f"generation {manifest.name} was built with other weights or settings of {manifest.encoder}, or with"
                f" other encoders: run `tiktok-retrieval build"
                f"{''.join(f' --encoder {used.name}' for used in manifest.encoders)}`"
            )
        numpy_in_one_thread()
        self.generation = generation
        self.reranker = reranker
        self.speller = Speller(generation.phrases, generation.keyword["stems"])
        self._loaded = [encoder.dimension > 0 for encoder in self.encoders]
        self.vision, self.no_vision = vision_of(generation)
        self.parts: PartsOfIndex | None = None  # what scores the videos in place of this process

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
        hits: int | None = None,
        choices: Sequence[Choice] = (),
        picture: Vectors | None = None,
    ) -> Ranking:
        """Score the videos `among` all: every one, or if `hits` is given, those that may be among so many best ones.

        The score of a video does not depend on which others are scored, and conditions change no score.

        Args:
            weights: by field: 1 (the default) changes nothing, 0 switches a field off in both retrievers, less than 1
                is multiplied with the tuned weights. With more than 1 the passages of the field count by meaning (see
                `fusion.dense_weight`), and by words as before, unless words are all that counts.
            vectors: those of the text of `query`, if known. They are not used if a word is corrected.
            among: the videos to score, shape (videos,); by default all. What the reranker adds depends on them.
            exact: whether words are searched for as typed, without correction.
            hits: how many of the best videos are needed.
            choices: videos that the one meant is nearer to, or not like, which refine the scores.
            picture: the vector of a picture to search by, with the words or without any.
        """
        timer = Timer()
        question = self.understood(query) if isinstance(query, str) else query
        tuned = self.generation.manifest.weights
        by_field = {field: (weights or {}).get(field, 1.0) for field in ALL_FIELDS}
        text, corrections = (question.text, []) if exact else self.speller.correct(question.text, question.literal)
        timer.lap("spell")
        asked = query if isinstance(query, str) else query.text
        by_sight = vector_soon(self.generation, self.vision, text, mode, by_field[SEEN], picture)
        share = self._share(text, mode)
        known = vectors if mode != "keyword" and text == asked else None
        encoded = iter(known) if known else begin_to_encode(self.encoders, text, share)
        dense_weights, keyword_weights = field_weights(tuned, by_field, mode)
        asking = Asked(
            text=text,
            mode=mode,
            method=method,
            share=share,
            dense_weights=dense_weights,
            keyword_weights=keyword_weights,
            preferred=preferences(self.generation, question.preferred, keyword_weights),
            read=any(
                part and reads(used, language_of(text))
                for used, part in zip(self.generation.manifest.encoders, share, strict=True)
            ),
            seen_weight=weight_of(picture, by_field[SEEN]),
        )
        # What needs all videos at once is computed here.
        parts = self.parts if hits is not None and method != "rrf" and not choices else None
        keyword = {} if parts else analyser_scores(self.generation, asking)  # while the encoders work
        timer.lap("keyword")
        vectors = list(encoded)
        asking = replace(asking, vectors=vectors, clauses=clause_vectors(self.encoders, text, vectors))
        timer.lap("encode")
        among = self.generation.alive if among is None else among
        if parts:
            phases = parts.phases(replace(asking, seen=by_sight()), among, hits)
        else:
            phases = Phases.of(self.generation, asking, keyword, by_sight, timer)
        videos = phases.candidates(among, hits)
        timer.lap("candidates")

        def ranking_of(videos: Candidates) -> Ranking:
            found = scored(phases.first, videos, text, vectors, corrections, question, phases.seen)
            return replace(found, answered=phases.answered)

        ranking = ranking_of(videos)
        timer.lap("score")
        if self.reranker:
            ranking = rescore(self.reranker, self.generation, ranking, among)
            timer.lap("rerank")
        if choices:
            ranking = refined(self.generation, ranking, choices, among, hits, phases.first, ranking_of)
            timer.lap("feedback")
        return replace(ranking, timings_ms=timer.steps_ms)

    @searching()
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
            order = by_time(self.generation, mask, question.conditions, default_sort(question))
            return order, np.zeros(len(order))
        ranking = self.rank(query, mode=mode, weights=weights, vectors=vectors, among=mask)
        order = ranking.order(mask)
        return order, ranking.scores[ranking.at(order)]

    @searching()
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
        lane: Mode | None = None,
        choices: Sequence[Choice] = (),
        picture: Vectors | None = None,
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
            lane: the old name of `mode`, which scripts of an earlier version pass.
            choices: videos that the one meant is nearer to, or not like. They refine the scores of a question that has
                a text, and are not among the hits.
            picture: the vector of a picture to search by (`seen.look_at`), or of a frame in the index, with the words
                of the question or without any.
        """
        timer, mode = Timer(), lane or mode
        query = _clean(query)
        question = self.understood(query, hidden, today).where(filters)
        mask, notes = filter_videos(self.generation, self.speller, question.conditions, hidden)
        timer.lap("filter")
        if picture is not None and not question.text:
            mode = "keyword"  # there are no words either
        if self.keyword_only and mode != "keyword":
            mode = "keyword"
            why = f"{_models(self.missing)} could not be loaded" if self.missing else "this index has no vectors"
            notes.append(f"Keyword search only: {why}.")
        elif self.missing and mode != "keyword":
            notes.append(f"Searched without {_models(self.missing)}, which could not be loaded.")
        if self.no_vision and picture is None and mode != "keyword":
            notes.append(f"Searched without pictures: {self.no_vision}")
        page, answered = slice(offset, offset + min(k, MAX_K)), (1, 1)
        ranked = bool(question.text) or picture is not None
        if ranked and mask.any():
            ranking = self.rank(
                question,
                mode=mode,
                weights=weights,
                method=method,
                among=mask,
                exact=exact,
                hits=self.generation.copies.needed(page.stop),
                choices=choices,
                picture=picture,
            )
            timer.include(ranking.timings_ms)
            answered = ranking.answered
            notes += incomplete(answered)
            if choices and not self.generation.dense:
                notes.append("Your choices of videos change nothing: this index has no vectors.")
            mask = open_videos(self.generation, choices, mask)
            shown = shown_videos(self.generation, hidden)
            found = best(self.generation, ranking, mode, mask, page, timer, sort, question.conditions, shown)
        elif question.conditions and mask.any():
            # Only conditions, and these videos meet them: there is nothing to be unsure of.
            sort = sort if sort != "relevance" else default_sort(question)
            order = by_time(self.generation, mask, question.conditions, sort)
            found = Found(hits_of(self.generation, order[page], page.start), confidence=1.0, good=True)
        else:
            found = Found(text=question.text)
        return Answer(
            query=query,
            text=found.text,
            conditions=list(question.conditions),
            notes=[*question.notes, *map(_note, found.corrections), *notes, *filter(None, [found.problem])],
            mode=mode,
            generation=self.generation.name,
            encoder=self.generation.manifest.encoder,
            total=hits_in(self.generation, mask, ranked)
            if found.text or question.conditions or picture is not None
            else 0,
            hits=list(found.hits),
            timings_ms=timer.summary(),
            confidence=found.confidence,
            good=found.good,
            sort=sort,
            preferred=list(question.preferred),
            corrections=list(found.corrections),
            exact=exact,
            choices=list(choices),
            parts=answered[1],
            parts_answered=answered[0],
        )

    def similar(self, video_id: str, k: int = 6, hidden: Collection[str] = ()) -> list[Hit]:
        """Return the `k` videos whose whole text is closest in meaning to this one's; `score` is their cosine.

        There are none if the video has no text, or the generation no vectors. None of them is `hidden`.

        Raises:
            KeyError: the generation does not have the video.
        """
        video = self.generation.positions[video_id]
        order, cosines = nearest(self.generation, video, shown_videos(self.generation, hidden), k)
        return hits_of(self.generation, order, 0, cosines)

    def marker(self, query: str) -> Callable[[str], list[tuple[int, int]]]:
        """Return what finds the informative words of a question in a text."""
        question = self.understood(query)
        if not question.text:
            return lambda text: []
        ranking = self.rank(question, mode="keyword", hits=0)
        matcher = matcher_of(self.generation, ranking)
        return lambda text: spans_of(text, matcher)

    def understood(self, typed: str, hidden: Collection[str] = (), today: date | None = None) -> Question:
        """Return a typed question as `search` reads it; for the arguments see there."""
        return understand(_clean(typed), self.generation, shown_videos(self.generation, hidden), today)

    def _demand_encoder(self) -> None:
        if self.keyword_only:
            reasons = [encoder.reason for encoder in self.encoders if isinstance(encoder, KeywordOnly)]
            raise WeightsError(reasons[0] if reasons else KeywordOnly().reason)

    def _share(self, text: str, mode: Mode) -> list[float]:
        """Return the share of each encoder in the score of a question."""
        if mode == "keyword":
            return [0.0] * len(self.encoders)
        self._demand_encoder()
        if mode == "hybrid" and is_known_emoji(self.generation, text):
            return [0.0] * len(self.encoders)  # a video that has the emoji comes before those whose vector is near it
        return factors(self.generation.manifest.encoders, self._loaded, language_of(text))


def _note(correction: Correction) -> str:
    return f'Searched for "{correction.used}" instead of "{correction.typed}", which no video has.'


def _models(names: Sequence[str]) -> str:
    return f"the model{'s' * (len(names) > 1)} {' and '.join(names)}"


def _clean(query: str) -> str:
    """Return a question without control characters and HTML entities: text copied from a page has &#39; for '."""
    return clean_text(html.unescape(query), MAX_QUERY_CHARS)
