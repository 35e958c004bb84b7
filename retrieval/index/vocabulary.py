"""Distinct strings with numbers, found by their hash: no Python object per string.

Strings are numbered in the order of their 64-bit hashes, those of equal hashes in their own order. So the numbers do
not depend on how a vocabulary was made: built at once, or merged from several. A string is compared with the one that
was found, so that another one with the same hash is not taken for it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.index.arrays import typed
from retrieval.index.strings import Arrays, Strings

NONE = np.iinfo(np.int64).max  # in a map of numbers: a string that was left out
Hashes = NDArray[np.uint64]


def hash_of(text: str) -> int:
    """Return the 64-bit hash of a string; part of the format on disk."""
    raw = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "little")


def hashes_of(texts: Sequence[str]) -> Hashes:
    return np.fromiter(map(hash_of, texts), np.uint64, len(texts))


@dataclass(frozen=True)
class Wanted:
    """Strings to look up, in several vocabularies."""

    strings: Strings
    hashes: Hashes

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Wanted":
        return cls(Strings.of(texts), hashes_of(texts))


class Vocabulary:
    """Distinct strings. `hashes` has theirs, ascending; `strings` has the string of each number."""

    def __init__(self, hashes: Hashes, strings: Strings) -> None:
        self.hashes = hashes
        self.strings = strings

    @classmethod
    def build(cls, texts: Iterable[str]) -> tuple["Vocabulary", NDArray[np.int64]]:
        """Return a vocabulary of distinct strings, and the number in it of each string."""
        given = list(texts)
        made, (numbers,) = _unique(hashes_of(given), Strings.of(given), [len(given)])
        return made, numbers

    @classmethod
    def merge(
        cls, parts: Sequence["Vocabulary"], used: Sequence[NDArray[np.bool_]]
    ) -> tuple["Vocabulary", list[NDArray[np.int64]]]:
        """Return a vocabulary of the strings that are used, and for each part the new number of each of its strings
        (NONE for one that is not used)."""
        kept = [np.flatnonzero(mask) for mask in used]
        hashes = [part.hashes[numbers] for part, numbers in zip(parts, kept, strict=True)]
        strings = Strings.join([part.strings.take(numbers) for part, numbers in zip(parts, kept, strict=True)])
        made, found = _unique(np.concatenate([*hashes, np.empty(0, np.uint64)]), strings, list(map(len, kept)))
        maps = []
        for part, numbers, new in zip(parts, kept, found, strict=True):
            maps.append(np.full(len(part), NONE, np.int64))
            maps[-1][numbers] = new
        return made, maps

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], name: str) -> "Vocabulary":
        """Return what `arrays` gave."""
        return cls(typed(arrays[f"{name}.hashes"], "u8"), Strings.load(arrays, name))

    def check(self) -> None:
        """Read all of it.

        Raises:
            ValueError: the arrays contradict each other.
        """
        self.strings.check()
        if len(self.hashes) != len(self.strings) or (self.hashes[1:] < self.hashes[:-1]).any():
            raise ValueError("the words are not ordered by their hashes")

    def arrays(self, name: str) -> Arrays:
        """Return the arrays to save under names that begin with `name`."""
        return {f"{name}.hashes": self.hashes} | self.strings.arrays(name)

    def __len__(self) -> int:
        return len(self.hashes)

    def __getitem__(self, number: int) -> str:
        return self.strings[number]

    def number(self, text: str) -> int | None:
        """Return the number of a string, None if it is not in the vocabulary."""
        found = int(self.numbers(Wanted.of([text]))[0])
        return None if found < 0 else found

    def numbers(self, wanted: Wanted) -> NDArray[np.int64]:
        """Return the number of each string, -1 if it is not in the vocabulary."""
        from retrieval.index.compiled import find_strings

        found = np.full(len(wanted.hashes), -1, np.int64)
        find_strings(self.hashes, *self.strings.parts, wanted.hashes, *wanted.strings.parts, found)
        return found


def most_frequent(
    found: Sequence[tuple[Vocabulary, NDArray[np.int64], NDArray[np.int64]]], limit: int
) -> list[tuple[str, int]]:
    """Return the most frequent of the strings in several vocabularies, then in the order of their code points.

    Args:
        found: vocabularies, with the numbers of strings in them and how often each is there.
        limit: at most so many.
    """
    if not found:
        return []
    hashes = np.concatenate([vocabulary.hashes[numbers] for vocabulary, numbers, _ in found])
    _, first, of_each = np.unique(hashes, return_index=True, return_inverse=True)
    counts = np.bincount(of_each, np.concatenate([counts for *_, counts in found]), len(first))
    least = max(1.0, float(np.partition(counts, -limit)[-limit]) if len(counts) > limit else 1.0)
    ends = np.cumsum([len(numbers) for _, numbers, _ in found])
    named = []
    for each in np.flatnonzero(counts >= least).tolist():
        part = int(np.searchsorted(ends, first[each], side="right"))
        vocabulary, numbers, _ = found[part]
        named.append((vocabulary[int(numbers[first[each] - ends[part]])], int(counts[each])))
    return sorted(named, key=lambda one: (-one[1], one[0]))[:limit]


def _unique(hashes: Hashes, strings: Strings, sizes: Sequence[int]) -> tuple[Vocabulary, list[NDArray[np.int64]]]:
    """Return the vocabulary of strings of which several may be equal, and the number of each, in pieces of `sizes`."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    same = ordered[1:] == ordered[:-1]
    new = np.ones(len(order), bool)
    new[1:] = ~same
    pairs = np.flatnonzero(same)
    if not strings.equal(order[pairs], order[pairs + 1]):
        _part_equal_hashes(order, ordered, new, strings)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(new) - 1
    made = Vocabulary(ordered[new], strings.take(order[new]))
    return made, np.split(numbers, np.cumsum(sizes)[:-1])


def _part_equal_hashes(order: NDArray[np.int64], ordered: Hashes, new: NDArray[np.bool_], strings: Strings) -> None:
    """Order strings of equal hashes by their bytes, and set in `new` where another string begins. In place."""
    starts = np.flatnonzero(new)
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True):
        if end - start > 1:
            order[start:end] = sorted(order[start:end].tolist(), key=strings.encoded)
            raw = [strings.encoded(number) for number in order[start:end].tolist()]
            new[start + 1 : end] = [one != before for before, one in pairwise(raw)]
