"""What a restore refuses, and what it does when it was interrupted."""

import hashlib
import json
import stat
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.catalog import Catalog
from ingest.catalog.database import CatalogError
from retrieval.corpus import restore as restoring
from retrieval.corpus.archive import BackupError
from retrieval.corpus.backup import back_up
from retrieval.corpus.restore import restore
from retrieval.index import segment
from retrieval.index.arrays import read_arrays, save_arrays
from retrieval.index.layout import segment_names
from scraper.errors import Locked
from tests.command_line import ENTRY_POINT, environment
from tests.retrieval.corpus.backups import Folders, answers, backed_up, corpus, entries, made
from tests.retrieval.segments import seal_again, segment_folder

__all__ = ["backed_up", "corpus", "made"]  # fixtures


def rewritten(file: Path, change: Callable[[dict[str, bytes], dict[str, Any]], None]) -> Path:
    """Return a copy of a backup whose members (and parsed manifest) were changed."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    change(members, manifest)
    hostile = file.with_name("hostile.zip")
    with zipfile.ZipFile(hostile, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("manifest.json", json.dumps(manifest))
    return hostile


def test_a_folder_with_anything_in_it_is_refused_and_stays_as_it_is(backed_up: Path, tmp_path: Path) -> None:
    (tmp_path / "i").mkdir()
    (tmp_path / "i" / "note.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(BackupError, match="--indexes"):
        restore(backed_up, tmp_path / "d", tmp_path / "i")
    assert not (tmp_path / "d").exists()
    assert [path.name for path in (tmp_path / "i").iterdir()] == ["note.txt"]
    with pytest.raises(BackupError, match="two folders"):
        restore(backed_up, tmp_path / "d", tmp_path / "d")


def _climbs(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    members["data/../../evil"] = b"x"
    manifest["members"]["data/../../evil"] = {"bytes": 1, "sha256": "0" * 64}


def _unlisted(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    members["data/media/00/12345/video.mp4"] = b"x"


def _tampered(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    members["data/catalog.sqlite"] = members["data/catalog.sqlite"].replace(b"hollow", b"HOLLOW")


def _bomb(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    members["data/examples.json"] = bytes(200_000_000)
    manifest["members"]["data/examples.json"] = {"bytes": 200_000_000, "sha256": "0" * 64}


def _counts(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["counts"]["videos"] += 1


def _newer(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["format"] = 99


def _no_catalog(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    del members["data/catalog.sqlite"], manifest["members"]["data/catalog.sqlite"]


def _not_a_manifest(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest.clear()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_climbs, "not a file that a backup holds"),
        (_unlisted, "not those that its manifest lists"),
        (_tampered, "differs from what was written"),
        (_bomb, "times its size"),
        (_counts, "other counts"),
        (_newer, "update the program"),
        (_no_catalog, "no catalog"),
        (_not_a_manifest, "not a backup"),
    ],
)
def test_a_hostile_archive_is_refused_and_leaves_nothing_behind(
    change: Callable[[dict[str, bytes], dict[str, Any]], None], message: str, backed_up: Path, tmp_path: Path
) -> None:
    before = sorted(path for path in tmp_path.rglob("*"))
    hostile = rewritten(backed_up, change)
    with pytest.raises(BackupError, match=message):
        restore(hostile, tmp_path / "new" / "d", tmp_path / "new" / "i")
    assert sorted(path for path in tmp_path.rglob("*") if path != hostile) == before


def test_a_link_in_an_archive_is_refused(backed_up: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(backed_up) as archive:
        members = {info: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        for info, content in members.items():
            if info.filename == "data/examples.json":
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, content)
    with pytest.raises(BackupError, match="not an ordinary file"):
        restore(tmp_path / "link.zip", tmp_path / "d", tmp_path / "i")


@pytest.mark.parametrize("damage", ["end missing", "byte changed", "not a zip"])
def test_a_damaged_archive_is_refused(damage: str, backed_up: Path, tmp_path: Path) -> None:
    content = bytearray(backed_up.read_bytes())
    match damage:
        case "end missing":
            del content[-100:]
        case "byte changed":
            content[1_000] ^= 255  # of the catalog, the first member: some bytes between members mean nothing
        case _:
            content[:] = b"not a backup"
    backed_up.write_bytes(content)
    with pytest.raises(BackupError):
        restore(backed_up, tmp_path / "d", tmp_path / "i")
    assert not (tmp_path / "d").exists()
    assert not (tmp_path / "i").exists()


def test_a_catalog_that_names_files_elsewhere_or_runs_code_is_refused(corpus: Folders, tmp_path: Path) -> None:
    with Catalog(corpus[0]) as catalog:
        catalog.database.execute("CREATE TRIGGER t AFTER DELETE ON videos BEGIN DELETE FROM media; END")
    file = back_up(*corpus, tmp_path / "code.zip").file
    with pytest.raises(BackupError, match="damaged"):
        restore(file, tmp_path / "d", tmp_path / "i")
    with Catalog(corpus[0]) as catalog:
        catalog.database.execute("DROP TRIGGER t")
        catalog.database.execute("UPDATE media SET path = '/etc/passwd' WHERE kind = 'video'")
    file = back_up(*corpus, tmp_path / "path.zip").file
    with pytest.raises(BackupError, match="outside of the media folder"):
        restore(file, tmp_path / "d", tmp_path / "i")


@pytest.mark.parametrize("moment", ["_unpack", "_check_generation", "_publish"])
def test_a_restore_that_was_killed_is_cleaned_by_the_next(
    moment: str, corpus: Folders, backed_up: Path, tmp_path: Path
) -> None:
    """The process ends without a chance to clean up, in the middle of one of its steps."""
    script = (
        "import os, pathlib\nfrom retrieval.corpus import restore\n"
        f"step = restore.{moment}\n"
        "moved = pathlib.Path.rename\n"
        "def die(self, target):\n    moved(self, target)\n    os._exit(9)\n"
        f"def run(*args):\n    if {moment == '_publish'}:\n        pathlib.Path.rename = die\n"
        "    step(*args)\n    os._exit(9)\n"
        f"restore.{moment} = run\n"
        f"restore.restore(pathlib.Path({str(backed_up)!r}), pathlib.Path('d'), pathlib.Path('i'))\n"
    )
    ended = subprocess.run([ENTRY_POINT[0], "-c", script], cwd=tmp_path, env=environment(), check=False)
    assert ended.returncode == 9
    assert (tmp_path / "d" / restoring.RESTORING).is_dir()
    with pytest.raises(CatalogError):
        Catalog(tmp_path / "d")
    restore(backed_up, tmp_path / "d", tmp_path / "i")
    assert entries(tmp_path / "d") == entries(corpus[0])
    assert answers(tmp_path / "i") == answers(corpus[1])


def test_a_second_restore_into_the_same_folder_waits_for_nobody(backed_up: Path, tmp_path: Path) -> None:
    from filelock import FileLock

    (tmp_path / "d").mkdir()
    with FileLock(tmp_path / "d" / restoring.LOCK), pytest.raises(Locked):
        restore(backed_up, tmp_path / "d", tmp_path / "i")


def test_an_index_that_was_forged_is_refused_even_if_its_files_are_mapped(
    corpus: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, indexes = corpus
    path = segment_folder(indexes) / "keyword.stems.safetensors"
    arrays = read_arrays(np.fromfile(path, np.uint8)).arrays
    save_arrays(path, arrays | {"docs": arrays["docs"] + np.uint16(60_000)})
    seal_again(indexes)
    file = back_up(data, indexes, tmp_path / "forged.zip").file
    monkeypatch.setattr(segment, "MAPPED_FROM", 0)
    restored = restore(file, tmp_path / "d", tmp_path / "i")
    assert "cannot read the index" in "".join(restored.notes)
    assert not (tmp_path / "i" / "segments").exists()


def test_a_segment_that_the_generation_does_not_have_is_not_restored(
    corpus: Folders, backed_up: Path, tmp_path: Path
) -> None:
    planted = "indexes/segments/20200101T000000000000-000000/segment.json"

    def plant(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        members[planted] = b"{}"
        manifest["members"][planted] = {"bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}

    restore(rewritten(backed_up, plant), tmp_path / "d", tmp_path / "i")
    assert segment_names(tmp_path / "i") == segment_names(corpus[1])
