"""The requirement files name every package that is installed, with sums, and agree with pyproject.toml."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.requirements import FOLDER, GRAPHICS, PYTHONS, SYSTEMS, Pin, disagreements, environment, pins, split
from tests.command_line import REPOSITORY

FILES = sorted(FOLDER.glob("*.txt"))
SEEN = [pytest.param(environment(system, python), id=f"{system}, {python}") for system in SYSTEMS for python in PYTHONS]


def pinned(*names: str) -> dict[str, Pin]:
    return {pin.name: pin for name in names for pin in pins((FOLDER / f"{name}.txt").read_text(encoding="utf-8"))}


def needed(extra: str, seen: dict[str, str]) -> dict[str, list[Requirement]]:
    """Return what the installed packages need of each other, from pyproject.toml on, on a system."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    first = [*project["dependencies"], *project["optional-dependencies"].get(extra, ())]
    found = {str(canonicalize_name(one.name)): [one] for one in map(Requirement, first)}
    todo = [(name, "") for name in found]
    done = set()
    while todo:
        name, chosen = todo.pop()
        if (name, chosen) in done:
            continue
        done.add((name, chosen))
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # of another system
            continue
        for requirement in map(Requirement, lines):
            if requirement.marker is None or requirement.marker.evaluate(seen | {"extra": chosen}):
                other = canonicalize_name(requirement.name)
                found.setdefault(other, []).append(requirement)
                todo += [(other, ""), *((other, extra) for extra in requirement.extras)]
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_names_no_address_and_a_sum_of_every_package(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    rest = [line for line in text.splitlines() if not line.startswith("#")]
    assert "://" not in text
    assert all(re.match(r"(    --hash=sha256:[0-9a-f]{64}|[\w.-]+==\S+( ; .*)?)( \\)?$", line) for line in rest)
    assert all("--hash=sha256:" in pin.lines for pin in pins(text))
    assert sum(pin.lines.count("\n") for pin in pins(text)) == len(rest)  # no line is lost in reading


def test_the_files_and_the_constraints_have_the_same_versions() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    constraints = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    files = {name: pin.version for name, pin in pinned("packages", "torch", "test").items()}
    assert {name: version for name, version in files.items() if constraints.get(name, version) != version} == {}
    unknown = [name for name in files.keys() - constraints.keys() if not GRAPHICS.match(name)]
    assert unknown == ["audioop-lts"]  # which only newer versions of Python need


@pytest.mark.parametrize("seen", SEEN)
def test_the_files_have_all_that_the_project_needs(seen: dict[str, str]) -> None:
    for files, extra in ((("packages", "torch"), ""), (("packages", "torch", "test"), "test")):
        chosen = {name: pin for name, pin in pinned(*files).items() if pin.applies(seen)}
        for name, requirements in needed(extra, seen).items():
            assert name in chosen, f"{name} is missing: run `make requirements`"
            for requirement in requirements:
                assert requirement.specifier.contains(chosen[name].version, prereleases=True), str(requirement)


def test_packages_for_graphics_cards_and_tests_are_kept_apart() -> None:
    program = "av==1 \\\n    --hash=sha256:a\ntorch==2 \\\n    --hash=sha256:b \\\n    --hash=sha256:c\n"
    more = "nvidia-cufft==3 ; sys_platform == 'linux' \\\n    --hash=sha256:d\npytest==4 \\\n    --hash=sha256:e\n"
    files = split(program + more, program + more.splitlines(keepends=True)[0])
    names = {name: [pin.name for pin in pins(text)] for name, text in files.items()}
    assert names == {"packages.txt": ["av"], "torch.txt": ["torch", "nvidia-cufft"], "test.txt": ["pytest"]}
    assert files["torch.txt"].count("--hash=") == 3


def test_a_package_with_another_sum_is_not_installed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "loaf-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("loaf-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: loaf\nVersion: 1\n")
        wheel.writestr("loaf-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("loaf-1.dist-info/RECORD", "")
    listed = tmp_path / "packages.txt"
    listed.write_text(f"loaf==1 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    options = ["--no-deps", "--no-index", "--find-links", str(tmp_path), "--require-hashes"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(tmp_path / "new"), "-r", str(listed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


@pytest.mark.heavy
@pytest.mark.skipif(not shutil.which("uv"), reason="uv is not installed: `make requirements` installs it")
def test_each_system_gets_what_its_own_resolution_has() -> None:
    everything = "".join(file.read_text(encoding="utf-8") for file in FILES)
    assert list(disagreements(everything)) == []
