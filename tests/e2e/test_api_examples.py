"""The examples in docs/reference/api.md, run as they stand against a real server."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.embedding.encoder import SentenceEncoder
from tests.conftest import REPOSITORY
from tests.e2e.conftest import Serve
from tests.tiny_corpus import BREAD, make_data, make_index

PAGE = (REPOSITORY / "docs" / "reference" / "api.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def address(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("examples")
    make_data(folder)
    make_index(folder, folder / "indexes", SentenceEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    return serve(folder, folder / "indexes")


def run(command: list[str], address: str, folder: Path) -> str:
    environment = os.environ | {"SERVER": address}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_curl_example_is_answered(address: str, tmp_path: Path) -> None:
    lines = [
        line
        for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
        for line in block.splitlines()
        if line.strip()
    ]
    assert len(lines) > 10
    for line in lines:
        assert shlex.split(line)[0] == "curl"
        said = run(["bash", "-c", f"{line} --fail-with-body"], address, tmp_path)
        if said and "/metrics" not in line:
            json.loads(said)
    assert (tmp_path / "part.mp4").stat().st_size == 100
    assert json.loads((tmp_path / "queries.json").read_text()) == [
        {"id": "j1", "text": "bread like a drum", "target": [BREAD]}
    ]


def test_the_python_example_finds_the_video(address: str, tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    first = run([sys.executable, "-c", program], address, tmp_path).splitlines()[0]
    assert BREAD in first
