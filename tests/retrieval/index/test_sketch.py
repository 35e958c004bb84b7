"""What sketches find is what FAISS finds with the same bits, and their estimates are those of FAISS."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.index.field_vectors import FieldVectors, read_index
from retrieval.index.sketch import Mask, Near, Sketch, Sketches

ROWS = 150
_Half = TypeVar("_Half")
_Found = TypeVar("_Found")


def unit_vectors(rows: int, dimension: int) -> NDArray[np.float32]:
    """Vectors in a narrow cone, as those of texts are."""
    found = np.random.default_rng(dimension).normal(0.5, 1.0, (rows, dimension)).astype(np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def sketch_of(vectors: NDArray[np.float32]) -> Sketch:
    return Sketch.of(FieldVectors.of(vectors, 16))


def nearest(sketch: Sketch, query: NDArray[np.float32], count: int, among: Mask | None = None) -> Near:
    """Those of one segment, nearest first."""
    rows, near = Sketches([sketch], [0]).nearest(query, np.array([count]), among)
    order = np.argsort(-near, kind="stable")
    return rows[order], near[order]


def estimates_of_faiss(sketch: Sketch, query: NDArray[np.float32]) -> NDArray[np.float32]:
    """The estimate of each row, with the question's vector as it is."""
    cosines, rows = read_index(sketch.raw.copy()).search(query[None], ROWS, params=faiss.RaBitQSearchParameters(qb=0))
    found: NDArray[np.float32] = cosines[0][np.argsort(rows[0])]
    return found


@pytest.mark.parametrize("dimension", [8, 20, 64, 100, 256, 384])
def test_the_estimates_are_those_of_faiss(dimension: int) -> None:
    vectors = unit_vectors(ROWS + 1, dimension)
    sketch, query = sketch_of(vectors[:-1]), vectors[-1]
    expected = estimates_of_faiss(sketch, query)
    rows, near = nearest(sketch, query, ROWS)
    assert sorted(rows.tolist()) == list(range(ROWS))
    np.testing.assert_allclose(near, expected[rows], atol=0.1 * expected.std())  # a question has 8 bits a number here
    few, near_few = nearest(sketch, query, 10)
    np.testing.assert_array_equal((few, near_few), (rows[:10], near[:10]))
    assert set(few.tolist()) <= set(np.argsort(-expected)[:20].tolist())


def test_only_some_rows_are_chosen_from() -> None:
    vectors = unit_vectors(ROWS, 64)
    sketch, among = sketch_of(vectors), np.arange(ROWS) % 7 == 0
    every, _ = nearest(sketch, vectors[3], ROWS)
    chosen, _ = nearest(sketch, vectors[3], 5, among)
    assert chosen.tolist() == [row for row in every.tolist() if among[row]][:5]
    assert len(nearest(sketch, vectors[3], 5, np.zeros(ROWS, np.bool_))[0]) == 0
    assert len(nearest(sketch, vectors[3], 0)[0]) == 0
    with pytest.raises(ValueError, match="150 sketches, and a mask of 100"):
        nearest(sketch, vectors[3], 5, among[:100])


def test_of_equal_rows_the_first_are_found_and_what_is_nearer_and_comes_later_is_not_lost() -> None:
    one, other = unit_vectors(2, 64)
    rows, _ = nearest(sketch_of(np.stack([one] * 60 + [other] * 3 + [one] * 60)), other, 10)
    assert rows.tolist() == [60, 61, 62, 0, 1, 2, 3, 4, 5, 6]


def test_many_that_come_nearer_and_nearer_are_all_looked_at() -> None:
    vectors = unit_vectors(ROWS, 64)
    order, near = nearest(sketch_of(vectors), vectors[0], ROWS)
    rows, nearness = nearest(sketch_of(vectors[order[::-1]]), vectors[0], 3)
    np.testing.assert_allclose(nearness, near[:3], atol=1e-5)
    assert rows.tolist() == [ROWS - 1, ROWS - 2, ROWS - 3]


def test_several_segments_find_what_each_finds() -> None:
    """Whether they are searched one after the other or in two halves, with other rows between them."""
    vectors, counts, firsts = unit_vectors(ROWS, 64), np.array([3, 0, 5]), [0, 70, 100]
    sketches = [sketch_of(vectors[start:end]) for start, end in ((0, 60), (70, 90), (100, ROWS))]
    among = np.arange(ROWS) % 3 > 0
    asked = list[list[Any]]()

    def each(search: Callable[[_Half], _Found], halves: Sequence[_Half]) -> list[_Found]:
        asked.append(list(halves))
        return [search(half) for half in halves]

    for mask in (None, among):
        rows, near = Sketches(sketches, firsts).nearest(vectors[5], counts, mask)
        halves = Sketches(sketches, firsts).nearest(vectors[5], counts, mask, each)
        assert halves[0].tolist() == rows.tolist() and halves[1].tolist() == near.tolist()
        expected = []
        for sketch, first, count in zip(sketches, firsts, counts.tolist(), strict=True):
            of_part = None if mask is None else mask[first : first + len(sketch.rows)]
            found = zip(*nearest(sketch, vectors[5], count, of_part), strict=True)
            expected += [(first + row, value) for row, value in found]
        expected.sort()
        assert rows.tolist() == [row for row, _ in expected] and near.tolist() == [value for _, value in expected]
        assert len(rows) == 8 and (mask is None or mask[rows].all())
    assert asked == [[slice(None, 2), slice(2, None)]] * 2
    Sketches(sketches[:1], [0]).nearest(vectors[5], counts[:1], None, each)
    assert len(asked) == 2  # one has no halves
