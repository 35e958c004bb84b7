"""Fixtures of tests of an index in parts."""

import pytest

from retrieval.cluster import front


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for all parts, so that no answer depends on how busy the machine is."""
    for limit in ("ANSWER_S", "OTHERS_S"):
        monkeypatch.setattr(front, limit, 600.0)
