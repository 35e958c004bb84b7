"""Commands of the program with a disk that fails: shim.c is compiled on the spot and preloaded into them.

`Faults.run` runs one command in a process of its own. `ForkedFaults.run` does the same much faster, in a fork.
"""

import errno
import mmap
import shutil
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from tests.command_line import ENTRY_POINT, REPOSITORY, environment
from tests.faults.fork_server import ForkServer

Call = Literal["write", "sync", "rename", "open", "unlink", "read"]  # in the order of shim.c
CALLS: tuple[Call, ...] = get_args(Call)
COMPILER = shutil.which("cc")
SOURCE = Path(__file__).with_name("shim.c")
_HEAD = struct.Struct("6i6i4096s1024s")  # struct state of shim.c


@dataclass(frozen=True)
class Fault:
    """The `nth` call of one kind fails with an error number, once or from then on."""

    call: Call
    nth: int
    error: int = errno.ENOSPC
    forever: bool = False

    def __str__(self) -> str:
        once = "from then on" if self.forever else "once"
        return f"{self.call} {self.nth} fails with {errno.errorcode[self.error]} {once}"


@dataclass(frozen=True)
class Outcome:
    """How a command ended. `calls` counts the calls of each kind below the folders, `failed` those that failed."""

    code: int
    stdout: str
    stderr: str
    calls: dict[Call, int]
    failed: int


def compile_shim(folder: Path) -> Path:
    """Compile shim.c into a folder and return the library."""
    assert COMPILER, "there is no C compiler"
    library = folder / "shim.so"
    subprocess.run([COMPILER, "-O1", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return library


class State:
    """The file that all processes of a command map: what has to fail, and what was counted."""

    def __init__(self, file: Path) -> None:
        file.write_bytes(bytes(_HEAD.size))
        self.file = file
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), _HEAD.size)

    def arm(self, folders: Sequence[Path], fault: Fault | None, recording: Path | None = None) -> None:
        """Set all counts to zero, and say what has to fail below `folders`, or where to record what is written."""
        wanted = (CALLS.index(fault.call), fault.nth, fault.error, fault.forever) if fault else (-1, 0, 0, 0)
        names = ":".join(str(folder.resolve()) for folder in folders)
        record = str(recording or "")
        self._map[:] = _HEAD.pack(*wanted, 0, recording is not None, *[0] * 6, names.encode(), record.encode())

    def disarm(self) -> None:
        """Let all calls pass, and do not count them."""
        self.arm([], None)

    def counted(self) -> tuple[dict[Call, int], int]:
        """Return how many calls of each kind there were, and how many failed."""
        values = _HEAD.unpack(self._map[:])
        return dict(zip(CALLS, values[6:12], strict=True)), values[4]


class Faults:
    """Runs commands with a shim. `work` is a folder outside of those whose calls fail."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.library = compile_shim(work)
        self.state = State(work / "state")

    def environment(self) -> dict[str, str]:
        """Return the environment in which a process obeys the shim."""
        return environment({"LD_PRELOAD": str(self.library), "FAULTS_STATE": str(self.state.file)})

    def run(
        self,
        arguments: Sequence[str | Path],
        folders: Sequence[Path],
        fault: Fault | None = None,
        *,
        recording: Path | None = None,
        timeout_s: float = 120,
    ) -> Outcome:
        """Run one command to its end, with a fault below `folders`."""
        self.state.arm(folders, fault, recording)
        try:
            done = subprocess.run(
                [*ENTRY_POINT, *map(str, arguments)],
                cwd=REPOSITORY,
                env=self.environment(),
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                stdin=subprocess.DEVNULL,
                timeout=timeout_s,
                check=False,
            )
            return Outcome(done.returncode, done.stdout, done.stderr, *self.state.counted())
        finally:
            self.state.disarm()


class ForkedFaults(Faults):
    """As `Faults`, but the libraries are loaded once, for all commands. Close it at the end."""

    def __init__(self, work: Path) -> None:
        super().__init__(work)
        self._server = ForkServer(REPOSITORY, self.environment())

    def close(self) -> None:
        """End the process."""
        self._server.close()

    def run(
        self,
        arguments: Sequence[str | Path],
        folders: Sequence[Path],
        fault: Fault | None = None,
        *,
        recording: Path | None = None,
        timeout_s: float = 120,
    ) -> Outcome:
        """Run one command to its end in a copy of the process, with a fault below `folders`."""
        self.state.arm(folders, fault, recording)
        try:
            done = self._server.request(command=[*map(str, arguments)], limit_s=timeout_s)
            return Outcome(done["code"], done["out"], done["err"], *self.state.counted())
        finally:
            self.state.disarm()


def copy_of(folder: Path, target: Path) -> Path:
    """Copy a folder to `target`, which is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(folder, target))
