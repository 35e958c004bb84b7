import dataclasses
import itertools
import json
import shutil
from pathlib import Path

import faiss
import numpy as np
import pytest
from filelock import FileLock

from retrieval.embedding.encoder import Encoder
from retrieval.errors import GenerationError, RetrievalError
from retrieval.index import generation
from retrieval.index.builder import build, index_encoders, prune, reweight, rollback
from retrieval.index.documents import Document, Passage
from retrieval.index.generation import (
    FORMAT,
    FusionWeights,
    Generation,
    Manifest,
    build_running,
    current_name,
    generation_names,
    open_current,
    read_manifest,
)
from scraper import files
from scraper.disk import DiskError
from scraper.errors import Locked
from tests.retrieval.fake_encoder import FakeEncoder


def test_a_rebuild_with_nothing_changed_encodes_nothing(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    first = build(documents, tmp_path, encoder)
    assert first.encoded > 0
    second = build(documents, tmp_path, encoder)
    assert second.encoded == 0 and second.corpus_sha256 == first.corpus_sha256 and second.name != first.name


def test_a_changed_description_encodes_only_two_texts(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    build(documents, tmp_path, encoder)
    changed = dict(documents[0].passages) | {
        "description": [Passage("a new text")],
        "overview": [Passage("a new whole")],
    }
    again = build([dataclasses.replace(documents[0], passages=changed), *documents[1:]], tmp_path, encoder)
    assert again.encoded == 2


def test_the_manifest_describes_the_generation(indexes: Path, documents: list[Document], encoder: Encoder) -> None:
    manifest = open_current(indexes).manifest
    [used] = manifest.encoders
    assert (manifest.format, manifest.videos, manifest.encoder) == (FORMAT, 6, encoder.name)
    assert (used.name, used.sha256, used.key) == (encoder.name, encoder.sha256, encoder.key)
    assert (used.dimension, used.precision) == (encoder.dimension, encoder.precision)
    assert manifest.passages["comments"] == sum(len(doc.passages.get("comments", [])) for doc in documents)


def test_the_encoder_of_an_index_is_that_of_its_current_generation(documents: list[Document], tmp_path: Path) -> None:
    assert index_encoders(tmp_path) == ()
    build(documents, tmp_path, FakeEncoder("first"))
    build(documents, tmp_path, FakeEncoder("promoted"))
    assert index_encoders(tmp_path) == ("promoted",)
    rollback(tmp_path)
    assert index_encoders(tmp_path) == ("first",)


def test_an_index_of_another_format_still_names_its_encoder(documents: list[Document], tmp_path: Path) -> None:
    manifest = tmp_path / "generations" / build(documents, tmp_path, FakeEncoder("promoted")).name / "manifest.json"
    manifest.write_text(manifest.read_text().replace(f'"format": {FORMAT}', '"format": 99'))
    assert index_encoders(tmp_path) == ("promoted",)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"encoder": null}', '{"encoder": ""}'])
def test_an_encoder_that_cannot_be_read_is_not_replaced_by_the_default(
    documents: list[Document], tmp_path: Path, content: str
) -> None:
    name = build(documents, tmp_path, FakeEncoder("promoted")).name
    (tmp_path / "generations" / name / "manifest.json").write_text(content)
    with pytest.raises(GenerationError, match="build --encoder MODEL"):
        index_encoders(tmp_path)


def test_fusion_weights_keep_their_names_on_disk(indexes: Path) -> None:
    generation = open_current(indexes)
    text = (generation.folder / "manifest.json").read_text(encoding="utf-8")
    names = ["dense_lane", "encoders", "words", "grams", "pairs", "dense", "keyword"]
    assert list(json.loads(text)["weights"]) == list(FusionWeights().model_dump()) == names
    assert Manifest.model_validate_json(text).model_dump_json(indent=1) == text
    files = {path.name for path in generation.folder.iterdir()}
    assert {"words.terms.json", "grams.terms.json", "pairs.terms.json", "facts.json", "wording.json"} <= files


def test_passages_are_read_back_with_their_times(indexes: Path, documents: list[Document]) -> None:
    generation = open_current(indexes)
    for position, doc in enumerate(documents):
        for field, passages in doc.passages.items():
            assert generation.passages(field, generation.rows[field].of(position)) == passages


def test_dense_scores_are_the_exact_cosines(indexes: Path, documents: list[Document], encoder: Encoder) -> None:
    generation, vector = open_current(indexes), encoder.query("teapot")
    for field, index in generation.dense[0].items():
        passages = [passage.text for doc in documents for passage in doc.passages.get(field, [])]
        np.testing.assert_allclose(index.passage_scores(vector), encoder.passages(passages) @ vector, atol=2e-3)
        present = [field in doc.passages for doc in documents]
        assert (~np.isnan(index.video_scores(index.passage_scores(vector)))).tolist() == present


def damaged(folder: Path, name: str) -> None:
    raw = bytearray((folder / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (folder / name).write_bytes(raw)


def test_a_damaged_or_missing_file_is_refused(documents: list[Document], encoder: Encoder, tmp_path: Path) -> None:
    name = build(documents, tmp_path / "whole", encoder).name
    for file in read_manifest(tmp_path / "whole", name).files:
        copy = tmp_path / "copy"
        shutil.copytree(tmp_path / "whole", copy)
        damaged(copy / "generations" / name, file)
        with pytest.raises(GenerationError, match="retrieval build"):
            open_current(copy)
        (copy / "generations" / name / file).unlink()
        with pytest.raises(GenerationError, match="is missing"):
            open_current(copy)
        shutil.rmtree(copy)


def test_a_folder_name_may_have_characters_that_are_special_in_urls(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    for name in ("a#b", "a?b", "100%25"):
        build(documents[:1], tmp_path / name, encoder)
        assert open_current(tmp_path / name).passages("description", range(1))[0].text
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(("a#b", "a?b", "100%25"))


def test_a_generation_deleted_while_it_is_opened_is_a_clear_error(
    documents: list[Document], encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "generations" / build(documents[:1], tmp_path, encoder).name
    manifest = generation.verified_manifest(folder)
    shutil.rmtree(folder)
    monkeypatch.setattr(generation, "_read_manifest", lambda _: manifest)
    with pytest.raises(GenerationError, match="is missing"):
        Generation(folder)


def test_another_format_or_a_broken_manifest_is_refused(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    manifest = tmp_path / "generations" / build(documents, tmp_path, encoder).name / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace(f'"format": {FORMAT}', '"format": 99'))
    with pytest.raises(GenerationError, match="format 99"):
        open_current(tmp_path)
    manifest.write_text(text[: len(text) // 2])
    with pytest.raises(GenerationError, match="no readable manifest"):
        open_current(tmp_path)


def test_any_flipped_bit_of_the_manifest_or_of_current_is_refused(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    name = build(documents, tmp_path, encoder).name
    folder = tmp_path / "generations" / name
    manifest = (folder / "manifest.json").read_bytes()
    for place in range(0, len(manifest), 7):
        (folder / "manifest.json").write_bytes(
            manifest[:place] + bytes([manifest[place] ^ (1 << place % 8)]) + manifest[place + 1 :]
        )
        with pytest.raises(GenerationError):
            read_manifest(tmp_path, name)
    (folder / "manifest.json").write_bytes(manifest)
    current = (tmp_path / "CURRENT").read_bytes()
    for place, bit in itertools.product(range(len(current)), range(8)):
        (tmp_path / "CURRENT").write_bytes(
            current[:place] + bytes([current[place] ^ (1 << bit)]) + current[place + 1 :]
        )
        with pytest.raises(GenerationError):
            current_name(tmp_path)


def test_a_manifest_of_an_earlier_version_has_no_checksum_and_is_opened(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    path = tmp_path / "generations" / build(documents, tmp_path, encoder).name / "manifest.json"
    older = {key: value for key, value in json.loads(path.read_text()).items() if key != "manifest_sha256"}
    path.write_text(json.dumps(older, indent=1))
    assert open_current(tmp_path).ids


def test_a_generation_whose_vectors_are_no_unit_vectors_is_refused(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    folder = tmp_path / "generations" / build(documents, tmp_path, encoder).name
    index = faiss.IndexFlatIP(encoder.dimension)
    vectors = np.ones((len(documents), encoder.dimension), np.float32)
    index.add(vectors / np.linalg.norm(vectors, axis=1, keepdims=True) * np.float32(1.01))
    faiss.write_index(index, str(folder / "overview.0.faiss"))
    manifest = generation.read_manifest(tmp_path, folder.name)
    changed = manifest.model_copy(
        update={"files": {**manifest.files, "overview.0.faiss": files.sha256(folder / "overview.0.faiss")}}
    )
    (folder / "manifest.json").write_text(generation.sealed(changed))
    with pytest.raises(GenerationError, match="6 of 6 vectors of overview"):
        open_current(tmp_path)


class Killed(BaseException):
    """Simulates a killed process: it is no Exception, so no cleanup code catches it."""


def test_a_build_killed_at_any_write_leaves_the_old_generation_usable(
    documents: list[Document], encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = build(documents[:3], tmp_path, encoder).name
    real_sync, survived = files.fsync, 0
    for last in range(1, 100):
        calls = 0

        def sync(path: Path, last: int = last) -> None:
            nonlocal calls
            calls += 1
            if calls == last:
                raise Killed
            real_sync(path)

        monkeypatch.setattr(files, "fsync", sync)
        try:
            new = build(documents, tmp_path, encoder).name
            break
        except Killed:
            survived += 1
            # Only the last syncs come after the switch to the new generation.
            assert len(open_current(tmp_path).ids) in (3, 6)
            if current_name(tmp_path) != old:
                assert len(open_current(tmp_path).ids) == 6
    assert survived > 20 and current_name(tmp_path) == new
    assert not list((tmp_path / "generations").glob(".building*"))


def test_a_full_disk_leaves_the_old_generation_usable(
    documents: list[Document], encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = build(documents[:3], tmp_path, encoder).name

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(DiskError, match="is full: make room"):
        build(documents, tmp_path, encoder)
    monkeypatch.undo()
    assert current_name(tmp_path) == old and len(open_current(tmp_path).ids) == 3
    assert len(build(documents, tmp_path, encoder).passages) == 7


def test_a_second_build_at_the_same_time_is_refused(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    with FileLock(tmp_path / ".build.lock"), pytest.raises(Locked, match="another build"):
        build(documents, tmp_path, encoder)


def test_rollback_goes_to_the_previous_or_a_named_generation_if_it_is_intact(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    names = [build(documents[: n + 1], tmp_path, encoder).name for n in range(3)]
    assert generation_names(tmp_path) == sorted(names)
    ordered = sorted(names)
    rollback(tmp_path, ordered[2])
    assert rollback(tmp_path) == ordered[1] == current_name(tmp_path)
    damaged(tmp_path / "generations" / ordered[0], "videos.json")
    with pytest.raises(GenerationError, match="differs"):
        rollback(tmp_path)
    assert current_name(tmp_path) == ordered[1]
    with pytest.raises(GenerationError, match="no generation 'x'"):
        rollback(tmp_path, "x")


def test_prune_keeps_the_newest_and_the_current(documents: list[Document], encoder: Encoder, tmp_path: Path) -> None:
    for n in range(4):
        build(documents[: n + 1], tmp_path, encoder)
    names = generation_names(tmp_path)
    rollback(tmp_path, names[0])
    assert prune(tmp_path, keep=1) == names[1:3]
    assert generation_names(tmp_path) == [names[0], names[3]]
    assert prune(tmp_path, keep=0) == [names[3]]
    open_current(tmp_path)


def test_what_a_killed_build_has_left_is_no_build_and_every_command_deletes_it(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    for n in range(3):
        build(documents[: n + 1], tmp_path, encoder)
    left = tmp_path / "generations" / ".building-left"
    for command in (
        lambda: prune(tmp_path),
        lambda: rollback(tmp_path),
        lambda: reweight(tmp_path, FusionWeights()),
        lambda: build(documents, tmp_path, encoder),
    ):
        left.mkdir()
        (left / "file").touch()
        assert not build_running(tmp_path)
        command()
        assert not left.exists()


def test_a_build_runs_while_its_process_holds_the_lock(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    build(documents, tmp_path, encoder)
    (tmp_path / "generations" / ".building-now").mkdir()
    with FileLock(tmp_path / ".build.lock"):
        assert build_running(tmp_path)
    assert not build_running(tmp_path)


def test_a_prune_that_failed_is_completed_by_the_next(
    documents: list[Document], encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        build(documents[: n + 1], tmp_path, encoder)
    names = generation_names(tmp_path)

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch, pytest.raises(DiskError, match="Input/output"):
        patch.setattr(shutil, "rmtree", broken)
        prune(tmp_path, keep=1)
    assert not build_running(tmp_path)
    assert prune(tmp_path, keep=1) == names[1:2]
    assert [path.name for path in (tmp_path / "generations").iterdir()] == names[2:]


def test_a_current_file_that_cannot_be_read_now_changes_nothing(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    for n in range(2):
        build(documents[: n + 1], tmp_path, encoder)
    kept = (tmp_path / "CURRENT").rename(tmp_path / "kept")
    (tmp_path / "CURRENT").mkdir()  # reading it is an OSError, also for root
    for command in (lambda: rollback(tmp_path), lambda: prune(tmp_path), lambda: open_current(tmp_path)):
        with pytest.raises(RetrievalError, match="CURRENT cannot be read: Is a directory") as raised:
            command()
        assert not isinstance(raised.value, GenerationError), "it is not known that there is no index"
    (tmp_path / "CURRENT").rmdir()
    kept.rename(tmp_path / "CURRENT")
    assert current_name(tmp_path) == generation_names(tmp_path)[1]


def test_a_missing_index_or_a_broken_current_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match="retrieval build"):
        open_current(tmp_path)
    (tmp_path / "CURRENT").write_text("../../etc\n")
    with pytest.raises(GenerationError, match="does not exist"):
        open_current(tmp_path)


def test_nothing_to_index_is_an_error(encoder: Encoder, tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match="nothing to index"):
        build([Document("70001", {}, {})], tmp_path, encoder)
    assert not any(tmp_path.iterdir())
