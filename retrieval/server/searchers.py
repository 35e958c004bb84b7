"""The indexes folder -> which generation answers.

A new generation is picked up between two searches. While one request opens it, the others still use the old one. If it
cannot be used, the old one continues to answer; a server that has just started answers from the newest one that can.
"""

import contextlib
import logging
import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from ingest.models.weights import WeightsError
from retrieval.cluster.front import Shards
from retrieval.errors import GenerationError, PartRefuses, RetrievalError, UnknownGeneration
from retrieval.index.generation import generation_state, open_named, read_manifest, verified_manifest
from retrieval.index.layout import CURRENT, State, current_name, generation_names, generations_folder
from retrieval.search.encoders import SharedEncoders
from retrieval.search.known_texts import forget_texts
from retrieval.search.searcher import Searcher
from retrieval.server.memory import give_back_soon
from retrieval.server.schemas import EncoderSummary, GenerationSummary

log = logging.getLogger(__name__)

RETRY_ENCODER_S = 60.0  # weights may still be downloading; an attempt can take seconds
RETRY_PART_S = 5.0  # another machine may not see new files yet
MAX_OTHERS = 2  # generations held open besides the current one; each is in memory as a whole


@dataclass(frozen=True)
class _Refused:
    """A generation that cannot be used, with the state of its files then: it is tried again when they change, or at a
    time of the monotonic clock."""

    name: str
    state: State
    answering: str
    again_at: float


class Searchers:
    """The searcher of the current generation, and of a few others that were asked for by name.

    Other corpora in the same process may use the same `shared` encoders. With `shards`, the videos of the current
    generation are scored there; the others are searched in this process.
    """

    def __init__(self, indexes: Path, shared: SharedEncoders | None = None, shards: Shards | None = None) -> None:
        self.indexes = indexes
        self._shared, self._shards = shared, shards
        self._current: Searcher | None = None
        self._others: OrderedDict[str, Searcher] = OrderedDict()  # least recently used first
        self._refused: _Refused | None = None
        self._checked: tuple[str, State, str] = ("", (), "")  # a generation, its files, and what is wrong with them
        self._retry_at = 0.0  # when to try to load a missing encoder again, by the monotonic clock
        self._lock = threading.Lock()
        self._lock_others = threading.Lock()

    def get(self, generation: str | None = None) -> Searcher:
        """Return the searcher of the named generation, or of the current one.

        If the current one cannot be opened, return the last good one, or else that of the newest generation that can be
        opened. `note` says so.

        Raises:
            RetrievalError, WeightsError: there is no usable generation yet.
            UnknownGeneration: none has this name.
        """
        if generation:
            return self._named(generation)
        self._drop_deleted()
        answering = self._current
        if answering is None:
            self._lock.acquire()
        elif not self._lock.acquire(blocking=False):
            return answering  # another request is opening a new generation
        try:
            if self._current is not None:
                self._current = self._refresh(self._current)
            if self._current is None:
                self._current = self._open()
            elif self._current.missing and time.monotonic() > self._retry_at:
                self._retry_at = time.monotonic() + RETRY_ENCODER_S
                with contextlib.suppress(RetrievalError):  # nothing on disk can be used; the one in memory can
                    self._current = self._open()
            return self._current
        finally:
            self._lock.release()

    def note(self) -> str:
        """Return a sentence for the user if another generation than the current one answers; else nothing."""
        refused = self._refused
        if refused is None:
            return ""
        return f"The current generation of the index cannot be used. Generation {refused.answering} answers."

    def problems(self) -> list[str]:
        """Return what is wrong with the index although searches are answered: another generation answers, the files of
        the one that answers were damaged since they were read, or one of several encoders could not be loaded."""
        current = self._current
        found = [self.note(), self._damage(current) if current else ""]
        if self._shards and self._shards.away():
            found.append("Answers are not complete: a part of the index is away. It is expected back.")
        if current and current.missing and not current.keyword_only:
            found.append(f"Searches are answered without {' and '.join(current.missing)}, which could not be loaded.")
        return [problem for problem in found if problem]

    def answering(self) -> Searcher | None:
        """Return the searcher that answered last, without opening one."""
        return self._current

    def answering_videos(self) -> int:
        """Return how many videos the generation that answered last has; 0 if none has answered yet."""
        return self._current.generation.manifest.videos if self._current else 0

    def generations(self) -> list[GenerationSummary]:
        """Return all finished generations whose manifest can be read, newest first."""
        found = []
        try:
            current = current_name(self.indexes)
        except GenerationError as error:
            current = ""
            log.warning("%s", error)
        for name in reversed(generation_names(self.indexes)):
            try:
                manifest = read_manifest(self.indexes, name)
            except GenerationError as error:
                log.warning("not listed: %s", error)
                continue
            found.append(
                GenerationSummary(
                    name=manifest.name,
                    built=datetime.fromisoformat(manifest.created),
                    encoder=manifest.encoder,
                    videos=manifest.videos,
                    current=manifest.name == current,
                    encoders=[EncoderSummary(**used.summary()) for used in manifest.encoders],
                )
            )
        return found

    def _open(self) -> Searcher:
        """The current generation's searcher, or that of the newest one that can be used."""
        name = ""
        try:
            name = current_name(self.indexes)
            searcher = self._searcher(name)
            self._refused = None
            return searcher
        except RetrievalError as error:
            return self._newest_but(name, error)

    def _newest_but(self, refused: str, error: Exception) -> Searcher:
        """The searcher of the newest other generation that can be used; if there is none, raise `error`."""
        for name in reversed(generation_names(self.indexes)):
            if name == refused:
                continue
            try:
                searcher = self._searcher(name)
            except RetrievalError as other:
                log.warning("%s", other)
                continue
            self._refuse(refused, searcher, error)
            return searcher
        raise error

    def _searcher(self, name: str) -> Searcher:
        """A generation's searcher; with keywords only if its encoder cannot be loaded."""
        generation = open_named(self.indexes, name)
        forget_texts()
        try:
            searcher = Searcher.of(generation, [self._current] if self._current else [], self._shared)
            if searcher.missing:
                log.warning("searching without %s, which could not be loaded", " and ".join(searcher.missing))
                self._retry_at = time.monotonic() + RETRY_ENCODER_S
            return self._in_parts(searcher)
        except (WeightsError, ImportError) as error:
            log.warning("keyword search only: %s", error)
            self._retry_at = time.monotonic() + RETRY_ENCODER_S
            return self._in_parts(Searcher.without_encoder(generation, str(error)))

    def _in_parts(self, searcher: Searcher) -> Searcher:
        """Let the shards score the videos of the current generation, after all that are there have opened it."""
        if self._shards:
            searcher.parts = self._shards.open(searcher.generation)
        return searcher

    def _refresh(self, searcher: Searcher) -> Searcher:
        name = ""
        try:
            name = current_name(self.indexes)
            if name == searcher.generation.name:
                self._refused = None
                return searcher
            if self._known_as_refused(name):  # already logged, and not verified again for every search
                return searcher
            fresh = self._in_parts(searcher.refreshed(self.indexes, self._shared))
            self._refused = None
            give_back_soon()
            return fresh
        except (RetrievalError, WeightsError) as error:
            if self._erased(searcher):
                self._current = None
                self._current = self._newest_but(name, error)
                return self._current
            self._refuse(name, searcher, error)
            return searcher

    def _refuse(self, name: str, searcher: Searcher, error: Exception) -> None:
        before, answering = self._refused, searcher.generation.name
        again_at = time.monotonic() + RETRY_PART_S if isinstance(error, PartRefuses) else math.inf
        self._refused = _Refused(name, self._state(name), answering, again_at)
        if not before or replace(before, again_at=again_at) != self._refused:
            log.warning("still answering from generation %s: %s", answering, error)

    def _known_as_refused(self, name: str) -> bool:
        refused = self._refused
        if refused is None or time.monotonic() >= refused.again_at:
            return False
        return refused.name == name and refused.state == self._state(name)

    def _state(self, name: str) -> State:
        return generation_state(generations_folder(self.indexes) / name) if name else ()

    def _erased(self, searcher: Searcher) -> bool:
        """Whether a generation was deleted on purpose: erased videos may be in it, so it must not answer any longer.

        If CURRENT still names it, something has gone wrong, and it continues to answer from memory.
        """
        if searcher.generation.folder.exists():
            return False
        try:
            return searcher.generation.name.encode() not in (self.indexes / CURRENT).read_bytes()
        except OSError:
            return True

    def _damage(self, searcher: Searcher) -> str:
        """What has happened to the files of a generation since they were read. They are read again if they changed."""
        name, folder = searcher.generation.name, searcher.generation.folder
        state = generation_state(folder)
        if state == searcher.generation.state:
            return ""
        if self._checked[:2] != (name, state):
            problem = ""
            try:
                verified_manifest(folder)
            except GenerationError as error:
                log.warning("generation %s answers from memory: %s", name, error)
                problem = "The files of the generation that answers are damaged on disk."
            self._checked = (name, state, problem)
        return self._checked[2]

    def _drop_deleted(self) -> None:
        """Let go of named generations that were pruned or erased since they were asked for, or are current now."""
        if self._others and self._lock_others.acquire(blocking=False):
            try:
                kept = set(generation_names(self.indexes)) - {self._current.generation.name if self._current else ""}
                for gone in self._others.keys() - kept:
                    del self._others[gone]
            finally:
                self._lock_others.release()

    def _named(self, name: str) -> Searcher:
        answering = self._current
        if answering and answering.generation.name == name:
            return answering
        with self._lock_others:
            names = generation_names(self.indexes)
            for gone in self._others.keys() - set(names):
                del self._others[gone]  # pruned or erased
            if name not in names:
                raise UnknownGeneration(_UNKNOWN)
            if name not in self._others:
                known = [answering] if answering else []
                try:
                    generation = open_named(self.indexes, name)
                except GenerationError as error:
                    if name not in generation_names(self.indexes):  # deleted while it was opened
                        raise UnknownGeneration(_UNKNOWN) from error
                    raise
                self._others[name] = Searcher.of(generation, [*known, *self._others.values()], self._shared)
                while len(self._others) > MAX_OTHERS:
                    self._others.popitem(last=False)
            self._others.move_to_end(name)
            return self._others[name]


_UNKNOWN = "No generation has this name. /api/generations lists them."
