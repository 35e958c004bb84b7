"""pyproject.toml and constraints.txt -> requirements/*.txt, which name every package with the sha256 of its files.

    python scripts/requirements.py          # writes them
    python scripts/requirements.py --check  # fails if they are out of date

`make requirements` runs it with uv, which must be in the path. One set of files is for all supported systems: markers
choose the packages of each. The script resolves each system separately as well, and fails if a marker chooses others.
"""

import argparse
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDER = REPOSITORY / "requirements"
OLDEST = "3.11"
PYTHONS = ("3.11", "3.12", "3.13")
SYSTEMS = {  # as uv names them: what markers see
    "x86_64-unknown-linux-gnu": {"sys_platform": "linux", "platform_machine": "x86_64", "platform_system": "Linux"},
    "aarch64-unknown-linux-gnu": {"sys_platform": "linux", "platform_machine": "aarch64", "platform_system": "Linux"},
    "aarch64-apple-darwin": {"sys_platform": "darwin", "platform_machine": "arm64", "platform_system": "Darwin"},
}
MACOS = "14.0"  # the oldest that has wheels of every package
GRAPHICS = re.compile(r"(torch|triton|(nvidia|cuda)-.*)$")  # PyTorch, and what only its build for graphics cards needs
HEADS = {
    "packages.txt": "What the program needs, without PyTorch.",
    "torch.txt": "PyTorch, as the standard index has it: on Linux with the packages for graphics cards.",
    "test.txt": "What the tests need in addition.",
}
HOW = (
    "# `make requirements` writes this file: do not edit it."
    " Install it with `pip install --no-deps --require-hashes`.\n"
)


@dataclass(frozen=True)
class Pin:
    """A package with its version, the systems that it is for, and the lines that name it and its sums."""

    name: str
    version: str
    marker: str
    lines: str

    def applies(self, environment: dict[str, str]) -> bool:
        return not self.marker or Marker(self.marker).evaluate(environment)


def pins(text: str) -> Iterator[Pin]:
    """Read a requirements file: each package with the lines of its sums."""
    for found in re.finditer(r"^([\w.-]+)==(\S+?)(?: ; (.*?))? *\\?\n((?:    --hash=.*\n)*)", text, re.MULTILINE):
        yield Pin(found[1], found[2], found[3] or "", found[0])


def split(everything: str, program: str) -> dict[str, str]:
    """Divide the packages of program and tests into the files.

    Args:
        everything: requirements of the program and its tests.
        program: those of the program alone.
    """
    needed = {pin.name for pin in pins(program)}
    files = {name: f"# {head}\n{HOW}" for name, head in HEADS.items()}
    for pin in pins(everything):
        if not any(pin.applies(environment(system, python)) for system in SYSTEMS for python in PYTHONS):
            continue
        torch = "torch.txt" if GRAPHICS.match(pin.name) else ""
        files[torch or ("packages.txt" if pin.name in needed else "test.txt")] += pin.lines
    return files


def resolve(*options: str) -> str:
    """Return what uv resolves for the project with its constraints, in the format of requirements files."""
    command = ["uv", "pip", "compile", "--quiet", "--no-config", "pyproject.toml", "-c", "constraints.txt"]
    plain = ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--generate-hashes"]
    environment = {"MACOSX_DEPLOYMENT_TARGET": MACOS}
    done = subprocess.run(
        ["env", *(f"{name}={value}" for name, value in environment.items()), *command, *plain, *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"uv cannot resolve the packages:\n{done.stderr}")
    return done.stdout


def environment(system: str, python: str) -> dict[str, str]:
    """Return what markers see on a system with a Python."""
    cpython = {"implementation_name": "cpython", "platform_python_implementation": "CPython", "os_name": "posix"}
    return cpython | SYSTEMS[system] | {"python_version": python, "python_full_version": f"{python}.9"}


def disagreements(everything: str) -> Iterator[str]:
    """Resolve each supported system separately, and yield where that differs from what the markers choose."""
    for system in SYSTEMS:
        for python in PYTHONS:
            options = ("--extra", "test", "--python-platform", system, "--python-version", python)
            alone = {(pin.name, pin.version) for pin in pins(resolve(*options))}
            seen = environment(system, python)
            chosen = {(pin.name, pin.version) for pin in pins(everything) if pin.applies(seen)}
            if alone != chosen:
                yield f"{system}, Python {python}: {sorted(alone ^ chosen)}"


def main() -> None:
    """Write the files, or compare them."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, and fail if a file is out of date")
    check = parser.parse_args().check
    universal = ("--universal", "--python-version", OLDEST)
    everything = resolve(*universal, "--extra", "test")
    files = split(everything, resolve(*universal))
    if problems := list(disagreements(everything)):
        sys.exit("The markers choose other packages than a system needs:\n" + "\n".join(problems))
    stale = [name for name, text in files.items() if not _same(FOLDER / name, text)]
    if check and stale:
        sys.exit(f"out of date: {', '.join(stale)}. Run `make requirements`.")
    for name in stale:
        (FOLDER / name).write_text(files[name], encoding="utf-8")
    print(f"{len(files)} files for {len(SYSTEMS)} systems, {len(stale)} changed ({platform.python_version()})")


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    main()
