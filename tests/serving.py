"""Start `tiktok-retrieval serve` on a free port, and stop it."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

START_S = 120.0  # for a busy machine; a few seconds are usual


@contextmanager
def served(command: Sequence[str | Path], env: Mapping[str, str], cwd: Path) -> Iterator[str]:
    """Run a command that serves the page, and yield the address that it prints."""
    arguments = [*map(str, command), "--port", "0"]
    process = subprocess.Popen(arguments, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    try:
        lines = []
        for line in process.stdout:
            if line.startswith("The page: "):
                yield line.removeprefix("The page: ").strip()
                return
            lines.append(line)
        raise AssertionError("".join(lines))
    finally:
        process.terminate()
        process.wait(timeout=60)
        process.stdout.close()
