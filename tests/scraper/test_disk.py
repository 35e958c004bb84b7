import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import pytest

from scraper.disk import Cause, DiskError, check_free, concerns_all, disk_errors, explain

FULL_DEVICE = Path("/dev/full")  # every write there fails because the disk is full
on_linux = pytest.mark.skipif(not FULL_DEVICE.exists(), reason="this system has no /dev/full")


def text(_: Path) -> None:
    with FULL_DEVICE.open("w") as file:
        file.write("words")


def array(_: Path) -> None:
    with FULL_DEVICE.open("wb") as file:
        np.save(file, np.zeros(10_000))


def vectors(_: Path) -> None:
    index = faiss.IndexFlatIP(8)
    index.add(np.zeros((10_000, 8), np.float32))
    faiss.write_index(index, str(FULL_DEVICE))


def pages(folder: Path) -> None:
    db = sqlite3.connect(folder / "db.sqlite")
    db.execute("PRAGMA max_page_count = 2")
    db.execute("CREATE TABLE t (a)")
    db.execute("INSERT INTO t VALUES (zeroblob(100000))")


@on_linux
@pytest.mark.parametrize("write", [text, array, vectors, pages])
def test_a_full_disk_is_reported_as_one_whoever_writes(write: Callable[[Path], None], tmp_path: Path) -> None:
    with pytest.raises(DiskError) as raised, disk_errors(tmp_path):
        write(tmp_path)
    assert raised.value.cause is Cause.FULL
    assert str(raised.value) == (
        f"the disk of {tmp_path} is full: make room on it, then run the command again. What was stored before is kept"
    )


def test_a_file_in_a_folder_without_permission_is_named(unprivileged: Path) -> None:
    file = unprivileged / "folder" / "file"
    file.parent.mkdir(mode=0o444)
    with pytest.raises(DiskError, match=f"{file} cannot be read .* no permission"), disk_errors(unprivileged):
        file.stat()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_database_that_cannot_be_written_is_read_only(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "db.sqlite").execute("CREATE TABLE t (a)").connection.close()
    (tmp_path / "db.sqlite").chmod(0o400)
    with pytest.raises(DiskError, match="is read-only") as raised, disk_errors(tmp_path):
        sqlite3.connect(tmp_path / "db.sqlite").execute("INSERT INTO t VALUES (1)")
    assert raised.value.cause is Cause.READ_ONLY


def test_a_database_that_was_opened_to_read_on_a_disk_that_can_be_written_is_an_error_of_the_disk(
    tmp_path: Path,
) -> None:
    sqlite3.connect(tmp_path / "db.sqlite").execute("CREATE TABLE t (a)").connection.close()
    # as SQLite does if it cannot open the file to write, whatever the reason
    db = sqlite3.connect(f"{(tmp_path / 'db.sqlite').as_uri()}?mode=ro", uri=True)
    with pytest.raises(DiskError, match="disk reports an error") as raised, disk_errors(tmp_path):
        db.execute("INSERT INTO t VALUES (1)")
    assert raised.value.cause is Cause.BROKEN


def test_a_process_with_too_many_open_files_says_so_for_a_database_too(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(one.name) for one in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
    held = []
    try:
        with pytest.raises(DiskError, match="ulimit -n") as raised, disk_errors(tmp_path):
            while True:
                held.append(sqlite3.connect(tmp_path / "db.sqlite"))
                held[-1].execute("CREATE TABLE IF NOT EXISTS t (a)")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for db in held:
            db.close()
    assert raised.value.cause is Cause.TOO_MANY_FILES


@pytest.mark.parametrize("error", [ValueError("x"), RuntimeError("a mistake"), FileNotFoundError(2, "No such file")])
def test_other_errors_are_not_of_the_disk(error: Exception, tmp_path: Path) -> None:
    assert explain(error, tmp_path) is None
    with pytest.raises(type(error)), disk_errors(tmp_path):
        raise error


def test_a_busy_or_damaged_database_is_not_the_disk(tmp_path: Path) -> None:
    (tmp_path / "db.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(sqlite3.DatabaseError) as raised, disk_errors(tmp_path):
        sqlite3.connect(tmp_path / "db.sqlite").execute("SELECT * FROM t")
    assert raised.value.sqlite_errorcode == sqlite3.SQLITE_NOTADB


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_a_disk_that_fails_at_one_place_concerns_one_item(number: int, tmp_path: Path) -> None:
    error = OSError(number, "it failed", str(tmp_path / "one.mp4"))
    assert explain(error) and concerns_all(error, tmp_path) is None


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_a_disk_that_takes_no_file_concerns_all_items(number: int, tmp_path: Path) -> None:
    assert concerns_all(OSError(number, "it failed"), tmp_path / "unplugged")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE])
def test_a_full_disk_or_too_many_open_files_concern_all_items(number: int, tmp_path: Path) -> None:
    known = concerns_all(OSError(number, "it failed"), tmp_path)
    assert known and concerns_all(known, tmp_path) is known


def test_an_error_in_a_file_is_not_of_the_disk(tmp_path: Path) -> None:
    assert concerns_all(ValueError("x"), tmp_path / "unplugged") is None


def test_too_little_room_is_reported_before_anything_is_written(tmp_path: Path) -> None:
    check_free(tmp_path, 1, "the new index")
    with pytest.raises(DiskError, match=r"the new index needs 1000000 GB in .*, and .* are free"):
        check_free(tmp_path, 10**15, "the new index")
