"""A server whose catalog changes: the index follows by itself."""

import errno
import random
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import app
from ingest.catalog import Catalog
from ingest.settings import load_settings
from retrieval.corpus import build
from retrieval.corpus.build import CatalogCorpus
from retrieval.corpus.erasure import erase
from retrieval.embedding.encoder import KeywordOnly
from retrieval.index import builder
from retrieval.index import merge as merging
from retrieval.index.generation import read_manifest
from retrieval.index.layout import current_name, generation_names, segment_names, segments_folder
from retrieval.index.lock import only_builder
from retrieval.index.publish import rollback
from retrieval.server import updater as module
from retrieval.server.searchers import Searchers
from retrieval.server.updater import Updater
from scraper.records import Video
from tests.retrieval.fake_encoder import FakeEncoder
from tests.retrieval.server.conftest import Folders
from tests.tiny_corpus import BREAD, make_index

QUOKKA = "72000"


def put(data: Path, video_id: str, description: str) -> None:
    with Catalog(data) as catalog:
        catalog.put_video(Video(id=video_id, description=description, scraped_at=time.time()))


def found(searchers: Searchers, question: str) -> list[str]:
    """Return the best hit for a word that a video has."""
    searcher = searchers.get()
    known = searcher.generation.phrases.count(question)
    return [hit.id for hit in searcher.search(question, k=1, mode="keyword").hits] if known else []


def until(searchers: Searchers, question: str, wanted: list[str]) -> None:
    deadline = time.monotonic() + 60
    while found(searchers, question) != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def start(updater: Updater) -> None:
    """Start it, and wait until it has looked at the catalog: it follows what changes after that."""
    updater.start()
    while updater._follower is None:
        time.sleep(0.01)


def following(folders: Folders) -> tuple[Searchers, Updater]:
    """Return what answers from an index, and what keeps it up with its catalog."""
    data, indexes = folders
    searchers = Searchers(indexes)
    searchers.get()
    updater = Updater(data, indexes, searchers)
    updater.update()
    return searchers, updater


def test_a_video_is_found_soon_after_it_is_added_changed_or_removed(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.05)
    monkeypatch.setattr(module, "SHARE", 1.0)
    data, indexes = folders
    searchers = Searchers(indexes)
    assert found(searchers, "selfie") == []
    updater = Updater(data, indexes, searchers)
    start(updater)
    try:
        put(data, QUOKKA, "quokka takes a selfie")
        until(searchers, "selfie", [QUOKKA])
        put(data, QUOKKA, "quokka paints a portrait")
        until(searchers, "portrait", [QUOKKA])
        assert found(searchers, "selfie") == []
        with Catalog(data) as catalog:
            catalog.removals.hide([QUOKKA])
        erase(data, indexes, [QUOKKA])
        until(searchers, "portrait", [])
    finally:
        updater.stop()


def test_many_new_videos_are_left_to_a_build(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MAX_NEW", 1)
    data, indexes = folders
    _, updater = following(folders)
    put(data, QUOKKA, "quokka takes a selfie")
    put(data, "72001", "a second quokka")
    before = current_name(indexes)
    assert updater.update() and current_name(indexes) == before
    assert "2 videos are new or changed: run `tiktok-retrieval build`" in caplog.text


def test_a_rollback_stays_until_a_video_changes(folders: Folders) -> None:
    data, indexes = folders
    searchers, updater = following(folders)
    put(data, QUOKKA, "quokka takes a selfie")
    updater.update()
    assert found(searchers, "selfie") == [QUOKKA]
    rollback(indexes)
    with Catalog(data) as catalog:
        catalog.judgements.add("loaf", catalog.ids()[0])
    updater.update()
    assert found(searchers, "selfie") == [] and len(generation_names(indexes)) == 2
    put(data, "72001", "a second quokka")
    updater.update()
    assert found(searchers, "selfie") == [QUOKKA]


def test_a_change_of_another_kind_does_not_end_a_rollback(folders: Folders) -> None:
    data, indexes = folders
    searchers, updater = following(folders)
    put(data, QUOKKA, "quokka takes a selfie")
    updater.update()
    rollback(indexes)
    with Catalog(data) as catalog, catalog.transaction():
        catalog.database.execute("UPDATE ledger SET updated_at = 1.0 WHERE video_id = ?", (BREAD,))
    updater.update()
    assert found(searchers, "selfie") == []


@pytest.mark.parametrize("seed", range(4))
def test_looking_at_what_has_changed_finds_what_looking_at_everything_does(
    folders: Folders, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, indexes = folders
    looks: list[bool] = []

    class Counted(CatalogCorpus):
        def __init__(self, *given: Any, changed: Sequence[str] | None = None, **named: Any) -> None:
            looks.append(changed is None)
            super().__init__(*given, changed=changed, **named)

    _, updater = following(folders)
    monkeypatch.setattr(build, "CatalogCorpus", Counted)
    choose = random.Random(seed)
    for step in range(25):
        with Catalog(data) as catalog:
            ids, hidden = catalog.ids(), catalog.removals.hidden() - catalog.removals.final()
            action = choose.choice(["new", "empty", "change", "hide", "undo", "erase", "nothing", "again"])
            chosen = choose.choice(ids)
            if action == "hide" and len(ids) > 3:
                catalog.removals.hide([chosen])
            elif action == "undo":
                catalog.removals.undo()
            elif action == "again":
                catalog.removals.again(catalog.removals.final())
        if action in ("new", "empty"):
            put(data, str(73000 + choose.randrange(8)), "a quokka " * (action == "new") + "selfie" * (step % 2))
        elif action == "change":
            put(data, chosen, f"a kettle of step {step}")
        elif action == "erase" and hidden:
            erase(data, indexes, hidden)
        updater.update()
        everything = CatalogCorpus(data, with_hidden=True).corpus
        name = current_name(indexes)
        assert builder.unchanged(everything, indexes, read_manifest(indexes, name).encoder), action
    assert looks.count(False) > 5 * looks.count(True)


def test_a_segment_that_is_damaged_is_made_again_when_a_video_changes(folders: Folders) -> None:
    data, indexes = folders
    searchers, updater = following(folders)
    (name,) = segment_names(indexes)
    (segments_folder(indexes) / name / "videos.safetensors").write_bytes(b"damage")
    put(data, QUOKKA, "quokka takes a selfie")
    updater.update()
    assert found(searchers, "selfie") == [QUOKKA] and found(searchers, "loaf") == [BREAD]
    assert name not in [entry.name for entry in read_manifest(indexes, current_name(indexes)).segments]


def test_what_another_program_has_not_noted_is_found_in_time(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = folders
    searchers, updater = following(folders)
    put(data, QUOKKA, "quokka takes a selfie")
    with closing(sqlite3.connect(data / "catalog.sqlite")) as db, db:
        db.execute("DELETE FROM changes")
    put(data, "72001", "a second quokka")
    updater.update()
    assert found(searchers, "selfie") == []
    put(data, "72001", "a third quokka")
    monkeypatch.setattr(build, "LOOK_AGAIN_S", 0.0)
    updater.update()
    assert found(searchers, "selfie") == [QUOKKA] and found(searchers, "third") == ["72001"]


def test_a_damaged_video_publishes_nothing(folders: Folders) -> None:
    data, indexes = folders
    _, updater = following(folders)
    put(data, QUOKKA, "quokka takes a selfie")
    with closing(sqlite3.connect(data / "catalog.sqlite")) as db, db:
        db.execute("UPDATE videos SET record = '{broken' WHERE id = ?", (QUOKKA,))
    for state in ("failed", "due"):
        with Catalog(data) as catalog:
            catalog.ledger.set(QUOKKA, "ocr", state)
        before = generation_names(indexes)
        updater.update()
        assert generation_names(indexes) == before


def test_after_a_build_of_what_was_too_much_changes_are_made_alone(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_NEW", 1)
    data, indexes = folders
    searchers, updater = following(folders)
    put(data, QUOKKA, "quokka takes a selfie")
    put(data, "72001", "a second quokka")
    updater.update()
    build.build(load_settings(data=data, indexes=indexes), searchers.get().encoders)
    put(data, "72001", "a third quokka")
    updater.update()
    monkeypatch.setattr(build.Follower, "_look_at_all", None)  # must not be called any more
    put(data, "72001", "a fourth quokka")
    updater.update()
    assert found(searchers, "fourth") == ["72001"]


def test_what_is_few_enough_after_a_removal_is_indexed(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NEW", 1)
    data, indexes = folders
    searchers, updater = following(folders)
    put(data, QUOKKA, "quokka takes a selfie")
    put(data, "72001", "a second quokka")
    updater.update()
    assert found(searchers, "selfie") == []
    with Catalog(data) as catalog:
        catalog.removals.hide(["72001"])
    erase(data, indexes, ["72001"])
    updater.update()
    assert found(searchers, "selfie") == [QUOKKA]


def test_after_an_erasure_changes_are_made_alone(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    data, indexes = folders
    searchers, updater = following(folders)
    put(data, QUOKKA, "quokka takes a selfie")
    updater.update()
    monkeypatch.setattr(build.Follower, "_look_at_all", None)  # must not be called any more
    with Catalog(data) as catalog:
        catalog.removals.hide([QUOKKA])
    erase(data, indexes, [QUOKKA])
    put(data, "72001", "a second quokka")  # before the updater has seen the erasure
    updater.update()
    assert found(searchers, "second") == ["72001"] and found(searchers, "selfie") == []
    with Catalog(data) as catalog:
        catalog.removals.hide(["72001"])
    erase(data, indexes, ["72001"])
    updater.update()
    put(data, "72002", "a third quokka")
    updater.update()
    assert found(searchers, "third") == ["72002"] and found(searchers, "second") == []


def test_an_update_waits_for_a_build(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.05)
    data, indexes = folders
    searchers = Searchers(indexes)
    searchers.get()
    updater = Updater(data, indexes, searchers)
    with only_builder(indexes):  # another thread may not build
        start(updater)
        put(data, QUOKKA, "quokka takes a selfie")
        time.sleep(1.0)
        assert found(searchers, "selfie") == []
    until(searchers, "selfie", [QUOKKA])
    updater.stop()


def test_a_server_follows_its_catalog_unless_that_is_turned_off(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def updaters() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "updater"}

    monkeypatch.setenv("TIKTOK_RETRIEVAL_FOLLOW_CATALOG", "false")
    before = updaters()
    with TestClient(app.create(*folders, follow=load_settings().follow_catalog)):
        assert not updaters() - before
    with TestClient(app.create(*folders)):
        assert updaters() - before


def test_few_of_the_generations_that_a_server_publishes_stay(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "FOLLOWED", 2)
    data, indexes = folders
    built = generation_names(indexes)
    searchers = Searchers(indexes)
    searchers.get()
    updater = Updater(data, indexes, searchers)
    updater.update()
    for number in range(12):
        put(data, f"7200{number}", f"quokka number {number}")
        updater.update()
    names = generation_names(indexes)
    assert names[: len(built)] == built and len(names) == len(built) + 2 and names[-1] == current_name(indexes)
    used = {entry.name for name in names for entry in read_manifest(indexes, name).segments}
    assert set(segment_names(indexes)) == used


def test_an_index_that_was_built_with_other_encoders_keeps_them(folders: Folders) -> None:
    data, indexes = folders
    searchers, updater = following(folders)
    make_index(data, indexes, KeywordOnly())  # another process, and nobody has searched since
    put(data, QUOKKA, "quokka takes a selfie")
    assert updater.update()
    assert read_manifest(indexes, current_name(indexes)).encoder == "bm25"
    assert found(searchers, "selfie") == [QUOKKA]
    make_index(data, indexes, FakeEncoder())  # which this server cannot load
    put(data, "72001", "a second quokka")
    assert not updater.update()
    assert read_manifest(indexes, current_name(indexes)).encoder == "fake"


def test_a_removed_video_stays_in_the_index_while_it_may_come_back(folders: Folders) -> None:
    data, indexes = folders
    searchers, updater = following(folders)
    put(data, QUOKKA, "quokka takes a selfie")
    updater.update()
    before = current_name(indexes)
    with Catalog(data) as catalog:
        catalog.removals.hide([QUOKKA])
    updater.update()
    put(data, "72001", "a second quokka")
    updater.update()
    assert before != current_name(indexes) and found(searchers, "selfie") == [QUOKKA]
    with Catalog(data) as catalog:
        catalog.removals.undo([QUOKKA])
    updater.update()
    assert found(searchers, "selfie") == [QUOKKA]


def test_a_video_that_comes_back_after_a_build_without_it_is_indexed_again(folders: Folders) -> None:
    data, indexes = folders
    searchers, updater = following(folders)
    put(data, QUOKKA, "quokka takes a selfie")
    updater.update()
    with Catalog(data) as catalog:
        catalog.removals.hide([QUOKKA])
    updater.update()
    build.build(load_settings(data=data, indexes=indexes), searchers.get().encoders)
    assert found(searchers, "selfie") == []
    with Catalog(data) as catalog:
        catalog.removals.undo([QUOKKA])
    updater.update()
    assert found(searchers, "selfie") == [QUOKKA]


def test_a_video_is_found_although_there_is_no_space_to_join_segments(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(merging, "MAX_SMALL", 1)
    monkeypatch.setattr(merging, "write_merged", full)
    _, indexes = folders
    searchers, updater = following(folders)
    put(folders[0], QUOKKA, "quokka takes a selfie")
    assert updater.update()
    assert found(searchers, "selfie") == [QUOKKA] and len(read_manifest(indexes, current_name(indexes)).segments) == 2
    assert "small segments of the index stay as they are" in caplog.text


def test_an_encoder_that_cannot_be_loaded_is_reported_once(folders: Folders, caplog: pytest.LogCaptureFixture) -> None:
    searchers = Searchers(folders[1])
    make_index(*folders, FakeEncoder("gone"))
    searchers.get()
    updater = Updater(*folders, searchers)
    assert not updater.update() and not updater.update()
    assert caplog.text.count("new videos wait until") == 1
