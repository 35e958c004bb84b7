"""The requirement files name every package that is installed, with sums, and agree with pyproject.toml."""

import importlib.metadata
import os
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

from scraper.files import sha256
from scripts.audit import verdict
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


def wheel(folder: Path, name: str, version: str) -> Path:
    """Make a package without content."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    return path


@pytest.mark.parametrize(
    ("version", "checksum", "installed", "said"),
    [
        ("2.0+cpu", "", True, "PyTorch 2.0+cpu is another build"),
        ("2.0", "", False, "DO NOT MATCH THE HASHES"),
        pytest.param("2.0", "its own", True, "", marks=pytest.mark.heavy),
    ],
)
def test_only_another_build_of_pytorch_is_installed_without_a_check(
    version: str, checksum: str, installed: bool, said: str, tmp_path: Path
) -> None:
    file = wheel(tmp_path, "torch", version)
    (tmp_path / "constraints.txt").write_text("torch==2.0\n", encoding="utf-8")
    (tmp_path / "requirements").mkdir()
    known = sha256(file) if checksum else "0" * 64
    (tmp_path / "requirements" / "torch.txt").write_text(f"torch==2.0 --hash=sha256:{known}\n", encoding="utf-8")
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_TARGET": str(tmp_path / "new")}
    done = subprocess.run(
        ["sh", REPOSITORY / "scripts" / "install-torch", Path(sys.executable).parent],
        cwd=tmp_path,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0, (tmp_path / "new" / f"torch-{version}.dist-info").is_dir()) == (installed, installed)
    assert said in done.stdout + done.stderr and bool(done.stdout) == version.endswith("+cpu")


def test_an_audit_without_answers_fails() -> None:
    unknown = {"name": "loaf", "skip_reason": "Dependency not found"}
    fine = {"name": "cake", "version": "1", "vulns": []}
    bad = {"name": "bun", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
    assert verdict([fine, fine]) == ("2 packages, no known vulnerabilities", True)
    assert verdict([fine, bad]) == ("bun 2: PYSEC-1, fixed in 3", False)
    assert verdict([fine, unknown]) == ("1 of 2 packages could not be looked up: loaf", False)
    for none in ([], [unknown]):
        words, well = verdict(none)
        assert not well and words.startswith("Nothing was checked")


@pytest.mark.heavy
@pytest.mark.skipif(not shutil.which("uv"), reason="uv is not installed: `make requirements` installs it")
def test_each_system_gets_what_its_own_resolution_has() -> None:
    everything = "".join(file.read_text(encoding="utf-8") for file in FILES)
    assert list(disagreements(everything)) == []
