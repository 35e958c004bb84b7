"""Measures compared with ranx, and statistics with known results."""

import numpy as np
import pytest
from ranx import Qrels, Run, evaluate

from benchmarks.ranx_check import SAME
from retrieval.evaluation.measures import MEAN_RANK, NAMES, rank_outcome, values_by_measure
from retrieval.evaluation.queries import Query


def test_all_measures_equal_those_of_ranx_on_graded_questions() -> None:
    random = np.random.default_rng(5)
    ids = [f"v{number}" for number in range(300)]
    queries, rankings = [], []
    for number in range(40):
        relevant = random.choice(300, random.integers(1, 5), replace=False)
        queries.append(Query(f"q{number}", "x", {ids[row]: int(random.integers(1, 4)) for row in relevant}))
        rankings.append([ids[row] for row in random.permutation(300)])
    values = values_by_measure(
        [rank_outcome(query, ranking, len(ranking)) for query, ranking in zip(queries, rankings, strict=True)]
    )
    qrels = Qrels({query.id: query.relevant for query in queries})
    run = Run(
        {
            query.id: {video: float(-rank) for rank, video in enumerate(ranking)}
            for query, ranking in zip(queries, rankings, strict=True)
        }
    )
    theirs = evaluate(qrels, run, list(SAME.values()))
    assert set(SAME) == set(NAMES)
    for name, other in SAME.items():
        assert values[name].mean() == pytest.approx(theirs[other], abs=1e-6)


def test_a_target_that_is_not_ranked_scores_zero() -> None:
    left_out = rank_outcome(Query("q", "x", {"9": 1}), ["1", "2"], 2)
    assert (left_out.rank, left_out.target) == (3, "9")
    values = values_by_measure([left_out, rank_outcome(Query("r", "x", {"2": 1}), ["1", "2"], 2)])
    assert values["RR"].tolist() == [0.0, 0.5] and values[MEAN_RANK].tolist() == [3.0, 2.0]
