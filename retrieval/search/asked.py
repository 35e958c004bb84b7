"""A question as the scores need it -> the scores of the videos of a generation, or of a part of one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding.encoder import Vectors
from retrieval.index.bm25f import TermCounts
from retrieval.index.documents import FIELDS, TEXT_FIELDS
from retrieval.index.generation import Generation
from retrieval.index.manifest import FusionWeights
from retrieval.index.sketch import Halves
from retrieval.index.values import Mask
from retrieval.search.candidates import EXHAUSTIVE, Candidates, candidates
from retrieval.search.fusion import MAX_WEIGHT, Method, Mode, Scores, dense_weight
from retrieval.search.parallel import alone, at_once, halves, in_helper
from retrieval.search.phases import FirstPhase
from retrieval.search.scoring import AnalyserScores, EncoderScores, FirstFields, QueryVectors
from retrieval.search.seen import SeenScores, seen_scores
from retrieval.search.timer import Timer
from retrieval.search.understand import Preferred

LONGEST = "char_ngrams"  # the analyser that has about two thirds of the postings of a question
PARTLY_BY_CHANCE = ("stems", "char_ngrams")  # the analysers of which a few terms match by chance


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question as the scores need it: its words, how much what counts, and its vectors, which the scores of words do
    not need.

    Attributes:
        share: by what the weight of each encoder is multiplied; 0 leaves it out.
        dense_weights: by field, for the vectors; a field with 0 is not scored.
        keyword_weights: by field, for the words, shape (TEXT_FIELDS,).
        preferred: tags and creators whose videos count more, as stems do.
        read: whether an encoder that reads the question has a part in the score.
        seen_weight: of the pictures.
        vectors: of the question, one for each encoder of the generation; None for one that has no part.
        clauses: vectors of the question's clauses, if it is long, one matrix for each encoder.
        seen: the vector in the space of pictures; None if pictures have no part.
    """

    text: str
    mode: Mode
    method: Method
    share: Sequence[float]
    dense_weights: Mapping[str, float]
    keyword_weights: Scores
    preferred: Sequence[Preferred]
    read: bool
    seen_weight: float
    vectors: QueryVectors = ()
    clauses: QueryVectors = ()
    seen: Vectors | None = None


class Phases:
    """Both phases of the scores of a question in a generation.

    Attributes:
        answered: how many parts of the index have answered, and how many there are.
    """

    answered = (1, 1)

    def __init__(self, first: FirstPhase, seen: SeenScores | None) -> None:
        self.first, self.seen = first, seen

    @classmethod
    def of(
        cls,
        generation: Generation,
        asked: Asked,
        keyword: Mapping[str, AnalyserScores],
        by_sight: Callable[[], Vectors | None],
        timer: Timer,
    ) -> "Phases":
        """Score all videos of a generation that is open here.

        Args:
            keyword: the scores of the words.
            by_sight: waits for the vector in the space of pictures.
        """
        dense = encoder_scores(generation, asked)
        timer.lap("dense")
        seen = seen_scores(generation, by_sight(), asked.seen_weight, asked.method)
        timer.lap("see")
        others = seen.scores if seen else None
        return cls(FirstPhase(generation, dense, asked.share, keyword, asked.method, asked.mode, others), seen)

    def candidates(self, among: Mask, hits: int | None, everything: bool | None = None) -> Candidates:
        """Return the videos to score exactly; see `candidates`."""
        return candidates(partial(self.first.best, among=among), among, hits, everything)


class PartsOfIndex(Protocol):
    """The parts of a generation on the nodes of a cluster, which score their videos."""

    def phases(self, asked: Asked, among: Mask, hits: int | None) -> Phases:
        """Return the phases of a question, of which the candidates for these hits are known."""
        ...


def field_weights(
    tuned: FusionWeights, weights: Mapping[str, float], mode: Mode
) -> tuple[dict[str, float], NDArray[np.float64]]:
    """Return how much each field counts for the vectors, and for the words, shape (TEXT_FIELDS,).

    Args:
        weights: by field, what a person has chosen; 1 changes nothing.
    """
    # In dense mode as well: the keyword index says which words match, and where they are spoken.
    most = MAX_WEIGHT if mode == "keyword" else 1.0
    dense = {field: dense_weight(tuned.dense.get(field, 0.0), weights[field]) for field in FIELDS}
    return dense, np.array([tuned.keyword.get(field, 0.0) * min(weights[field], most) for field in TEXT_FIELDS])


def incomplete(answered: tuple[int, int]) -> list[str]:
    """Return the note of an answer that not all parts of the index have answered."""
    if answered[0] == answered[1]:
        return []
    return [f"Answered from {answered[0]} of {answered[1]} parts of the index. Videos of the others are missing."]


def encoder_scores(
    generation: Generation, asked: Asked, first: Sequence[FirstFields | None] = ()
) -> list[EncoderScores | None]:
    """Score all videos by their vectors.

    Args:
        first: for each encoder the fields of the first phase, if they are chosen already.
    """

    def of_encoder(number: int, each: Halves = map) -> EncoderScores | None:
        vector = asked.vectors[number]
        if vector is None or not has_part(asked, number):
            return None
        return EncoderScores(
            generation.dense[number],
            vector,
            asked.dense_weights,
            asked.method,
            asked.clauses[number] if asked.clauses else None,
            first[number] if first else None,
            each,
        )

    numbers = range(len(asked.vectors))
    if sum(has_part(asked, number) for number in numbers) > 1:
        return at_once(of_encoder, numbers)
    return [of_encoder(number, halves) for number in numbers]


def has_part(asked: Asked, encoder: int) -> bool:
    """Return whether an encoder, by its number, has a part in the scores."""
    weighted = any(weight > 0 for weight in asked.dense_weights.values())
    return asked.vectors[encoder] is not None and bool(asked.share[encoder]) and weighted


def analyser_scores(
    generation: Generation, asked: Asked, counted: Mapping[str, TermCounts] | None = None
) -> dict[str, AnalyserScores]:
    """Score all videos by their words.

    A score is relative to those of the other videos. Where no video has much of a question, as often happens if it is
    in another language than its video, one word or 4-gram in common would therefore count as much as a whole question.
    So if the encoders can decide, a video that has less than COVERED of a question counts in proportion.

    Args:
        counted: by analyser the counts of the terms, if there are other videos than these.
    """
    counting = [one.among(generation) for one in asked.preferred]

    def of_analyser(name: str) -> AnalyserScores:
        return AnalyserScores(
            generation.keyword[name],
            asked.text,
            asked.keyword_weights,
            counting if name == "stems" else [],
            asked.method,
            asked.read and name in PARTLY_BY_CHANCE,
            counted[name] if counted else None,
        )

    # Among few videos, waking a thread takes longer than it saves.
    helped = len(generation.ids) > EXHAUSTIVE and alone()
    longest = in_helper(lambda: of_analyser(LONGEST)) if helped else partial(of_analyser, LONGEST)
    found = {name: of_analyser(name) for name in generation.keyword if name != LONGEST} | {LONGEST: longest()}
    return {name: found[name] for name in generation.keyword}
