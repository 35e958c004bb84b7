"""What the program makes can be read by its owner alone."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from retrieval.embedding.encoder import KeywordOnly
from scraper.files import open_to_others
from tests.command_line import REPOSITORY, run
from tests.tiny_corpus import make_index

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows gives other users no access to a user's folders")
ID = "7000000000000000001"
LINK = f"https://www.tiktok.com/@ann/video/{ID}"
RECORD = f'[{{"id": "{ID}", "permalink": "{LINK}", "description": "a lamp that sings", "creator_username": "ann"}}]'


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A data folder and an index folder that the program makes itself."""
    folder = tmp_path_factory.mktemp("private")
    folder.chmod(0o755)
    (folder / "records.json").write_text(RECORD)
    data, indexes = folder / "data", folder / "indexes"
    done = run("import", folder / "records.json", "--data", data)
    assert done.returncode == 0, done.stderr
    make_index(data, indexes, KeywordOnly())
    return data, indexes


def test_new_folders_and_the_files_in_them_are_for_their_owner_alone(corpus: tuple[Path, Path]) -> None:
    data, indexes = corpus
    assert _mode(data) == _mode(indexes) == 0o700
    for file in (*data.glob("catalog.sqlite*"), *indexes.glob("*.sqlite*")):
        assert _mode(file) == 0o600, file
    assert {_mode(generation) for generation in (indexes / "generations").iterdir()} == {0o700}
    assert open_to_others(data, indexes) == ""


def test_a_backup_and_what_is_restored_from_it_are_for_their_owner_alone(
    corpus: tuple[Path, Path], tmp_path: Path
) -> None:
    data, indexes = corpus
    backup = tmp_path / "backup.zip"
    done = run("backup", backup, "--data", data, "--indexes", indexes)
    assert done.returncode == 0 and _mode(backup) == 0o600, done.stderr
    again = tmp_path / "again"
    done = run("restore", backup, "--data", again, "--indexes", tmp_path / "i")
    assert done.returncode == 0 and _mode(again) == _mode(tmp_path / "i") == 0o700, done.stderr
    assert _mode(again / "catalog.sqlite") == 0o600


def test_a_folder_that_exists_stays_as_it_is_and_what_is_new_in_it_is_private(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o755)
    (tmp_path / "records.json").write_text(RECORD)
    assert run("import", tmp_path / "records.json", "--data", data).returncode == 0
    assert _mode(data) == 0o755 and _mode(data / "catalog.sqlite") == 0o600


def test_status_names_folders_that_other_users_can_reach(corpus: tuple[Path, Path]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        open_one = Path(folder) / "data"
        shutil.copytree(corpus[0], open_one)
        open_one.chmod(0o755)
        Path(folder).chmod(0o755)
        assert open_to_others(open_one, corpus[1]) == "", "the catalog in it is for its owner alone"
        (open_one / "catalog.sqlite").chmod(0o644)  # as older versions made it
        for mode, named in ((0o755, True), (0o750, False)):
            open_one.chmod(mode)
            for outside, reached in ((0o755, True), (0o700, False)):
                Path(folder).chmod(outside)
                said = open_to_others(open_one, corpus[1])
                assert (f"`chmod 700 {open_one}`" in said) is (named and reached)
        open_one.chmod(0o755)
        Path(folder).chmod(0o755)
        status = run("status", "--data", open_one, "--indexes", corpus[1])
        assert status.returncode == 0 and f"`chmod 700 {open_one}`" in status.stderr


def test_no_library_keeps_an_id_of_this_computer_to_send_it(tmp_path: Path) -> None:
    program = "import ingest.ocr.rapidocr, ingest.speech.vad, onnxruntime"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.name in ("deviceid", "onnxruntime.db")] == []
