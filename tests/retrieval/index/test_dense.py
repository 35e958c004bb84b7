"""Cosines by video, and the correction of hubs."""

import struct
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

import retrieval.index.rows as module
from retrieval.index.arrays import read_arrays, save_arrays
from retrieval.index.dense import HUB_SHARE, DenseIndex
from retrieval.index.documents import FIELDS
from retrieval.index.field_vectors import FieldVectors
from retrieval.index.hubness import NEIGHBOURS, mean_of_nearest
from retrieval.index.rows import PassageRows
from retrieval.index.sketch import SKETCHED_FROM
from retrieval.index.vector_part import VectorPart
from tests.retrieval.saved_files import saved

_Half = TypeVar("_Half")
_Found = TypeVar("_Found")


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_hubness_is_the_similarity_to_other_videos_transcripts() -> None:
    rng = np.random.default_rng(3)
    videos = 30
    said = unit(rng.normal(size=(videos, 16)))
    overviews = said.copy()
    overviews[7] = unit(said.mean(axis=0, keepdims=True))[0]  # near to all
    found = mean_of_nearest(overviews, np.arange(videos), said, np.arange(videos))
    assert found.argmax() == 7
    cosines = overviews[0] @ said.T
    expected = np.sort(np.delete(cosines, 0))[-NEIGHBOURS:].mean()
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


def test_hubness_is_subtracted_after_loading_as_well(tmp_path: Path) -> None:
    vectors = unit(np.eye(3, 4) + 0.1)
    hubs = np.array([0.0, 0.5, 0.2], np.float32)
    rows = PassageRows(np.arange(4))
    VectorPart.build(dict.fromkeys(FIELDS, vectors)).save(tmp_path, 0)
    index = DenseIndex([VectorPart.load(saved(tmp_path), 0).fields["overview"]], [0, 3], rows, hubs)
    best = index.all_best(vectors[0])
    np.testing.assert_allclose(index.corrected(best), vectors @ vectors[0] - HUB_SHARE * hubs, atol=1e-4)


def sq(dimension: int, kind: int, metric: int = faiss.METRIC_INNER_PRODUCT) -> faiss.IndexScalarQuantizer:
    index = faiss.IndexScalarQuantizer(dimension, kind, metric)
    index.add(unit(np.eye(3, dimension) + 0.1))
    return index


def written(index: faiss.Index) -> bytes:
    return bytes(faiss.serialize_index(index).tobytes())


QT = faiss.ScalarQuantizer
LENGTHS = struct.Struct("<Q")


@pytest.mark.parametrize(
    "changed",
    [
        b"",
        written(sq(4, QT.QT_fp16))[:-1],
        written(sq(4, QT.QT_fp16)).replace(LENGTHS.pack(24), LENGTHS.pack(1 << 33)),
        written(sq(4, QT.QT_fp16)).replace(LENGTHS.pack(24), LENGTHS.pack(16)),
        written(sq(4, QT.QT_bf16)),
        written(sq(4, QT.QT_8bit_direct_signed)),
        written(sq(4, QT.QT_fp16, faiss.METRIC_L2)),
        written(faiss.IndexFlatIP(4)),
        written(faiss.IndexIDMap(faiss.IndexFlatIP(4))),
    ],
)
def test_a_damaged_or_another_faiss_index_is_refused(tmp_path: Path, changed: bytes) -> None:
    VectorPart.build(dict.fromkeys(FIELDS, unit(np.eye(3, 4) + 0.1))).save(tmp_path, 0)
    (tmp_path / "vectors.0.overview.faiss").write_bytes(changed)
    with pytest.raises(ValueError, match=r"FAISS index|bytes of vectors"):
        VectorPart.load(saved(tmp_path), 0)


def test_a_faiss_index_with_other_vectors_than_scales_is_refused(tmp_path: Path) -> None:
    VectorPart.build(dict.fromkeys(FIELDS, unit(np.eye(3, 4) + 0.1))).save(tmp_path, 0)
    index = sq(4, QT.QT_fp16)
    index.add(unit(np.eye(1, 4)))
    (tmp_path / "vectors.0.overview.faiss").write_bytes(written(index))
    with pytest.raises(ValueError, match="contradict"):
        VectorPart.load(saved(tmp_path), 0)


@pytest.mark.parametrize(
    "changed",
    [
        lambda scales: scales[:-1],
        lambda scales: scales.astype(np.float64),
        lambda scales: scales * np.float32(np.nan),
        lambda scales: scales * np.float32(2),
    ],
)
def test_scales_of_another_shape_type_or_size_are_refused(
    tmp_path: Path, changed: Callable[[NDArray[Any]], NDArray[Any]]
) -> None:
    VectorPart.build(dict.fromkeys(FIELDS, unit(np.eye(3, 4) + 0.1))).save(tmp_path, 0)
    file = tmp_path / "scales.0.safetensors"
    arrays = read_arrays(np.fromfile(file, np.uint8)).arrays
    save_arrays(file, arrays | {"music": changed(arrays["music"])})
    with pytest.raises(ValueError, match=r"contradict|instead of|length 1"):
        VectorPart.load(saved(tmp_path), 0)


def test_faiss_finds_in_a_field_what_the_compiled_loop_finds(tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(2).normal(size=(50, 12)))
    VectorPart.build(dict.fromkeys(FIELDS, vectors)).save(tmp_path, 0)
    index = faiss.read_index(str(tmp_path / "vectors.0.overview.faiss"))
    cosines, found = index.search(vectors[:1], 5)
    part = VectorPart.load(saved(tmp_path), 0).fields["overview"]
    best = DenseIndex([part], [0, 50], PassageRows(np.arange(51))).all_best(vectors[0])
    assert found[0].tolist() == np.argsort(-best.cosines)[:5].tolist()
    np.testing.assert_allclose(cosines[0], np.sort(best.cosines)[::-1][:5], atol=1e-3)


def test_a_sketch_finds_the_nearest_of_some_videos_and_is_refused_for_other_vectors(tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(4).normal(size=(SKETCHED_FROM, 32)))
    rows = PassageRows(np.arange(0, SKETCHED_FROM + 1, 2))
    VectorPart.build({field: vectors if field == "overview" else vectors[:9] for field in FIELDS}).save(tmp_path, 0)
    part = VectorPart.load(saved(tmp_path), 0)
    assert part.sketches.keys() == {"overview"}
    index = DenseIndex([part.fields["overview"]], [0, rows.videos], rows, None, [part.sketches["overview"]])
    among = np.arange(rows.videos) % 3 == 0
    found = index.nearest(vectors[6], 200, among)
    assert among[found].all() and (np.diff(found) > 0).all() and 100 < len(found) <= 200
    assert 3 in found and 3 in index.nearest(vectors[6], 10, among)
    file = tmp_path / "sketch.0.overview.faiss"
    for changed in (b"", file.read_bytes()[:-1], (tmp_path / "vectors.0.overview.faiss").read_bytes()):
        file.write_bytes(changed)
        with pytest.raises(ValueError, match=r"sketch|FAISS index"):
            VectorPart.load(saved(tmp_path), 0)


def test_the_best_passage_of_each_video_is_found_and_a_video_without_one_has_none() -> None:
    vectors = unit(np.random.default_rng(5).normal(size=(7, 12)))
    index = DenseIndex.of(vectors, PassageRows(np.array([0, 3, 3, 4, 7])))
    cosines = vectors @ vectors[6]
    best = index.best(vectors[6], np.array([0, 1, 3]))
    assert best.rows.tolist() == [int(cosines[:3].argmax()), -1, 6]
    np.testing.assert_allclose(best.cosines, [cosines[:3].max(), np.nan, 1.0], atol=1e-4)
    assert DenseIndex.of(vectors[:0], PassageRows(np.zeros(3, np.int64))).all_best(vectors[0]).rows.tolist() == [-1] * 2


def test_halves_of_the_videos_are_compared_apart_and_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit(np.random.default_rng(6).normal(size=(90, 12)))
    rows = PassageRows(np.array([0, 50, 50, 60, 90]))  # two segments, of which the first has more than a half
    parts = [FieldVectors.of(vectors[:50], 8), FieldVectors.of(vectors[50:], 8)]
    index, asked = DenseIndex(parts, [0, 1, 4], rows), list[list[int]]()

    def each(compare: Callable[[_Half], _Found], halves: Sequence[_Half]) -> Iterable[_Found]:
        asked.extend(np.asarray(half).tolist() for half in halves)
        return map(compare, halves)

    whole = index.all_best(vectors[3], each)
    assert not asked  # so few passages are not worth another thread
    monkeypatch.setattr("retrieval.index.dense.HALVED", 90)
    found = index.all_best(vectors[3], each)
    assert asked == [[0], [1, 2, 3]]
    assert found.rows.tolist() == whole.rows.tolist()
    np.testing.assert_array_equal(found.cosines, whole.cosines)


def test_samples_of_fields_have_the_same_first_videos_and_only_those_with_a_passage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SAMPLE_VIDEOS", 10)
    every, some = np.ones(50, np.int64), (np.arange(50) % 2).astype(np.int64)
    first = set(module.sampled_order(50)[:10].tolist())
    rows = [PassageRows(np.concatenate([[0], np.cumsum(counts)])) for counts in (every, some)]
    assert set(rows[0].sample.tolist()) == first
    assert len(rows[1].sample) == 10 and rows[1].present[rows[1].sample].all()
    assert {video for video in first if video % 2} <= set(rows[1].sample.tolist())
