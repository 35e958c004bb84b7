"""The inner loops of a search, compiled by numba: those that read postings. compiled_vectors.py has the others.

They read the arrays of one part of an index and keep no lock of Python while they run. numba takes a third of a second
to import and seconds to compile, so only what searches imports this module; what is compiled is kept on disk.

Terms reach these loops as numbered *spans*: rows `start` to `end` of the postings, with a factor. Term t has the spans
first_span[t] to first_span[t + 1]; those of its forms come before those of its synonyms, from first_synonym[t] on.
A posting has the number of a video in `docs`, and its field and frequency in `packed` (posting.py).

Postings of a file that is mapped are not checked when it is opened. So a loop passes over a video that does not exist,
and `weights` has an entry for every number of a field that `packed` can have.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numpy.typing import NDArray

from retrieval.index.posting import FREQUENCY_BITS, MAX_FREQUENCY

_Function = TypeVar("_Function", bound=Callable[..., Any])
# Sums may be added up in another order, in several lanes at once. NaN keeps its meaning.
REORDERED = {"reassoc", "nsz", "contract"}


# What is compiled of one of these modules may have code of the others.
_MODULES = ("addresses", "compiled", "compiled_parts", "compiled_vectors", "parts", "posting")


@cache
def _sources() -> str:
    """Return what differs if one of the modules differs."""
    files = [Path(__file__).with_name(f"{name}.py") for name in _MODULES]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


class _Kept(FunctionCache):
    """What is compiled, on disk. It is compiled again if one of the modules has changed; numba looks only at the one of
    the function. A file that is damaged, as after a power failure, is compiled again and replaced. What cannot be
    written, as on a full disk, is not kept. What another process has written at the same time under the same name, for
    other types, is not used. numba itself raises an error in all these cases."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        stamp = (self._impl.locator.get_source_stamp(), _sources())
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, stamp)  # type: ignore[no-untyped-call]

    def load_overload(self, types: Any, target: Any) -> Any:
        try:
            found = super().load_overload(types, target)  # type: ignore[no-untyped-call]
            return found if found is not None and tuple(found.signature.args) == tuple(types) else None
        except Exception:  # numba unpickles the file
            return None

    def save_overload(self, *what: Any) -> None:
        try:
            super().save_overload(*what)  # type: ignore[no-untyped-call]
        except Exception:
            with suppress(OSError):
                # to save, numba first reads the list of its files, which may be what is damaged
                self.flush()  # type: ignore[no-untyped-call]
                super().save_overload(*what)  # type: ignore[no-untyped-call]


def compiled(function: _Function) -> _Function:
    """Compile a function at its first call. What is compiled is kept, unless no folder for it can be written."""
    made: Any = numba.njit(nogil=True, fastmath=REORDERED)(function)
    with suppress(RuntimeError):
        made._cache = _Kept(function)
    return cast(_Function, made)


@compiled
def find_strings(
    hashes: NDArray[np.uint64],
    raw: NDArray[np.uint8],
    starts: NDArray[np.unsignedinteger],
    wanted: NDArray[np.uint64],
    wanted_raw: NDArray[np.uint8],
    wanted_starts: NDArray[np.unsignedinteger],
    found: NDArray[np.int64],
) -> None:
    """Write the number of each wanted string to `found`, if it is among strings that are ordered by their hashes.

    String n is raw[starts[n]:starts[n + 1]] (strings.py). All are looked for at the same time, step by step, so that
    the processor reads the hashes of several from memory together.
    """
    places, left = np.zeros(len(wanted), np.int64), len(hashes)
    while left > 1:
        half = left // 2
        for number in range(len(wanted)):
            middle = places[number] + half
            places[number] = middle if hashes[middle - 1] < wanted[number] else places[number]
        left -= half
    for number in range(len(wanted)):
        here, size = np.int64(wanted_starts[number]), np.int64(wanted_starts[number + 1] - wanted_starts[number])
        place = places[number]
        if place < len(hashes) and hashes[place] < wanted[number]:
            place += 1
        while place < len(hashes) and hashes[place] == wanted[number] and found[number] < 0:
            at, end = np.int64(starts[place]), np.int64(starts[place + 1])
            if end - at == size and at >= 0 and end <= len(raw):
                same = True
                for byte in range(size):
                    same = same and raw[at + byte] == wanted_raw[here + byte]
                if same:
                    found[number] = place
            place += 1


@compiled
def count_videos(
    docs: NDArray[np.uint16],
    packed: NDArray[np.uint8],
    alive: NDArray[np.bool_],
    weights: NDArray[np.float32],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    first_span: NDArray[np.int64],
    first_synonym: NDArray[np.int64],
    all_count: bool,
    marks: int,
    seen: NDArray[np.int32],
    counts: NDArray[np.int64],
) -> None:
    """Add for each term how many videos have one of its forms, and one of its synonyms, to `counts`, shape (2, terms).

    A field with weight 0 and a deleted video do not count; `all_count` says that there is neither. `seen` is scratch
    space, shape (videos,), where no number is above `marks`; then none is above that and twice the number of terms.
    """
    for term in range(len(first_span) - 1):
        for synonym in range(2):
            first = first_synonym[term] if synonym else first_span[term]
            end = first_span[term + 1] if synonym else first_synonym[term]
            mark, longest = marks + 2 * term + 1 + synonym, -1
            if all_count and first < end:
                # Of one form, the postings are in the order of their videos, so that these need no marks.
                longest = _longest(starts, ends, first, end)
                if starts[longest] < ends[longest]:
                    counts[synonym, term] += 1 + _changes(docs[starts[longest] : ends[longest]])
            for span in range(first, end):
                at = starts[longest]
                for row in range(starts[span], ends[span] if span != longest else starts[span]):
                    video = docs[row]
                    counted = weights[packed[row] >> FREQUENCY_BITS] > 0 and video < len(alive)
                    if counted and alive[video] and seen[video] != mark:
                        seen[video] = mark
                        at = _not_before(docs, at, ends[longest], video) if longest >= 0 else at
                        if longest < 0 or at >= ends[longest] or docs[at] != video:
                            counts[synonym, term] += 1


@compiled
def _longest(starts: NDArray[np.int64], ends: NDArray[np.int64], first: int, end: int) -> int:
    """Return the span with the most postings, from `first` to before `end`."""
    found = first
    for span in range(first + 1, end):
        if ends[span] - starts[span] > ends[found] - starts[found]:
            found = span
    return found


@compiled
def _changes(docs: NDArray[np.uint16]) -> int:
    """Return how often a number differs from the one before it."""
    found = 0
    for row in range(1, len(docs)):
        found += docs[row] != docs[row - 1]
    return found


@compiled
def add_totals(
    docs: NDArray[np.uint16],
    packed: NDArray[np.uint8],
    weights: NDArray[np.float32],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    factors: NDArray[np.float32],
    first_span: NDArray[np.int64],
    scales: NDArray[np.float32],
    shares: NDArray[np.float32],
    saturation: NDArray[np.float32],
    frequency: NDArray[np.float32],
    touched: NDArray[np.int32],
    totals: NDArray[np.float32],
    coverage: NDArray[np.float32],
) -> None:
    """Add the BM25F score of each video to `totals`, and the shares of the terms that it has to `coverage`.

    Both have shape (videos,), and so have `frequency` and `touched`, which are scratch space. `frequency` is 0 before
    and after.
    """
    weighted = np.empty(256, np.float32)  # of each byte that a posting may have
    for byte in range(256):
        weighted[byte] = weights[byte >> FREQUENCY_BITS] * np.float32(byte & MAX_FREQUENCY)
    for term in range(len(first_span) - 1):
        first, end = first_span[term], first_span[term + 1]
        scale, share = scales[term], shares[term]
        if first == end:
            continue
        longest, count = _longest(starts, ends, first, end), 0
        for span in range(first, end):
            for row in range(starts[span], ends[span] if span != longest else starts[span]):
                found = factors[span] * weighted[packed[row]]
                if found > 0 and docs[row] < len(frequency):
                    video = docs[row]
                    if frequency[video] == 0:
                        touched[count] = video
                        count += 1
                    frequency[video] += found
        # In one form, the postings of a video follow each other. Each replaces what those before it have added: without
        # a branch that the processor cannot foresee, in half of the time.
        before, had, added = -1, np.float32(0), np.float32(0)
        for row in range(starts[longest], ends[longest]):
            posted = int(docs[row])
            if posted < len(totals):
                same = posted == before
                had = had if same else np.float32(0)
                found = had + factors[longest] * weighted[packed[row]]
                score = scale * found / (found + saturation[posted])
                totals[posted] += score - (added if same else np.float32(0))
                coverage[posted] += share if found > 0 and had <= 0 else np.float32(0)
                before, had, added = posted, found, score
        # What other forms add to a video depends on what this one has added.
        at, last = starts[longest], -1
        for number in range(count):
            video = touched[number]
            at = _not_before(docs, at if video > last else starts[longest], ends[longest], video)
            last, had = video, np.float32(0)
            while at < ends[longest] and docs[at] == video:
                had += factors[longest] * weighted[packed[at]]
                at += 1
            found = had + frequency[video]
            totals[video] += scale * (found / (found + saturation[video]) - had / (had + saturation[video]))
            coverage[video] += share if had <= 0 else np.float32(0)
            frequency[video] = 0


@compiled
def add_impacts(
    videos: NDArray[np.uint16],
    impacts: NDArray[np.float32],
    scale: float,
    share: float,
    totals: NDArray[np.float32],
    coverage: NDArray[np.float32],
) -> None:
    """Add what a term gives some videos (impacts.py), times its scale, to `totals`, and its share to `coverage`."""
    times, added = np.float32(scale), np.float32(share)
    for number in range(len(videos)):
        video = videos[number]
        totals[video] += times * impacts[number]
        coverage[video] += added


@compiled
def add_scaled(
    totals: NDArray[np.float32],
    coverage: NDArray[np.float32],
    scale: float,
    covered: float,
    scores: NDArray[np.float32],
) -> None:
    """Add `totals` times `scale` to `scores`, all of shape (videos,): less where the coverage is below `covered`, in
    proportion. With `covered` 0 the coverage does not count."""
    factor = np.float32(scale)
    if covered <= 0:
        for video in range(len(scores)):
            scores[video] += factor * totals[video]
        return
    times = np.float32(1.0 / covered)
    for video in range(len(scores)):
        scores[video] += factor * totals[video] * min(np.float32(1.0), coverage[video] * times)


@compiled
def add_split(
    docs: NDArray[np.uint16],
    packed: NDArray[np.uint8],
    weights: NDArray[np.float32],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    factors: NDArray[np.float32],
    first_span: NDArray[np.int64],
    scales: NDArray[np.float32],
    saturation: NDArray[np.float32],
    wanted: NDArray[np.int64],
    split: NDArray[np.float64],
) -> None:
    """Add the BM25F scores of the `wanted` videos by field to `split`, shape (wanted, fields).

    `wanted` is ascending. Of long postings, only those of these videos are read.
    """
    of_term = np.zeros(split.shape, np.float64)
    whole = np.zeros(len(wanted), np.float64)
    for term in range(len(first_span) - 1):
        for span in range(first_span[term], first_span[term + 1]):
            row, end = starts[span], ends[span]
            for number in range(len(wanted)):
                if row >= end:
                    break
                video = wanted[number]
                if docs[row] < video:
                    row = _not_before(docs, row, end, video)
                while row < end and docs[row] == video:
                    weighted = (
                        factors[span] * weights[packed[row] >> FREQUENCY_BITS] * np.float32(packed[row] & MAX_FREQUENCY)
                    )
                    if weighted > 0:
                        of_term[number, packed[row] >> FREQUENCY_BITS] += weighted
                        whole[number] += weighted
                    row += 1
        for number in range(len(wanted)):
            if whole[number] > 0:
                scale = scales[term] / (whole[number] + saturation[wanted[number]])
                for column in range(split.shape[1]):
                    split[number, column] += scale * of_term[number, column]
                    of_term[number, column] = 0
                whole[number] = 0


@compiled
def note_terms(
    docs: NDArray[np.uint16],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    first_span: NDArray[np.int64],
    wanted: NDArray[np.int64],
    found: NDArray[np.bool_],
) -> None:
    """Note in `found`, shape (terms, wanted), which of the `wanted` videos have a term in any form and field."""
    for term in range(len(first_span) - 1):
        for span in range(first_span[term], first_span[term + 1]):
            for number in range(len(wanted)):
                row = _not_before(docs, starts[span], ends[span], wanted[number])
                if row < ends[span] and docs[row] == wanted[number]:
                    found[term, number] = True


@compiled
def _not_before(docs: NDArray[np.uint16], row: int, end: int, video: int) -> int:
    """Return the first row of ascending `docs`, from `row` on, that is not before a video: in steps that double."""
    step = 1
    while row + step < end and docs[row + step] < video:
        row += step
        step *= 2
    return _first_not_before(docs, row, min(row + step, end), video)


@compiled
def _first_not_before(values: NDArray[np.unsignedinteger], low: int, high: int, value: int) -> int:
    """Return the first place from `low` on of ascending values that is not before a value; `high` if all are."""
    while low < high:
        middle = (low + high) // 2
        if values[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def mean_and_deviation(values: NDArray[np.float32]) -> tuple[float, float, int]:
    """Return mean and standard deviation of the values that are not NaN, and how many these are."""
    origin = np.nan  # one of the values: the sums are of differences from it, and exactly 0 for equal values
    for value in values:
        if not np.isnan(value):
            origin = np.float64(value)
            break
    total, squares, count = 0.0, 0.0, 0
    for at in range(len(values)):  # by number, which lets the processor add several at once
        there = values[at] == values[at]  # not NaN
        difference = np.float64(values[at]) - origin if there else 0.0
        total += difference
        squares += difference * difference
        count += int(there)
    if not count:
        return 0.0, 0.0, 0
    mean = total / count
    return origin + mean, np.sqrt(max(0.0, squares / count - mean * mean)), count
