"""Files of an index that are damaged, overwritten or deleted while the server runs, or before it starts."""

import os
import shutil
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ingest.catalog import Catalog
from retrieval.embedding.encoder import Encoder
from retrieval.index.layout import CURRENT, generation_names, generations_folder, segments_folder
from retrieval.index.publish import prune
from retrieval.server.api import create_app
from retrieval.server.searchers import Searchers
from scraper.records import Video
from tests.retrieval.segments import segment_folder
from tests.retrieval.server.conftest import Folders
from tests.retrieval.server.requests import search, without_packs
from tests.tiny_corpus import BREAD, make_index


def files_of(indexes: Path) -> list[Path]:
    folders = generations_folder(indexes), segments_folder(indexes)
    return sorted(path for folder in folders for path in folder.glob("*/*"))


def add_video(data: Path, video_id: str) -> None:
    with Catalog(data) as catalog:
        catalog.put_video(Video(id=video_id, description="a quokka"))


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 4
    path.write_bytes(raw)


def test_files_that_are_shortened_overwritten_or_deleted_do_not_change_the_answers(folders: Folders) -> None:
    data, indexes = folders
    client = TestClient(create_app(data, indexes))
    before = search(client, "loaf hollow drum")
    for path in files_of(indexes):
        os.truncate(path, path.stat().st_size // 2)
    for word in ("loaf hollow drum", '"sounds hollow"', "falcon"):  # what was mapped, and what was read from SQLite
        assert search(client, word)["hits"]
    for path in files_of(indexes):
        path.write_bytes(os.urandom(5_000))
    assert search(client, "loaf hollow drum")["hits"] == before["hits"]
    shutil.rmtree(generations_folder(indexes))
    shutil.rmtree(segments_folder(indexes))
    assert search(client, "loaf hollow drum")["hits"] == before["hits"]


def test_damage_on_disk_is_reported_although_the_answers_are_right(folders: Folders) -> None:
    searchers = Searchers(folders[1])
    searchers.get()
    assert searchers.problems() == []
    passages = next(path for path in files_of(folders[1]) if path.name == "passages.safetensors")
    flip(passages)
    assert searchers.problems() == ["The files of the generation that answers are damaged on disk."]
    flip(passages)
    assert searchers.problems() == []


def test_a_copy_of_the_same_files_over_the_folder_changes_nothing(folders: Folders, tmp_path: Path) -> None:
    data, indexes = folders
    client, searchers = TestClient(create_app(data, indexes)), Searchers(indexes)
    name = searchers.get().generation.name
    shutil.copytree(indexes, tmp_path / "backup")
    shutil.copytree(tmp_path / "backup", indexes, dirs_exist_ok=True)
    assert search(client, "loaf")["generation"] == name and searchers.problems() == []


@pytest.mark.parametrize("damage", ["a file", "CURRENT", "its folder"])
def test_a_server_that_starts_with_a_damaged_index_answers_from_an_earlier_generation(
    folders: Folders, encoder: Encoder, damage: str
) -> None:
    data, indexes = folders
    (earlier,) = generation_names(indexes)
    add_video(data, "72000")  # otherwise both generations have the same segment
    new = generations_folder(indexes) / make_index(data, indexes, encoder).name
    if damage == "a file":
        flip(segment_folder(indexes) / "vectors.0.overview.faiss")
    elif damage == "CURRENT":
        flip(indexes / CURRENT)
        flip(new / "manifest.json")
    else:
        shutil.rmtree(new)
    client = TestClient(create_app(data, indexes))
    answer = search(client, "loaf hollow drum")
    assert answer["generation"] == earlier and answer["hits"][0]["id"] == BREAD
    assert answer["notes"] == [f"The current generation of the index cannot be used. Generation {earlier} answers."]
    assert without_packs(client.get("/api/health").json()["problems"]) == answer["notes"]
    repaired = make_index(data, indexes, encoder).name
    answer = search(client, "loaf hollow drum")
    assert answer["generation"] == repaired and answer["notes"] == []


def test_a_generation_that_was_half_copied_is_used_when_the_copy_is_complete(
    folders: Folders, encoder: Encoder
) -> None:
    data, indexes = folders
    client = TestClient(create_app(data, indexes))
    old = search(client, "loaf")["generation"]
    add_video(data, "72000")
    new = generations_folder(indexes) / make_index(data, indexes, encoder).name
    path = segment_folder(indexes) / "keyword.stems.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    assert search(client, "loaf")["generation"] == old
    path.write_bytes(whole)
    assert search(client, "loaf")["generation"] == new.name


def test_no_file_of_a_generation_stays_open(folders: Folders, encoder: Encoder) -> None:
    data, indexes = folders
    searchers = Searchers(indexes)
    make_index(data, indexes, encoder)
    for name in (*generation_names(indexes), None, None):
        searchers.get(name).search("loaf", mode="keyword")
    prune(indexes, keep=1)
    searchers.get()
    fds = Path("/proc/self/fd")
    if not fds.is_dir():
        pytest.skip("only Linux lists open files")
    opened = [str(fd.readlink()) for fd in fds.iterdir() if fd.is_symlink()]
    assert not [path for path in opened if str(indexes / "generations") in path or str(indexes / "segments") in path]
    assert not searchers._others
    assert str(indexes) not in Path("/proc/self/maps").read_text()


def test_a_damaged_manifest_is_left_out_of_the_list_of_generations(folders: Folders, encoder: Encoder) -> None:
    data, indexes = folders
    (earlier,) = generation_names(indexes)
    new = make_index(data, indexes, encoder).name
    flip(generations_folder(indexes) / new / "manifest.json")
    listed = TestClient(create_app(data, indexes)).get("/api/generations").json()["generations"]
    assert [one["name"] for one in listed] == [earlier]
