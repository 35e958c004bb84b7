"""Intervals and paired tests against exact and published values."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from retrieval.evaluation.significance import holm, interval, paired_p_value, smallest_difference


def test_the_interval_covers_the_mean_in_about_95_percent_of_cases() -> None:
    random = np.random.default_rng(1)
    low, high = interval(random.normal(size=400))
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.15)
    covered = sum(low <= 0.5 <= high for low, high in (interval(random.random(50)) for _ in range(60)))
    assert covered >= 52


def test_the_interval_of_one_or_of_equal_values_has_no_width() -> None:
    assert interval(np.array([0.5])) == (0.5, 0.5)
    assert interval(np.ones(10)) == (1.0, 1.0)


def test_the_paired_test_is_exact_with_few_questions() -> None:
    assert paired_p_value(np.array([1, 1, 1, 1.0]), np.array([0, 0.5, 0.25, 0.2])) == pytest.approx(2 / 2**4)
    # equal values do not count
    assert paired_p_value(np.ones(9), np.array([0, 0.5, 0.25, 0.2, 1, 1, 1, 1, 1])) == pytest.approx(2 / 2**4)
    assert paired_p_value(np.ones(5), np.ones(5)) == 1.0
    assert paired_p_value(np.ones(5), np.array([1, 1, 1, 1, 0.0])) == 1.0


def test_the_paired_test_rarely_calls_random_differences_significant() -> None:
    random = np.random.default_rng(2)
    ps = [paired_p_value(random.random(40), random.random(40)) for _ in range(60)]
    assert sum(p < 0.05 for p in ps) <= 8
    assert paired_p_value(random.random(200) + 0.2, random.random(200)) < 0.001


def test_holms_correction_equals_a_published_example() -> None:
    # 0.005 * 4, 0.01 * 3, 0.03 * 2, and 0.04 not below the one before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0] and holm([]) == []


def test_the_smallest_difference_is_shown_four_times_out_of_five() -> None:
    random = np.random.default_rng(3)
    noise = random.normal(size=(300, 40))
    smallest = smallest_difference(noise[0], np.zeros(40))
    assert smallest == pytest.approx(2.83 * noise[0].std(ddof=1) / 40**0.5, rel=0.02)
    shown = [ttest_1samp(one + 2.87 / 40**0.5, 0).pvalue < 0.05 for one in noise]
    assert 0.74 <= np.mean(shown) <= 0.86


def test_one_question_and_equal_differences_say_nothing_about_others() -> None:
    assert smallest_difference(np.ones(1), np.zeros(1)) is None
    assert smallest_difference(np.ones(9), np.ones(9)) is None
