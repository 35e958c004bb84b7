import dataclasses
import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from retrieval.embedding.encoder import Encoder
from retrieval.errors import GenerationError, RetrievalError, UnreadableNow
from retrieval.index import generation
from retrieval.index import segment as segments
from retrieval.index.builder import build
from retrieval.index.documents import Document, Passage
from retrieval.index.generation import Generation, open_current, open_named, read_manifest
from retrieval.index.layout import build_running, current_name, generation_names
from retrieval.index.manifest import FORMAT, FusionWeights, Manifest, SegmentEntry, sealed, segment_manifest
from retrieval.index.publish import index_encoders, prune, reweight, rollback
from retrieval.index.vector_part import VectorPart
from scraper import files
from scraper.disk import DiskError
from scraper.errors import Locked
from tests.retrieval.fake_encoder import FakeEncoder
from tests.retrieval.saved_files import saved
from tests.retrieval.segments import segment_folder


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
    files = {path.name for path in segment_folder(indexes).iterdir()}
    assert {f"keyword.{name}.safetensors" for name in ("stems", "char_ngrams", "bigrams")} <= files


def test_passages_are_read_back_with_their_times(indexes: Path, documents: list[Document]) -> None:
    generation = open_current(indexes)
    for position, doc in enumerate(documents):
        for field, passages in doc.passages.items():
            assert generation.passages(field, generation.rows[field].of(position)) == passages


def test_dense_scores_are_the_exact_cosines(indexes: Path, documents: list[Document], encoder: Encoder) -> None:
    generation, vector = open_current(indexes), encoder.query("teapot")
    for field, index in generation.dense[0].items():
        passages = [passage.text for doc in documents for passage in doc.passages.get(field, [])]
        np.testing.assert_allclose(
            index.cosines(vector, range(len(passages))), encoder.passages(passages) @ vector, atol=2e-3
        )
        present = [field in doc.passages for doc in documents]
        assert (~np.isnan(index.corrected(index.all_best(vector)))).tolist() == present


def damaged(folder: Path, name: str) -> None:
    raw = bytearray((folder / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (folder / name).write_bytes(raw)


def test_a_damaged_or_missing_file_is_refused(documents: list[Document], encoder: Encoder, tmp_path: Path) -> None:
    name = build(documents, tmp_path / "whole", encoder).name
    whole = tmp_path / "whole"
    for folder in (whole / "generations" / name, segment_folder(whole)):
        for file in sorted(folder.iterdir()):
            copy = tmp_path / "copy"
            shutil.copytree(whole, copy)
            damaged(copy / folder.relative_to(whole), file.name)
            with pytest.raises(GenerationError, match="retrieval build"):
                open_current(copy)
            (copy / file.relative_to(whole)).unlink()
            with pytest.raises(GenerationError, match=r"is missing|no readable manifest"):
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
    own = generation.own_files(folder)
    shutil.rmtree(tmp_path)
    monkeypatch.setattr(generation, "own_files", lambda _: own)
    with pytest.raises(GenerationError, match=r"segment\.json is missing"):
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


@pytest.fixture
def loaded(documents: list[Document], encoder: Encoder, tmp_path: Path) -> None:
    """Build an index, which loads what building needs: another user might not read it."""
    build(documents, tmp_path, encoder)


@pytest.mark.parametrize("name", ["manifest.json", "videos.safetensors"])
def test_a_file_without_permission_is_not_called_damaged(
    documents: list[Document], encoder: Encoder, loaded: None, unprivileged: Path, name: str
) -> None:
    build(documents, unprivileged, encoder)
    [file] = unprivileged.rglob(name)
    file.chmod(0o000)
    with pytest.raises(UnreadableNow, match=f"{name} cannot be read or written: this user has no permission$"):
        open_current(unprivileged)
    file.unlink()
    with pytest.raises(GenerationError, match=f"{name} is missing: run `tiktok-retrieval build`"):
        open_current(unprivileged)


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


def test_a_generation_of_an_earlier_format_says_what_a_build_takes(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    path = tmp_path / "generations" / build(documents, tmp_path, encoder).name / "manifest.json"
    older = json.loads(path.read_text()) | {"format": 4, "videos": 53_000}
    path.write_text(json.dumps(older, indent=1))
    with pytest.raises(
        GenerationError, match=rf"format 4, not {FORMAT}.*retrieval build.*about 11 min for its 53,000 videos"
    ):
        open_current(tmp_path)
    assert index_encoders(tmp_path) == (encoder.name,)
    assert len(open_named(tmp_path, build(documents, tmp_path, encoder).name).ids) == 6


def test_a_generation_whose_vectors_are_no_unit_vectors_is_refused(
    documents: list[Document], encoder: Encoder, tmp_path: Path
) -> None:
    folder = tmp_path / "generations" / build(documents, tmp_path, encoder).name
    segment = segment_folder(tmp_path)
    vectors = VectorPart.load(saved(segment), 0)
    vectors.fields["overview"] = replace(vectors.fields["overview"], scales=np.full(6, 2.0, np.float32))
    vectors.save(segment, 0)
    of_segment = segment_manifest(segment)
    name = "scales.0.safetensors"
    changed = {**of_segment.files, name: files.sha256(segment / name)}
    (segment / "segment.json").write_text(sealed(of_segment.model_copy(update={"files": changed})))
    entry = SegmentEntry(name=segment.name, videos=6, sha256=files.sha256(segment / "segment.json"))
    manifest = read_manifest(tmp_path, folder.name).model_copy(update={"segments": (entry,)})
    (folder / "manifest.json").write_text(sealed(manifest))
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
    assert survived > 10 and current_name(tmp_path) == new
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
    damaged(segment_folder(tmp_path, ordered[0]), "videos.safetensors")
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


def test_large_segments_are_mapped_and_checked_when_they_are_written_and_by_check(
    documents: list[Document], encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "MAPPED_FROM", 1)
    name = build(documents, tmp_path, encoder).name
    opened = open_current(tmp_path)
    if Path("/proc/self/maps").exists():
        assert str(segment_folder(tmp_path)) in Path("/proc/self/maps").read_text()
    path = segment_folder(tmp_path) / "keyword.stems.safetensors"
    damaged(path.parent, path.name)
    assert open_current(tmp_path).ids[0] == opened.ids[0]
    with pytest.raises(GenerationError, match="differs"):
        open_named(tmp_path, name, again=True)
    shutil.rmtree(tmp_path)
    assert opened.phrases.count("teapot") and opened.passages("overview", range(1))[0].text
