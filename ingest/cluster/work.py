"""What the workers of a stage do on the nodes of a cluster, and what one of them needs of a node."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ingest.cluster.connection import Node
from ingest.cluster.node import Read


@dataclass(frozen=True)
class Needs:
    """What one worker needs of a node.

    `gpu`: "never", "always", or "if there": on a node with graphics cards each worker has one of them.
    """

    memory_bytes: int
    gpu: Literal["never", "if there", "always"] = "never"
    cpus: float = 1.0

    def options(self, node: Node) -> dict[str, Any]:
        """What Ray reserves for a worker on a node."""
        card = self.gpu != "never" and node.gpus >= 1
        return {"num_cpus": self.cpus, "num_gpus": int(card), "memory": self.memory_bytes}

    def fit(self, node: Node) -> int:
        """How many workers a node has room for."""
        fit = min(node.cpus / self.cpus, node.memory_bytes / self.memory_bytes)
        if self.gpu == "always" or (self.gpu == "if there" and node.gpus >= 1):
            fit = min(fit, node.gpus)
        return math.floor(fit)


@dataclass(frozen=True)
class Work:
    """What the workers of a stage do, and how many there may be.

    Attributes:
        load: makes the function on a node (see `NodeWorker`).
        in_flight: leases of one worker.
        most: workers at most; None for as many as there is room for.
        say: gets a sentence about lost and unsuitable nodes.
    """

    load: Callable[[], Read]
    needs: Needs
    in_flight: int = 2
    most: int | None = None
    say: Callable[[str], None] = lambda _: None
