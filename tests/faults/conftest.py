"""What the tests of faults share: the process that runs commands, and a corpus to copy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.corpus import make
from tests.faults.shim import COMPILER, ForkedFaults


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedFaults]:
    """Run commands with a disk that fails, or that is recorded."""
    if not COMPILER:
        pytest.skip("the shim needs a C compiler (Debian: apt install gcc)")
    server = ForkedFaults(tmp_path_factory.mktemp("shim"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus that each trial has a copy of."""
    root = tmp_path_factory.mktemp("original")
    make(root)
    return root
