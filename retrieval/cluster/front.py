"""A question -> all parts of a generation, asked at the same time, in two rounds.

A part that cannot be reached or does not answer in time is away: the others answer, and the answer says so. It is asked
again as soon as it can open the generation. An exception while a part computes is an error of the question.
"""

import logging
import threading
import time
import uuid
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.cluster.gather import Division, divided, gathered
from retrieval.cluster.holder import Failed
from retrieval.cluster.part import CandidatesFound, Spread
from retrieval.errors import PartRefuses, PartsAway
from retrieval.index.generation import Generation
from retrieval.index.values import Mask
from retrieval.search.asked import Asked, Phases, has_part
from retrieval.search.candidates import exhaustive
from retrieval.search.scoring import FirstFields

log = logging.getLogger(__name__)
ANSWER_S = 10.0  # in which a part answers a round
OTHERS_S = 2.0  # in which the others do, after one has: Ray needs longer to start a shard again
OPEN_S = 600.0  # in which it opens a generation: of a large one it maps the files, and reads some of each
THREADS = 16  # for each shard, which wait for answers; the server has as many searches at a time, or fewer
AGAIN_S = 1.0  # until a part that is away is tried again


class Pending(Protocol):
    """An answer that is on its way."""

    def result(self, *, timeout_s: float) -> Any:
        """Wait for it.

        Raises:
            Exception: the part cannot be reached, has ended, or does not answer in time.
        """
        ...


class Shard(Protocol):
    """What holds one part of a generation: see serving.py."""

    def ask(self, method: str, *arguments: Any) -> Pending:
        """Send a call without waiting for its answer."""
        ...


class Shards:
    """The shards of an index, and which of them are away."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._shards = list(shards)
        self._away: set[int] = set()
        self._current: GenerationParts | None = None
        self._used: weakref.WeakSet[GenerationParts] = weakref.WeakSet()  # the current one, and those of questions
        self._threads = ThreadPoolExecutor(THREADS * len(shards), "shards")
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def __len__(self) -> int:
        return len(self._shards)

    def open(self, generation: Generation) -> "GenerationParts":
        """Open a generation in all shards that are there, and return what asks them.

        Raises:
            PartRefuses: one cannot open it. All go on with the one that they have.
        """
        parts = GenerationParts(self, generation, divided(generation, len(self._shards)))
        there = [number for number in range(len(parts.division.parts)) if number not in self._away]
        pending = {number: self._begin_to_open(parts, number) for number in there}
        for number, answer in pending.items():
            try:
                _opened(answer, number, OPEN_S)
            except PartRefuses:
                raise
            except Exception as error:
                self.lose(number, error)
        self._current = parts
        return parts

    def _begin_to_open(self, parts: "GenerationParts", number: int) -> Pending:
        with self._lock:
            self._used.add(parts)
            used = [one.generation.name for one in self._used]
        folder = str(parts.generation.folder.resolve())
        return self._shards[number].ask("open", folder, parts.division.parts[number], used)

    def ask(self, parts: "GenerationParts", method: str, arguments: Mapping[int, Sequence[Any]]) -> dict[int, Any]:
        """Return what shards answer, by their number, ascending; nothing of those that are away.

        Raises:
            RuntimeError: a shard that is there cannot compute its answer to this question.
        """
        asked = {
            self._threads.submit(self._answer, parts, method, number, of): number
            for number, of in arguments.items()
            if number not in self._away
        }
        found: dict[int, Any] = {}
        left, until = set(asked), time.monotonic() + ANSWER_S
        while left and time.monotonic() < until:
            done, left = wait(left, max(0.0, until - time.monotonic()), FIRST_COMPLETED)
            for future in done:
                try:
                    found[asked[future]] = future.result()
                    until = min(until, time.monotonic() + OTHERS_S)
                except Exception as error:  # whatever Ray raises for a process, a node or a network that is gone
                    self.lose(asked[future], error)
        for future in left:
            self.lose(asked[future], TimeoutError("it does not answer"))
        for number, answer in found.items():
            if isinstance(answer, Failed):
                raise RuntimeError(f"part {number + 1} of the index cannot answer: {answer.why}")
        return dict(sorted(found.items()))

    def _answer(self, parts: "GenerationParts", method: str, number: int, arguments: Sequence[Any]) -> Any:
        shard, name = self._shards[number], parts.generation.name
        result = shard.ask(method, name, *arguments).result(timeout_s=ANSWER_S)
        if result is None:  # it has been started since, or has another generation
            _opened(self._begin_to_open(parts, number), number, ANSWER_S)
            result = shard.ask(method, name, *arguments).result(timeout_s=ANSWER_S)
        if result is None:
            raise RuntimeError("it does not keep the generation")
        return result

    def away(self) -> int:
        """Return how many shards are away."""
        return len(self._away)

    def lose(self, number: int, error: Exception) -> None:
        """Do not ask a shard until it is there again."""
        with self._lock:
            if number in self._away or self._stopped.is_set():
                return
            self._away.add(number)
        log.warning("part %d of the index is away: %s", number + 1, reason := _reason(error))
        threading.Thread(target=self._await, args=(number, reason), daemon=True).start()

    def stop(self) -> None:
        """Wait for none any more."""
        self._stopped.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _await(self, number: int, reason: str) -> None:
        while not self._stopped.wait(AGAIN_S):
            try:
                if self._current and number < len(self._current.division.parts):
                    _opened(self._begin_to_open(self._current, number), number, OPEN_S)
                break
            except Exception as error:
                if _reason(error) != reason:
                    log.warning("part %d of the index is still away: %s", number + 1, reason := _reason(error))
        with self._lock:
            self._away.discard(number)
        log.warning("part %d of the index is there again", number + 1)


def _opened(answer: Pending, number: int, timeout_s: float) -> None:
    """Wait until a part has opened a generation."""
    if failed := answer.result(timeout_s=timeout_s):
        raise PartRefuses(number + 1, failed.why)


def _reason(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200] or type(error).__name__


class GenerationParts:
    """The parts of one generation, in shards."""

    def __init__(self, shards: Shards, generation: Generation, division: Division) -> None:
        self._shards, self.generation, self.division = shards, generation, division

    def phases(self, asked: Asked, among: Mask, hits: int | None) -> Phases:
        """Return the phases of a question, of which the candidates for these hits are known.

        Raises:
            PartsAway: no part answers.
        """
        parts, key = range(len(self.division.parts)), uuid.uuid4().hex
        first = [
            FirstFields.of(of_encoder, asked.dense_weights, asked.method) if has_part(asked, number) else None
            for number, of_encoder in enumerate(self.generation.dense)
        ]
        spreads: dict[int, Spread] = self._shards.ask(self, "spread", dict.fromkeys(parts, (key, asked, first)))
        if not spreads:
            raise PartsAway(len(parts))
        spread, everything = Spread.merged(list(spreads.values())), exhaustive(len(among), hits)
        arguments = {
            number: (key, asked, first, spread, self._bits(among, number), hits, everything) for number in spreads
        }
        found: dict[int, CandidatesFound] = self._shards.ask(self, "candidates", arguments)
        if not found:
            raise PartsAway(len(parts))
        return gathered(self.generation, self.division, asked, spread, found, (len(found), len(parts)))

    def _bits(self, among: Mask, number: int) -> NDArray[np.uint8] | None:
        """Return which videos of a part meet the conditions; None for all."""
        of_part = self.division.videos(number)
        wanted = among[of_part]
        return None if np.array_equal(wanted, self.generation.alive[of_part]) else np.packbits(wanted)
