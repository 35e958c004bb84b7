"""What a sketch finds is what FAISS finds with the same bits, and its estimates are those of FAISS."""

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.index.field_vectors import FieldVectors, read_index
from retrieval.index.sketch import Sketch

ROWS = 150


def unit_vectors(rows: int, dimension: int) -> NDArray[np.float32]:
    """Vectors in a narrow cone, as those of texts are."""
    found = np.random.default_rng(dimension).normal(0.5, 1.0, (rows, dimension)).astype(np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def estimates_of_faiss(sketch: Sketch, query: NDArray[np.float32]) -> NDArray[np.float32]:
    """The estimate of each row, with the question's vector as it is."""
    cosines, rows = read_index(sketch.raw.copy()).search(query[None], ROWS, params=faiss.RaBitQSearchParameters(qb=0))
    found: NDArray[np.float32] = cosines[0][np.argsort(rows[0])]
    return found


@pytest.mark.parametrize("dimension", [8, 20, 64, 100, 256, 384])
def test_the_estimates_are_those_of_faiss(dimension: int) -> None:
    vectors = unit_vectors(ROWS + 1, dimension)
    sketch, query = Sketch.of(FieldVectors.of(vectors[:-1], 16)), vectors[-1]
    expected = estimates_of_faiss(sketch, query)
    rows, near = sketch.nearest(query, ROWS)
    assert sorted(rows.tolist()) == list(range(ROWS)) and (np.diff(near) <= 0).all()
    np.testing.assert_allclose(near, expected[rows], atol=0.1 * expected.std())  # a question has 8 bits a number here
    few, near_few = sketch.nearest(query, 10)
    np.testing.assert_array_equal((few, near_few), (rows[:10], near[:10]))
    assert set(few.tolist()) <= set(np.argsort(-expected)[:20].tolist())


def test_only_some_rows_are_chosen_from() -> None:
    vectors = unit_vectors(ROWS, 64)
    sketch, among = Sketch.of(FieldVectors.of(vectors, 16)), np.arange(ROWS) % 7 == 0
    every, _ = sketch.nearest(vectors[3], ROWS)
    chosen, _ = sketch.nearest(vectors[3], 5, among)
    assert chosen.tolist() == [row for row in every.tolist() if among[row]][:5]
    assert len(sketch.nearest(vectors[3], 5, np.zeros(ROWS, np.bool_))[0]) == 0
    assert len(sketch.nearest(vectors[3], 0)[0]) == 0
    with pytest.raises(ValueError, match="150 sketches, and a mask of 100"):
        sketch.nearest(vectors[3], 5, among[:100])


def test_of_equal_rows_the_first_are_found_and_what_is_nearer_and_comes_later_is_not_lost() -> None:
    one, other = unit_vectors(2, 64)
    vectors = np.stack([one] * 60 + [other] * 3 + [one] * 60)
    sketch = Sketch.of(FieldVectors.of(vectors, 16))
    rows, _ = sketch.nearest(other, 10)
    assert rows.tolist() == [60, 61, 62, 0, 1, 2, 3, 4, 5, 6]


def test_many_that_come_nearer_and_nearer_are_all_looked_at() -> None:
    vectors = unit_vectors(ROWS, 64)
    sketch = Sketch.of(FieldVectors.of(vectors, 16))
    order, near = sketch.nearest(vectors[0], ROWS)
    ascending = Sketch.of(FieldVectors.of(vectors[order[::-1]], 16))
    rows, nearness = ascending.nearest(vectors[0], 3)
    np.testing.assert_allclose(nearness, near[:3], atol=1e-5)
    assert rows.tolist() == [ROWS - 1, ROWS - 2, ROWS - 3]
