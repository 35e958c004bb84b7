"""An encoder that a manifest names. Its model is loaded only if a text has no cached vector."""

from collections.abc import Mapping, Sequence

from ingest.models.weights import WeightsError
from retrieval.embedding.encoder import SentenceEncoder, Vectors
from retrieval.embedding.token_sums import Cuts
from retrieval.index.manifest import UsedEncoder


class RecordedEncoder:
    """Stands for an encoder of a generation, with the values of its manifest.

    Raises:
        WeightsError: a text must be encoded, and the model cannot be loaded or is another one now.
    """

    prompts: Mapping[str, str] = {"query": "", "document": ""}
    cached = True

    def __init__(self, used: UsedEncoder) -> None:
        self.name, self.key, self.sha256 = used.name, used.key, used.sha256
        self.dimension, self.precision = used.dimension, used.precision
        self._loaded: SentenceEncoder | None = None

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of passages, shape (len(texts), dimension)."""
        return self._model().passages(texts)

    def query(self, text: str) -> Vectors:
        """Return the unit vector of a query, shape (dimension,)."""
        return self._model().query(text)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of queries, shape (len(texts), dimension)."""
        return self._model().queries(texts)

    def token_sums(self, texts: Sequence[str], cuts: Sequence[Cuts]) -> None:
        """Return None: what is in the cache is used, and nothing is encoded for the reasons alone."""

    def _model(self) -> SentenceEncoder:
        if self._loaded is None:
            loaded = SentenceEncoder(self.name, precision=self.precision, sha256=self.sha256)
            if loaded.key != self.key:
                raise WeightsError(f"{self.name} has other weights or settings than when the index was built")
            self._loaded = loaded
        return self._loaded
