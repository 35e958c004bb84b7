"""Verdicts claim what the tests show, and name the best."""

import itertools

import numpy as np
import pytest

from retrieval.evaluation.pairs import PairedTest, paired_tests, verdict
from retrieval.evaluation.significance import interval

Values = dict[str, np.ndarray]


def searches(questions: int) -> Values:
    """The RR of three searches: two that differ by luck, and one that is worse."""
    random = np.random.default_rng(1)
    return {
        name: 1 / random.integers(1, worst, questions) for name, worst in (("hybrid", 4), ("dense", 4), ("keyword", 9))
    }


def pairs_of(values: Values) -> list[PairedTest]:
    return paired_tests("RR", values, itertools.combinations(values, 2))


def said(values: Values) -> str:
    means = {name: float(of.mean()) for name, of in values.items()}
    return verdict("mode", means, pairs_of(values), len(values["hybrid"]))


def test_a_pair_has_the_interval_of_its_difference_and_the_smallest_that_would_show() -> None:
    values = searches(44)
    test = pairs_of(values)[1]
    assert (test.low, test.high) == interval(values["hybrid"] - values["keyword"])
    assert test.low is not None and test.high is not None and test.low < test.difference < test.high
    assert test.significant and test.smallest and 0 < test.smallest < test.difference


def test_turned_round_a_pair_says_the_same() -> None:
    test = pairs_of(searches(44))[0]
    turned = test.of("dense")
    assert (turned.first, turned.difference, turned.low, turned.better) == (
        "dense",
        -test.difference,
        -(test.high or 0),
        test.worse,
    )
    assert turned.of("hybrid") == test


def test_the_verdict_names_the_best_what_it_beats_and_what_cannot_be_told() -> None:
    verdict = said(searches(44))
    assert verdict.startswith("The mode hybrid has the highest RR, 0.6")
    assert "significantly better than keyword (by 0." in verdict and "95% interval" in verdict
    assert "no significant difference from dense" in verdict
    assert "These 44 questions would show a difference of 0." in verdict


@pytest.mark.parametrize("questions", [1, 2, 15])
def test_few_questions_are_too_few_to_tell(questions: int) -> None:
    verdict = said(searches(questions))
    assert "too few to tell" in verdict and "significant" not in verdict


def test_a_large_difference_shows_with_few_questions() -> None:
    values = {"hybrid": np.ones(12), "keyword": np.full(12, 0.1)}
    assert "significantly better than keyword" in said(values)


def test_a_tie_names_both() -> None:
    both = np.ones(30)
    assert said({"hybrid": both, "dense": both}) == "The modes hybrid and dense have the highest RR, 1.000."
