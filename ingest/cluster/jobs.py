"""What goes to a node and comes back: the files that a job reads, and its result or what the node lacks."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from scraper.errors import UserError


class ClusterError(UserError):
    """The cluster cannot be used. The message says what to do. Finished items are kept."""


class ClusterLost(ClusterError):
    """The cluster was there, and does not answer any more: calls to end something there would wait for it."""


@dataclass(frozen=True)
class Source:
    """A file of the catalog that a job reads, by its path on the machine with the catalog."""

    path: Path
    sha256: str
    bytes: int


class Job(Protocol):
    """What a node needs for one item."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """The files that it reads."""

    @property
    def output(self) -> Path | None:
        """The file that it may write."""

    def at(self, places: Mapping[Path, Path]) -> Self:
        """Return the same job with the paths of a node."""


@dataclass(frozen=True)
class Answer:
    """What a node sends back for a lease.

    Attributes:
        result: of the function, or the exception that it raised.
        written: the content of the job's output; None if it wrote none.
        lacking: files that the node cannot find.
        unreachable: why the place of the media did not answer; the item can be tried again.
        trouble: what is wrong with the node; another one takes the item.
    """

    result: Any = None
    written: bytes | None = None
    lacking: tuple[Path, ...] = ()
    unreachable: str = ""
    trouble: str = ""
