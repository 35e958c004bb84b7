"""More half-sent requests than the server may open files."""

import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("Windows has no limit of open files", allow_module_level=True)

from tests.command_line import REPOSITORY
from tests.faults.half_open import KINDS, OPEN_FILES, hold
from tests.faults.program import served


@pytest.mark.faults
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [(), ("--token", "secret")], ids=["without a token", "with a token"])
def test_others_are_answered_within_a_second_while_1100_requests_are_half_sent(
    kind: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    log = tmp_path / "log.txt"
    with (
        log.open("wb") as err,
        served(REPOSITORY, tmp_path / "data", tmp_path / "indexes", err, OPEN_FILES, *options) as address,
    ):
        figures = hold(address, KINDS[kind])
    assert len(figures.answers_s) > 10 and figures.slowest_s < 1, figures
    assert log.stat().st_size < 1_000_000
