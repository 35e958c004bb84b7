"""More half-sent requests than the server may open files."""

import sys

import pytest

from tests.faults.half_open import KINDS, measure

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of open files"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [(), ("--token", "secret")], ids=["without a token", "with a token"])
def test_others_are_answered_within_a_second_while_1100_requests_are_half_sent(
    kind: str, options: tuple[str, ...]
) -> None:
    figures = measure(KINDS[kind], *options)
    assert figures.answered == figures.asked > 10 and figures.slowest_s < 1, figures
    assert figures.log_bytes < 1_000_000, figures
