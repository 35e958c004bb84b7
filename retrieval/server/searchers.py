"""The indexes folder -> which generation answers.

A new generation is picked up between two searches. While one request opens it, the others still use the old one. If it
cannot be used, the old one goes on answering.
"""

import logging
import threading
import time
from collections import OrderedDict
from datetime import datetime
from pathlib import Path

from ingest.models.weights import WeightsError
from retrieval.errors import RetrievalError, UnknownGeneration
from retrieval.index.generation import current_name, generation_names, read_manifest
from retrieval.search.searcher import Searcher, SharedEncoders
from retrieval.server.schemas import GenerationSummary

log = logging.getLogger(__name__)

RETRY_ENCODER_S = 60.0  # weights may still be downloading; an attempt can take seconds
MAX_OTHERS = 2  # generations held open besides the current one; each holds its vectors in memory


class Searchers:
    """The searcher of the current generation, and of a few others that were asked for by name.

    Other corpora in the same process may use the same `shared` encoders.
    """

    def __init__(self, indexes: Path, shared: SharedEncoders | None = None) -> None:
        self.indexes = indexes
        self._shared = shared
        self._current: Searcher | None = None
        self._others: OrderedDict[str, Searcher] = OrderedDict()  # least recently used first
        self._refused = ""  # the name of a generation that could not be opened
        self._retry_at = 0.0  # when to try to load a missing encoder again, by the monotonic clock
        self._lock = threading.Lock()
        self._lock_others = threading.Lock()

    def get(self, generation: str | None = None) -> Searcher:
        """Return the searcher of the named generation, or of the current one.

        If the current one cannot be opened, return the last good one.

        Raises:
            RetrievalError, WeightsError: there is no usable generation yet.
            UnknownGeneration: none has this name.
        """
        if generation:
            return self._named(generation)
        answering = self._current
        if answering is None:
            self._lock.acquire()
        elif not self._lock.acquire(blocking=False):
            return answering  # another request is opening a new generation
        try:
            if self._current is None or (self._current.encoder_missing and time.monotonic() > self._retry_at):
                self._current = self._open()
            else:
                self._current = self._refresh(self._current)
            return self._current
        finally:
            self._lock.release()

    def answering(self) -> Searcher | None:
        """Return the searcher that answered last, without opening one."""
        return self._current

    def answering_videos(self) -> int:
        """Return how many videos the generation that answered last has; 0 if none has answered yet."""
        return len(self._current.generation.ids) if self._current else 0

    def generations(self) -> list[GenerationSummary]:
        """Return all finished generations, newest first.

        Raises:
            RetrievalError: CURRENT is broken, or a manifest cannot be read.
        """
        if not (names := generation_names(self.indexes)):
            return []
        current = current_name(self.indexes)
        manifests = [read_manifest(self.indexes, name) for name in reversed(names)]
        return [
            GenerationSummary(
                name=manifest.name,
                built=datetime.fromisoformat(manifest.created),
                encoder=manifest.encoder,
                videos=manifest.videos,
                current=manifest.name == current,
            )
            for manifest in manifests
        ]

    def _open(self) -> Searcher:
        """The current generation's searcher; with keywords only if its encoder cannot be loaded."""
        try:
            return Searcher.open(self.indexes, shared=self._shared)
        except (WeightsError, ImportError) as error:
            log.warning("keyword search only: %s", error)
            self._retry_at = time.monotonic() + RETRY_ENCODER_S
            return Searcher.without_encoder(self.indexes, str(error))

    def _refresh(self, searcher: Searcher) -> Searcher:
        name = ""
        try:
            name = current_name(self.indexes)
            if name == self._refused:  # already logged, and not verified again for every search
                return searcher
            return searcher.refreshed(self.indexes, self._shared)
        except (RetrievalError, WeightsError) as error:
            if not searcher.generation.folder.exists():  # erased, and nothing has replaced it
                self._current = None
                raise
            if name != self._refused or not name:
                log.warning("still answering from generation %s: %s", searcher.generation.name, error)
            self._refused = name
            return searcher

    def _named(self, name: str) -> Searcher:
        answering = self._current
        if answering and answering.generation.name == name:
            return answering
        with self._lock_others:
            names = generation_names(self.indexes)
            for gone in self._others.keys() - set(names):
                del self._others[gone]  # pruned or erased
            if name not in names:
                raise UnknownGeneration("No generation has this name. /api/generations lists them.")
            if name not in self._others:
                known = [answering] if answering else []
                self._others[name] = Searcher.named(self.indexes, name, [*known, *self._others.values()])
                while len(self._others) > MAX_OTHERS:
                    self._others.popitem(last=False)
            self._others.move_to_end(name)
            return self._others[name]
