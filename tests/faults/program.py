"""The program as it is in a folder of code: its commands run in forks of one process, its server in a process."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.command_line import REPOSITORY
from tests.faults.fork_server import ForkServer

TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Outcome:
    """What a command returned and printed."""

    code: int
    out: str
    err: str

    @property
    def traceback(self) -> bool:
        return TRACEBACK in self.err or TRACEBACK in self.out or self.code < 0  # negative: ended by a signal

    @property
    def last_line(self) -> str:
        lines = (self.err or self.out).strip().splitlines()
        return lines[-1] if lines else ""


class Program:
    """Runs commands of the program whose code is in a folder. Close it."""

    def __init__(self, code: Path = REPOSITORY) -> None:
        self.code = code.resolve()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_RETRIEVAL_")}
        environment |= {"PYTHONPATH": str(self.code), "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        self.environment = environment | {"COLUMNS": "200"}
        self._server = ForkServer(self.code, self.environment)

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def run(self, *command: str | Path) -> Outcome:
        """Run a command to its end."""
        return Outcome(**self._server.request(command=[str(word) for word in command]))

    def ask(self, indexes: Path, queries: Sequence[str]) -> Outcome:
        """Ask the current generation questions. `out` is JSON: ids, scores and passages of the first hits of each."""
        return Outcome(**self._server.request(ask=str(indexes), queries=list(queries)))

    def put_transcripts(self, data: Path, transcripts: dict[str, str]) -> None:
        """Store transcripts by the id of their video."""
        done = Outcome(**self._server.request(data=str(data), transcripts=transcripts))
        assert done.code == 0, done.err

    def served(
        self, data: Path, indexes: Path, log: IO[bytes], files: int | None = None
    ) -> AbstractContextManager[str]:
        """Serve a corpus as `served` does."""
        return served(self.code, data, indexes, log, files, environment=self.environment)


@contextmanager
def served(
    code: Path,
    data: Path,
    indexes: Path,
    log: IO[bytes],
    files: int | None = None,
    *options: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Start a server, and yield its address.

    Args:
        code: the folder of the program.
        log: what the server prints for errors.
        files: the most files that the server may open.
    """

    def limit() -> None:
        if files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    command = [sys.executable, "-c", "import app; app.main()", "serve"]
    process = subprocess.Popen(
        [*command, "--data", str(data), "--indexes", str(indexes), "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=log,
        env=environment,
        cwd=code,
        text=True,
        preexec_fn=limit,
    )
    try:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("The page: "):
                yield line.removeprefix("The page: ").strip().rstrip("/")
                return
        raise AssertionError("the server ended before it printed its address")
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=20)
