"""What the parts of a generation have found -> the candidates of all, and both phases of their scores.

The numbers of the parts become those of the whole generation. From then on a score is made as on one machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from retrieval.cluster.part import AnalyserFound, CandidatesFound, EncoderFound, Spread
from retrieval.embedding.encoder import Vectors
from retrieval.index.analysis import TERMS
from retrieval.index.dense import DenseIndex
from retrieval.index.documents import FIELDS, OVERVIEW
from retrieval.index.generation import Generation, GenerationPart, PartFacts
from retrieval.index.rows import Best
from retrieval.index.seen import SeenIndex
from retrieval.index.values import Mask
from retrieval.search.asked import Asked, Phases
from retrieval.search.candidates import Candidates
from retrieval.search.clauses import ClauseScores
from retrieval.search.fusion import Method, Moments, Normaliser, Scores
from retrieval.search.phases import FirstPhase
from retrieval.search.scoring import AnalyserScores, EncoderScores, EncoderSpread, Videos
from retrieval.search.seen import SeenScores, beyond_chance


@dataclass(frozen=True)
class Division:
    """How a generation is divided: its parts, and the first video of each and how many there are, ascending."""

    parts: Sequence[GenerationPart]
    starts: Sequence[int]

    def videos(self, number: int) -> slice:
        """Return the videos of a part."""
        return slice(self.starts[number], self.starts[number + 1])


def divided(generation: Generation, parts: int) -> Division:
    """Divide the segments of a generation into parts with about as many videos each; fewer if there are not enough."""
    ends = generation.starts.tolist()
    bounds = [0]
    for number in range(1, min(parts, len(generation.segments))):
        wanted = number * ends[-1] / parts
        nearest = min(range(len(ends)), key=lambda end: abs(ends[end] - wanted))
        left = len(generation.segments) - (min(parts, len(generation.segments)) - number)
        bounds.append(min(max(nearest, bounds[-1] + 1), left))
    bounds.append(len(generation.segments))
    return Division(
        [GenerationPart(first, end, _facts(generation, ends[first], ends[end])) for first, end in pairwise(bounds)],
        [ends[bound] for bound in bounds],
    )


def _facts(generation: Generation, first: int, end: int) -> PartFacts:
    def inside(videos: NDArray[np.int64]) -> NDArray[np.int64]:
        low, high = np.searchsorted(videos, [first, end])
        return videos[low:high] - first

    rows = generation.rows
    samples = {field: (inside(rows[field].sample), inside(rows[field].common)) for field in FIELDS}
    return PartFacts({name: generation.keyword[name].corpus for name in TERMS}, samples)


class GatheredPhases(Phases):
    """Both phases of a question whose candidates are known."""

    def __init__(
        self, first: FirstPhase, seen: SeenScores | None, known: Candidates, answered: tuple[int, int]
    ) -> None:
        super().__init__(first, seen)
        self._known, self.answered = known, answered

    def candidates(self, among: Mask, hits: int | None, everything: bool | None = None) -> Candidates:
        """Return the candidates of all parts."""
        return self._known


def gathered(
    generation: Generation,
    division: Division,
    asked: Asked,
    spread: Spread,
    found: Mapping[int, CandidatesFound],
    answered: tuple[int, int],
) -> Phases:
    """Return the phases of a question.

    Args:
        spread: that of all parts together.
        found: the candidates of each part, by its number, ascending.
        answered: how many parts have answered, and how many there are.
    """
    starts, parts = [division.starts[number] for number in found], list(found.values())
    videos = np.concatenate([part.videos + start for part, start in zip(parts, starts, strict=True)])
    encoders: list[EncoderScores | None] = []
    for number, of_spread in enumerate(spread.encoders):
        of_parts = [of for part in parts if (of := part.encoders[number])]
        if of_spread is None or not of_parts:
            encoders.append(None)
            continue
        encoders.append(GatheredEncoder(generation, number, asked, of_spread, videos, of_parts, starts))
    analysers = {
        name: GatheredAnalyser(asked.method, videos, [part.analysers[name] for part in parts]) for name in TERMS
    }
    seen = None
    if generation.seen and spread.seen and (of_pictures := [part.seen for part in parts if part.seen]):
        best = _joined([of for _, of in of_pictures], generation.seen.rows.starts, starts)
        added = np.concatenate([of_part for of_part, _ in of_pictures])
        seen = GatheredSeen(generation.seen, asked, spread.seen, videos, added, best)
    first = FirstPhase(generation, encoders, asked.share, analysers, asked.method, asked.mode)
    candidates = Candidates(videos, np.concatenate([part.steps for part in parts]))
    return GatheredPhases(first, seen, candidates, answered)


def _joined(parts: Sequence[Best], starts_of_rows: NDArray[np.int64], starts: Sequence[int]) -> Best:
    """Return the best passages of the candidates of all parts."""
    rows = [
        np.where(part.rows >= 0, part.rows + starts_of_rows[start], -1)
        for part, start in zip(parts, starts, strict=True)
    ]
    return Best(np.concatenate([part.cosines for part in parts]), np.concatenate(rows))


class GatheredEncoder(EncoderScores):
    """What one encoder has found for candidates.

    Args:
        number: of the encoder.
        spread: that of all parts together.
        videos: the candidates.
        starts: the first video of each part.
    """

    def __init__(
        self,
        generation: Generation,
        number: int,
        asked: Asked,
        spread: EncoderSpread,
        videos: Videos,
        parts: Sequence[EncoderFound],
        starts: Sequence[int],
    ) -> None:
        self._weights = {field: weight for field, weight in asked.dense_weights.items() if weight > 0}
        self._indexes: Mapping[str, DenseIndex] = generation.dense[number]
        self._normalisers = {field: Normaliser(asked.method, of) for field, of in spread.fields.items()}
        self._videos = videos
        self._found = {
            field: _joined([part.best[field] for part in parts], generation.rows[field].starts, starts)
            for field in self._weights
        }
        self.__dict__["lowest"] = min(part.lowest for part in parts)
        vectors = asked.clauses[number] if asked.clauses else None
        self.clauses = None
        if vectors is not None and spread.clauses:
            self.clauses = GatheredClauses(self._indexes[OVERVIEW], vectors, spread.clauses, videos, parts)

    def _best(self, field: str, videos: Videos | None) -> Best:
        found = self._found[field]
        return found if videos is None else found.of(np.searchsorted(self._videos, videos))


class GatheredClauses(ClauseScores):
    """How near candidates are to the clauses of a question."""

    def __init__(
        self,
        index: DenseIndex,
        vectors: Vectors,
        spread: Sequence[Moments],
        videos: Videos,
        parts: Sequence[EncoderFound],
    ) -> None:
        self._index, self._vectors, self.spread, self._videos = index, vectors, spread, videos
        self._clause = np.concatenate([part.clause for part in parts if part.clause is not None])
        self._nearness = np.concatenate([part.nearest for part in parts if part.nearest is not None])
        self._relate(Moments.merged([part.nearness for part in parts if part.nearness]).mean)

    def compared(self, videos: Videos) -> tuple[Videos, NDArray[np.float32]]:
        """Return what ClauseScores.compared does."""
        places = np.searchsorted(self._videos, videos)
        return self._clause[places], self._nearness[places]


class GatheredAnalyser(AnalyserScores):
    """What one analyser has found for candidates."""

    def __init__(self, method: Method, videos: Videos, parts: Sequence[AnalyserFound]) -> None:
        self.normaliser = Normaliser(method, Moments.merged([part.moments for part in parts]))
        self.idfs = dict(parts[0].idfs)
        self._videos, self._split = videos, np.concatenate([part.split for part in parts], axis=1)
        self._factors = np.concatenate([part.factor for part in parts])

    def split(self, videos: Videos) -> tuple[Scores, NDArray[np.float32]]:
        """Return what AnalyserScores.split does."""
        places = np.searchsorted(self._videos, videos)
        return self._split[:, places], self._factors[places]


class GatheredSeen(SeenScores):
    """What the pictures of candidates add."""

    def __init__(
        self, index: SeenIndex, asked: Asked, spread: Moments, videos: Videos, scores: Scores, best: Best
    ) -> None:
        assert asked.seen is not None
        self.focused, self._beyond = asked.seen_weight > 1, beyond_chance(spread)
        self._index, self._vector = index, asked.seen
        self._videos, self.scores, self.best = videos, scores, best

    def of(self, videos: Videos) -> tuple[Scores, Best]:
        """Return what some candidates get, and the best picture of each."""
        return super().of(np.searchsorted(self._videos, videos))
