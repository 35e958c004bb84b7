"""Encoders of an index -> the same encoders on the nodes of a cluster, for texts that the cache does not have."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self, cast

import numpy as np

from ingest.cluster.connection import Cluster
from ingest.cluster.leases import Leases
from ingest.cluster.node import Read
from ingest.cluster.work import Needs, Work
from ingest.models.weights import WeightsError
from retrieval.embedding.encoder import Encoder, SentenceEncoder, Vectors
from retrieval.embedding.token_sums import Cuts, TokenSums
from retrieval.errors import RetrievalError

FEW = 64  # texts that are encoded here: sending them would take longer
TEXTS, CHARS = 128, 16_384  # of a lease at most: a second on a core. The longest of 128 texts alone took five
LIMIT_S = 600.0
WORKER_BYTES = 1_500_000_000  # of memory that a worker on a node needs: torch, the model, and a batch
MODEL_BYTES = 500_000_000  # for every further model


@dataclass(frozen=True)
class Model:
    """What identifies an encoder on a node."""

    name: str
    precision: str
    sha256: str
    key: str


@dataclass(frozen=True)
class TextsJob:
    """Texts to encode by a model, and where their parts start if the sums of parts are wanted."""

    model: Model
    texts: tuple[str, ...]
    cuts: tuple[Cuts, ...] | None = None
    sources: tuple[()] = ()
    output: None = None

    def at(self, places: Mapping[Path, Path]) -> Self:
        """Return the job: it reads no files."""
        return self


class EncodingOnNodes:
    """Gives encoders that compute on the nodes of a cluster; without a cluster, the encoders as they are.

    Each worker has all encoders, and loads one when it is first needed: to start other workers for the next encoder
    took four times as long as encoding a few thousand texts.
    """

    def __init__(self, cluster: Cluster | None, say: Callable[[str], None] = lambda _: None) -> None:
        self._cluster, self._say = cluster, say
        self._models: list[Model] = []
        self._leases: Leases[int] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def encoders(self, loaded: Sequence[SentenceEncoder]) -> list[Encoder]:
        """Return encoders for a build."""
        if not self._cluster:
            return list(loaded)
        found: list[Encoder] = [EncoderOnNodes(one, self) if one.cached else one for one in loaded]
        self._models = [one.model for one in found if isinstance(one, EncoderOnNodes)]
        return found

    def free(self) -> None:
        """End the workers. They are loaded again when they are needed."""
        self._stack.close()
        self._leases = None

    def results(self, jobs: Sequence[TextsJob]) -> list[Any]:
        """Return the result of each job, in order.

        Raises:
            RetrievalError: a job failed on the nodes.
        """
        if self._leases is None:
            assert self._cluster
            needs = Needs(WORKER_BYTES + MODEL_BYTES * (len(self._models) - 1), "if there")
            work = Work(partial(load_on_node, jobs[0].model), needs, say=self._say)
            self._leases = self._stack.enter_context(Leases[int](self._cluster, work))
        results: dict[int, Any] = {}
        for done in self._leases.each((number, job, LIMIT_S) for number, job in enumerate(jobs)):
            if isinstance(done.result, Exception):
                name = done.job.model.name
                raise RetrievalError(f"a node cannot encode texts with {name}: {done.result}") from done.result
            results[done.key] = done.result
        return [results[number] for number in range(len(jobs))]


class EncoderOnNodes:
    """An encoder of this machine whose passages are computed on nodes. Its queries are not."""

    def __init__(self, encoder: SentenceEncoder, nodes: EncodingOnNodes) -> None:
        self._encoder, self._nodes = encoder, nodes
        self.name, self.key, self.sha256 = encoder.name, encoder.key, encoder.sha256
        self.dimension, self.precision = encoder.dimension, encoder.precision
        self.prompts, self.cached = encoder.prompts, encoder.cached
        self.model = Model(encoder.name, encoder.precision, encoder.sha256, encoder.key)

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of passages, shape (len(texts), dimension)."""
        if len(texts) <= FEW:
            return self._encoder.passages(texts)
        jobs = [TextsJob(self.model, tuple(texts[part])) for part in parts(texts)]
        return np.concatenate(self._nodes.results(jobs))

    def query(self, text: str) -> Vectors:
        """Return the unit vector of a query, shape (dimension,)."""
        return self._encoder.query(text)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of queries, shape (len(texts), dimension)."""
        return self._encoder.queries(texts)

    def token_sums(self, texts: Sequence[str], cuts: Sequence[Cuts]) -> tuple[Vectors, list[TokenSums]] | None:
        """Return the unit vectors of passages, and the parts of them between the `cuts`, as `Encoder.token_sums`."""
        if len(texts) <= FEW // 8:  # these are the longest texts
            return self._encoder.token_sums(texts, cuts)
        jobs = [TextsJob(self.model, tuple(texts[part]), tuple(cuts[part])) for part in parts(texts)]
        results = self._nodes.results(jobs)
        if any(result is None for result in results):
            return None
        found = cast("list[tuple[Vectors, list[TokenSums]]]", results)
        return np.concatenate([vectors for vectors, _ in found]), [one for _, sums in found for one in sums]


def parts(texts: Sequence[str]) -> Iterator[slice]:
    """Yield where each lease of texts starts and ends: leases take about as long as each other, so no worker waits."""
    start = chars = 0
    for number, text in enumerate(texts):
        if number > start and (number - start == TEXTS or chars + len(text) > CHARS):
            yield slice(start, number)
            start, chars = number, 0
        chars += len(text)
    if texts:
        yield slice(start, len(texts))


def load_on_node(first: Model) -> Read:
    """On a node: load an encoder, and return what encodes the texts of a lease. Others are loaded when they are needed.

    Raises:
        WeightsError: the weights are not there, or give other vectors than those of the machine with the index.
    """
    loaded = {first: _load(first)}
    one_at_a_time = threading.Lock()

    def encode(job: TextsJob, _limit_s: float) -> Any:
        with one_at_a_time:
            if job.model not in loaded:
                loaded[job.model] = _load(job.model)
            encoder = loaded[job.model]
            if job.cuts is None:
                return encoder.passages(job.texts)
            return encoder.token_sums(job.texts, job.cuts)

    return encode


def _load(model: Model) -> SentenceEncoder:
    encoder = SentenceEncoder(model.name, precision=model.precision, sha256=model.sha256)
    if encoder.key != model.key:
        raise WeightsError(
            f"{model.name} has other settings than on the machine with the index: install the same files"
        )
    return encoder
