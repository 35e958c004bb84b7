"""Run `tiktok-retrieval` as a user does, from the source tree that is tested."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
ENTRY_POINT = [sys.executable, "-c", "import app; app.main()"]


def run(
    *arguments: str | Path,
    program: list[str] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path = REPOSITORY,
    encoding: str = "utf-8",
    timeout_s: float = 300,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. `program` replaces the entry point, `env` is added to the environment."""
    return subprocess.run(
        [*(program or ENTRY_POINT), *map(str, arguments)],
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        encoding=encoding,
        timeout=timeout_s,
        check=False,
    )


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of the tests, in which the source tree can be imported from any folder."""
    return os.environ | {"PYTHONPATH": str(REPOSITORY)} | dict(env or {})
