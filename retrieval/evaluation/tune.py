"""Questions with known videos -> weights of the fusion's parts, with an estimate that no question was learned on.

A video's score is a weighted sum of four parts (the dense lane; words, grams and pairs of the keyword lane). Learned
are those weights under which a softmax over all videos gives the right ones most likelihood: a convex problem, no
weight negative, all held to the program's own by a penalty whose strength an inner cross-validation chooses (not to
today's: these may have been learned from the same questions). An outer one, repeated, asks every question of weights
learned on others; questions with a video in common stay together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from ingest.progress import Progress, ProgressMode
from retrieval.embedding.encoder import Vectors
from retrieval.errors import EvaluationError
from retrieval.evaluation.measures import interval, paired_p
from retrieval.evaluation.queries import Query, check_targets
from retrieval.index.generation import FusionWeights
from retrieval.search.filters import passing
from retrieval.search.fusion import PARTS
from retrieval.search.query import parse
from retrieval.search.searcher import Searcher

FOLDS = 5
REPEATS = 4
FEWEST = 10  # questions (groups of them): below it a fold holds one or two, and the estimate is luck
# strengths of the penalty, per (weight - the program's own) squared; infinite: these as they are
PENALTIES = (0.003, 0.03, 0.3, 3.0, np.inf)
SEED = 20_220_801
BY_CHANCE = 0.05  # a difference with a p above this may be luck

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """A question's parts, shape (PARTS, videos), and the rows of its right videos."""

    parts: NDArray[np.float32]
    right: NDArray[np.int64]

    def place(self, weights: Values) -> int:
        """The place of the best right video; of videos with one score the earlier row stands first."""
        scores = weights.astype(np.float32) @ self.parts
        return min(int((scores > scores[row]).sum() + (scores[:row] == scores[row]).sum()) + 1 for row in self.right)


class Estimate(BaseModel):
    """Means over the questions, the bootstrap interval of RR, and the mean place."""

    RR: float
    interval: tuple[float, float]
    success_1: float
    success_10: float
    mean_rank: float


class Tuning(BaseModel):
    """`learned` is held out; `today`, `dense` and `keyword` need nothing learned. `p` is of learned against today's."""

    questions: int
    weights: FusionWeights
    penalty: float | None
    today_weights: FusionWeights
    learned: Estimate
    today: Estimate
    dense: Estimate
    keyword: Estimate
    p: float
    notes: list[str]

    @property
    def better(self) -> bool:
        """Whether the learned weights are better than today's by more than chance."""
        return self.learned.RR > self.today.RR and self.p < BY_CHANCE


def tune(searcher: Searcher, queries: Sequence[Query], *, progress: ProgressMode = "off") -> Tuning:
    """Learn the weights of the parts from all questions, and estimate by nested cross-validation what that is worth.

    Raises:
        EvaluationError: a target is not in the generation, or there are too few questions.
    """
    check_targets(queries, searcher.generation.positions, f"generation {searcher.generation.name}")
    vectors = searcher.encoder.queries([query.text for query in queries])
    asked = zip(Progress("rank", len(queries), progress, unit="questions").track(queries), vectors, strict=True)
    sampled = [(query, sample) for query, vector in asked if (sample := _sample(searcher, query, vector))]
    samples = [sample for _, sample in sampled]
    groups = _groups([query for query, _ in sampled])
    if len(set(groups)) < FEWEST:
        raise EvaluationError(f"{len(set(groups))} questions with different videos are too few to learn from: {FEWEST}")

    today_weights = searcher.generation.manifest.weights
    today, own = (np.array([getattr(of, name) for name in PARTS]) for of in (today_weights, FusionWeights()))
    reciprocal = []
    places = []
    rng = np.random.default_rng(SEED)
    with Progress("learn", REPEATS * FOLDS, progress, unit="folds") as shown:
        for _ in range(REPEATS):
            found = np.zeros(len(samples))
            for train, test in _folds(groups, rng):
                weights, _ = _learn([samples[n] for n in train], groups[train], own, rng)
                found[test] = [samples[n].place(weights) for n in test]
                shown.advance()
            places.append(found)
            reciprocal.append(1 / found)
    final, penalty = _learn(samples, groups, own, rng)

    def places_of(weights: Values) -> Values:
        return np.array([float(sample.place(weights)) for sample in samples])

    alone = np.array([name == "dense_retriever" for name in PARTS])
    ours, learned = places_of(today), np.mean(reciprocal, axis=0)
    estimates = {
        "learned": _estimate(np.array(places)),
        "today": _estimate(ours[None]),
        "dense": _estimate(places_of(np.where(alone, 1.0, 0.0))[None]),
        "keyword": _estimate(places_of(np.where(alone, 0.0, today))[None]),
    }
    p = paired_p(learned, 1 / ours)
    tuning = Tuning(
        questions=len(samples),
        weights=today_weights.model_copy(update=dict(zip(PARTS, map(float, final.round(4)), strict=True))),
        penalty=None if np.isinf(penalty) else penalty,
        today_weights=today_weights,
        p=p,
        notes=[],
        **estimates,
    )
    tuning.notes.extend(_notes(tuning))
    if left_out := len(queries) - len(samples):
        tuning.notes.append(f"{left_out} questions are left out: what they ask for with operators alone decides")
    return tuning


def _sample(searcher: Searcher, query: Query, vector: Vectors) -> Sample | None:
    """A question's parts among the videos that meet its conditions; None where no weight changes its place, for it
    holds nothing but conditions, or its right videos do not meet them."""
    question = parse(query.text)
    mask, _ = passing(searcher.generation, searcher.speller, question.conditions)
    rows, positions = np.flatnonzero(mask), searcher.generation.positions
    right = np.flatnonzero(np.isin(rows, [positions[video] for video in query.relevant if video in positions]))
    if not question.text or not len(right):
        return None
    parts = searcher.rank(query.text, vector=vector).parts
    return Sample(np.stack([parts[name][rows] for name in PARTS]).astype(np.float32), right)


def _notes(tuning: Tuning) -> list[str]:
    notes = []
    if tuning.today_weights != FusionWeights():
        notes.append("today's weights were tuned: where from these questions, today's figures are not held out")
    if not tuning.better:
        notes.append("the learned weights are not better than today's by more than chance: keep today's")
    hybrid = max(tuning.learned.RR, tuning.today.RR)
    for name, part in (("dense", tuning.dense), ("keyword", tuning.keyword)):
        if hybrid <= part.RR:
            alone = f"the {name} lane alone has RR {part.RR:.3f}"
            notes.append(f"hybrid does not beat its best part on these questions: {alone}")
    return notes


def _estimate(places: Values) -> Estimate:
    """From the places by repeat and question, shape (repeats, questions): a question counts with its mean."""
    return Estimate(
        RR=float((1 / places).mean()),
        interval=interval((1 / places).mean(axis=0)),
        success_1=float((places == 1).mean()),
        success_10=float((places <= 10).mean()),
        mean_rank=float(places.mean()),
    )


def _groups(queries: Sequence[Query]) -> NDArray[np.int64]:
    """A number per question, the same for questions that share a right video."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = [(number, video) for number, query in enumerate(queries) for video in query.relevant]
    videos = {video: len(queries) + n for n, video in enumerate(dict.fromkeys(video for _, video in pairs))}
    size = len(queries) + len(videos)
    ends = ([number for number, _ in pairs], [videos[video] for _, video in pairs])
    shared = coo_array((np.ones(len(pairs)), ends), shape=(size, size))
    groups: NDArray[np.int64] = connected_components(shared, directed=False)[1][: len(queries)].astype(np.int64)
    return groups


def _folds(groups: NDArray[np.int64], rng: np.random.Generator) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to learn on and rows to ask, for each fold."""
    distinct = rng.permutation(np.unique(groups))
    fold_of = {group: n % FOLDS for n, group in enumerate(distinct)}
    folds = np.array([fold_of[group] for group in groups])
    return [(np.flatnonzero(folds != n), np.flatnonzero(folds == n)) for n in range(FOLDS)]


def _learn(
    samples: Sequence[Sample], groups: NDArray[np.int64], own: Values, rng: np.random.Generator
) -> tuple[Values, float]:
    """The weights, with the sum of the `own`, and the penalty that the cross-validation among these samples chose."""
    totals = dict.fromkeys(PENALTIES, 0.0)
    for train, test in _folds(groups, rng):
        for penalty in PENALTIES:
            weights = _fit([samples[n] for n in train], own, penalty)
            totals[penalty] += sum(1 / samples[n].place(weights) for n in test)
    # of equals the strongest: nothing is changed without a reason
    best = max(PENALTIES, key=lambda penalty: (totals[penalty], penalty))
    return _fit(samples, own, best), best


def _fit(samples: Sequence[Sample], own: Values, penalty: float) -> Values:
    """The weights with most likelihood under the penalty, scaled to the sum of the own (a scale ranks the same)."""
    from scipy.optimize import minimize

    if np.isinf(penalty):
        return own

    def loss(scaled: Values) -> tuple[float, Values]:
        value, slope = 0.0, np.zeros(len(own))
        for sample in samples:
            logits = scaled.astype(np.float32) @ sample.parts
            chances = np.exp(logits - logits.max())
            chances /= chances.sum()
            likely = float(chances[sample.right].sum()) + 1e-12
            value -= np.log(likely)
            slope += sample.parts @ chances - sample.parts[:, sample.right] @ chances[sample.right] / likely
        apart = scaled - own
        return value / len(samples) + penalty * float(apart @ apart), slope / len(samples) + 2 * penalty * apart

    found = minimize(loss, own, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(own)).x
    total = float(found.sum())
    weights: Values = found * (own.sum() / total) if total > 0 else own
    return weights
