"""Cosines by video, and the correction of hubs."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.index.dense import HUB_NEIGHBOURS, HUB_SHARE, DenseIndex, PassageRows, hubness
from tests.retrieval.saved_files import saved


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_hubness_is_the_similarity_to_other_videos_transcripts() -> None:
    rng = np.random.default_rng(3)
    videos = 30
    said = unit(rng.normal(size=(videos, 16)))
    overviews = said.copy()
    overviews[7] = unit(said.mean(axis=0, keepdims=True))[0]  # near to all
    starts = np.arange(videos + 1)
    found = hubness(overviews, starts, said, starts)
    assert found.argmax() == 7
    cosines = overviews[0] @ said.T
    expected = np.sort(np.delete(cosines, 0))[-HUB_NEIGHBOURS:].mean()
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


def test_hubness_is_zero_without_overview_or_with_few_transcripts() -> None:
    vectors = unit(np.random.default_rng(1).normal(size=(20, 8)))
    starts = np.array([0, 0, *range(1, 20)])
    found = hubness(vectors[:19], starts, vectors, np.arange(21))
    assert found[0] == 0 and (found[1:] != 0).all()
    assert not hubness(
        vectors, np.arange(21), vectors[:HUB_NEIGHBOURS], np.minimum(np.arange(21), HUB_NEIGHBOURS)
    ).any()


def test_hubness_is_subtracted_after_loading_as_well(tmp_path: Path) -> None:
    vectors = unit(np.eye(3, 4) + 0.1)
    hubs = np.array([0.0, 0.5, 0.2], np.float32)
    rows = PassageRows(np.arange(4))
    DenseIndex.build(vectors, rows, hubs).save(tmp_path, "overview", 0)
    index = DenseIndex.load(saved(tmp_path), rows, "overview", 0)
    passages = index.passage_scores(vectors[0])
    np.testing.assert_allclose(index.video_scores(passages), vectors @ vectors[0] - HUB_SHARE * hubs, rtol=1e-5)
