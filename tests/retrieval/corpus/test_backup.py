"""Backups of a corpus in use: the restored one has the same counts and gives the same answers."""

import json
import os
import shutil
import stat
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingest.catalog import Catalog
from ingest.catalog.snapshot import write_snapshot
from retrieval.corpus.archive import BackupError, new_archive
from retrieval.corpus.backup import Backup, back_up
from retrieval.corpus.restore import restore
from retrieval.index.generation import open_current
from retrieval.index.publish import prune
from retrieval.search.searcher import Searcher
from scraper.records import Video
from tests.command_line import run
from tests.retrieval.corpus.backups import QUESTIONS, Folders, answers, backed_up, corpus, entries, made
from tests.retrieval.fake_encoder import FakeEncoder
from tests.tiny_corpus import BREAD, HOSTILE, make_index

__all__ = ["backed_up", "corpus", "made"]  # fixtures


def test_a_restored_corpus_has_the_same_videos_media_and_answers(
    corpus: Folders, backed_up: Path, tmp_path: Path
) -> None:
    data, indexes = tmp_path / "new" / "data", tmp_path / "new" / "indexes"
    restore(backed_up, data, indexes)
    assert entries(data) == entries(corpus[0])
    assert answers(indexes) == answers(corpus[1])
    with Catalog(data) as catalog:
        assert [judgement.video_id for judgement in catalog.judgements.all()] == [BREAD]
        assert all(media.path.is_file() for entry in catalog.entries(catalog.ids()) for media in entry.media)
    assert (data / "examples.json").is_file()
    assert not [path for path in (*data.iterdir(), *indexes.iterdir()) if path.name.startswith(".restoring")]
    assert stat.S_IMODE(backed_up.stat().st_mode) == 0o600 or os.name == "nt"


def test_a_backup_is_one_state_while_ten_people_search_and_an_import_writes(corpus: Folders, tmp_path: Path) -> None:
    data, indexes = corpus
    stop = threading.Event()
    slowest = 0.0

    def write() -> int:
        nonlocal slowest
        number = 0
        with Catalog(data) as catalog:
            while not stop.is_set():
                began = time.perf_counter()
                with catalog.transaction():  # both or none: a backup with one of them is not one state
                    for id in (f"72{number:010}", f"73{number:010}"):
                        catalog.put_video(Video(id=id, description=f"imported {number}"))
                slowest = max(slowest, time.perf_counter() - began)
                number += 1
        return number

    def search() -> int:
        searcher, done = Searcher(open_current(indexes), FakeEncoder()), 0
        while not stop.is_set():
            with Catalog(data) as catalog:
                hits = searcher.search(QUESTIONS[done % len(QUESTIONS)], 3).hits
                assert all(catalog.get(hit.id) for hit in hits)
            done += 1
        return done

    with ThreadPoolExecutor(11) as pool:
        writing, searching = pool.submit(write), [pool.submit(search) for _ in range(10)]
        try:
            time.sleep(0.3)
            file = back_up(data, indexes, tmp_path / "busy.zip", media=True).file
        finally:
            stop.set()
        assert writing.result() > 0
        assert all(one.result() for one in searching)
    assert slowest < 5
    restore(file, tmp_path / "d", tmp_path / "i")
    with Catalog(tmp_path / "d") as catalog:
        imported = [id for id in catalog.ids() if id.startswith(("72", "73"))]
        assert {id[2:] for id in imported if id.startswith("72")} == {id[2:] for id in imported if id.startswith("73")}
    assert answers(tmp_path / "i") == answers(indexes)


def test_without_media_searching_works_and_no_text_is_made_again(corpus: Folders, tmp_path: Path) -> None:
    data, indexes = tmp_path / "d", tmp_path / "i"
    restore(back_up(*corpus, tmp_path / "small.zip").file, data, indexes)
    assert answers(indexes) == answers(corpus[1])
    with Catalog(data) as catalog, Catalog(corpus[0]) as old:
        assert catalog.ledger.due("ocr") == old.ledger.due("ocr")
        assert not any(media.path.is_file() for entry in catalog.entries(catalog.ids()) for media in entry.media)
        before = catalog.get(BREAD)
        assert before and before.file("video")
        folder = catalog.media_folder(BREAD)
        shutil.copy(corpus[0] / "media" / BREAD[-2:] / BREAD / "video.mp4", folder)
        assert not catalog.put_media(BREAD, "video", folder / "video.mp4", "imported")  # known: nothing becomes due
        assert catalog.get(BREAD) == before


def test_a_removed_video_is_not_in_a_backup(corpus: Folders, tmp_path: Path) -> None:
    with Catalog(corpus[0]) as catalog, catalog.transaction():
        catalog.database.execute("INSERT INTO removals VALUES (?, '', '', 1.0, 0)", (HOSTILE,))
        catalog.database.execute("INSERT INTO removals VALUES (?, 'likes', '', 1.0, 0)", (BREAD,))
    done = back_up(*corpus, tmp_path / "after.zip", media=True)
    assert done.notes
    assert "removed videos (1)" in done.notes[0]  # of the index, which is left out: it still has the video
    restore(done.file, tmp_path / "d", tmp_path / "i")
    content = (tmp_path / "d" / "catalog.sqlite").read_bytes()
    assert b"toaster" not in content
    assert b"2024-03-04T11" not in content
    with Catalog(tmp_path / "d") as catalog:
        rows = catalog.database.execute("SELECT video_id, erased FROM removals WHERE list = ''").fetchall()
        assert [tuple(row) for row in rows] == [(HOSTILE, 1)]  # a later import does not bring it back
        bread = catalog.get(BREAD)
        assert bread
        assert [one.list for one in bread.encounters] == ["history"]


def test_missing_and_changed_media_are_left_out_and_named(corpus: Folders, tmp_path: Path) -> None:
    folder = corpus[0] / "media" / BREAD[-2:] / BREAD
    (folder / "cover.jpg").unlink()
    (folder / "video.mp4").write_bytes(b"another")
    outside = tmp_path / "secret.png"
    outside.write_bytes(b"private words")
    with Catalog(corpus[0]) as catalog, catalog.transaction():
        catalog.database.execute("UPDATE media SET path = '../secret.png' WHERE path LIKE '%cover.png'")
    done = back_up(*corpus, tmp_path / "b.zip", media=True)
    assert len(done.left_out) == 3
    text = "\n".join(done.left_out)
    assert all(reason in text for reason in ("is missing", "is another file", "lies outside"))
    assert b"private words" not in b"".join(zipfile.ZipFile(done.file).read(name) for name in done.manifest.members)


def test_a_generation_that_is_pruned_during_the_backup_is_still_whole(
    corpus: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = answers(corpus[1])

    def snapshot_after_a_build(data: Path, target: Path) -> None:
        make_index(data, corpus[1], FakeEncoder())
        prune(corpus[1], 0)
        write_snapshot(data, target)

    monkeypatch.setattr("retrieval.corpus.backup.write_snapshot", snapshot_after_a_build)
    restore(back_up(*corpus, tmp_path / "b.zip").file, tmp_path / "d", tmp_path / "i")
    assert answers(tmp_path / "i") == old


def test_a_backup_does_not_replace_a_file_unless_told_so(corpus: Folders, backed_up: Path) -> None:
    first = backed_up.read_bytes()
    with pytest.raises(BackupError, match="--replace"):
        back_up(*corpus, backed_up)
    assert backed_up.read_bytes() == first
    back_up(*corpus, backed_up, replace=True)
    assert backed_up.stat().st_size < len(first)
    assert [path.name for path in backed_up.parent.glob(".backup.zip*")] == []


def test_too_little_space_is_said_before_anything_is_written(
    corpus: Folders, backed_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0))
    with pytest.raises(BackupError, match="free"):
        back_up(*corpus, tmp_path / "b.zip")
    with pytest.raises(BackupError, match="free"):
        restore(backed_up, tmp_path / "d", tmp_path / "i")
    assert not (tmp_path / "d").exists()


def test_from_backup_to_restore_on_the_command_line(corpus: Folders, tmp_path: Path) -> None:
    folders = ("--data", corpus[0], "--indexes", corpus[1])
    done = run("backup", tmp_path / "b.zip", "--media", *folders, "--json", "--progress", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"]["videos"] == 7
    assert {json.loads(line)["stage"] for line in done.stderr.splitlines()} == {"backup", "verify"}
    new = ("--data", tmp_path / "d", "--indexes", tmp_path / "i")
    assert json.loads(run("restore", tmp_path / "b.zip", *new, "--json", "--quiet").stdout)["media_files"] == 6
    again = run("restore", tmp_path / "b.zip", *new)
    assert (again.returncode, "not empty" in again.stderr) == (1, True)
    (corpus[0] / "media" / BREAD[-2:] / BREAD / "video.mp4").unlink()
    assert run("backup", tmp_path / "c.zip", "--media", *folders).returncode == 1


def test_moving_both_folders_keeps_everything_working(corpus: Folders, tmp_path: Path) -> None:
    old, old_answers = entries(corpus[0]), answers(corpus[1])
    home = tmp_path / "elsewhere é"
    home.mkdir()
    data, indexes = (folder.rename(home / folder.name) for folder in corpus)
    assert entries(data) == old
    assert answers(indexes) == old_answers
    with Catalog(data) as catalog:
        assert all(media.path.is_file() for entry in catalog.entries(catalog.ids()) for media in entry.media)
    assert not back_up(data, indexes, tmp_path / "moved.zip", media=True).left_out


def test_the_backup_tells_its_size_in_bytes_and_its_counts(corpus: Folders, tmp_path: Path) -> None:
    done: Backup = back_up(*corpus, tmp_path / "b.zip")
    assert done.bytes == done.file.stat().st_size
    expected = {"videos": 7, "judgements": 1, "list entries": 6, "texts by hand": 1}
    assert expected.items() <= done.manifest.counts.items()


def test_ctrl_c_in_the_middle_of_a_member_is_not_taken_for_a_broken_archive(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_archive(tmp_path / "new.zip") as archive:
        member = archive.open("member", "w")
        member.write(b"half")
        raise KeyboardInterrupt
