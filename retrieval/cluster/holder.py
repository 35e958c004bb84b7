"""The process of a shard: it holds its part of the generations that are asked for."""

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ingest.cluster.node import program_version
from retrieval.cluster.part import CandidatesFound, Part, Spread
from retrieval.errors import GenerationError
from retrieval.index.generation import GenerationPart

log = logging.getLogger(__name__)
Found = TypeVar("Found")


@dataclass(frozen=True)
class Failed:
    """The answer to what a part cannot do: compute a question, or open a generation. The part itself is there."""

    why: str


class Holder:
    """Answers for one part of the generations that it has opened. Any other generation has the answer None.

    Args:
        version: of the program, as `program_version` gives it where the questions come from.
    """

    def __init__(self, version: str) -> None:
        self._version = version
        self._parts: dict[str, Part] = {}
        self._opening = threading.Lock()

    def open(self, folder: str, part: GenerationPart, used: Collection[str]) -> Failed | None:
        """Open a part of a generation, if it is not open.

        Args:
            used: names of other generations that are asked for. The rest is closed.
        """
        if self._version != program_version():
            return Failed("a node has another version of tiktok-retrieval: install the same one on all nodes")
        name = Path(folder).name
        with self._opening:
            try:
                opened = self._parts.get(name) or Part(Path(folder), part)
            except GenerationError as error:
                return Failed(str(error))
            self._parts = {one: of for one, of in self._parts.items() if one in used} | {name: opened}
        return None

    def spread(self, name: str, *arguments: Any) -> Spread | Failed | None:
        """Answer the first round: see `Part.spread`."""
        part = self._parts.get(name)
        return _answered(part.spread, arguments) if part else None

    def candidates(self, name: str, *arguments: Any) -> CandidatesFound | Failed | None:
        """Answer the second round: see `Part.candidates`."""
        part = self._parts.get(name)
        return _answered(part.candidates, arguments) if part else None


def _answered(method: Callable[..., Found], arguments: Sequence[Any]) -> Found | Failed:
    try:
        return method(*arguments)
    except Exception as error:  # an error in this program: the next question may have none
        log.exception("a question failed")
        return Failed(f"{type(error).__name__}: {error}")
