"""Many strings as one array of UTF-8 bytes: no Python object per string."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.index import ragged
from retrieval.index.arrays import smallest, typed

_READ = 1 << 14  # strings of which the bytes are copied at once
Arrays = dict[str, NDArray[Any]]


class Strings:
    """Strings by number. String n is bytes[starts[n]:starts[n + 1]], in UTF-8."""

    def __init__(self, raw: NDArray[np.uint8], starts: NDArray[Any]) -> None:
        self._bytes = raw
        self._starts = starts

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Strings":
        encoded = [_encoded(text) for text in texts]
        raw = np.frombuffer(b"".join(encoded), np.uint8)
        return cls._compact(raw, ragged.starts_of(np.fromiter(map(len, encoded), np.int64, len(encoded))))

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], name: str) -> "Strings":
        """Return what `arrays` gave."""
        return cls(typed(arrays[f"{name}.bytes"], "u1"), typed(arrays[f"{name}.starts"], "u"))

    def check(self) -> None:
        """Read all of it.

        Raises:
            ValueError: the arrays contradict each other.
        """
        ragged.check(self._starts, len(self._bytes))
        self._bytes.tobytes().decode("utf-8", "surrogatepass")

    @classmethod
    def join(cls, parts: Sequence["Strings"]) -> "Strings":
        """Return the strings of several, one after the other."""
        if not parts:
            return cls.of(())
        return cls._compact(*ragged.join([(part._bytes, part._starts.astype(np.int64)) for part in parts]))

    @classmethod
    def _compact(cls, raw: NDArray[np.uint8], starts: NDArray[np.int64]) -> "Strings":
        return cls(raw, smallest(starts, len(raw)))

    @property
    def parts(self) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """The bytes of all strings, and where each starts."""
        return self._bytes, self._starts

    def arrays(self, name: str) -> Arrays:
        """Return the arrays to save under names that begin with `name`."""
        return {f"{name}.bytes": self._bytes, f"{name}.starts": self._starts}

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, number: int) -> str:
        return self.encoded(number).decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), _READ):
            yield from self.between(first, first + _READ)

    def between(self, first: int, end: int) -> list[str]:
        """Return the strings from number `first` to before `end`."""
        starts = self._starts[first : end + 1].tolist()
        if not starts:
            return []
        raw = self._bytes[starts[0] : starts[-1]].tobytes()
        return [raw[at - starts[0] : to - starts[0]].decode("utf-8", "surrogatepass") for at, to in pairwise(starts)]

    def encoded(self, number: int) -> bytes:
        """Return a string as UTF-8."""
        return self._bytes[int(self._starts[number]) : int(self._starts[number + 1])].tobytes()

    def take(self, numbers: NDArray[np.int64]) -> "Strings":
        """Return some of the strings, in the order of their numbers here."""
        return self._compact(*ragged.take(self._bytes, self._starts, numbers))

    def equal(self, numbers: NDArray[np.int64], others: NDArray[np.int64]) -> bool:
        """Return whether each of these strings equals the other one at its place."""
        mine, theirs = self.take(numbers), self.take(others)
        return np.array_equal(mine._starts, theirs._starts) and np.array_equal(mine._bytes, theirs._bytes)

    def order(self) -> NDArray[np.uint32]:
        """Return the numbers of the strings in the order of their code points."""
        encoded = [self.encoded(number) for number in range(len(self))]
        return np.array(sorted(range(len(self)), key=encoded.__getitem__), np.uint32)

    def beginning_with(self, start: str, order: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Return the numbers of the strings that begin with `start`, in the order that `order` gave."""
        wanted = _encoded(start)
        size = len(wanted)
        first = bisect_left(order, wanted, key=lambda number: self.encoded(int(number)))
        after = lambda number: self.encoded(int(number))[:size] > wanted  # noqa: E731
        last = bisect_left(order, True, lo=first, key=after)
        return order[first:last].astype(np.int64)

    def containing(self, text: str) -> NDArray[np.int64]:
        """Return the numbers of the strings that contain `text`, ascending."""
        wanted, raw = _encoded(text), self._bytes.tobytes()
        if not wanted:
            return np.arange(len(self))
        found = np.fromiter((match.start() for match in re.finditer(b"(?=%s)" % re.escape(wanted), raw)), np.int64)
        numbers = np.searchsorted(self._starts, found.astype(self._starts.dtype), side="right") - 1
        return np.unique(numbers[found + len(wanted) <= self._starts[numbers + 1]])

    def code_points(self) -> NDArray[np.uint32]:
        """Return all signs of all strings, one after the other."""
        text = self._bytes.tobytes().decode("utf-8", "surrogatepass")
        return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
