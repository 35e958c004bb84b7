"""Small inputs that stand for faults that people reported: import, run, build, search find the words."""

import json
import shutil
from pathlib import Path

import pytest

from tests.command_line import run

pytestmark = pytest.mark.research_data("the cases are not shipped; tests next to each part have inputs of our own")
WORDS = {  # said, on the screen or in captions
    "7400000000000000001": "bananas cinnamon",
    "7400000000000000021": "bananas cinnamon",
    "7400000000000000002": "silver key piano",
    "7400000000000000005": "parade",
    "7400000000000000018": "parade",
    "7400000000000000019": "parade",
    "7400000000000000006": "umbrella botanical garden",
    "7400000000000000007": "umbrella botanical garden",
    "7400000000000000008": "fête des élèves",
    "7400000000000000009": "marmalade hedgehog",
    "7400000000000000010": "final varnish",
    "7400000000000000024": "final varnish",
    "7500000000000000001": "harbour",  # its film was overwritten at its source after the import
    "7500000000000000002": "pottery class",
    "7500000000000000003": "pottery class",
}
KINDS = ("A-", "B-", "D-", "E-", "F-", "G-", "H-", "I-")


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> Path:
    folder = shared_data.parent / "cases" / "ingest"
    if not folder.is_dir():
        pytest.skip(f"there are no cases in {folder}")
    return folder


@pytest.mark.timeout(1800)
def test_the_words_of_each_case_are_found(cases: Path, tmp_path: Path) -> None:
    source = tmp_path / "cases"
    folders: list[str | Path] = ["--data", tmp_path / "data", "--indexes", tmp_path / "indexes"]
    for folder in (folder for folder in cases.iterdir() if folder.name[:2] in KINDS):
        shutil.copytree(folder, source / folder.name)
    shared = shutil.copytree(cases / "P-hardlink", tmp_path / "P")
    for imported in (source, shared / "rec.jsonl", shared / "rec2.jsonl", shared / "rec3.jsonl"):
        if imported.name == "rec2.jsonl":
            (shared / "clip.mp4").write_bytes((shared / "third.mp4").read_bytes())  # in place
        done = run("import", imported, *folders[:2])
        assert done.returncode == 0, done.stdout + done.stderr
    for command in ("run", "build"):
        done = run(command, *folders)
        assert done.returncode == 0, done.stdout + done.stderr
    missed = {}
    for video_id, words in WORDS.items():
        found = json.loads(run("search", words, "-k", "20", "--json", *folders).stdout)
        if video_id not in [hit["id"] for hit in found["hits"]]:
            missed[video_id] = words
    assert missed == {}
