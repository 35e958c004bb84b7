"""A site that refuses everybody stops the run; a missing video does not."""

import pytest

from ingest.stages.refusals import Refused, Streak


def test_three_blocks_in_a_row_stop_the_run_and_say_what_to_do() -> None:
    streak: Streak[str] = Streak()
    assert streak.hold("blocked", "a") and streak.hold("blocked", "b")
    with pytest.raises(Refused, match=r"3 times in a row.* stay due: wait some hours"):
        streak.hold("blocked", "c")


def test_an_answer_of_the_site_ends_a_row() -> None:
    streak: Streak[str] = Streak()
    streak.hold("login", "a")
    streak.hold("busy", "b")
    assert streak.end() == ["a", "b"]
    streak.hold("busy", "c")
    streak.hold("busy", "d")
    assert streak.end() == ["c", "d"]


def test_a_private_or_removed_post_is_no_refusal() -> None:
    streak: Streak[str] = Streak()
    assert not any(streak.hold(code, "a") for code in ("private", "removed", "large") * 9)
