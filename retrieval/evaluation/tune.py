"""Questions with known answers -> weights of the parts of a score, with an estimate on held-out questions.

A video's score is a weighted sum of parts: the dense retriever, once for each encoder, and the keyword retriever's
stems, 4-grams and bigrams. The learned weights maximise the likelihood of the relevant videos under a softmax over all
videos. No weight is negative, and a penalty keeps them close to the defaults (not to the current weights, which may
have been learned from the same questions). An inner cross-validation chooses the penalty's strength. An outer one,
repeated, tests each question with weights learned from others; questions with a relevant video in common stay in the
same fold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from ingest.progress import Progress, ProgressMode
from retrieval.errors import EvaluationError
from retrieval.evaluation.queries import Query, answerable, check_targets
from retrieval.evaluation.significance import SIGNIFICANT, interval, paired_p_value
from retrieval.index.manifest import FusionWeights
from retrieval.search.filters import filter_videos
from retrieval.search.fusion import DENSE_PART, part_names
from retrieval.search.scoring import QueryVectors
from retrieval.search.searcher import Searcher

FOLDS = 5
REPEATS = 4
FEWEST = 10  # groups of questions; with fewer, a fold has one or two and the estimate is random
# Strengths of the penalty on the squared distance from the default weights; infinite keeps the defaults.
PENALTIES = (0.003, 0.03, 0.3, 3.0, np.inf)
SEED = 20_220_801

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """A question's parts, shape (parts, videos), and the rows of its relevant videos."""

    parts: NDArray[np.float32]
    relevant: NDArray[np.int64]

    def rank(self, weights: Values) -> int:
        """Return the rank of the first relevant video. Videos with equal scores stay in the order of their rows."""
        scores = weights.astype(np.float32) @ self.parts
        return min(int((scores > scores[row]).sum() + (scores[:row] == scores[row]).sum()) + 1 for row in self.relevant)


class Estimate(BaseModel):
    """Means over the questions, and the bootstrap interval of RR."""

    RR: float
    interval: tuple[float, float]
    success_1: float
    success_10: float
    mean_rank: float


class Tuning(BaseModel):
    """The learned weights, and estimates: `learned` is on held-out questions; `today` has the current weights, `dense`
    and `keyword` one retriever only. `p` compares learned and current weights."""

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
        """Whether the learned weights are significantly better than the current ones."""
        return self.learned.RR > self.today.RR and self.p < SIGNIFICANT


def tune(searcher: Searcher, queries: Sequence[Query], *, progress: ProgressMode = "off") -> Tuning:
    """Learn the weights of the parts from all questions, and estimate their quality by nested cross-validation.

    Raises:
        EvaluationError: a target is not in the generation, or there are too few questions.
    """
    queries, unanswerable = answerable(queries, "learning weights")
    check_targets(queries, searcher.generation.positions, f"generation {searcher.generation.name}")
    vectors = searcher.vectors([query.text for query in queries])
    asked = zip(Progress("rank", len(queries), progress, unit="questions").track(queries), vectors, strict=True)
    sampled = [(query, sample) for query, found in asked if (sample := _sample(searcher, query, found))]
    samples = [sample for _, sample in sampled]
    groups = question_groups([query for query, _ in sampled])
    if len(set(groups)) < FEWEST:
        raise EvaluationError(f"{len(set(groups))} questions with different videos are too few to learn from: {FEWEST}")

    today_weights = searcher.generation.manifest.weights
    parts = part_names(searcher.generation.manifest.encoder_names)
    today, defaults = (np.array([of.of_part(name) for name in parts]) for of in (today_weights, FusionWeights()))
    reciprocal = []
    ranks = []
    rng = np.random.default_rng(SEED)
    with Progress("learn", REPEATS * FOLDS, progress, unit="folds") as shown:
        for _ in range(REPEATS):
            found = np.zeros(len(samples))
            for train, test in _folds(groups, rng):
                weights, _ = _learn([samples[n] for n in train], groups[train], defaults, rng)
                found[test] = [samples[n].rank(weights) for n in test]
                shown.advance()
            ranks.append(found)
            reciprocal.append(1 / found)
    final, penalty = _learn(samples, groups, defaults, rng)

    def ranks_with(weights: Values) -> Values:
        return np.array([float(sample.rank(weights)) for sample in samples])

    is_dense = np.array([name.startswith(DENSE_PART) for name in parts])
    ours, learned = ranks_with(today), np.mean(reciprocal, axis=0)
    estimates = {
        "learned": _estimate(np.array(ranks)),
        "today": _estimate(ours[None]),
        "dense": _estimate(ranks_with(np.where(is_dense, today, 0.0))[None]),
        "keyword": _estimate(ranks_with(np.where(is_dense, 0.0, today))[None]),
    }
    p = paired_p_value(learned, 1 / ours)
    tuning = Tuning(
        questions=len(samples),
        weights=today_weights.with_parts(dict(zip(parts, map(float, final.round(4)), strict=True))),
        penalty=None if np.isinf(penalty) else penalty,
        today_weights=today_weights,
        p=p,
        notes=unanswerable,
        **estimates,
    )
    tuning.notes.extend(_notes(tuning))
    if left_out := len(queries) - len(samples):
        tuning.notes.append(f"{left_out} questions are left out: only their operators decide the result")
    return tuning


def _sample(searcher: Searcher, query: Query, vectors: QueryVectors) -> Sample | None:
    """Return a question's parts for the videos that meet its conditions.

    Return None if no weight can change its rank: it has only conditions, or no relevant video meets them.
    """
    question = searcher.understood(query.text)
    mask, _ = filter_videos(searcher.generation, searcher.speller, question.conditions)
    rows, positions = np.flatnonzero(mask), searcher.generation.positions
    relevant = np.flatnonzero(np.isin(rows, [positions[video] for video in query.relevant if video in positions]))
    if not question.text or not len(relevant):
        return None
    ranking = searcher.rank(query.text, vectors=vectors, among=mask)
    names = part_names(searcher.generation.manifest.encoder_names)
    return Sample(np.stack([ranking.parts[name] for name in names]).astype(np.float32), relevant)


def _notes(tuning: Tuning) -> list[str]:
    notes = []
    if tuning.today_weights != FusionWeights():
        notes.append("the current weights were tuned: if on these questions, their figures are not held out")
    if not tuning.better:
        notes.append("the learned weights are not significantly better: keep the current ones")
    hybrid = max(tuning.learned.RR, tuning.today.RR)
    for name, part in (("dense", tuning.dense), ("keyword", tuning.keyword)):
        if hybrid <= part.RR:
            notes.append(f"hybrid search is not better on these questions: {name} alone has RR {part.RR:.3f}")
    return notes


def _estimate(ranks: Values) -> Estimate:
    """Return the estimate of ranks, shape (repeats, questions). Each question counts with its mean."""
    return Estimate(
        RR=float((1 / ranks).mean()),
        interval=interval((1 / ranks).mean(axis=0)),
        success_1=float((ranks == 1).mean()),
        success_10=float((ranks <= 10).mean()),
        mean_rank=float(ranks.mean()),
    )


def question_groups(queries: Sequence[Query]) -> NDArray[np.int64]:
    """Return a group number per question; questions with a relevant video in common are in one group."""
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
    """Return the rows to learn from and the rows to test, for each fold."""
    distinct = rng.permutation(np.unique(groups))
    fold_of = {group: n % FOLDS for n, group in enumerate(distinct)}
    folds = np.array([fold_of[group] for group in groups])
    return [(np.flatnonzero(folds != n), np.flatnonzero(folds == n)) for n in range(FOLDS)]


def _learn(
    samples: Sequence[Sample], groups: NDArray[np.int64], defaults: Values, rng: np.random.Generator
) -> tuple[Values, float]:
    """Return the weights, with the same sum as the defaults, and the penalty that the cross-validation chose."""
    totals = dict.fromkeys(PENALTIES, 0.0)
    for train, test in _folds(groups, rng):
        for penalty in PENALTIES:
            weights = _fit([samples[n] for n in train], defaults, penalty)
            totals[penalty] += sum(1 / samples[n].rank(weights) for n in test)
    # Of equally good penalties take the strongest, which changes least.
    best = max(PENALTIES, key=lambda penalty: (totals[penalty], penalty))
    return _fit(samples, defaults, best), best


def _fit(samples: Sequence[Sample], defaults: Values, penalty: float) -> Values:
    """Return the likeliest weights under the penalty, scaled to the sum of the defaults (scaling changes no rank)."""
    from scipy.optimize import minimize

    if np.isinf(penalty):
        return defaults

    def loss(scaled: Values) -> tuple[float, Values]:
        value, slope = 0.0, np.zeros(len(defaults))
        for sample in samples:
            logits = scaled.astype(np.float32) @ sample.parts
            chances = np.exp(logits - logits.max())
            chances /= chances.sum()
            likely = float(chances[sample.relevant].sum()) + 1e-12
            value -= np.log(likely)
            slope += sample.parts @ chances - sample.parts[:, sample.relevant] @ chances[sample.relevant] / likely
        apart = scaled - defaults
        return value / len(samples) + penalty * float(apart @ apart), slope / len(samples) + 2 * penalty * apart

    found = minimize(loss, defaults, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(defaults)).x
    total = float(found.sum())
    weights: Values = found * (defaults.sum() / total) if total > 0 else defaults
    return weights
