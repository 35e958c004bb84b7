"""The encoders of a generation: loaded, shared between corpora, and how much each counts for a question."""

import threading
from collections.abc import Iterator, Sequence
from weakref import WeakValueDictionary

from ingest.models.weights import WeightsError
from retrieval.embedding.encoder import Encoder, KeywordOnly, Vectors
from retrieval.embedding.query_encoder import QueryEncoder, query_encoder
from retrieval.index.manifest import UsedEncoder
from retrieval.search.clauses import clauses
from retrieval.search.parallel import alone, at_once, begun, core_idle
from retrieval.search.scoring import QueryVectors


class SharedEncoders:
    """The encoders that several corpora use in one process: each is loaded once, and kept while one uses it."""

    def __init__(self) -> None:
        self._encoders: WeakValueDictionary[str, Encoder] = WeakValueDictionary()
        self._lock = threading.Lock()

    def get(self, used: UsedEncoder) -> Encoder:
        """Return an encoder that a generation was built with."""
        with self._lock:
            encoder = self._encoders.get(used.key) or load(used)
            self._encoders[used.key] = encoder
            return encoder


def load(used: UsedEncoder) -> Encoder:
    """Load an encoder that a generation was built with.

    Raises:
        WeightsError: its weights cannot be loaded.
    """
    return query_encoder(used.name, used.precision, used.sha256)


def load_all(
    encoders: Sequence[UsedEncoder],
    known: Sequence[Encoder] = (),
    shared: SharedEncoders | None = None,
    *,
    complete: bool = False,
) -> list[Encoder]:
    """Load the encoders of a generation, in its order. Those of `known` that match are reused.

    If the weights of some cannot be loaded, a KeywordOnly is in their place.

    Args:
        complete: whether all must be loaded.

    Raises:
        WeightsError: none can be loaded, or with `complete`, one cannot.
    """
    by_key = {encoder.key: encoder for encoder in known if encoder.dimension}
    found: list[Encoder] = []
    missing: list[WeightsError] = []
    for used in encoders:
        try:
            found.append(by_key.get(used.key) or (shared.get(used) if shared else load(used)))
        except WeightsError as error:
            missing.append(error)
            found.append(KeywordOnly(used.name, used.key, str(error)))
    if missing and (complete or len(missing) == len(found)):
        raise missing[0]
    return found


def factors(encoders: Sequence[UsedEncoder], loaded: Sequence[bool], language: str) -> list[float]:
    """Return by what the weight of each encoder is multiplied for a question in `language` ("" if it is not known).

    An encoder that is not loaded, or that reads another language only, has no part. The others have its part as well,
    so that meaning counts as much against words as with all of them.
    """
    reads = [
        there and (not encoder.language or not language or encoder.language == language)
        for encoder, there in zip(encoders, loaded, strict=True)
    ]
    used = reads if any(reads) else loaded
    return [len(encoders) / (sum(used) or 1) if one else 0.0 for one in used]


def begin_to_encode(encoders: Sequence[Encoder], text: str, share: Sequence[float]) -> Iterator[Vectors | None]:
    """Begin to encode a question by the encoders that have a share in its score, and return the vectors when they are
    asked for: None of the others.

    If this search is alone, a single encoder begins when its vector is asked for: it can have two cores then, because
    the caller waits.
    """
    if not any(share):
        return iter([None] * len(encoders))
    used = [encoder if part else None for encoder, part in zip(encoders, share, strict=True)]
    single = next(filter(None, used))
    if isinstance(single, QueryEncoder) and used.count(None) == len(used) - 1 and alone():
        return (single.query(text, in_two_threads=core_idle()) if encoder else None for encoder in used)
    return begun(lambda encoder: encoder.query(text) if encoder else None, used)


def clause_vectors(encoders: Sequence[Encoder], text: str, vectors: QueryVectors) -> QueryVectors:
    """Return the vectors of the clauses of a long question by the encoders that have a part in the scores."""
    parts = clauses(text)
    if not parts:
        return ()
    used = [encoder if vector is not None else None for encoder, vector in zip(encoders, vectors, strict=True)]
    return at_once(lambda encoder: encoder.queries(parts) if encoder else None, used)
