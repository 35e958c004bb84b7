"""The compiled loops, and what numba keeps of them on disk: it is never needed, and never in the way."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.index.compiled import _MODULES
from tests.command_line import REPOSITORY, environment

COMPILED = {"NUMBA_DISABLE_JIT": "0"}  # elsewhere in the tests, Python runs the loops
SEARCH = """
import numpy as np
from retrieval.search.fusion import moments
assert moments(np.array([1, 3], np.float32)).mean == 2
"""


def run(cache: Path, before: str = "") -> None:
    env = environment({"NUMBA_CACHE_DIR": str(cache), **COMPILED})
    subprocess.run([sys.executable, "-c", before + SEARCH], env=env, check=True)


def kept(cache: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in cache.rglob("*.nb?")}


@pytest.mark.parametrize(
    ("names", "processor"),
    [
        (("bm25f", "impacts", "dense", "sketch", "segments", "forged"), {}),
        (("dense", "sketch"), {"NUMBA_CPU_NAME": "generic"}),
    ],
    ids=["this processor", "one that does not read numbers of 16 bits"],
)
def test_the_compiled_loops_find_the_same(names: tuple[str, ...], processor: dict[str, str]) -> None:
    tests = [str(Path(__file__).with_name(f"test_{name}.py")) for name in names]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    env = environment(COMPILED | processor)
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_a_damaged_file_of_compiled_code_is_replaced(tmp_path: Path) -> None:
    run(tmp_path)
    whole = kept(tmp_path)
    assert len(whole) == 2  # the list, and the code
    for file, content in whole.items():
        file.write_bytes(content[: len(content) // 2])
        run(tmp_path)
        assert len(file.read_bytes()) > 0.9 * len(content)  # names in it may have other numbers


def test_compiled_code_for_other_types_is_not_used(tmp_path: Path) -> None:
    """Two processes that compile at once give their files the same name."""
    doubles = SEARCH.replace("np.float32", "np.float64")
    run(tmp_path, SEARCH + doubles)
    first, second = sorted(tmp_path.rglob("*.nbc"))
    second.write_bytes(first.read_bytes())
    run(tmp_path, doubles)


def test_each_module_of_compiled_code_counts_as_a_source() -> None:
    index = REPOSITORY / "retrieval" / "index"
    with_loops = {file.stem for file in index.glob("*.py") if "\n@compiled\n" in file.read_text(encoding="utf-8")}
    assert with_loops == {name for name in _MODULES if name.startswith("compiled")}
    assert all((index / f"{name}.py").exists() for name in _MODULES)


def test_code_of_another_module_is_compiled_again_if_that_has_changed(tmp_path: Path) -> None:
    for package in ("retrieval", "ingest"):
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    score = "from retrieval.index.bm25f import KeywordIndex; import numpy as np; "
    score += "print(KeywordIndex.of('stems', [{'a': 'tea'}, {}], ['a']).totals('tea', np.ones(1)).scores[0])"
    env = environment({"NUMBA_CACHE_DIR": str(tmp_path / "kept"), "PYTHONPATH": str(tmp_path), **COMPILED})

    def scored() -> float:
        command = [sys.executable, "-c", score]
        return float(subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, text=True).stdout)

    before, module = scored(), tmp_path / "retrieval" / "index" / "compiled.py"
    source = module.read_text(encoding="utf-8")
    assert source.count("score = scale * found") == 1
    module.write_text(source.replace("score = scale * found", "score = 2 * scale * found"), encoding="utf-8")
    assert scored() == pytest.approx(2 * before)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no limit on the size of files")
def test_a_full_disk_stops_no_search(tmp_path: Path) -> None:
    no_room = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
"""
    run(tmp_path, no_room)
    assert not list(tmp_path.rglob("*.nbc"))
