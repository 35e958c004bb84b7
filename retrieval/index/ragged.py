"""Rows of different lengths in one array: row r is flat[starts[r]:starts[r + 1]]."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 22  # items moved at once: their indices take 32 MB


def starts_of(lengths: NDArray[Any]) -> NDArray[np.int64]:
    """Return where each row of these lengths starts, and where the last ends."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def lengths_of(starts: NDArray[Any]) -> NDArray[np.int64]:
    """Return how many items each row has."""
    ends = starts.astype(np.int64)
    return ends[1:] - ends[:-1]


def places(starts: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where the items of some rows are, row after row."""
    begin = starts[rows].astype(np.int64)
    new = starts_of(starts[rows + 1].astype(np.int64) - begin)
    return np.repeat(begin - new[:-1], lengths_of(new)) + np.arange(new[-1])


def check(starts: NDArray[Any], items: int) -> None:
    """Compare where rows start with the number of all items.

    Raises:
        ValueError: the rows are not in order, or do not fit.
    """
    if not len(starts) or starts[0] or starts[-1] != items or (starts[1:] < starts[:-1]).any():
        raise ValueError(f"the rows are not numbered in order, from 0 to {items}")


def take(flat: NDArray[Any], starts: NDArray[Any], rows: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return rows in another order, or some of them: their items and where each starts."""
    begin = starts[rows].astype(np.int64)
    new = starts_of(starts[rows + 1].astype(np.int64) - begin)
    taken = np.empty((int(new[-1]), *flat.shape[1:]), flat.dtype)
    first = 0
    while first < len(rows):
        last = max(first + 1, int(np.searchsorted(new, new[first] + _BLOCK, side="right")) - 1)
        lengths = lengths_of(new[first : last + 1])
        places = np.repeat(begin[first:last] - new[first:last], lengths) + np.arange(new[first], new[last])
        taken[new[first] : new[last]] = flat[places]
        first = last
    return taken, new


def keep(flat: NDArray[Any], starts: NDArray[Any], kept: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the rows that are kept, in order: their items and where each starts."""
    if kept.all():
        return np.asarray(flat), starts.astype(np.int64)
    lengths = lengths_of(starts)
    return flat[np.repeat(kept, lengths)], starts_of(lengths[kept])


def join(
    parts: Sequence[tuple[NDArray[Any], NDArray[np.int64]]],
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the rows of several arrays, one after the other."""
    ends = np.concatenate([[0], np.cumsum([int(starts[-1]) for _, starts in parts])])
    return np.concatenate([flat for flat, _ in parts]), joined_starts([starts for _, starts in parts], ends)


def joined_starts(parts: Sequence[NDArray[Any]], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where the rows of several arrays start, one after the other, and where the last ends.

    Args:
        parts: where the rows of each start, and where its last ends.
        ends: by what these of each part grow, and then where all end.
    """
    found, at = np.empty(sum(len(part) - 1 for part in parts) + 1, np.int64), 0
    for part, end in zip(parts, ends, strict=False):
        np.add(part[:-1], end, out=found[at : at + len(part) - 1], casting="unsafe")
        at += len(part) - 1
    found[at] = ends[-1]
    return found
