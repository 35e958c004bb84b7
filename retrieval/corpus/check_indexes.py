"""The indexes folder -> what is damaged in it: the vector cache, each generation, CURRENT.

Everything here can be made again: a damaged vector is deleted and encoded again by the next build, and a damaged
generation is replaced by it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from retrieval.embedding import cache_file
from retrieval.embedding.cache_file import CacheReport
from retrieval.errors import GenerationError, RetrievalError
from retrieval.index.generation import open_named
from retrieval.index.layout import CACHE_FILE, CURRENT, current_name, generation_names
from retrieval.index.lock import only_builder


@dataclass(frozen=True)
class IndexReport:
    """What a check of the indexes folder has found.

    Attributes:
        cache: the vector cache.
        generations: how many finished ones were checked.
        damaged: by generation, what is wrong with it.
        current: what is wrong with CURRENT; empty if nothing is, or if there is no index.
    """

    cache: CacheReport
    generations: int = 0
    damaged: dict[str, str] = field(default_factory=dict)
    current: str = ""

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged."""
        return self.cache.sound and not self.damaged and not self.current

    def of_cache(self) -> Iterator[str]:
        """Yield a sentence for each thing that is damaged in the vector cache."""
        if self.cache.unreadable:
            yield f"The vector cache is damaged: {self.cache.unreadable}."
        if self.cache.damaged:
            yield f"{self.cache.damaged} of {self.cache.vectors} vectors in the cache are damaged."

    def of_generations(self) -> Iterator[str]:
        """Yield a sentence for each generation that is damaged, and for CURRENT."""
        for name, problem in self.damaged.items():
            yield f"Generation {name}: {problem}"
        if self.current:
            yield self.current


def check_indexes(indexes: Path) -> IndexReport:
    """Check the vector cache, every generation and CURRENT. Nothing is changed.

    Raises:
        sqlite3.Error: the cache cannot be read, for a reason other than its content.
    """
    cache = cache_file.verify(indexes / CACHE_FILE)
    names, damaged, current = generation_names(indexes), {}, ""
    for name in names:
        try:
            open_named(indexes, name, again=True)
        except GenerationError as error:
            if name in generation_names(indexes):  # else it was deleted in the meantime
                damaged[name] = str(error)
    if names or (indexes / CURRENT).exists():
        try:
            current_name(indexes)
        except RetrievalError as error:
            current = str(error)
    return IndexReport(cache, len(names), damaged, current)


def repair_cache(indexes: Path) -> int:
    """Rebuild the vector cache from its sound vectors. Return how many these are.

    Raises:
        Locked: another process changes the indexes.
    """
    with only_builder(indexes):
        return cache_file.rebuild(indexes / CACHE_FILE)
