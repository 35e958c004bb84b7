"""A flipped bit is harmless, or named: never a traceback, never another answer in silence."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.flips import KINDS, Corpus, flips, make_corpus
from tests.faults.program import Program

pytestmark = pytest.mark.faults
FLIPS = int(os.environ.get("FAULTS_MAX_EACH", "8"))  # of each kind; `python -m tests.faults.table` tries 200


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    with Program() as program:
        yield make_corpus(program, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_harmless_or_named(corpus: Corpus, tmp_path: Path, kind: str) -> None:
    assert [trial for trial in flips(corpus, tmp_path, kind, FLIPS) if not trial.held] == []
