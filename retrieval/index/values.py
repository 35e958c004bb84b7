"""The values of each video by name: its hashtags, languages, creator.

A segment has its own numbers of names. `AllValues` joins several segments: name n of a segment has the number n above
those of all names of earlier segments, so one name has as many numbers as there are segments with it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.index import ragged
from retrieval.index.arrays import smallest, typed
from retrieval.index.strings import Arrays
from retrieval.index.vocabulary import NONE, Vocabulary, Wanted, most_frequent

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]


class Values:
    """The values of the videos of a segment: video v has the names flat[starts[v]] to flat[starts[v + 1]]."""

    def __init__(self, names: Vocabulary, flat: NDArray[Any], starts: NDArray[Any]) -> None:
        self.names, self.flat, self.starts = names, flat, starts

    @classmethod
    def build(cls, by_video: Iterable[Sequence[str]]) -> "Values":
        lists = list(by_video)
        known = {name: number for number, name in enumerate(dict.fromkeys(name for names in lists for name in names))}
        vocabulary, numbers = Vocabulary.build(known)
        flat = np.array([known[name] for names in lists for name in names], np.int64)
        return cls._compact(vocabulary, numbers[flat], ragged.starts_of(np.array([len(names) for names in lists], int)))

    @classmethod
    def merge(cls, parts: Sequence["Values"], keep: Sequence[Mask]) -> "Values":
        """Return the values of the videos that are kept, one part after the other."""
        kept = [ragged.keep(part.flat, part.starts, of_part) for part, of_part in zip(parts, keep, strict=True)]
        used = [np.zeros(len(part.names), bool) for part in parts]
        for mask, (flat, _) in zip(used, kept, strict=True):
            mask[flat] = True
        names, maps = Vocabulary.merge([part.names for part in parts], used)
        return cls._compact(
            names, *ragged.join([(new[flat], starts) for new, (flat, starts) in zip(maps, kept, strict=True)])
        )

    @classmethod
    def _compact(cls, names: Vocabulary, flat: Numbers, starts: Numbers) -> "Values":
        return cls(names, smallest(flat, len(names)), smallest(starts, len(flat)))

    def arrays(self, name: str) -> Arrays:
        """Return the arrays to save under names that begin with `name`."""
        return {f"{name}.flat": self.flat, f"{name}.of": self.starts} | self.names.arrays(name)

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], name: str) -> "Values":
        """Return what `arrays` gave."""
        flat, starts = typed(arrays[f"{name}.flat"], "u"), typed(arrays[f"{name}.of"], "u")
        return cls(Vocabulary.load(arrays, name), flat, starts)

    def check(self, videos: int) -> None:
        """Read all of it.

        Raises:
            ValueError: the arrays contradict each other.
        """
        self.names.check()
        ragged.check(self.starts, len(self.flat))
        if len(self.starts) != videos + 1 or (self.flat >= len(self.names)).any():
            raise ValueError("the values of the videos contradict each other")

    def counted(self, shown: Mask) -> Counter[str]:
        """Return the names that shown videos have, and how many have each. Only for few different names."""
        flat = self.flat if shown.all() else self.flat[np.repeat(shown, ragged.lengths_of(self.starts))]
        counts = np.bincount(flat, minlength=len(self.names)).tolist()
        return Counter({name: count for name, count in zip(self.names.strings, counts, strict=False) if count})

    def having(self, names: Numbers) -> Numbers:
        """Return the numbers of the videos that have one of these names, ascending; one may come twice."""
        table = np.zeros(len(self.names) + 1, bool)
        table[names] = True
        places = np.flatnonzero(table[self.flat])
        return np.searchsorted(self.starts, places.astype(self.starts.dtype), side="right") - 1


class KeyedValues:
    """Values that are found by another spelling of their names: by a key. `order` has the keys by code points.

    `keys` has the keys of each name.
    """

    def __init__(self, values: Values, keys: Values, order: NDArray[np.uint32]) -> None:
        self.values, self.keys, self.order = values, keys, order

    @classmethod
    def of(cls, values: Values, keys_of: Callable[[str], Sequence[str]]) -> "KeyedValues":
        """Return these values with the keys of each name."""
        keys = Values.build(keys_of(name) for name in values.names.strings)
        return cls(values, keys, keys.names.strings.order())

    def arrays(self, name: str) -> Arrays:
        """Return the arrays to save under names that begin with `name`."""
        return self.values.arrays(name) | self.keys.arrays(f"{name}.keys") | {f"{name}.order": self.order}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], name: str) -> "KeyedValues":
        """Return what `arrays` gave."""
        order = typed(arrays[f"{name}.order"], "u")
        return cls(Values.load(arrays, name), Values.load(arrays, f"{name}.keys"), order)

    def check(self, videos: int) -> None:
        """Read all of it.

        Raises:
            ValueError: the arrays contradict each other.
        """
        self.values.check(videos)
        self.keys.check(len(self.values.names))
        if len(self.order) != len(self.keys.names) or (self.order >= len(self.keys.names)).any():
            raise ValueError("the keys of the values contradict each other")


class AllValues:
    """The values of the videos of several segments that are alive. Masks have shape (videos,)."""

    def __init__(self, parts: Sequence[Values], alive: Mask) -> None:
        self._parts, self._alive = list(parts), alive
        self.first = np.cumsum([0, *(len(part.names) for part in parts)])
        starts = np.cumsum([0, *(len(part.starts) - 1 for part in parts)]).tolist()
        rows: list[tuple[NDArray[np.uint32], Numbers]] = []
        for number, part in enumerate(parts):
            kept = np.repeat(alive[starts[number] : starts[number + 1]], ragged.lengths_of(part.starts))
            ends = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])[part.starts]
            rows.append(((part.flat[kept] + self.first[number]).astype(np.uint32), ends))
        self.flat, self._starts = ragged.join(rows)

    @property
    def size(self) -> int:
        """The number of all names; those of a name in several segments count each."""
        return int(self.first[-1])

    def any(self) -> Mask:
        """Return which videos have a value."""
        return np.diff(self._starts) > 0

    def having(self, names: Numbers) -> Mask:
        """Return which videos have one of these names."""
        found = np.zeros(len(self._starts) - 1, bool)
        if len(names):
            table = np.zeros(self.size + 1, bool)
            table[names] = True
            found[np.searchsorted(self._starts, np.flatnonzero(table[self.flat]), side="right") - 1] = True
        return found

    def counts(self, shown: Mask | None = None) -> Numbers:
        """Return how many videos have each name, of all or of those that are shown, shape (size,)."""
        flat = self.flat if shown is None else self.flat[np.repeat(shown, ragged.lengths_of(self._starts))]
        return np.bincount(flat, minlength=self.size)

    def of(self, video: int) -> list[str]:
        """Return the names of a video."""
        found = []
        for number in self.flat[self._starts[video] : self._starts[video + 1]].tolist():
            part = int(np.searchsorted(self.first, number, side="right")) - 1
            found.append(self._parts[part].names[number - int(self.first[part])])
        return found

    def find(self, name: str) -> Numbers:
        """Return the numbers of a name."""
        wanted = Wanted.of([name])
        found = [part.names.numbers(wanted)[0] for part in self._parts]
        return np.array([first + n for first, n in zip(self.first.tolist(), found, strict=False) if n >= 0], np.int64)

    def counted(self, shown: Mask | None = None) -> Counter[str]:
        """Return the names that videos have, and how many have each. Only for few different names."""
        ends = np.cumsum([len(part.starts) - 1 for part in self._parts])[:-1]
        of_parts = np.split(self._alive if shown is None else self._alive & shown, ends)
        return sum((part.counted(of) for part, of in zip(self._parts, of_parts, strict=True)), Counter[str]())

    def most_frequent(self, limit: int) -> list[tuple[str, int]]:
        """Return the names that most videos have."""
        pieces = np.split(self.counts(), self.first[1:-1])
        return most_frequent(
            [(part.names, np.arange(len(of)), of) for part, of in zip(self._parts, pieces, strict=False)], limit
        )


class AllKeyed(AllValues):
    """Values of several segments that are found by their keys."""

    def __init__(self, parts: Sequence[KeyedValues], alive: Mask) -> None:
        super().__init__([part.values for part in parts], alive)
        self._keyed = list(parts)

    def by_key(self, key: str) -> Mask:
        """Return which videos have a name with this key."""
        return self.having(np.concatenate([numbers for _, numbers in self._names_by_key(key)] or [np.empty(0, int)]))

    def with_part_of_key(self, text: str) -> Mask:
        """Return which videos have a name with a key that contains `text`."""
        found = [np.empty(0, np.int64)]
        for first, part in zip(self.first.tolist(), self._keyed, strict=False):
            found.append(first + part.keys.having(part.keys.names.strings.containing(text)))
        return self.having(np.concatenate(found))

    def names(self, key: str, counts: Numbers) -> Counter[str]:
        """Return the names with this key, and how many videos have each, by what `counts` returned."""
        found = Counter[str]()
        for part, numbers in self._names_by_key(key):
            for number in numbers.tolist():
                found[self._parts[part].names[number - int(self.first[part])]] += int(counts[number])
        return +found

    def beginning_with(self, start: str, limit: int, counts: Numbers) -> list[tuple[str, int]]:
        """Return the keys that begin with `start`, and how many videos have each, the most frequent first.

        Args:
            counts: what `counts` returned.
        """
        found = []
        for first, part in zip(self.first.tolist(), self._keyed, strict=False):
            keys = part.keys
            names = np.repeat(np.arange(len(part.values.names)), ragged.lengths_of(keys.starts))
            of_key = np.bincount(keys.flat, counts[first + names], len(keys.names)).astype(np.int64)
            begun = keys.names.strings.beginning_with(start, part.order)
            found.append((keys.names, begun, of_key[begun]))
        return most_frequent(found, limit)

    def keys(self) -> list[str]:
        """Return all keys that videos have."""
        return list(dict.fromkeys(key for key, _ in self.beginning_with("", NONE, self.counts())))

    def _names_by_key(self, key: str) -> list[tuple[int, Numbers]]:
        wanted, found = Wanted.of([key]), []
        for number, part in enumerate(self._keyed):
            known = part.keys.names.numbers(wanted)
            if known[0] >= 0:
                found.append((number, int(self.first[number]) + part.keys.having(known)))
        return found
