"""The wheel works outside the source tree: the command, the page, and every file that the packages need."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.command_line import REPOSITORY
from tests.serving import START_S, served

PACKAGES = ("scraper", "ingest", "retrieval", "page")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a build in the source tree would leave files there."""
    source = tmp_path_factory.mktemp("source")
    for name in ("app.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    for name in PACKAGES:
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(source))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(
    scope="module", params=["dependencies of the tests", pytest.param("empty environment", marks=pytest.mark.heavy)]
)
def environment(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel. Returns the folder of its commands."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    python = ["--python", str(commands / "python")]
    if request.param == "empty environment":
        torch = next(line for line in (REPOSITORY / "constraints.txt").read_text().splitlines() if "torch==" in line)
        pip(*python, "install", "-c", str(REPOSITORY / "constraints.txt"), torch, str(wheel))
    else:
        pip(*python, "install", "--no-deps", "--no-index", str(wheel))
        own = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
        # a folder that a .pth file names is searched, but its .pth files are not read: no editable install from there
        (own / "dependencies.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    return commands


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def variables(folder: Path) -> dict[str, str]:
    """The environment of a user without settings, whose home is `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TIKTOK", "XDG"))}
    return kept | {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "share")}


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    shipped = set(zipfile.ZipFile(wheel).namelist())
    files = {
        path.relative_to(REPOSITORY).as_posix()
        for name in PACKAGES
        for path in (REPOSITORY / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files - shipped == set()
    assert "app.py" in shipped and not any(name.startswith(("tests/", "benchmarks/", "data/")) for name in shipped)


def test_the_installed_command_runs_outside_the_source_tree(environment: Path, tmp_path: Path) -> None:
    def run(*command: str) -> str:
        env = variables(tmp_path)
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    command = str(environment / "tiktok-retrieval")
    assert run(command, "--version").startswith("tiktok-retrieval ")
    imported = run(
        str(environment / "python"),
        "-c",
        "import app, page, ingest, retrieval, scraper\n"
        "for module in (app, page, ingest, retrieval, scraper): print(module.__file__)",
    )
    assert all(Path(line).is_relative_to(environment.parent) for line in imported.splitlines()), imported

    (tmp_path / "batch.json").write_text('[{"id": "7123456789012345678", "description": "a cat"}]')
    run(command, "import", "batch.json")
    shown = run(command, "status")
    assert f"data:    {tmp_path}" in shown and "1 videos" in shown
    assert (tmp_path / "share" / "tiktok-retrieval" / "data" / "catalog.sqlite").is_file() or sys.platform != "linux"


def test_the_installed_page_answers(environment: Path, tmp_path: Path) -> None:
    with served([environment / "tiktok-retrieval", "serve"], variables(tmp_path), tmp_path) as address:
        page = httpx.get(address, timeout=START_S)
        description = httpx.get(f"{address}openapi.json", timeout=START_S)
    assert page.status_code == 200 and page.text.startswith("<!doctype html>")
    assert "/api/search" in description.json()["paths"]
