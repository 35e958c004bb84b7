"""Erasing removed videos: nothing is left of them, all others stay, and a killed process loses nothing."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.catalog import Catalog
from ingest.catalog.database import Database
from ingest.catalog.entries import Encounter, Text
from ingest.catalog.removals import Removals
from ingest.models.weights import WeightsError
from retrieval.corpus import erase_indexes, erasure, recorded_encoder
from retrieval.corpus.erasure import erase, finish
from retrieval.embedding.cache_file import text_key
from retrieval.embedding.vector_cache import VectorCache
from retrieval.errors import UnreadableNow
from retrieval.index import builder, merge, publish, videos
from retrieval.index.generation import open_current
from retrieval.index.layout import (
    CACHE_FILE,
    CURRENT,
    current_name,
    generation_names,
    generations_folder,
    segment_names,
    segments_folder,
)
from retrieval.index.lock import only_builder
from retrieval.index.manifest import SEGMENT
from scraper.disk import DiskError
from scraper.errors import Locked
from scraper.records import Comment, Video
from tests.byte_search import find
from tests.command_line import REPOSITORY, environment
from tests.retrieval.fake_encoder import FakeEncoder
from tests.tiny_corpus import BREAD, KETTLE, LOST, make_data, make_index

Folders = tuple[Path, Path]
OLD_WORDS = "an earlier zanzibar transcript"
WORDS = (
    "sourdough",
    "drum solo",
    "sounds hollow",
    "IS IT DONE",
    "crumb.and.crust",
    "Crumb & Crust",
    "zanzibar",
    "Bäcker",
)
JOB = "20261127-010203-0a1b2c3d"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """The tiny corpus with two generations, of which the first has another transcript, and what else knows a video."""
    folder = tmp_path_factory.mktemp("erasure")
    data, indexes = folder / "data", folder / "indexes"
    make_data(data)
    with Catalog(data) as catalog:
        transcript = catalog.get(BREAD).texts["transcript"]  # type: ignore[union-attr]
        catalog.put_text(BREAD, "transcript", Text(OLD_WORDS, "whisper"))
        make_index(data, indexes, FakeEncoder())
        catalog.put_text(BREAD, "transcript", transcript)
        shared = Comment(text="the same words under two videos", username="Bäcker")
        catalog.put_video(Video(id=BREAD, comments=[shared, Comment(text="the drum solo of breads")], scraped_at=2.0))
        catalog.put_video(Video(id=KETTLE, description="why the kettle sings", comments=[Comment(text=shared.text)]))
        catalog.judgements.add("loaf", BREAD)
        catalog.judgements.add("tea", KETTLE)
        catalog.import_notes.put_short_links(
            {"https://vm.tiktok.com/zanzibarzan/": f"https://www.tiktok.com/@a/video/{BREAD}"}
        )
        catalog.import_notes.put_problems([(f"/videos/{BREAD}.mp4", None, "is cut off")], ["/videos"])
    make_index(data, indexes, FakeEncoder())
    for job, ids in ((JOB, [BREAD, KETTLE]), (JOB.replace("1", "2"), [KETTLE])):
        (data / "evaluations" / job / "runs").mkdir(parents=True)
        (data / "evaluations" / job / "runs" / "x.trec").write_text("".join(f"q1 Q0 {video} 1 1 x\n" for video in ids))
    shutil.copy2(data / "catalog.sqlite", data / "catalog.before-format-5.sqlite")
    return data, indexes


@pytest.fixture
def folders(made: Folders, tmp_path: Path) -> Folders:
    data, indexes = (shutil.copytree(folder, tmp_path / folder.name) for folder in made)
    return data, indexes


def remove(data: Path, *ids: str) -> None:
    with Catalog(data) as catalog:
        catalog.removals.hide(ids)
        catalog.removals.claim(ids)


def vectors(indexes: Path) -> set[bytes]:
    with contextlib.closing(sqlite3.connect(indexes / CACHE_FILE)) as cache:
        return {key for (key,) in cache.execute("SELECT text_sha256 FROM vectors")}


def nothing_is_left(folders: Folders) -> None:
    """Check that BREAD is nowhere, and that everything else works."""
    data, indexes = folders
    assert find(folders, [*WORDS, BREAD], allowed=[(BREAD, "removals")]) == {}
    assert not {text_key(text) for text in (OLD_WORDS, "IS IT DONE?", "the drum solo of breads")} & vectors(indexes)
    assert text_key("the same words under two videos") in vectors(indexes)
    assert current_name(indexes) in generation_names(indexes)
    generation = open_current(indexes)
    assert len(generation.ids) == 6 and KETTLE in generation.ids
    with Catalog(data) as catalog:
        assert [one.video_id for one in catalog.judgements.all()] == [KETTLE]
        assert catalog.removals.next_due() is None and BREAD in catalog.removals.hidden()
        assert catalog.database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert not (data / "media" / BREAD[-2:]).exists()
    assert [path.name for path in (data / "evaluations").iterdir()] == [JOB.replace("1", "2")]
    assert not list(data.glob("catalog.before-*")) and not list(indexes.rglob(".building*"))


def test_nothing_is_left_of_an_erased_video(folders: Folders) -> None:
    assert set(find(folders, [*WORDS, BREAD])) == {*WORDS, BREAD}
    assert {text_key(OLD_WORDS), text_key("IS IT DONE?")} <= vectors(folders[1])
    remove(folders[0], BREAD)
    erased = erase(*folders)
    assert erased.videos == [BREAD] and erased.copies and erased.reports == [JOB] and len(erased.generations) == 2
    nothing_is_left(folders)
    assert not erase(*folders).anything and not finish(*folders).anything


def test_a_report_that_cannot_be_read_stops_the_erasure_and_the_next_one_finishes_it(
    made: Folders, unprivileged: Path
) -> None:
    data, indexes = unprivileged / "data", unprivileged / "indexes"
    make_data(data)  # `made` has loaded what that needs: another user might not read it
    runs = data / "evaluations" / JOB / "runs"
    runs.mkdir(parents=True)
    (runs / "x.trec").write_text(BREAD)
    runs.chmod(0o000)
    remove(data, BREAD)
    with pytest.raises(DiskError, match="no permission"):
        erase(data, indexes)
    runs.chmod(0o700)
    assert erase(data, indexes).reports == [JOB]


@pytest.mark.parametrize("name", ["manifest.json", "videos.safetensors"])
def test_a_generation_that_cannot_be_read_now_is_not_deleted(made: Folders, unprivileged: Path, name: str) -> None:
    data, indexes = unprivileged / "data", unprivileged / "indexes"
    make_data(data)
    make_index(data, indexes, FakeEncoder())
    remove(data, BREAD)
    [file] = [path for path in indexes.rglob(name) if path.parent.parent.name in ("generations", "segments")]
    file.chmod(0o000)
    with pytest.raises(UnreadableNow, match="no permission"):
        erase(data, indexes)
    file.chmod(0o600)
    open_current(indexes)
    assert erase(data, indexes).new_generation
    opened = open_current(indexes)
    assert opened.ids and BREAD not in opened.ids


def test_videos_that_are_only_in_a_list_stay_in_the_index_when_another_is_erased(folders: Folders) -> None:
    data, indexes = folders
    with Catalog(data) as catalog:
        catalog.put_video(Video(id="79999"))
        catalog.put_encounters("79999", [Encounter(list="likes", at="2024-03-01T10:00:00")])
    make_index(data, indexes, FakeEncoder())
    remove(data, BREAD)
    erase(data, indexes)
    generation = open_current(indexes)
    assert "79999" in generation.ids and BREAD not in generation.ids


class _Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    ("owner", "step"),
    [
        (builder, "build_corpus"),
        (builder, "publish"),
        (publish, "_make_current"),
        (erase_indexes, "_forget_vectors"),
        (publish, "delete"),
        (publish, "delete_segments"),
        (erasure, "_erase_media"),
        (erasure, "_erase_reports"),
        (erasure, "_erase_copies"),
        (Removals, "erase"),
        (Database, "compact"),
        (Removals, "finish"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_next_run_finishes_what_was_interrupted_before_any_step(
    folders: Folders, owner: Any, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(folders[0], BREAD)

    def killed(*_: Any, **__: Any) -> None:
        raise _Killed

    with monkeypatch.context() as patched:
        patched.setattr(owner, step, killed)
        with pytest.raises(_Killed):
            erase(*folders)
    with Catalog(folders[0]) as catalog:
        assert catalog.get(BREAD) is None and not catalog.removals.undo([BREAD])
    finish(*folders)
    nothing_is_left(folders)


def test_a_process_that_is_killed_while_it_deletes_a_generation_loses_nothing(folders: Folders) -> None:
    remove(folders[0], BREAD)
    program = (
        "import os, shutil; from pathlib import Path; from retrieval.corpus.erasure import erase\n"
        f"shutil.rmtree = lambda folder: (next(folder.iterdir()).unlink(), os._exit(9))\n"
        f"erase(Path({str(folders[0])!r}), Path({str(folders[1])!r}))"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, env=environment(), timeout=120, check=False
    )
    assert killed.returncode == 9
    finish(*folders)
    nothing_is_left(folders)


def test_erasing_waits_for_a_build_and_the_video_stays_hidden(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(folders[0], BREAD)
    with _held(folders[1]):
        monkeypatch.setattr(erasure, "WAIT_S", 0.0)
        with pytest.raises(Locked, match="another build"):
            erase(*folders)
        with Catalog(folders[0]) as catalog:
            assert catalog.get(BREAD) is None and catalog.removals.unfinished([BREAD])
        monkeypatch.setattr(erasure, "WAIT_S", 60.0)
        waiting = threading.Thread(target=erase, args=folders)
        waiting.start()
    waiting.join(60)
    nothing_is_left(folders)


@contextlib.contextmanager
def _held(indexes: Path) -> Iterator[None]:
    """Hold the lock of the indexes in another thread."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with only_builder(indexes):
            taken.set()
            done.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(60)
    try:
        yield
    finally:
        done.set()
        holder.join()


def test_a_generation_that_brings_an_erased_video_back_is_deleted(folders: Folders) -> None:
    """A build that read the catalog before the video was removed."""
    data, indexes = folders
    copy = shutil.copytree(indexes, data.parent / "copy")
    remove(data, BREAD)
    erase(data, indexes)
    late = "20990101T000000000000-abcdef"
    shutil.copytree(generations_folder(copy) / generation_names(copy)[-1], generations_folder(indexes) / late)
    shutil.copytree(segments_folder(copy), segments_folder(indexes), dirs_exist_ok=True)
    shutil.rmtree(copy)
    assert finish(data, indexes).generations == [late]
    nothing_is_left(folders)


def test_the_last_video_takes_the_index_with_it(folders: Folders) -> None:
    data, indexes = folders
    with Catalog(data) as catalog:
        every = catalog.ids()
    remove(data, *every)
    assert erase(data, indexes).new_generation == ""
    assert generation_names(indexes) == [] and not (indexes / CURRENT).exists() and not vectors(indexes)
    assert find(folders, [*WORDS, "kettle", "sock"]) == {}


def test_erasing_needs_no_encoder_and_other_videos_stay_as_they_are(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise WeightsError("there is no such model")

    monkeypatch.setattr(recorded_encoder, "SentenceEncoder", missing)
    data, indexes = folders
    with Catalog(data) as catalog:
        catalog.put_text(LOST, "cover", Text("new words on the screen", "hand"))
    (indexes / CACHE_FILE).unlink()
    remove(data, BREAD)
    assert erase(*folders).left_out == 0
    generation = open_current(indexes)
    assert LOST in generation.ids and KETTLE in generation.ids and BREAD not in generation.ids
    assert generation.alive.all()


def test_videos_whose_new_texts_cannot_be_encoded_are_left_out_until_the_next_build(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise WeightsError("there is no such model")

    data, indexes = folders
    with Catalog(data) as catalog:
        catalog.put_encounters(LOST, [Encounter(list="likes", at="2024-03-01T10:00:00")])
    make_index(data, indexes, FakeEncoder())
    monkeypatch.setattr(recorded_encoder, "SentenceEncoder", missing)
    with Catalog(data) as catalog:
        catalog.put_text(LOST, "cover", Text("new words on the screen", "hand"))
        catalog.removals.claim(catalog.removals.end("likes"))
    erased = erase(*folders)
    assert erased.left_out == 1
    generation = open_current(indexes)
    assert LOST not in generation.ids and KETTLE in generation.ids


def test_a_file_that_a_stage_saves_for_an_erased_video_is_deleted(folders: Folders) -> None:
    remove(folders[0], BREAD)
    erase(*folders)
    with Catalog(folders[0]) as catalog:
        path = catalog.media_folder(BREAD) / "cover.jpg"
        path.write_bytes(b"late")
        assert not catalog.put_media(BREAD, "cover", path, "downloaded")
        catalog.put_text(BREAD, "cover", Text("sourdough", "tesseract"))
        catalog.fail(BREAD, "ocr", "sourdough")
        catalog.ledger.put_file(BREAD, "cover", 0, "type", "sourdough")
        assert catalog.put_video(Video(id=BREAD, description="sourdough")) == "unchanged"
    nothing_is_left(folders) if not path.parent.parent.exists() else shutil.rmtree(path.parent.parent)
    assert find(folders, WORDS) == {}


def test_a_list_that_is_removed_leaves_the_index_and_takes_only_its_own_videos(folders: Folders) -> None:
    data, indexes = folders
    watched, liked = "7100000000000000101", "7100000000000000102"
    history, likes = Encounter(list="shares", at="2023-02-01T10:00:00"), Encounter(list="likes")
    with Catalog(data) as catalog:
        for video, met in ((watched, [history]), (liked, [history, likes])):
            catalog.put_video(Video(id=video, description="a moose", source="data export"))
            catalog.put_encounters(video, met)
        catalog.put_encounters(KETTLE, [history])  # it was also collected
    make_index(data, indexes, FakeEncoder())
    with Catalog(data) as catalog:
        assert catalog.removals.only_in_list("shares") == [watched]
        ended = catalog.removals.end("shares")
        assert ended == [watched, liked, KETTLE]
        catalog.removals.hide([watched])
        assert [met.list for met in catalog.get(liked).encounters] == ["likes"]  # type: ignore[union-attr]
        catalog.removals.claim(ended)
    erased = erase(data, indexes)
    assert (erased.videos, erased.memberships) == ([watched], 3)
    assert find(folders, [watched], allowed=[(watched, "removals")]) == {}
    assert find(folders, ["2023-02-01"]) == {}
    with Catalog(data) as catalog:
        assert catalog.put_encounters(liked, [history]) == 0 and catalog.put_encounters(liked, [likes]) == 0
        catalog.removals.again([liked])
        assert catalog.put_encounters(liked, [history]) == 1


def test_an_uploaded_file_goes_if_it_holds_nothing_else(folders: Folders) -> None:
    data, _ = folders
    (data / "uploads").mkdir()
    alone, shared = data / "uploads" / "clip.mp4", data / "uploads" / "export.json"
    mine = data / "mine.mp4"  # the person's own file, wherever it lies
    for path in (alone, shared, mine):
        path.write_bytes(b"x")
    with Catalog(data) as catalog:
        for video, path in ((BREAD, alone), (BREAD, mine), (BREAD, shared), (KETTLE, shared)):
            catalog.put_origin(video, path)
    remove(data, BREAD)
    erase(*folders)
    assert not alone.exists() and shared.exists() and mine.exists()


def test_files_outside_of_the_data_folder_and_links_stay(folders: Folders, tmp_path: Path) -> None:
    data, _ = folders
    mine = tmp_path / "mine.mp4"
    mine.write_bytes(b"mine")
    cover = data / "media" / BREAD[-2:] / BREAD / "cover.jpg"
    cover.unlink()
    cover.symlink_to(mine)
    if os.name == "posix":
        os.link(mine, cover.with_name("caption_01.vtt"))
    remove(data, BREAD)
    erase(*folders)
    assert mine.read_bytes() == b"mine" and not cover.parent.exists()


def test_a_segment_whose_list_of_videos_is_damaged_is_deleted_as_well(folders: Folders) -> None:
    data, indexes = folders
    make_index(data, indexes, FakeEncoder("other"))
    make_index(data, indexes, FakeEncoder())
    named = {entry.name for entry in open_current(indexes).manifest.segments}
    others = [segments_folder(indexes) / name for name in segment_names(indexes) if name not in named]
    assert others
    for folder in others:
        path = folder / videos.FILE
        path.write_bytes(path.read_bytes().replace(BREAD.encode(), BREAD.encode()[:-1] + b"9"))
    remove(data, BREAD)
    erase(data, indexes)
    nothing_is_left(folders)


def test_videos_that_stay_are_not_indexed_again_because_an_earlier_generation_has_some_of_them(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, indexes = folders
    shutil.rmtree(indexes)
    with Catalog(data) as catalog:
        ids = catalog.ids()
        later = [BREAD, KETTLE, ids[1]]
        catalog.removals.hide(later)
        make_index(data, indexes, FakeEncoder())
        catalog.removals.undo(later)
        make_index(data, indexes, FakeEncoder())
        monkeypatch.setattr(merge, "MAX_SMALL", 1)
        assert merge.merge(indexes)
        catalog.put_video(Video(id=KETTLE, description="another text, which is not indexed yet", scraped_at=3.0))
    remove(data, BREAD)
    erased = erase(data, indexes)
    assert erased.left_out == 0
    assert set(open_current(indexes).positions) == set(ids) - {BREAD}


def test_a_damaged_segment_of_the_current_generation_is_indexed_again(folders: Folders) -> None:
    data, indexes = folders
    ids = set(open_current(indexes).positions)
    entry = open_current(indexes).manifest.segments[0]
    manifest = segments_folder(indexes) / entry.name / SEGMENT
    manifest.write_bytes(manifest.read_bytes()[:-9])
    remove(data, BREAD)
    erase(data, indexes)
    assert set(open_current(indexes).positions) == ids - {BREAD}
    nothing_is_left(folders)


def test_a_segment_that_only_deleted_generations_had_does_not_stop_an_erasure(folders: Folders) -> None:
    data, indexes = folders
    for number, (video_id, words) in enumerate([("72000", "quokka"), ("72000", "walrus"), ("72001", "emu")]):
        with Catalog(data) as catalog:
            catalog.put_video(Video(id=video_id, description=words, scraped_at=5e9 + number))
        make_index(data, indexes, FakeEncoder())
    for video_id in (BREAD, "72000"):
        with Catalog(data) as catalog:
            catalog.removals.hide([video_id])
        erase(data, indexes, [video_id])
        assert find([indexes], [video_id]) == {}
    assert not VectorCache(indexes / CACHE_FILE).has(FakeEncoder(), ["quokka", "walrus"])
