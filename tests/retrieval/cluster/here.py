"""Shards without Ray."""

import pickle
from typing import Any

from ingest.cluster.node import program_version
from retrieval.cluster.holder import Holder


class Answered:
    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer

    def result(self, *, timeout_s: float) -> Any:
        if self._answer is None:
            raise ConnectionError("the node is gone")
        return pickle.loads(self._answer)


class Here:
    """A shard in this process. All that it gets and gives is pickled, as on its way between nodes."""

    def __init__(self) -> None:
        self.holder, self.gone = Holder(program_version()), False

    def ask(self, method: str, *arguments: Any) -> Answered:
        if self.gone:
            return Answered(None)
        return Answered(pickle.dumps(getattr(self.holder, method)(*pickle.loads(pickle.dumps(arguments)))))

    def restart(self) -> None:
        self.holder, self.gone = Holder(program_version()), False
