"""A question -> what one part of a generation finds for it, in two rounds.

The scores of a video are relative to all videos. So the first round says how many videos of this part have the terms of
the question, and how their cosines are spread. In the second round the part knows that of all parts, and returns its
candidates: what their scores are made of, before they are made relative.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.index.bm25f import TermCounts
from retrieval.index.documents import FIELDS
from retrieval.index.generation import Generation, GenerationPart
from retrieval.index.rows import Best
from retrieval.index.values import Mask
from retrieval.search.asked import Asked, Phases, analyser_scores, encoder_scores, field_weights
from retrieval.search.fusion import Moments, Scores
from retrieval.search.parallel import searching
from retrieval.search.phases import FirstPhase
from retrieval.search.scoring import EncoderScores, EncoderSpread, FirstFields
from retrieval.search.seen import SeenScores, seen_scores

Compared = tuple[list[EncoderScores | None], SeenScores | None]
KEPT = 3  # questions whose first round is kept for the second one


@dataclass(frozen=True)
class Spread:
    """What the first round says of the videos of one part, or of several together.

    Attributes:
        encoders: for each encoder; None for one that has no part in the scores.
        terms: by analyser.
        seen: of the cosines of pictures; None if pictures have no part.
    """

    encoders: Sequence[EncoderSpread | None]
    terms: Mapping[str, TermCounts]
    seen: Moments | None

    @classmethod
    def merged(cls, parts: Sequence["Spread"]) -> "Spread":
        """Return that of several parts together."""
        of_encoders = zip(*(part.encoders for part in parts), strict=True)
        seen = [part.seen for part in parts if part.seen]
        return cls(
            [EncoderSpread.merged(known) if (known := [of for of in each if of]) else None for each in of_encoders],
            {name: TermCounts.merged([part.terms[name] for part in parts]) for name in parts[0].terms},
            Moments.merged(seen) if seen else None,
        )


@dataclass(frozen=True)
class EncoderFound:
    """What an encoder finds for candidates.

    Attributes:
        best: by field.
        lowest: the lowest score of a sample of the part's videos.
        clause, nearest: the nearest clause of each candidate, and how near it is; None without clauses.
        nearness: how the nearest clauses of a sample of the videos of the part are.
    """

    best: Mapping[str, Best]
    lowest: float
    clause: NDArray[np.int64] | None
    nearest: NDArray[np.float32] | None
    nearness: Moments | None


@dataclass(frozen=True)
class AnalyserFound:
    """What an analyser finds for candidates: `split` and `factor` as AnalyserScores.split returns them, and how the
    scores of all videos of the part are spread. `idfs` are the same in all parts."""

    split: Scores
    factor: NDArray[np.float32]
    moments: Moments
    idfs: Mapping[str, float]


@dataclass(frozen=True)
class CandidatesFound:
    """The candidates of one part, by its own numbers of videos and passages, and what is found for them.

    Attributes:
        videos, steps: see Candidates.
        seen: what their pictures add, and the best ones; None if pictures have no part.
    """

    videos: NDArray[np.int64]
    steps: NDArray[np.int64]
    encoders: Sequence[EncoderFound | None]
    analysers: Mapping[str, AnalyserFound]
    seen: tuple[Scores, Best] | None


class Part:
    """Some segments of a generation, ready to answer.

    Raises:
        GenerationError: the generation cannot be opened.
    """

    def __init__(self, folder: Path, part: GenerationPart) -> None:
        self.generation = Generation(folder, part=part)
        self._asked: OrderedDict[str, Compared] = OrderedDict()
        self._lock = threading.Lock()
        self._warm_up()

    @searching()
    def spread(self, key: str, asked: Asked, first: Sequence[FirstFields | None]) -> Spread:
        """Return what the first round says.

        Args:
            key: of the question; it is the same in both rounds.
            first: for each encoder the fields of the first phase.
        """
        encoders, seen = found = self._scores(asked, first)
        with self._lock:
            self._asked[key] = found
            while len(self._asked) > KEPT:
                self._asked.popitem(last=False)
        terms = {
            name: index.counts(asked.text, asked.keyword_weights) for name, index in self.generation.keyword.items()
        }
        return Spread([of.spread if of else None for of in encoders], terms, seen.spread if seen else None)

    @searching()
    def candidates(
        self,
        key: str,
        asked: Asked,
        first: Sequence[FirstFields | None],
        spread: Spread,
        among: NDArray[np.uint8] | None,
        hits: int,
        everything: bool,
    ) -> CandidatesFound:
        """Return the candidates: the second round.

        Args:
            spread: that of all parts.
            among: the videos that meet the conditions, as bits, 8 in a byte; None for all.
            hits: how many of the best videos are needed.
            everything: whether all videos are candidates.
        """
        with self._lock:
            known = self._asked.pop(key, None)
        encoders, seen = known or self._scores(asked, first)
        relative = [of.with_spread(to) if of and to else None for of, to in zip(encoders, spread.encoders, strict=True)]
        seen = seen.with_spread(spread.seen) if seen and spread.seen else None
        analysers = analyser_scores(self.generation, asked, spread.terms)
        others = seen.scores if seen else None
        first_phase = FirstPhase(self.generation, relative, asked.share, analysers, asked.method, asked.mode, others)
        found = Phases(first_phase, seen).candidates(self._mask(among), hits, everything)
        of_analysers = {}
        for name, of_analyser in analysers.items():
            split, factor = of_analyser.split(found.videos)
            moments = of_analyser.normaliser.moments
            of_analysers[name] = AnalyserFound(split, factor, moments, of_analyser.idfs)
        return CandidatesFound(
            found.videos,
            found.steps,
            [_of_encoder(of, found.videos) if of else None for of in relative],
            of_analysers,
            seen.of(found.videos) if seen else None,
        )

    def _warm_up(self) -> None:
        """Answer a question: the first in a process takes seconds, in which code is compiled and tables are read."""
        encoders = self.generation.manifest.encoders
        dense, keyword = field_weights(self.generation.manifest.weights, dict.fromkeys(FIELDS, 1.0), "hybrid")
        asked = Asked(
            text="warm",
            mode="hybrid",
            method="zscore",
            share=[1.0] * len(encoders),
            dense_weights=dense,
            keyword_weights=keyword,
            preferred=(),
            read=True,
            seen_weight=1.0,
            vectors=[np.full(used.dimension, used.dimension**-0.5, np.float32) for used in encoders],
        )
        first = [FirstFields.of(of, dense, asked.method) for of in self.generation.dense]
        spread = Spread.merged([self.spread("", asked, first)])
        self.candidates("", asked, first, spread, None, 10, everything=False)

    def _scores(self, asked: Asked, first: Sequence[FirstFields | None]) -> Compared:
        """Compare the vectors."""
        seen = seen_scores(self.generation, asked.seen, asked.seen_weight, asked.method)
        return encoder_scores(self.generation, asked, first), seen

    def _mask(self, among: NDArray[np.uint8] | None) -> Mask:
        alive = self.generation.alive
        return alive if among is None else alive & np.unpackbits(among, count=len(alive)).astype(np.bool_)


def _of_encoder(scores: EncoderScores, videos: NDArray[np.int64]) -> EncoderFound:
    clauses = scores.clauses
    clause, nearest = clauses.compared(videos) if clauses else (None, None)
    return EncoderFound(scores.best(videos), scores.lowest, clause, nearest, clauses.nearness if clauses else None)
