"""A corpus in one segment, in several with deleted videos, and built again without them: answers must be equal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.index.arrays import read_arrays
from retrieval.index.verified import VerifiedFiles
from scraper.files import sha256


class Saved(Protocol):
    """What writes a file into a folder."""

    def save(self, folder: Path) -> None: ...


class Part(Saved, Protocol):
    """The component of one segment."""

    @property
    def videos(self) -> int: ...
    @classmethod
    def load(cls, files: VerifiedFiles) -> Self: ...
    @classmethod
    def merge(cls, parts: Sequence[Self], keep: Sequence[NDArray[np.bool_]]) -> Self: ...


P = TypeVar("P", bound=Part)
T = TypeVar("T")


@dataclass(frozen=True)
class Divided:
    """Where a corpus is cut into segments, and which of its videos are alive."""

    cuts: tuple[int, ...]
    alive: NDArray[np.bool_]

    def parts(self, build: Callable[[int, int], T]) -> list[T]:
        """Return the part of each segment."""
        ends = (0, *self.cuts, len(self.alive))
        return [build(first, end) for first, end in pairwise(ends)]

    def keep(self) -> list[NDArray[np.bool_]]:
        """Return the mask of each segment."""
        return np.split(self.alive, self.cuts)


@st.composite
def divided(draw: st.DrawFn, videos: int) -> Divided:
    """Draw where to cut a corpus of so many videos, and which of them are deleted."""
    cuts = sorted(draw(st.lists(st.integers(0, videos), min_size=2, max_size=2)))
    alive = draw(st.lists(st.booleans(), min_size=videos, max_size=videos))
    return Divided(tuple(cuts), np.array(alive, bool))


def loaded(part: P, folder: Path, *, mapped: bool = False) -> P:
    """Return a part that was saved and loaded again."""
    folder.mkdir(exist_ok=True)
    part.save(folder)
    return type(part).load(VerifiedFiles(folder, {path.name: sha256(path) for path in folder.iterdir()}, mapped))


def saved_arrays(part: Saved, folder: Path) -> Mapping[str, Any]:
    """Return what a part writes: its arrays by name, with their types and shapes."""
    folder.mkdir(exist_ok=True)
    part.save(folder)
    [path] = folder.iterdir()
    found = read_arrays(np.frombuffer(path.read_bytes(), np.uint8))
    return {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in found.arrays.items()} | found.about
